"""Stretches without a gap: the gaps tell what the block table tells; where they do not agree, the table decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedaq.model import DamagedFileError
from spikedaq.store.extent import Extent
from spikedaq.store.layout import BLOCKS, GAPS, SMALL_TABLES
from spikedaq.store.runs import find_runs


@dataclass
class Layout:
    """Blocks as (boot, first step, samples), and gaps as (boot, first step, steps)."""

    blocks: list[tuple[int, int, int]] = field(default_factory=list)
    gaps: list[tuple[int, int, int]] = field(default_factory=list)


def put(layout: Layout, *, n_blocks: int | None = None, first_sample: int = 0) -> tuple[Any, Extent]:
    """A file in memory that has nothing but the two tables, complete up to ``n_blocks``."""
    file = h5py.File.in_memory()
    n = len(layout.blocks) if n_blocks is None else n_blocks
    counts = np.array([block[2] for block in layout.blocks], np.int64)
    blocks = np.zeros(len(layout.blocks), BLOCKS.dtype)
    gaps = np.zeros(len(layout.gaps), GAPS.dtype)
    if layout.blocks:
        blocks["boot_id"], blocks["first_step"], blocks["n_samples"] = np.array(layout.blocks).T
        blocks["first_sample"] = np.cumsum(counts) - counts + first_sample
    if layout.gaps:
        gaps["boot_id"], gaps["first_step"], gaps["n_steps"] = np.array(layout.gaps).T
    for table, rows in ((BLOCKS, blocks), (GAPS, gaps)):
        for column in table.columns:
            file[f"{table.path}/{column.name}"] = rows[column.name]
    n_rows = [len(gaps) if table is GAPS else 0 for table in SMALL_TABLES]
    return file, Extent(int(counts[:n].sum()), n, 0, tuple(n_rows))


def found(layout: Layout, **how: Any) -> list[tuple[int, int, int, int]]:
    file, extent = put(layout, **how)
    with file:
        return [(run.first_sample, run.n_samples, run.first_step, run.boot_id) for run in find_runs(file, extent)]


def one_by_one(layout: Layout, n_blocks: int) -> list[tuple[int, int, int, int]]:
    """The same, block by block, as anybody would write it."""
    runs: list[list[int]] = []
    ends = {(boot, first + n) for boot, first, n in layout.gaps}
    at, expected = 0, None
    for boot, first, n in layout.blocks[:n_blocks]:
        if expected == (boot, first) and (boot, first) not in ends:
            runs[-1][1] += n
        else:
            runs.append([at, n, first, boot])
        at, expected = at + n, (boot, first + n)
    return [(run[0], run[1], run[2], run[3]) for run in runs]


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """Blocks of a board that loses steps; some losses are told by no gap, some by two, some steps come again."""
    layout = Layout()
    boot, step = 7, draw(st.integers(0, 50))
    for _ in range(draw(st.integers(0, 12))):
        what = draw(st.sampled_from("nnnnggz2ub"))
        if what in "g2":
            n = draw(st.integers(1, 9))
            parts = [n] if what == "g" or n == 1 else [1, n - 1]
            for part in parts:
                layout.gaps.append((boot, step, part))
                step += part
        elif what == "z":
            layout.gaps.append((boot, step, 0))
        elif what == "u":
            step += draw(st.integers(1, 9))
        elif what == "b":
            boot, step = boot + 1, draw(st.integers(0, 50))
        n = draw(st.integers(1, 6))
        layout.blocks.append((boot, step, n))
        step += n
    if draw(st.booleans()):
        layout.gaps.append((boot, step, draw(st.integers(1, 9))))
    return layout


@settings(max_examples=200, deadline=None)
@given(layouts(), st.data())
def test_stretches_are_what_a_walk_over_the_blocks_finds(layout: Layout, data: st.DataObject) -> None:
    """Also of a growing file, of which less counts than is there."""
    n = data.draw(st.integers(0, len(layout.blocks)))
    assert found(layout, n_blocks=n) == one_by_one(layout, n)


def test_the_table_is_not_read_where_the_gaps_tell_all() -> None:
    """Two gaps, one in two rows of two causes; a row of the table that is wrong shows that nobody looked."""
    layout = Layout([(7, 100, 10), (7, 115, 10), (7, 130, 5)], [(7, 110, 2), (7, 112, 3), (7, 125, 5)])
    file, extent = put(layout)
    file[f"{BLOCKS.path}/first_step"][1] = 99_999
    with file:
        runs = [(run.first_sample, run.n_samples, run.first_step) for run in find_runs(file, extent)]
    assert runs == [(0, 10, 100), (10, 10, 115), (20, 5, 130)]


def test_a_gap_of_another_boot_parts_nothing() -> None:
    layout = Layout([(7, 0, 5), (7, 7, 3), (8, 0, 7), (8, 7, 1)], [(7, 5, 2)])
    assert found(layout) == [(0, 5, 0, 7), (5, 3, 7, 7), (8, 8, 0, 8)]


def test_a_table_that_lacks_samples_is_damage() -> None:
    layout = Layout([(7, 100, 10), (7, 120, 10)])
    with pytest.raises(DamagedFileError, match="its block table speaks of 20 samples, and it has 25; rebuild it"):
        file, extent = put(layout)
        with file:
            find_runs(file, Extent(25, extent.n_blocks, 0, extent.n_rows))
    with pytest.raises(DamagedFileError, match="its block table speaks of"):
        found(layout, first_sample=3)
