"""Averages over stimulus loops while samples come: what is kept grows with loops and spikes, not with samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from spikedaq.analysis.averages import Average
from spikedaq.analysis.loops import Loops, loops_between
from spikedaq.analysis.rates import held_rate_at
from spikedaq.analysis.stretches import FloatArray, IntArray

MAX_LOOP = 600_000
"""Samples of a loop that are kept, a minute at 10 kHz; a longer one is counted and not averaged."""
MAX_LENGTHS = 16
"""Lengths of loops that are averaged side by side; with more, the stimulus changes all the time: the rarest goes."""
_HIGH = 0.5
# Cells of a table of rates that are computed together.
_CELLS = 1 << 20


@dataclass(slots=True)
class Moments:
    """Number, mean and squares of the differences from it, of rows that need not be kept."""

    n: int
    mean: FloatArray
    squares: FloatArray

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> Moments:
        """Return those of no rows."""
        return cls(0, np.zeros(shape), np.zeros(shape))

    def add(self, row: FloatArray) -> None:
        """Take one more row. Welford 1962."""
        self.n += 1
        away = row - self.mean
        self.mean += away / self.n
        self.squares += away * (row - self.mean)

    def merge(self, other: Moments, length: int) -> None:
        """Take the first ``length`` values of other rows. Chan, Golub and LeVeque 1979."""
        total = self.n + other.n
        if not other.n:
            return
        away = other.mean[..., :length] - self.mean
        self.squares += other.squares[..., :length] + away**2 * (self.n * other.n / total)
        self.mean += away * (other.n / total)
        self.n = total

    def average(self, row: int) -> Average:
        """Return mean and spread of one of the traces."""
        mean = self.mean[row] if self.n else np.full(self.mean.shape[-1], np.nan)
        sd = np.sqrt(self.squares[row] / (self.n - 1)) if self.n >= 2 else np.full(len(mean), np.nan)
        return Average(mean.copy(), sd, sd / np.sqrt(max(self.n, 1)), np.full(len(mean), self.n, np.int64))


@dataclass(slots=True)
class LiveLoops:
    """Takes samples of an unbroken or broken stretch after another; cuts them into loops and averages over these.

    Parameters
    ----------
    traces : sequence of str
        What is averaged.
    """

    traces: Sequence[str]
    _rises: list[tuple[int, int]] = field(default_factory=list)
    _breaks: list[int] = field(default_factory=list)
    _n_samples: int = 0
    _was_high: bool = False
    _pieces: list[FloatArray] = field(default_factory=list)
    _n_kept: int = 0
    _by_length: dict[int, Moments] = field(default_factory=dict)

    @property
    def n_samples(self) -> int:
        """Samples that it was given."""
        return self._n_samples

    @property
    def breaks(self) -> IntArray:
        """Samples before which others are missing."""
        return np.array(self._breaks, dtype=np.int64)

    def take(self, first_step: int, trigger: FloatArray, values: Mapping[str, FloatArray], *, is_break: bool) -> None:
        """Take the next samples.

        Parameters
        ----------
        first_step : int
            The model's step of the first of them.
        trigger : float array, shape (n,)
        values : mapping of str to float arrays, shape (n,)
            Of each of the traces.
        is_break : bool
            Samples are missing before the first of them.
        """
        if is_break and self._n_samples:
            self._breaks.append(self._n_samples)
        table = np.array([values[name] for name in self.traces]).reshape(len(self.traces), len(trigger))
        high = trigger > _HIGH
        starts = np.flatnonzero(high & ~np.concatenate([[self._was_high], high[:-1]])).tolist()
        edges = [0, *starts, len(trigger)]
        for k, (start, stop) in enumerate(pairwise(edges)):
            if k:
                self._finish(self._n_samples + start)
                self._rises.append((self._n_samples + start, first_step + start))
            self._keep(table[:, start:stop])
        self._was_high = bool(high[-1]) if len(high) else self._was_high
        self._n_samples += len(trigger)

    def _keep(self, piece: FloatArray) -> None:
        if self._rises and self._n_kept < MAX_LOOP:
            self._pieces.append(piece)
            self._n_kept += piece.shape[1]

    def _finish(self, stop: int) -> None:
        """Take the loop that ends before ``stop`` into the averages of its length."""
        if self._rises and self._n_kept == stop - self._rises[-1][0] and not self._is_broken(stop):
            row = np.concatenate(self._pieces, axis=1)
            if row.shape[1] not in self._by_length:
                if len(self._by_length) == MAX_LENGTHS:
                    del self._by_length[min(self._by_length, key=lambda length: self._by_length[length].n)]
                self._by_length[row.shape[1]] = Moments.empty(row.shape)
            self._by_length[row.shape[1]].add(row)
        self._pieces, self._n_kept = [], 0

    def _is_broken(self, stop: int) -> bool:
        """Whether samples are missing within the loop; a gap right before the next one took nothing of it."""
        return any(self._rises[-1][0] < at < stop for at in reversed(self._breaks[-8:]))

    @property
    def n_loops(self) -> int:
        """Loops so far, the one that goes on included."""
        return len(self._rises)

    def usual(self, *, length: int | None = None, tolerance: int = 0) -> tuple[int, int]:
        """Return the usual length so far, in samples, and how many loops of it have ended; (0, 0) before the first.

        `loops` says more, and takes time for each loop.
        """
        counts = {size: one.n for size, one in self._by_length.items()}
        if length is None:
            length = min(counts, key=lambda size: (-counts[size], size), default=0)
        return length, sum(n for size, n in counts.items() if abs(size - length) <= tolerance)

    def loops(self, *, length: int | None = None, tolerance: int = 0) -> Loops:
        """Return the loops so far, as of `find_loops`."""
        at, steps = (np.array([rise[k] for rise in self._rises], dtype=np.int64) for k in (0, 1))
        return loops_between(at, steps, self.breaks, self._n_samples, length=length, tolerance=tolerance)

    def averages(self, loops: Loops, *, tolerance: int = 0) -> dict[str, Average]:
        """Return the average of each trace over whole loops: what `average` gives of `aligned` samples."""
        sums = Moments.empty((len(self.traces), loops.length))
        usual = loops.length + tolerance
        for size, moments in self._by_length.items():
            if abs(size - usual) <= tolerance and size >= loops.length:
                sums.merge(moments, loops.length)
        last = loops.every[-1] if loops.every else None
        if last is not None and last.fault is None and self._n_kept >= loops.length:
            sums.add(np.concatenate(self._pieces, axis=1)[:, : loops.length])
        return {name: sums.average(k) for k, name in enumerate(self.traces)}


def held_rate_average(spikes: IntArray, loops: Loops, *, step_ms: float, breaks: IntArray) -> Average:
    """Return the average over whole loops of the rate that `held_rate_hz` gives, without one value for each sample.

    Parameters
    ----------
    spikes : int64 array, shape (n_spikes,)
        Indices of samples, rising.
    loops : Loops
    step_ms : float
        Time between samples.
    breaks : int64 array
        Samples before which others are missing.
    """
    sums = Moments.empty((1, loops.length))
    for starts in _some(loops):
        places = starts[:, np.newaxis] + np.arange(loops.length)
        rates = held_rate_at(spikes, places, step_ms=step_ms, breaks=breaks)
        mean = rates.mean(axis=0)
        sums.merge(Moments(len(rates), mean[np.newaxis], ((rates - mean) ** 2).sum(axis=0)[np.newaxis]), loops.length)
    return sums.average(0)


def _some(loops: Loops) -> Iterator[IntArray]:
    starts = loops.starts
    at_a_time = max(_CELLS // max(loops.length, 1), 1)
    for first in range(0, len(starts), at_a_time):
        yield starts[first : first + at_a_time]
