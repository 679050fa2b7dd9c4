"""Export recordings to the stock CSV, with the hardware's state beside it."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from spikedaq.formats.output import refuse_existing, written_whole
from spikedaq.formats.report import RunReport
from spikedaq.formats.s3 import S3Path, fetched, is_url, place_of
from spikedaq.formats.sources import Run, find_runs
from spikedaq.formats.stock_csv import (
    ARRIVAL_WARNING,
    STOCK_HEADER_WARNING,
    STOCK_TIME_WARNING,
    TIME_HEADERS,
    RowFormatter,
    StockColumn,
    TimeColumn,
    columns_of,
    stock_header,
)
from spikedaq.model import ClampMode, ConfigError, StoreError
from spikedaq.store import open_recording

# Rows that are in memory at a time: some 20 MB of samples, times and text.
CHUNK_ROWS = 1 << 17

_TIME_WARNINGS = {"arrival": ARRIVAL_WARNING, "stock": STOCK_TIME_WARNING}

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One CSV that was written, with its description beside it."""

    csv: Path
    description: Path
    device: str
    boot_id: int
    n_rows: int
    missing: dict[str, int | None]
    """Samples missing between the first and the last row, by cause; None where nobody can know."""
    mode: str = ClampMode.CURRENT
    warning: str | None = None
    """What a reader of the CSV could get wrong."""
    time: str = "model"
    """What the first column is."""


