"""The newest samples of one device at every zoom: smallest and largest value of each bin, bins of 1, 2, 4, ... samples.

A spike is never hidden: whatever the zoom, the bin that it fell into has it as its largest value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

N_LEVELS = 14
"""Bins of up to 8192 samples: ten minutes at 10 kHz are 733 of them."""
CAPACITY = 16384
"""Bins kept of each level: 1.6 s of samples at 10 kHz, 105 s in bins of 64; 7 MB for eight channels."""
EMPTY_LOW, EMPTY_HIGH = 32767, -32768
"""A bin without samples: its smallest value is larger than its largest."""

Values = npt.NDArray[Any]
"""int16, raw values, or float32."""


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Consecutive bins of one level.

    Attributes
    ----------
    level : int
        Each bin has ``2**level`` samples.
    first : int
        Number of the first bin: that of its first step, divided by the size of a bin.
    low, high : int16 or float32 arrays, shape (n_channels, n_bins)
        Smallest and largest value; low > high where no sample is: 32767 and -32768, or the infinities.
    """

    level: int
    first: int
    low: Values
    high: Values


class Pyramid:
    """The newest samples of one boot of a device, in one clamp mode.

    Levels are made when they are asked for, from the level below, each bin once; the newest bin is made again while
    samples come to it.

    Parameters
    ----------
    n_channels : int
    capacity : int
        Bins kept of each level, a power of two.
    is_float : bool
        Values are float32, and NaN is no value; else they are int16.

    Attributes
    ----------
    begin, end : int or None
        Steps from the oldest that is kept at any level to behind the newest; None before the first sample.
    late : int
        Samples that came behind newer ones, and were left out.
    """

    def __init__(
        self, n_channels: int, *, capacity: int = CAPACITY, n_levels: int = N_LEVELS, is_float: bool = False
    ) -> None:
        if capacity < 2 or capacity & (capacity - 1):
            raise ValueError("capacity must be a power of two")
        self.n_channels = n_channels
        self.n_levels = n_levels
        self.begin: int | None = None
        self.end: int | None = None
        self.late = 0
        self._capacity = capacity
        shape = (n_levels, n_channels, capacity)
        self._dtype: type[np.float32 | np.int16] = np.float32 if is_float else np.int16
        self._empty_low: float = np.inf if is_float else EMPTY_LOW
        self._empty_high: float = -np.inf if is_float else EMPTY_HIGH
        self._low: Values = np.full(shape, self._empty_low, self._dtype)
        self._high: Values = np.full(shape, self._empty_high, self._dtype)
        self._made = [0] * n_levels
        """By level: steps before this one are in its bins."""

    def append(self, first_step: int, samples: Values) -> None:
        """Take samples (n_samples, n_channels); steps that are left out stay empty."""
        if self.end is None:
            self.begin = self.end = first_step
            self._made = [first_step] * self.n_levels
        elif first_step < self.end:
            late = min(self.end - first_step, len(samples))
            self.late += late
            first_step, samples = first_step + late, samples[late:]
        quarter = self._capacity // 4
        if first_step - self.end >= self._capacity:
            self._skip(first_step)
        while self.end < first_step:
            count = min(first_step - self.end, quarter)
            self._put(self.end, np.full((count, self.n_channels), self._empty_low, self._dtype), is_empty=True)
        for k in range(0, len(samples), quarter):
            self._put(first_step + k, samples[k : k + quarter], is_empty=False)

    def oldest(self, level: int) -> int:
        """Return the first step of which a level has all samples."""
        if self.begin is None or self.end is None:
            return 0
        first_kept = ((self.end - 1) >> level) - self._capacity + 1
        return max(self.begin, first_kept << level)

    def bins(self, level: int, first: int, stop: int | None = None) -> Bins:
        """Return the bins from number ``first`` on, up to ``stop`` or the newest; what is not kept is left out."""
        if self.end is None or self.begin is None or self.end == self.begin:
            return self._nothing(level, first)
        self._make(level)
        newest = (self.end - 1) >> level
        first = max(first, self.begin >> level, newest - self._capacity + 1)
        stop = newest + 1 if stop is None else min(stop, newest + 1)
        if stop <= first:
            return self._nothing(level, first)
        where = np.arange(first, stop) & (self._capacity - 1)
        return Bins(level, first, self._low[level][:, where], self._high[level][:, where])

    def _nothing(self, level: int, first: int) -> Bins:
        none = np.empty((self.n_channels, 0), self._dtype)
        return Bins(level, first, none, none)

    def _put(self, first_step: int, samples: Values, *, is_empty: bool) -> None:
        if not len(samples) or self.end is None:
            return
        # Level 0 must not be overwritten before every level has seen it.
        if first_step + len(samples) - min(self._made[1:], default=first_step) > self._capacity // 2:
            self._make(self.n_levels - 1)
        where = np.arange(first_step, first_step + len(samples)) & (self._capacity - 1)
        if self._dtype is np.float32:
            is_nan = np.isnan(samples.T)
            self._low[0][:, where] = np.where(is_nan, self._empty_low, samples.T)
            self._high[0][:, where] = self._empty_high if is_empty else np.where(is_nan, self._empty_high, samples.T)
        else:
            self._low[0][:, where] = samples.T
            self._high[0][:, where] = self._empty_high if is_empty else samples.T
        self.end = self._made[0] = first_step + len(samples)

    def _skip(self, first_step: int) -> None:
        """Leave out more than level 0 can hold: every level's bins between are emptied, as far as it holds them."""
        if self.end is None:
            return
        self._make(self.n_levels - 1)
        for level in range(self.n_levels):
            first, stop = ((self.end - 1) >> level) + 1, first_step >> level
            where = np.arange(max(first, stop - self._capacity + 1), stop + 1) & (self._capacity - 1)
            if level and first > stop:
                continue  # the gap is within one bin
            self._low[level][:, where] = self._empty_low
            self._high[level][:, where] = self._empty_high
            self._made[level] = first_step
        self.end = first_step

    def _make(self, level: int) -> None:
        """Bring a level, and those below it, up to the newest sample."""
        if self.end is None:
            return
        mask = self._capacity - 1
        for k in range(1, level + 1):
            if self._made[k] == self.end:
                continue
            first, stop = self._made[k] >> k, ((self.end - 1) >> k) + 1
            where = np.arange(first, stop) & mask
            even = np.arange(2 * first, 2 * stop, 2)
            # Of the first and the last bin one half may not exist: before the first sample, or not yet.
            below_first, below_stop = (self.begin or 0) >> (k - 1), ((self.end - 1) >> (k - 1)) + 1
            left, right = np.maximum(even, below_first) & mask, np.minimum(even + 1, below_stop - 1) & mask
            low, high = self._low[k - 1], self._high[k - 1]
            self._low[k][:, where] = np.minimum(low[:, left], low[:, right])
            self._high[k][:, where] = np.maximum(high[:, left], high[:, right])
            self._made[k] = self.end
