"""Stretches of samples with one rate and nothing missing: what every recording is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel: value in ``unit`` = raw * ``scale`` + ``offset``."""

    name: str
    unit: str
    scale: float = 1.0
    offset: float = 0.0


class Segment(ABC):
    """Consecutive samples of one boot, without a gap.

    Attributes
    ----------
    fs_hz : float
        Samples per second; the times of a measured segment need not keep to it exactly.
    boot_id : int or None
        Boot of the device; None where nobody knows.
    first_step : int or None
        The model's step of its first sample; None where nobody knows.
    """

    fs_hz: float
    boot_id: int | None = None
    first_step: int | None = None

    @property
    @abstractmethod
    def n_frames(self) -> int:
        """Number of samples."""

    @property
    @abstractmethod
    def t_start_s(self) -> float:
        """Time of its first sample, in seconds; where it has none, the time that one would have."""

    @abstractmethod
    def read(self, start: int, stop: int, columns: Sequence[int] | None = None) -> npt.NDArray[Any]:
        """Return raw samples, shape (stop - start, n_columns); ``0 <= start <= stop <= n_frames``, columns in order."""

    def times_s(self, start: int, stop: int) -> FloatArray:
        """Return the samples' times, seconds since the reference time, shape (stop - start,)."""
        return self.t_start_s + np.arange(start, stop) / self.fs_hz

    def steps(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        """Return the model's step of each sample, shape (stop - start,); counted from 0 where nobody knows."""
        return np.arange(start, stop, dtype=np.int64) + (self.first_step or 0)

    @property
    def is_even(self) -> bool:
        """Whether every time is ``t_start_s + k / fs_hz``, so that nobody needs to keep them."""
        return type(self).times_s is Segment.times_s

    @property
    def t_stop_s(self) -> float:
        """Time of the first sample after it."""
        n = self.n_frames
        return float(self.times_s(n - 1, n)[0]) + 1 / self.fs_hz if n else self.t_start_s

    def frame_at(self, time_s: float) -> int:
        """Return the first frame with ``t >= time_s``; ``n_frames`` where there is none."""
        n = self.n_frames
        return bisect_left(range(n), time_s, key=lambda k: float(self.times_s(k, k + 1)[0]))


class ArraySegment(Segment):
    """Samples in memory, or in an array-like that is read by slices, such as a memory map.

    Parameters
    ----------
    samples : array, shape (n_frames, n_channels)
    fs_hz : float
    t_start_s : float
    times_s : float64 array, shape (n_frames,), optional
        Where they are not ``t_start_s + k / fs_hz``.
    """

    def __init__(
        self,
        samples: npt.NDArray[Any],
        fs_hz: float,
        *,
        t_start_s: float = 0.0,
        times_s: FloatArray | None = None,
        boot_id: int | None = None,
        first_step: int | None = None,
    ) -> None:
        self._samples = samples
        self._times_s = times_s
        self._t_start_s = t_start_s
        self.fs_hz = fs_hz
        self.boot_id = boot_id
        self.first_step = first_step

    @property
    def n_frames(self) -> int:
        """Number of samples."""
        return int(self._samples.shape[0])

    @property
    def t_start_s(self) -> float:
        """Time of its first sample, in seconds."""
        return self._t_start_s if self._times_s is None or not self.n_frames else float(self._times_s[0])

    @property
    def is_even(self) -> bool:
        """Whether its times follow from the first one."""
        return self._times_s is None

    def read(self, start: int, stop: int, columns: Sequence[int] | None = None) -> npt.NDArray[Any]:
        """Return raw samples, a copy."""
        piece = self._samples[start:stop]
        return np.array(piece if columns is None else piece[:, list(columns)])

    def times_s(self, start: int, stop: int) -> FloatArray:
        """Return the samples' times, in seconds."""
        if self._times_s is None:
            return super().times_s(start, stop)
        return np.array(self._times_s[start:stop], np.float64)


class CutSegment(Segment):
    """A part of a segment: frames ``start .. stop - 1`` of another."""

    def __init__(self, whole: Segment, start: int, stop: int) -> None:
        self._whole, self._start, self._stop = whole, start, stop
        self.fs_hz = whole.fs_hz
        self.boot_id = whole.boot_id
        self.first_step = None if whole.first_step is None else whole.first_step + start

    @property
    def n_frames(self) -> int:
        """Number of samples."""
        return self._stop - self._start

    @property
    def t_start_s(self) -> float:
        """Time of its first sample, in seconds; that which follows the whole where it begins at its end."""
        if self._start < self._whole.n_frames:
            return float(self._whole.times_s(self._start, self._start + 1)[0])
        return self._whole.t_stop_s

    @property
    def is_even(self) -> bool:
        """Whether its times follow from the first one."""
        return self._whole.is_even

    def read(self, start: int, stop: int, columns: Sequence[int] | None = None) -> npt.NDArray[Any]:
        """Return raw samples."""
        return self._whole.read(self._start + start, self._start + stop, columns)

    def times_s(self, start: int, stop: int) -> FloatArray:
        """Return the samples' times, in seconds."""
        return self._whole.times_s(self._start + start, self._start + stop)

    def frame_at(self, time_s: float) -> int:
        """Return the first frame with ``t >= time_s``."""
        return min(max(self._whole.frame_at(time_s) - self._start, 0), self.n_frames)


def cut(segment: Segment, start: int, stop: int) -> Segment:
    """Return frames ``start .. stop - 1`` of a segment; the segment itself where that is all of it."""
    if start == 0 and stop == segment.n_frames:
        return segment
    return CutSegment(segment, start, stop)
