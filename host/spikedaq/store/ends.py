"""Where a file's contents end: what a writer has to know to go on with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spikedaq.model import BlockFlag, GapCause
from spikedaq.store.extent import Extent, read_rows
from spikedaq.store.layout import BLOCKS, CLOCK_FITS, CLOCK_MAPS, EPOCHS, GAPS, PARAMETERS, TRIGGERS
from spikedaq.store.meta import LastBlock, no_gaps

STANDING = (CLOCK_MAPS, CLOCK_FITS)
"""Tables of what holds until its next row, or the end of the file."""


@dataclass(frozen=True, slots=True)
class LastTrigger:
    """Start of the stimulus loop that has not ended yet."""

    boot_id: int
    loop: int
    time_s: float
    step: int


@dataclass
class Ends:
    """Counters and last rows of a file; a writer keeps them going while it appends."""

    first_step: int | None = None
    last_row: tuple[int, ...] | None = None
    """Last row of the block table, columns as in the layout."""
    saturated_blocks: int = 0
    gap_samples: dict[str, int] = field(default_factory=no_gaps)
    gap_counts: dict[str, int] = field(default_factory=no_gaps)
    last_gap_s: float = -np.inf
    run_step: int | None = None
    """Step of the first sample after the last gap whose cause is outside; None where there is no such gap."""
    n_inner: int = 0
    """Gaps of that cause, but for one before the first sample."""
    gap_end: int = 0
    """Step after the last gap."""
    last_epoch_s: float = -np.inf
    last_trigger: LastTrigger | None = None
    only_rows: dict[str, tuple[Any, ...] | None] = field(default_factory=dict[str, "tuple[Any, ...] | None"])
    """The row of each table in STANDING that has one, None where it has more; by path."""
    has_initial_parameters: bool = False


def read_ends(file: Any, extent: Extent) -> Ends:
    """Read the ends of a file that was cut to its extent."""
    ends = Ends()
    blocks = read_rows(file, BLOCKS, extent)
    if len(blocks):
        ends.first_step = int(blocks["first_step"][0])
        ends.last_row = blocks[-1].item()
    ends.saturated_blocks = count_saturated(blocks)
    gaps = read_rows(file, GAPS, extent)
    for cause, n_steps in zip(gaps["cause"], gaps["n_steps"], strict=True):
        ends.gap_samples[cause.decode()] += int(n_steps)
        ends.gap_counts[cause.decode()] += 1
    if len(gaps):
        ends.last_gap_s = float(gaps["start_time"][-1])
        ends.gap_end = int(gaps["first_step"][-1] + gaps["n_steps"][-1])
        outside = gaps[gaps["cause"] == GapCause.OUTSIDE.value.encode()]
        if len(outside):
            ends.run_step = int(outside["first_step"][-1] + outside["n_steps"][-1])
            ends.n_inner = count_inner(gaps, ends.first_step or 0)
    epochs = read_rows(file, EPOCHS, extent)
    if len(epochs):
        ends.last_epoch_s = float(epochs["start_time"][-1])
    triggers = read_rows(file, TRIGGERS, extent)
    if len(triggers):
        t = triggers[-1]
        ends.last_trigger = LastTrigger(int(t["boot_id"]), int(t["loop"]), float(t["timestamp"]), int(t["step"]))
    for table in STANDING:
        rows = read_rows(file, table, extent)
        if len(rows):
            ends.only_rows[table.path] = rows[0].item() if len(rows) == 1 else None
    ends.has_initial_parameters = len(read_rows(file, PARAMETERS, extent)) > 0
    return ends


def last_block(ends: Ends) -> LastBlock | None:
    """Return where the last block ends, None before the first."""
    if ends.last_row is None:
        return None
    boot_id, seq, _, first_step, first_tick, step_us, n, *_ = ends.last_row
    return LastBlock(boot_id, seq, first_step + n, first_tick + n * step_us, step_us)


def count_inner(gaps: Any, first_step: int) -> int:
    """Count the gaps between windows; one before the first sample parts the file from the one before it."""
    outside = gaps["cause"] == GapCause.OUTSIDE.value.encode()
    return int(np.count_nonzero(outside & (gaps["first_step"] > first_step)))


def count_saturated(blocks: Any) -> int:
    """Count the blocks with a value cut at the limits of int16."""
    return int(np.count_nonzero(blocks["flags"] & int(BlockFlag.SATURATED)))
