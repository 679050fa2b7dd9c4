"""How far a file is complete, and cutting it there.

The record ``/scratch/complete`` says how many samples and rows are on disk for certain. It is written after all of them
were flushed, in place and in one piece; whatever is beyond it may be half there, or zeros where a write failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.model import DamagedFileError
from spikedaq.store.layout import BLOCKS, COMPLETE, SMALL_TABLES, Table


@dataclass(frozen=True, slots=True)
class Extent:
    """What is complete: samples and rows, up to a block's last sample, and the journal offset after that block.

    ``n_rows`` counts the rows of the small tables, in the layout's order.
    """

    n_samples: int
    n_blocks: int
    cursor: int
    n_rows: tuple[int, ...]

    def record(self) -> npt.NDArray[np.int64]:
        """Return it as it is stored."""
        return np.array([self.n_samples, self.n_blocks, self.cursor, *self.n_rows], np.int64)


def empty(start_offset: int) -> Extent:
    """Return the extent of a file without a block."""
    return Extent(0, 0, start_offset, (0,) * len(SMALL_TABLES))


def series_datasets(file: Any, names: Sequence[str]) -> list[Any]:
    """Return the datasets that grow by one per sample: every channel's data, then the timestamps."""
    datasets = [file[f"acquisition/{name}/data"] for name in names]
    return [*datasets, file[f"acquisition/{names[0]}/timestamps"]]


def columns(file: Any, table: Table) -> list[Any]:
    """Return the datasets of a table, its ``id`` last; none where the table is not there."""
    group = file.get(table.path)
    return [] if group is None else [*(group[c.name] for c in table.columns), group["id"]]


def read_extent(file: Any) -> Extent:
    """Return how far the file is complete."""
    dataset = file[COMPLETE]
    # A growing file: the record is read anew, before the lengths of what it speaks of.
    dataset.refresh()
    n_samples, n_blocks, cursor, *n_rows = dataset[:].tolist()
    n_rows += [0] * (len(SMALL_TABLES) - len(n_rows))  # of an older version, which had fewer tables
    return Extent(n_samples, n_blocks, cursor, tuple(n_rows))


def read_rows(file: Any, table: Table, extent: Extent) -> npt.NDArray[Any]:
    """Return a table's complete rows as a structured array."""
    n = extent.n_blocks if table is BLOCKS else extent.n_rows[SMALL_TABLES.index(table)]
    rows = np.empty(n, table.dtype)
    if n:
        group = file[table.path]
        for column in table.columns:
            dataset = group[column.name]
            if dataset.shape[0] < n:
                dataset.refresh()
            rows[column.name] = dataset[:n]
    return rows


def at_cursor(file: Any, extent: Extent) -> Extent:
    """Return the extent without the rows made from what the journal has after the cursor.

    It is read on from there, so they would come twice.
    """
    kept = []
    for table in SMALL_TABLES:
        offsets = read_rows(file, table, extent)["journal_offset"]
        # A closed file has its epochs by start time; its cursor lies behind all of them.
        kept.append(int(np.count_nonzero(offsets <= extent.cursor)))
    return Extent(extent.n_samples, extent.n_blocks, extent.cursor, tuple(kept))


def beyond(file: Any, names: Sequence[str], extent: Extent) -> list[tuple[Any, int]]:
    """Return the datasets that are longer than they should be, with the length that they should have.

    Raises
    ------
    DamagedFileError
        One is shorter than the file says of itself.
    """
    wanted = [(d, extent.n_samples) for d in series_datasets(file, names)]
    wanted += [(d, extent.n_blocks) for d in columns(file, BLOCKS)]
    for table, n in zip(SMALL_TABLES, extent.n_rows, strict=True):
        wanted += [(d, n) for d in columns(file, table)]
    short = [d.name for d, n in wanted if d.shape[0] < n]
    if short:
        raise DamagedFileError(f"{file.filename}: {short[0]} is shorter than it says; rebuild it from the journal")
    return [(d, n) for d, n in wanted if d.shape[0] > n]


def cut(file: Any, names: Sequence[str], extent: Extent) -> None:
    """Cut a file that is open for writing, outside SWMR, to an extent."""
    record = extent.record()
    if file[COMPLETE].shape != record.shape:
        raise DamagedFileError(f"{file.filename} was begun by an older version; rebuild it from the journal")
    # First the record: killed in between, the next repair cuts the rest.
    file[COMPLETE][:] = record
    file.flush()
    for dataset, n in beyond(file, names, extent):
        dataset.id.set_extent((n,))
