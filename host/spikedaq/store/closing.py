"""The last step of a recording file: remove what stayed empty, say how it ended, hash it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.model import StoreError
from spikedaq.store.ends import count_inner, count_saturated
from spikedaq.store.extent import columns, read_extent, read_rows, series_datasets
from spikedaq.store.hdf5 import open_file, translated
from spikedaq.store.layout import BLOCKS, ENDING, ENDING_BYTES, EPOCHS, GAPS, NOTES, TABLES, channel_storages
from spikedaq.store.meta import ClosedFile, countable, no_gaps
from spikedaq.store.repair import read_meta

OPEN = b'{"state": "open"}'
HASH_BYTES = 1 << 20
_AUTOMATIC, _REQUEST = (b"link", b"journal"), b'{"request": '


def finish(path: Path, reason: str) -> None:
    """Take the file out of SWMR's hands for good. Killed in here, it can be repaired and resumed, or is closed.

    NWB calls an empty table bad practice, and objects cannot be removed under SWMR; that is all that is left to do.
    """
    with open_file(path, "r+") as file:
        for table in TABLES:
            datasets = columns(file, table)
            if datasets and datasets[-1].shape[0] == 0:
                del file[table.path]
        _sort_epochs(file)
        file[ENDING][()] = ending_text(reason)


def _sort_epochs(file: Any) -> None:
    """Bring epochs into the order of their starts, which NWB asks for; while it grows they are in that of the journal.

    Windows of different lengths start in another order than their triggers fire.
    """
    new = f"{EPOCHS.path}_sorted"
    if new in file:  # of one who was killed in here
        del file[new]
    if EPOCHS.path not in file:
        return
    order = np.argsort(file[EPOCHS.path]["start_time"][:], kind="stable")
    if (np.diff(order) > 0).all():
        return
    # A copy takes the place of what is there: rows half sorted could never be told from good ones.
    file.copy(EPOCHS.path, new)
    for column in EPOCHS.columns:
        file[new][column.name][:] = file[EPOCHS.path][column.name][:][order]
    file.flush()
    del file[EPOCHS.path]
    file.move(new, EPOCHS.path)


def ending_text(reason: str) -> bytes:
    """Return how a closed file ended, for `ENDING`; a long reason is cut."""
    while True:
        text = json.dumps({"state": "closed", "reason": reason}, ensure_ascii=False).encode("utf-8", "replace")
        if len(text) <= ENDING_BYTES:
            return text
        reason = reason[: len(reason) * 3 // 4]


def read_ending(file: Any) -> str | None:
    """Return the reason for which an open file was closed, None where it was not."""
    document = json.loads(file[ENDING][()].decode())
    return str(document["reason"]) if document["state"] == "closed" else None


def describe_closed(path: Path) -> ClosedFile:
    """Return what the manifest says of a closed file, read from the file itself.

    Raises
    ------
    StoreError
        Not ours, or not closed: resume and close it.
    """
    path = Path(path)
    with translated(path, "read", "repair it first"), open_file(path, "r", locking=None) as file:
        meta, _ = read_meta(file, path)
        reason = read_ending(file)
        if reason is None:
            raise StoreError(f"{path} is not closed; resume it, then close it")
        extent = read_extent(file)
        blocks = read_rows(file, BLOCKS, extent)
        gaps = no_gaps()
        n_runs = 1 + count_inner(read_rows(file, GAPS, extent), int(blocks["first_step"][0]) if len(blocks) else 0)
        for gap in read_rows(file, GAPS, extent):
            gaps[gap["cause"].decode()] += int(gap["n_steps"])
        n_notes = _count_notes(read_rows(file, NOTES, extent))
        times = series_datasets(file, [s.name for s in channel_storages(meta.channels)])[-1]
        n = extent.n_samples
        start_s, stop_s = (float(times[0]), float(times[n - 1])) if n else (0.0, 0.0)
    with translated(path, "read"):
        digest = sha256_of(path, sync=True)
        n_bytes = path.stat().st_size
    n_rows = len(blocks)
    return ClosedFile(
        path=path,
        sha256=digest,
        n_bytes=n_bytes,
        n_samples=n,
        first_step=int(blocks["first_step"][0]) if n_rows else 0,
        next_step=int(blocks["first_step"][-1]) + int(blocks["n_samples"][-1]) if n_rows else 0,
        boot_id=int(blocks["boot_id"][-1]) if n_rows else meta.info.boot_id,
        start_s=start_s,
        stop_s=stop_s,
        gaps=countable(gaps, translated=meta.info.is_translated),
        saturated_blocks=count_saturated(blocks),
        reason=reason,
        n_runs=n_runs,
        n_notes=n_notes,
    )


def _count_notes(rows: npt.NDArray[Any]) -> int:
    """Return how many notes people made; requests, links and holes of the journal are noted in the same table."""
    _, firsts = np.unique(rows["journal_offset"], return_index=True)  # a long note has several rows
    made = [r for r in rows[firsts] if r["origin"] not in _AUTOMATIC and not r["annotation"].startswith(_REQUEST)]
    return len(made)


def sha256_of(path: Path, *, sync: bool = False, progress: Callable[[int], None] = lambda n_bytes: None) -> str:
    """Return the SHA-256 of a file.

    Parameters
    ----------
    sync : bool
        Bring the file to the disk itself first.
    progress : callable
        Called with the number of bytes of each piece.

    Raises
    ------
    OSError
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        if sync:
            os.fsync(file.fileno())
        while piece := file.read(HASH_BYTES):
            digest.update(piece)
            progress(len(piece))
    return digest.hexdigest()
