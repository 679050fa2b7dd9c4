"""How far a file is complete, and cutting it there."""

from __future__ import annotations

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


def series_datasets(file: Any, names: list[str]) -> list[Any]:
    """Return the datasets that grow by one per sample: every channel's data, and the timestamps."""
    datasets = [file[f"acquisition/{name}/data"] for name in names]
    return [*datasets, file[f"acquisition/{names[0]}/timestamps"]] if names else datasets


def columns(file: Any, table: Table) -> list[Any]:
    """Return the datasets of a table, its ``id`` last."""
    group = file[table.path]
    return [*(group[c.name] for c in table.columns), group["id"]]


def read_rows(file: Any, table: Table, limit: int | None = None) -> npt.NDArray[Any]:
    """Return a table's complete rows as a structured array; no rows where the table is not there."""
    if table.path not in file:
        return np.empty(0, table.dtype)
    datasets = columns(file, table)
    n = min(d.shape[0] for d in datasets)
    n = n if limit is None else min(n, limit)
    rows = np.empty(n, table.dtype)
    if n:
        for column, dataset in zip(table.columns, datasets, strict=False):
            rows[column.name] = dataset[:n]
    return rows


def measure(file: Any, names: list[str], start_offset: int) -> Extent:
    """Return how far the file is complete."""
    datasets = series_datasets(file, names)
    n_samples = min((d.shape[0] for d in datasets), default=0)
    group = file[BLOCKS.path] if BLOCKS.path in file else None
    if group is None:
        return Extent(0, 0, start_offset)
    n_rows = min(d.shape[0] for d in columns(file, BLOCKS))
    if n_rows == 0:
        return Extent(0, 0, start_offset)
    ends = group["first_sample"][:n_rows] + group["n_samples"][:n_rows].astype(np.int64)
    n_blocks = int(np.searchsorted(ends, n_samples, side="right"))
    if n_blocks == 0:
        return Extent(0, 0, start_offset)
    return Extent(n_blocks, int(ends[n_blocks - 1]), int(group["journal_offset"][n_blocks - 1]))


def cut(file: Any, names: list[str], start_offset: int) -> tuple[Extent, bool]:
    """Cut every series and table to the complete blocks. Returns what is left, and whether anything was cut.

    A row stays where its journal offset is at or below the cursor: the journal is read on from there, so everything is
    in the file exactly once.
    """
    extent = measure(file, names, start_offset)
    changed = False
    for dataset in series_datasets(file, names):
        changed |= _cut(dataset, extent.n_samples)
    if BLOCKS.path in file:
        for dataset in columns(file, BLOCKS):
            changed |= _cut(dataset, extent.n_blocks)
    for table in SMALL_TABLES:
        if table.path not in file:
            continue
        datasets = columns(file, table)
        n_rows = min(d.shape[0] for d in datasets)
        offsets = file[table.path]["journal_offset"][:n_rows]
        kept = int(np.searchsorted(offsets, extent.cursor, side="right"))
        for dataset in datasets:
            changed |= _cut(dataset, kept)
    return extent, changed


def _cut(dataset: Any, n: int) -> bool:
    if dataset.shape[0] == n:
        return False
    dataset.id.set_extent((n,))
    return True