def export_csv(
    source: Path | str,
    out: Path | str | None = None,
    *,
    device: str | None = None,
    time: TimeColumn | None = None,
    as_stock: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[ExportedFile]:
    """Write one stock CSV per device, boot and stretch of one clamp mode, and a JSON file beside each.

    See docs/how-to/export-csv.md.

    Parameters
    ----------
    source : Path or str
        A recording file, the folder of a device, or the folder of a session; or its address in S3, from which it is
        fetched whole.
    out : Path or str, optional
        A folder, which must exist, or, for one device, a name that ends in ``.csv``. Or ``s3://bucket/prefix`` or
        ``s3://bucket/NAME.csv``. Default: beside the recording.
    device : str, optional
        Only this device of a session.
    time : {"model", "wall", "arrival", "stock"}, optional
        First column: step index x 0.1 ms from the first row on (the default); seconds since the session's reference
        time; for a board whose stock firmware counts no steps, measured milliseconds since the first row (its default);
        or row x 0.1 ms, as the stock software has it whatever is missing.
    as_stock : bool
        Give voltage clamp the header of the stock software, which calls millivolts per cent. The files' ``warning``
        and their descriptions say so.
    overwrite : bool
        Replace files that are there.
    progress : callable, optional
        Called with rows written and rows in all, after each chunk.

    Raises
    ------
    StoreError
        Nothing to export, files that cannot be read or written, or that must not be replaced. What was not completed
        is removed; files that were completed before stay.
    ConfigError
        ``time`` is none of these, or does not fit the recording.
    """
    if time is not None and time not in TIME_HEADERS:
        raise ConfigError(f"the time column cannot be {time!r}; it is one of {', '.join(TIME_HEADERS)}")
    if is_url(source) or is_url(out):
        options = {"device": device, "time": time, "as_stock": as_stock, "progress": progress}
        return _through_s3(str(source), out, overwrite, options)
    out = None if out is None else Path(out)
    try:
        runs = find_runs(Path(source), device)
        times = [_time_of(run, time) for run in runs]
        paths = _output_paths(runs, out)
        for csv, description in paths:
            refuse_existing(csv, overwrite=overwrite)
            refuse_existing(description, overwrite=overwrite)
    except OSError as error:
        raise StoreError(f"cannot look at {error.filename}: {error.strerror}; check the path and its rights") from error
    total = sum(run.n_rows for run in runs)
    exported: list[ExportedFile] = []
    done = 0
    for run, column, (csv, description) in zip(runs, times, paths, strict=True):
        # The description first: where the CSV is, its description is.
        with (
            written_whole(csv, overwrite=overwrite) as rows,
            written_whole(description, overwrite=overwrite) as document,
        ):
            warnings = [STOCK_HEADER_WARNING] if as_stock and run.mode is ClampMode.VOLTAGE else []
            warnings += [_TIME_WARNINGS[column]] if column in _TIME_WARNINGS else []
            warning = "; ".join(warnings) or None
            report = RunReport(run, csv.name, column, warning)
            for n in _write_rows(run, rows, report, columns_of(run.mode, as_stock=as_stock)):
                done += n
                if progress is not None:
                    progress(done, total)
            document.write(json.dumps(report.document(), ensure_ascii=False, indent=1).encode() + b"\n")
        counts = (report.n_rows, report.missing)
        exported.append(
            ExportedFile(csv, description, run.device, run.boot_id, *counts, str(run.mode), warning, column)
        )
    return exported


def _through_s3(source: str, out: Path | str | None, overwrite: bool, options: dict[str, Any]) -> list[ExportedFile]:
    """Export what is in S3, or to there: in a folder for temporary files, which are put there when all are whole."""
    if out is None:
        raise StoreError(f"{source} is in S3; name with --out where the CSV is to go")
    with ExitStack() as stack:
        local = stack.enter_context(fetched(source)) if is_url(source) else Path(source)
        if not is_url(out):
            return export_csv(local, out, overwrite=overwrite, **options)
        target = S3Path(str(out))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spikedaq-")))
        is_file = target.suffix == ".csv"
        exported = export_csv(local, folder / target.name if is_file else folder, **options)
        beside = target.parent if is_file else target
        for file in exported:
            for path in (file.csv, file.description):
                if not overwrite and (beside / path.name).exists():
                    raise StoreError(
                        f"{beside / path.name} exists; choose another place, or replace it with --overwrite"
                    )
        for file in exported:
            for path in (file.description, file.csv):
                (beside / path.name).put(path)
        return [
            replace(
                file,
                csv=place_of(str(beside / file.csv.name)),
                description=place_of(str(beside / file.description.name)),
            )
            for file in exported
        ]


def _time_of(run: Run, wanted: TimeColumn | None) -> TimeColumn:
    """Choose the first column of a run, or refuse one that would not be true of it."""
    if wanted is None:
        return "arrival" if run.translated else "model"
    if wanted == "model" and run.translated:
        raise ConfigError(
            f"{run.device} was recorded from a stock firmware, which counts no steps, so its rows have no model time; "
            "use 'arrival' (measured), 'wall', or 'stock' (row x 0.1 ms, as the stock software has it)"
        )
    if wanted == "arrival" and not run.translated:
        raise ConfigError(f"{run.device} counts its steps; use 'model', or 'wall' for real time")
    return wanted


def _output_paths(runs: list[Run], out: Path | None) -> list[tuple[Path, Path]]:
    out = None if out is None else Path(out)
    if out is None or out.is_dir():
        names = [(out or run.folder) / run.name for run in runs]
    elif out.suffix == ".csv":
        devices = sorted({run.device for run in runs})
        if len(devices) > 1:
            names_of = ", ".join(devices)
            raise StoreError(
                f"{out} is one file, but the recording has {names_of}; name one with --device, or a folder"
            )
        if not out.parent.is_dir():
            raise StoreError(f"{out.parent} is not a folder; create it first")
        names = [out.with_name(out.stem + run.suffix) for run in runs]
    else:
        raise StoreError(f"{out} is not a folder; create it first, or give a name that ends in .csv")
    return [(path.with_name(path.name + ".csv"), path.with_name(path.name + ".json")) for path in names]


def _write_rows(run: Run, file: BinaryIO, report: RunReport, columns: tuple[StockColumn, ...]) -> Iterator[int]:
    """Write header and rows; yield the number of rows after each chunk."""
    file.write(stock_header(report.time, columns))
    last_step = -1
    for path in run.files:
        with open_recording(path) as recording:
            formatter = RowFormatter(recording.channels, device=run.device, columns=columns, partial=run.translated)
            report.absent = formatter.absent
            n_samples = recording.n_samples
            n_before = report.n_rows
            report.file(recording, n_samples, "unknown" if recording.ending is None else _sha256(path))
            for start in range(0, n_samples, CHUNK_ROWS):
                stop = min(start + CHUNK_ROWS, n_samples)
                steps = recording.steps(start, stop)
                if not (np.diff(steps, prepend=last_step) > 0).all():
                    raise StoreError(f"{path}: the steps of its samples do not rise; the file is damaged")
                last_step = int(steps[-1])
                samples = recording.samples(start, stop)
                if report.time == "model":
                    file.write(formatter.model_rows(steps - report.first_step, samples))
                elif report.time == "stock":
                    file.write(formatter.model_rows(np.arange(n_before + start, n_before + stop), samples))
                elif report.time == "arrival":
                    file.write(formatter.arrival_rows(report.since_first_s(recording.timestamps(start, stop)), samples))
                else:
                    file.write(formatter.wall_rows(recording.timestamps(start, stop), samples))
                yield stop - start


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
