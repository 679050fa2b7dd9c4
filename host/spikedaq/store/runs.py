"""Stretches of a file without a gap, found without reading its block table.

An hour at 10 kHz has 360 000 rows in that table and takes a second to read. Where the first and the last of them and
the gaps agree on every sample, the gaps tell the stretches; only where they do not, the whole table is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.model import DamagedFileError
from spikedaq.store.extent import Extent, read_rows
from spikedaq.store.layout import BLOCKS, GAPS

_ASKED = ("boot_id", "first_step", "n_samples", "first_sample")


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive samples of one boot: sample ``first_sample + k`` of the file is step ``first_step + k``."""

    first_sample: int
    n_samples: int
    first_step: int
    boot_id: int


def find_runs(file: Any, extent: Extent) -> list[Run]:
    """Return the stretches of an open file's complete blocks, in the order of its samples.

    A stretch ends at every gap that the file names, also at one of no steps, wherever the steps jump, and at another
    boot.

    Raises
    ------
    DamagedFileError
        The block table does not speak of every sample.
    """
    if not extent.n_blocks or not extent.n_samples:
        return []
    gaps = read_rows(file, GAPS, extent)
    runs = _by_gaps(file, extent, gaps)
    return _by_blocks(file, extent, gaps) if runs is None else runs


def _by_gaps(file: Any, extent: Extent, gaps: npt.NDArray[Any]) -> list[Run] | None:
    """Return the runs as the gaps tell them, None where they do not account for every step."""
    group = file[BLOCKS.path]
    first, last = {}, {}
    for name in _ASKED:
        column = group[name]
        if column.shape[0] < extent.n_blocks:
            column.refresh()  # of a growing file HDF5 may remember an earlier length
        if column.shape[0] < extent.n_blocks:
            return None
        first[name], last[name] = int(column[0]), int(column[extent.n_blocks - 1])
    boot_id, start = first["boot_id"], first["first_step"]
    stop = last["first_step"] + last["n_samples"]
    if (
        boot_id != last["boot_id"]
        or first["first_sample"]
        or last["first_sample"] + last["n_samples"] != extent.n_samples
    ):
        return None
    inner = gaps[(gaps["first_step"] > start) & (gaps["first_step"] < stop)]
    inner = inner[np.argsort(inner["first_step"], kind="stable")]
    begins = inner["first_step"]
    ends = begins + inner["n_steps"]
    if np.any(inner["boot_id"] != boot_id) or np.any(begins[1:] < ends[:-1]) or (len(ends) and ends[-1] >= stop):
        return None
    missing = np.cumsum(inner["n_steps"])
    if stop - start - (int(missing[-1]) if len(missing) else 0) != extent.n_samples:
        return None
    # Where each run begins: after a gap, as that many samples as steps have passed less those that are missing.
    steps = np.concatenate([[start], ends])
    samples = np.concatenate([[0], ends - start - missing])
    return _runs(samples, steps, np.full(len(steps), boot_id), extent.n_samples)


def _by_blocks(file: Any, extent: Extent, gaps: npt.NDArray[Any]) -> list[Run]:
    """Return the runs as the block table tells them."""
    blocks = read_rows(file, BLOCKS, extent)
    counts = blocks["n_samples"].astype(np.int64)
    if int(counts.sum()) != extent.n_samples or np.any(blocks["first_sample"] != np.cumsum(counts) - counts):
        raise DamagedFileError(
            f"{file.filename}: its block table speaks of {int(counts.sum())} samples, and it has {extent.n_samples}; "
            "rebuild it from the journal"
        )
    nexts = blocks["first_step"] + counts
    is_new = np.ones(len(blocks), bool)
    is_new[1:] = (blocks["first_step"][1:] != nexts[:-1]) | (blocks["boot_id"][1:] != blocks["boot_id"][:-1])
    for boot_id in np.unique(gaps["boot_id"]):
        own = gaps[gaps["boot_id"] == boot_id]
        is_new |= (blocks["boot_id"] == boot_id) & np.isin(blocks["first_step"], own["first_step"] + own["n_steps"])
    firsts = blocks[is_new]
    return _runs(firsts["first_sample"], firsts["first_step"], firsts["boot_id"], extent.n_samples)


def _runs(samples: npt.NDArray[Any], steps: npt.NDArray[Any], boots: npt.NDArray[Any], n_samples: int) -> list[Run]:
    counts = np.diff(samples, append=n_samples)
    rows = zip(samples.tolist(), counts.tolist(), steps.tolist(), boots.tolist(), strict=True)
    return [Run(*row) for row in rows if row[1] > 0]
