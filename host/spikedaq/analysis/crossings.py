"""Where a trace crosses a level, piece after piece: what is found does not depend on how the trace was cut."""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np

from spikedaq.analysis.stretches import NO_BREAKS, Breaks, FloatArray, IntArray, as_breaks, as_trace, stretch_of
from spikedaq.model import ConfigError

Direction = Literal["up", "down"]
Directions = Literal["up", "down", "both"]

_UNKNOWN, _ARMED, _FIRED = range(3)


class CrossingFinder:
    """Finds the samples at which a trace crosses a level, and remembers what it must from one piece to the next.

    Upward, a crossing is the first sample at the level or above it, after one below ``level - hysteresis``; downward
    the mirror image; both ways, either. The first sample of a stretch has none before it, so it is no crossing.

    Parameters
    ----------
    level : float
        In the trace's unit.
    direction : {"up", "down", "both"}
    hysteresis : float
        How far the trace must have gone back before it can cross again; 0 or more.
    refractory : int
        A crossing less than so many samples after the last one that was kept is none.
    at_level : float
        A sample this close to the level is at it.
    """

    def __init__(
        self,
        level: float,
        *,
        direction: Directions = "up",
        hysteresis: float = 0.0,
        refractory: int = 0,
        at_level: float = 0.0,
    ) -> None:
        self._lanes = [
            _Lane(sign, sign * level - at_level, sign * level - at_level - hysteresis, bool(hysteresis))
            for sign in _signs(direction)
        ]
        self._refractory = refractory
        self._free_from = 0
        self._n_taken = 0

    @property
    def n_taken(self) -> int:
        """Samples that it was given."""
        return self._n_taken

    def reset(self) -> None:
        """Begin a stretch: samples are missing before the next one."""
        for lane in self._lanes:
            lane.state = _UNKNOWN
        self._free_from = 0

    def take(self, values: FloatArray, breaks: Breaks = None) -> IntArray:
        """Take the next samples and return which of them are crossings.

        Parameters
        ----------
        values : float64 array, shape (n,)
            NaN is a missing sample.
        breaks : int array, optional
            Samples of these before which others are missing.

        Returns
        -------
        int64 array, shape (n_crossings,)
            Indices, rising, counted from the first sample that it was ever given.
        """
        trace = as_trace(values, "the trace")
        if not len(trace):
            return NO_BREAKS
        if breaks is not None and (np.asarray(breaks) == 0).any():
            self.reset()
        parted = as_breaks(breaks, len(trace))
        found = [lane.find(trace, parted) for lane in self._lanes]
        every = found[0] if len(found) == 1 else np.sort(np.concatenate(found))
        if self._refractory > 1:
            every = self._dead_time(every, parted)
        crossings: IntArray = every + self._n_taken
        if len(crossings):
            self._free_from = int(crossings[-1]) + self._refractory
        if len(parted) and not (len(every) and every[-1] >= parted[-1]):
            self._free_from = 0
        self._n_taken += len(trace)
        return crossings

    def _dead_time(self, found: IntArray, breaks: IntArray) -> IntArray:
        """Leave out what follows a kept one too closely in the same stretch."""
        kept: list[int] = []
        free_from, in_stretch = self._free_from - self._n_taken, 0
        for index, stretch in zip(found.tolist(), stretch_of(found, breaks).tolist(), strict=True):
            if index >= free_from or stretch != in_stretch:
                kept.append(index)
                free_from, in_stretch = index + self._refractory, stretch
        return np.array(kept, dtype=np.int64)


class _Lane:
    """One direction: ``sign`` times the trace rises to ``fire`` after it was below ``arm``."""

    def __init__(self, sign: int, fire: float, arm: float, has_hysteresis: bool) -> None:
        self.state = _UNKNOWN
        self._sign = sign
        self._fire = fire
        self._arm = arm
        self._has_hysteresis = has_hysteresis

    def find(self, trace: FloatArray, breaks: IntArray) -> IntArray:
        upward = trace if self._sign > 0 else -trace
        return self._far(upward, breaks) if self._has_hysteresis else self._near(upward, breaks)

    def _near(self, trace: FloatArray, breaks: IntArray) -> IntArray:
        """Without hysteresis only the sample before decides."""
        found = np.flatnonzero((trace[1:] >= self._fire) & (trace[:-1] < self._fire)).astype(np.int64) + 1
        if len(breaks):
            found = found[~np.isin(found, breaks)]
        if self.state == _ARMED and trace[0] >= self._fire:
            found = np.concatenate([[0], found])
        last = float(trace[-1])
        self.state = _UNKNOWN if math.isnan(last) else _FIRED if last >= self._fire else _ARMED
        return found

    def _far(self, trace: FloatArray, breaks: IntArray) -> IntArray:
        beyond = trace >= self._fire
        decided = np.flatnonzero(beyond | (trace < self._arm)).astype(np.int64)
        parted = np.union1d(breaks, np.flatnonzero(np.isnan(trace))).astype(np.int64)
        if not len(decided):
            self.state = _UNKNOWN if len(parted) else self.state
            return NO_BREAKS
        stretch = stretch_of(decided, parted)
        fires = beyond[decided]
        armed = np.empty_like(fires)
        armed[0] = self.state == _ARMED and stretch[0] == 0
        armed[1:] = ~fires[:-1] & (stretch[1:] == stretch[:-1])
        self.state = _UNKNOWN if stretch[-1] != len(parted) else _FIRED if fires[-1] else _ARMED
        found: IntArray = decided[fires & armed]
        return found


def _signs(direction: str) -> tuple[int, ...]:
    if direction not in get_args(Directions):
        raise ConfigError(f"the direction {direction!r} is unknown; it is one of {', '.join(get_args(Directions))}")
    return {"up": (1,), "down": (-1,), "both": (1, -1)}[direction]
