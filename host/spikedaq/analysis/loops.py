"""Stimulus loops: where they start, whether each is whole, and what they have in common.

A loop begins where the trigger rises. The usual length is the distance that most loops have; a loop of another length,
or with samples missing in it, is reported and left out of averages.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from spikedaq.analysis.stretches import FloatArray, IntArray, as_indices, as_trace
from spikedaq.model import ConfigError

_HIGH = 0.5
"""Half of a trigger channel's 1: beyond it the trigger is high."""
# Two multiples of the usual length that differ by less than this share of it are taken for the same number of loops.
_MULTIPLE_SHARE = 0.1


class LoopFault(StrEnum):
    """Why a loop is left out of averages."""

    MISSED_TRIGGER = "missed trigger"
    """It is two or more usual lengths long: triggers between were not recorded."""
    RAGGED = "ragged"
    """Its length is another one."""
    GAP = "gap"
    """Samples are missing in it."""
    INCOMPLETE = "incomplete"
    """The recording ends within it."""


@dataclass(frozen=True, slots=True)
class Loop:
    """One loop: samples ``start .. start + n_samples - 1``, up to the next trigger or the end of the recording.

    ``fault`` is None for one that is whole and of the usual length.
    """

    number: int
    start: int
    n_samples: int
    fault: LoopFault | None


@dataclass(frozen=True, slots=True, eq=False)
class Loops:
    """The loops of a trace.

    Attributes
    ----------
    length : int
        Usual length, in samples; 0 where there is none (fewer than two triggers, and none was given).
    every : tuple of Loop
    """

    length: int
    every: tuple[Loop, ...]

    @property
    def starts(self) -> IntArray:
        """First samples of the loops that are whole, int64 array, shape (n_loops,)."""
        return np.array([loop.start for loop in self.every if loop.fault is None], dtype=np.int64)

    @property
    def numbers(self) -> IntArray:
        """Numbers, from 0, of the loops that are whole, int64 array, shape (n_loops,)."""
        return np.array([loop.number for loop in self.every if loop.fault is None], dtype=np.int64)

    @property
    def faults(self) -> dict[LoopFault, int]:
        """How many loops are left out, by reason; reasons that do not occur are not there."""
        counts = {fault: sum(loop.fault is fault for loop in self.every) for fault in LoopFault}
        return {fault: n for fault, n in counts.items() if n}


def trigger_rises(trigger: npt.ArrayLike) -> IntArray:
    """Return the samples at which loops begin.

    Parameters
    ----------
    trigger : float array, shape (n,)
        The trigger channel: 1 while it is high. NaN counts as low.

    Returns
    -------
    int64 array, shape (n_rises,)
        Where it is high after a sample on which it was not. High on the first sample is a rise: the recording begins
        with a loop. So is high on the first sample after a gap, unless it was high before the gap, too.
    """
    high = as_trace(trigger, "the trigger") > _HIGH
    rises: IntArray = np.flatnonzero(high & ~np.concatenate([[False], high[:-1]])).astype(np.int64)
    return rises


def find_loops(
    rises: npt.ArrayLike,
    n_samples: int,
    *,
    steps: npt.ArrayLike | None = None,
    length: int | None = None,
    tolerance: int = 0,
) -> Loops:
    """Cut a trace into loops and tell which of them are whole.

    Parameters
    ----------
    rises : int64 array, shape (n_rises,)
        First samples of loops, as of `trigger_rises`.
    n_samples : int
        Length of the trace.
    steps : int64 array, shape (n_samples,), optional
        The model's step of each sample: a loop with a jump in it has a gap. Default: no sample is missing.
    length : int, optional
        Usual length in samples. Default: what most distances between rises are, of several the shortest.
    tolerance : int
        A loop may be this many samples shorter or longer than usual. Its first ``length - tolerance`` samples are used.

    Returns
    -------
    Loops
        The last loop is whole if ``length`` samples follow its trigger, although no other trigger ends it.

    Raises
    ------
    ConfigError
        An argument that makes no sense.
    """
    at = as_indices(rises, n_samples, "the first samples of loops")
    counted = np.arange(n_samples) if steps is None else np.asarray(steps, dtype=np.int64)
    if counted.shape != (n_samples,):
        raise ConfigError(f"there are {len(counted)} steps for {n_samples} samples; give one for each")
    breaks = np.flatnonzero(np.diff(counted) != 1).astype(np.int64) + 1
    return loops_between(at, counted[at], breaks, n_samples, length=length, tolerance=tolerance)


