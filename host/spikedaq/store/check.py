"""Read a recording file from end to end, and say what is wrong with it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.model import DamagedFileError, SpikedaqError, StoreError
from spikedaq.store.closing import read_ending
from spikedaq.store.extent import beyond, columns, read_extent, read_rows, series_datasets
from spikedaq.store.hdf5 import open_to_read, translated
from spikedaq.store.layout import BLOCKS, EPOCHS, GAPS, META, SMALL_TABLES, channel_storages
from spikedaq.store.meta import meta_from_json

PIECE_SAMPLES = 1 << 18
"""Read at a time: 2 MiB of timestamps."""
PATIENCE_S, LEAST_BYTES_PER_S = 30.0, 1e6
"""Damage can make HDF5 read for ever. Reading a whole file takes a tenth of this on a slow computer."""
Span = tuple[int, int]
"""First step, and the step after the last one."""


@dataclass(frozen=True, slots=True)
class FileCheck:
    """What a file holds and what is wrong with it.

    Attributes
    ----------
    is_open : bool
        It was not closed: it grows, or its writer was killed.
    session, device : str
    number : int
    first_step, next_step : int
        First step, and the step after the last one; both 0 where there is no sample.
    missing : list of Span
        Steps that the file says are missing, before its first sample too.
    problems : list of str
    """

    path: Path
    is_open: bool
    session: str
    device: str
    number: int
    boot_id: int
    n_samples: int
    first_step: int
    next_step: int
    missing: list[Span] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def check_file(path: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> FileCheck:
    """Read everything in a file.

    A file with damage of a kind that HDF5 does not expect can end the process: see :func:`check_apart`.

    Parameters
    ----------
    progress : callable
        Called with samples read and samples in all.

    Raises
    ------
    DamagedFileError
        It cannot be read as far as it says that it goes.
    StoreError
        The system refuses to read it.
    """
    path = Path(path)
    with translated(path, "read", "see spikedaq recover", from_content=True):
        file, is_live = open_to_read(path)
        try:
            return _checked(path, file, is_live, progress)
        finally:
            file.close()


def _checked(path: Path, file: Any, is_live: bool, progress: Callable[[int, int], None]) -> FileCheck:
    if META not in file:
        raise DamagedFileError(f"{path} was not written by spikedaq: it has no {META}")
    meta, _ = meta_from_json(file[META].asstr()[()], path)
    names = [s.name for s in channel_storages(meta.channels)]
    extent = read_extent(file)
    series = series_datasets(file, names)
    problems: list[str] = []
    for dataset in series if is_live else ():
        dataset.refresh()
    if not is_live and (longer := beyond(file, names, extent)):
        problems.append(f"{longer[0][0].name} is longer than the file says of itself")
    is_open = is_live or read_ending(file) is None
    last_s = -np.inf
    for start in range(0, extent.n_samples, PIECE_SAMPLES):
        stop = min(start + PIECE_SAMPLES, extent.n_samples)
        for dataset in series:
            piece = dataset[start:stop]
            if len(piece) != stop - start:
                raise DamagedFileError(f"{path}: {dataset.name} ends before sample {stop}")
        if not (np.all(np.diff(piece) >= 0) and piece[0] >= last_s):
            problems.append(f"times go back between samples {start} and {stop}")
        last_s = float(piece[-1])
        progress(stop, extent.n_samples)
    for table in SMALL_TABLES:
        rows = read_rows(file, table, extent)
        by = "start_time" if table is EPOCHS and not is_open else "journal_offset"
        if len(rows) and np.any(np.diff(rows[by]) < 0):
            problems.append(f"rows of {table.path} are out of order")
    blocks, gaps = read_rows(file, BLOCKS, extent), read_rows(file, GAPS, extent)
    for table, n in ((BLOCKS, len(blocks)), (GAPS, len(gaps))):
        if n and not np.array_equal(columns(file, table)[-1][:n], np.arange(n)):
            problems.append(f"rows of {table.path} are not numbered from 0 on")
    missing = [(int(g["first_step"]), int(g["first_step"] + g["n_steps"])) for g in gaps]
    problems += _block_problems(blocks, extent.n_samples, missing)
    return FileCheck(
        path=path,
        is_open=is_open,
        session=meta.session,
        device=meta.device,
        number=meta.number,
        boot_id=int(blocks["boot_id"][-1]) if len(blocks) else meta.info.boot_id,
        n_samples=extent.n_samples,
        first_step=int(blocks["first_step"][0]) if len(blocks) else 0,
        next_step=int(blocks["first_step"][-1]) + int(blocks["n_samples"][-1]) if len(blocks) else 0,
        missing=missing,
        problems=problems,
    )


def _block_problems(blocks: npt.NDArray[Any], n_samples: int, missing: list[Span]) -> list[str]:
    """Say where blocks and samples do not fit together, and where steps are doubled or missing without a gap."""
    if not len(blocks):
        return [f"{n_samples} samples belong to no block"] if n_samples else []
    problems = []
    counts = blocks["n_samples"].astype(np.int64)
    ends = np.cumsum(counts)
    if int(ends[-1]) != n_samples or not np.array_equal(blocks["first_sample"], ends - counts):
        problems.append(f"the block table speaks of {int(ends[-1])} samples, the file has {n_samples}")
    if len(set(blocks["boot_id"].tolist())) > 1:
        problems.append("blocks of more than one boot of the device")
    nexts = blocks["first_step"] + counts
    for k in np.flatnonzero(blocks["first_step"][1:] != nexts[:-1]):
        problem = between(int(nexts[k]), int(blocks["first_step"][k + 1]), missing)
        if problem:
            problems.append(problem)
    return problems


def between(expected_step: int, first_step: int, missing: list[Span]) -> str | None:
    """Say what is wrong where ``expected_step`` should follow and ``first_step`` does; None where gaps explain it."""
    if first_step < expected_step:
        return f"steps {first_step} to {expected_step - 1} are doubled"
    at = expected_step
    for start, stop in sorted(missing):
        if start <= at < stop:
            at = stop
    return f"steps {at} to {first_step - 1} are missing and no gap says so" if at < first_step else None


def check_apart(path: Path) -> FileCheck:
    """Do as :func:`check_file` does in a process of its own, which damage may end or hold up for good.

    Raises
    ------
    DamagedFileError
        As there; also where reading it ended that process, or does not end.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "spikedaq.store.check", str(path)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=PATIENCE_S + path.stat().st_size / LEAST_BYTES_PER_S,
        )
    except subprocess.TimeoutExpired as error:
        raise DamagedFileError(f"{path}: reading it does not end; it is damaged") from error
    except FileNotFoundError as error:
        raise StoreError(f"cannot read {path}: no such file or folder") from error
    try:
        found = json.loads(done.stdout)
        if "error" in found:
            raise DamagedFileError(found["error"])
        found["path"] = Path(found["path"])
        found["missing"] = [(int(a), int(b)) for a, b in found["missing"]]
        return FileCheck(**found)
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedFileError(f"{path}: reading it ended the reader ({done.returncode}); it is damaged") from error


def _main() -> int:
    try:
        found: dict[str, Any] = asdict(check_file(Path(sys.argv[1])))
    except SpikedaqError as error:
        found = {"error": str(error)}
    print(json.dumps(found, default=str))
    return 0


if __name__ == "__main__":
    sys.exit(_main())
