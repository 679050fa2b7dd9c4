"""How far a file is complete, and cutting it there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.store.layout import BLOCKS, SMALL_TABLES, Table


@dataclass(frozen=True, slots=True)
class Extent:
    """Complete blocks of a file: those whose row is whole and whose samples are in every series."""

    n_blocks: int
    n_samples: int
    cursor: int


def series_datasets(file: Any, names: Sequence[str]) -> list[Any]:
    """Return the datasets that grow by one per sample: every channel's data, then the timestamps."""
    datasets = [file[f"acquisition/{name}/data"] for name in names]
    return [*datasets, file[f"acquisition/{names[0]}/timestamps"]]


def columns(file: Any, table: Table) -> list[Any]:
    """Return the datasets of a table, its ``id`` last; none where the table is not there."""
    group = file.get(table.path)
    return [] if group is None else [*(group[c.name] for c in table.columns), group["id"]]


def read_rows(file: Any, table: Table, limit: int | None = None) -> npt.NDArray[Any]:
    """Return a table's complete rows as a structured array."""
    datasets = columns(file, table)
    n = min((d.shape[0] for d in datasets), default=0)
    rows = np.empty(n if limit is None else min(n, limit), table.dtype)
    if len(rows):
        for column, dataset in zip(table.columns, datasets, strict=False):
            rows[column.name] = dataset[: len(rows)]
    return rows


def measure(file: Any, names: Sequence[str], start_offset: int) -> Extent:
    """Return how far the file is complete; ``start_offset`` is the cursor of a file without a block."""
    n_samples = min(d.shape[0] for d in series_datasets(file, names))
    n_rows = min((d.shape[0] for d in columns(file, BLOCKS)), default=0)
    if n_rows:
        group = file[BLOCKS.path]
        ends = group["first_sample"][:n_rows] + group["n_samples"][:n_rows].astype(np.int64)
        n_blocks = int(np.searchsorted(ends, n_samples, side="right"))
        if n_blocks:
            return Extent(n_blocks, int(ends[n_blocks - 1]), int(group["journal_offset"][n_blocks - 1]))
    return Extent(0, 0, start_offset)


def excess(file: Any, names: Sequence[str], extent: Extent) -> list[tuple[Any, int]]:
    """Return the datasets that go beyond the complete blocks, with the length that each has to be cut to.

    A row of a small table stays where its journal offset is at or below the cursor: the journal is read on from there,
    so everything is in the file exactly once.
    """
    wanted = [(d, extent.n_samples) for d in series_datasets(file, names)]
    wanted += [(d, extent.n_blocks) for d in columns(file, BLOCKS)]
    for table in SMALL_TABLES:
        datasets = columns(file, table)
        if datasets:
            n_rows = min(d.shape[0] for d in datasets)
            offsets = file[table.path]["journal_offset"][:n_rows]
            kept = int(np.searchsorted(offsets, extent.cursor, side="right"))
            wanted += [(d, kept) for d in datasets]
    return [(d, n) for d, n in wanted if d.shape[0] != n]


def cut(file: Any, names: Sequence[str], extent: Extent) -> bool:
    """Cut a file that is open for writing to its complete blocks. Returns whether anything was beyond them."""
    beyond = excess(file, names, extent)
    for dataset, n in beyond:
        dataset.id.set_extent((n,))
    return bool(beyond)