def loops_between(
    at: IntArray,
    steps: IntArray,
    breaks: IntArray,
    n_samples: int,
    *,
    length: int | None = None,
    tolerance: int = 0,
) -> Loops:
    """Do what `find_loops` does, of what is left when the samples are gone.

    Parameters
    ----------
    at, steps : int64 arrays, shape (n_rises,)
        First samples of loops, and the model's steps of them.
    breaks : int64 array
        Samples before which others are missing, rising.
    n_samples, length, tolerance
        As there.
    """
    if length is not None and length < 1:
        raise ConfigError(f"the length of a loop is {length} samples; it must be 1 or more")
    if tolerance < 0:
        raise ConfigError(f"the tolerance is {tolerance} samples; it must be 0 or more")
    distances = np.diff(steps)
    usual = length if length is not None else _most_common(distances[distances > 0], tolerance)
    used = max(usual - tolerance, 1) if usual else 0
    stops = np.concatenate([at[1:], [n_samples]]).astype(np.int64) if len(at) else at
    loops: list[Loop] = []
    for number, (start, stop) in enumerate(zip(at.tolist(), stops.tolist(), strict=True)):
        is_last = number == len(at) - 1
        size = min(stop - start, usual) if is_last and usual else stop - start
        fault = _fault(size, usual, used, tolerance, is_last=is_last)
        # A gap right after a whole loop took nothing of it.
        end = min(start + size - (fault is None), n_samples - 1)
        first, last = np.searchsorted(breaks, (start, end), side="right")
        if usual and first != last:
            fault = LoopFault.GAP
        loops.append(Loop(number, start, size, fault))
    return Loops(used, tuple(loops))


def _fault(size: int, usual: int, used: int, tolerance: int, *, is_last: bool) -> LoopFault | None:
    if not usual or (is_last and size < used):
        return LoopFault.INCOMPLETE
    if is_last or abs(size - usual) <= tolerance:
        return None
    times = round(size / usual)
    if times >= 2 and abs(size - times * usual) <= max(times * tolerance, _MULTIPLE_SHARE * usual):
        return LoopFault.MISSED_TRIGGER
    return LoopFault.RAGGED


def _most_common(distances: IntArray, tolerance: int) -> int:
    """Return the distance that has the most others within the tolerance; of several the shortest, 0 without any."""
    if not len(distances):
        return 0
    ordered = np.sort(distances)
    within = np.searchsorted(ordered, ordered + tolerance, "right") - np.searchsorted(ordered, ordered - tolerance)
    return int(ordered[int(np.argmax(within))])


def aligned(values: npt.ArrayLike, loops: Loops) -> FloatArray:
    """Return the values of each whole loop under one another: float64 array, shape (n_loops, loops.length)."""
    trace = as_trace(values, "the trace")
    rows: FloatArray = trace[loops.starts[:, np.newaxis] + np.arange(loops.length)]
    return rows


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """Spikes of whole loops: int64 arrays, shape (n_spikes,).

    ``numbers`` says in which loop (see `Loop.number`), ``offsets`` how many samples after its first one.
    """

    numbers: IntArray
    offsets: IntArray


def raster(spikes: npt.ArrayLike, loops: Loops, n_samples: int) -> Raster:
    """Sort spikes into whole loops; a spike on the first sample of a loop belongs to it."""
    at = as_indices(spikes, n_samples, "spikes")
    starts = loops.starts
    if not len(starts) or not len(at):
        return Raster(np.empty(0, np.int64), np.empty(0, np.int64))
    row = np.searchsorted(starts, at, side="right") - 1
    offsets = at - starts[row]
    inside = (row >= 0) & (offsets < loops.length)
    return Raster(loops.numbers[row[inside]], offsets[inside].astype(np.int64))
