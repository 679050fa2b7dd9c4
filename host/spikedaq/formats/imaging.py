"""The imaging simulation of what was recorded: the same numbers as live, for the same seed, settings and first step."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spikedaq.analysis.imaging import Imager
from spikedaq.analysis.imaging_settings import ImagingSettings
from spikedaq.formats.imaging_files import ImagingFiles, Outputs, Tally
from spikedaq.formats.imaging_source import ImagingSource, find_sources
from spikedaq.model import MODEL_STEP_MS, ConfigError, StoreError
from spikedaq.store import ImagingMeta

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9-]+")

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Simulation:
    """What to simulate.

    Attributes
    ----------
    first_step : int or None
        Model step at which it begins, at rest; None: with the first sample.
    """

    settings: ImagingSettings
    seed: int = 0
    indicator: str = ""
    first_step: int | None = None

    def described(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "indicator": self.indicator,
            "seed": self.seed,
            "settings": self.settings.to_map(),
            "frame_rate_hz": self.settings.true_frame_rate_hz,
            "pitch_steps": self.settings.steps_per_frame,
        }


@dataclass(frozen=True, slots=True)
class ComputedImaging:
    """What became of one boot of one device."""

    device: str
    files: list[Path]
    tally: Tally

    def to_map(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"device": self.device, "files": [str(path) for path in self.files], **asdict(self.tally)}


def compute_imaging(
    source: Path,
    out: Path | None,
    simulation: Simulation,
    *,
    device: str | None = None,
    boot_id: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[ComputedImaging]:
    """Simulate imaging of a recording, and write NWB and stock CSV for each boot of each device.

    Parameters
    ----------
    source : Path
        A session's or device's folder, a recording file, or a CSV of the stock software.
    out : Path, optional
        A folder, or a name that ends in ``.nwb`` or ``.csv``: then only that. Default: beside the recording.
    device : str, optional
        Only this device of a session.
    boot_id : int, optional
        Only this boot.
    progress : callable, optional
        Called with samples done and samples in all (0 where nobody has counted them).

    Raises
    ------
    StoreError
        Nothing there, or files that cannot be read or written; what was not completed is removed.
    ConfigError
        A first step that was not recorded, or no membrane potential.
    """
    try:
        sources = find_sources(Path(source), device)
        if boot_id is not None:
            sources = [each for each in sources if each.boot_id == boot_id]
            if not sources:
                raise ConfigError(f"{source} has nothing of boot {boot_id}")
        if simulation.first_step is not None and len(sources) > 1:
            raise ConfigError("a first step is of one boot of one device; name it with --device, or give its file")
        outputs = [outputs_of(each, out, alone=len(sources) == 1, overwrite=overwrite) for each in sources]
        for each in outputs:
            each.check()
    except OSError as error:
        raise StoreError(f"cannot look at {error.filename}: {error.strerror}; check the path and its rights") from error
    done, total = 0, sum(each.n_rows for each in sources)

    def count(n: int) -> None:
        nonlocal done
        done += n
        if progress is not None:
            progress(done, total)

    return [_compute(each, where, simulation, count) for each, where in zip(sources, outputs, strict=True)]


def _compute(
    source: ImagingSource, outputs: Outputs, simulation: Simulation, count: Callable[[int], None]
) -> ComputedImaging:
    files = ImagingFiles(outputs, lambda boot_id, first_step: _meta(source, simulation, boot_id, first_step))
    first_step = simulation.first_step or 0
    try:
        imager = Imager(simulation.settings, seed=simulation.seed)
        for piece in source.blocks():
            block = piece.since(first_step)
            if block is not None:
                files.take(imager.feed(block.boot_id, block.first_step, block.vm_mv), block)
            count(len(piece))
        files.close("complete")
    except BaseException:
        files.abandon()
        raise
    if not files.tallies:
        raise ConfigError(f"{source.device} has no sample from step {first_step} on; choose an earlier first step")
    return ComputedImaging(source.device, files.written, files.tallies[0])


def outputs_of(source: ImagingSource, out: Path | None, *, alone: bool, overwrite: bool) -> Outputs:
    """Return where the files of a source go."""
    if out is None or out.is_dir():
        base = (out or source.folder) / (source.name + source.suffix)
        nwb, csv = base.with_name(base.name + ".nwb"), base.with_name(base.name + ".csv")
        return Outputs(nwb, csv, overwrite)
    if out.suffix not in (".nwb", ".csv"):
        raise StoreError(f"{out} is not a folder; create it first, or give a name that ends in .nwb or .csv")
    if not alone:
        raise StoreError(f"{out} is one file, but there are several devices or boots; name one, or a folder")
    return Outputs(out, None, overwrite) if out.suffix == ".nwb" else Outputs(None, out, overwrite)


def _meta(source: ImagingSource, simulation: Simulation, boot_id: int, first_step: int) -> ImagingMeta:
    settings = simulation.settings
    common: dict[str, Any] = {
        "boot_id": boot_id,
        "first_step": first_step,
        "pitch_steps": settings.steps_per_frame,
        "seed": simulation.seed,
        "settings": settings.to_map(),
        "indicator": simulation.indicator,
    }
    meta = source.meta
    if meta is None:
        path = source.csv or Path()
        return ImagingMeta(
            bench="none",
            device=_NOT_IN_NAMES.sub("_", source.device).strip("_") or "csv",
            unique_id="",
            board="unknown",
            # A CSV says nothing of when it was made; this is when it was last changed.
            reference_utc_ns=path.stat().st_mtime_ns,
            time="model",
            step_us=round(MODEL_STEP_MS * 1000),
            source=f"{path.name}, which has neither date nor real time: second 0 is when that file was last changed",
            **common,
        )
    return ImagingMeta(
        bench=meta.bench,
        device=meta.device,
        unique_id=meta.info.unique_id,
        board=meta.info.board,
        reference_utc_ns=meta.reference_utc_ns,
        time="host",
        step_us=meta.step_us,
        source=f"recording {meta.session}, {sum(len(run.files) for run in source.runs)} files",
        session=meta.session,
        notes=meta.notes,
        experimenter=meta.experimenter,
        **common,
    )
