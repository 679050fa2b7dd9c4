"""Spikes in traces of several channels, by a threshold that is a level or a multiple of the standard deviation."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from spikedaq.analysis.crossings import CrossingFinder, Directions
from spikedaq.analysis.filters import filter_of
from spikedaq.analysis.stretches import FloatArray, IntArray
from spikedaq.model import ArgumentError

# A sample is at a level if it is this many units in the last place of it away, since scaled values are.
_AT_ULPS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Detected:
    """What was found in traces.

    Attributes
    ----------
    spikes : list of int64 arrays
        Samples of each channel, rising.
    data : float64 array, shape (n_channels, n_samples)
        The traces in which they were looked for: filtered, where that was asked for.
    levels : tuple of float
        Threshold of each channel.
    """

    spikes: list[IntArray]
    data: FloatArray
    levels: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ThresholdRule:
    """What a spike is, as of `SpikeTrains.from_thresholding`.

    ``threshold`` is a level, ``threshold_sigma`` a multiple of the standard deviation, both ways from ``center``; the
    level goes first. ``hysteresis`` True: only the first sample beyond it; False: each sample beyond it; a number: only
    the first, after the trace was back by so much.
    """

    threshold: float | None = None
    threshold_sigma: float = 5.0
    direction: Directions = "both"
    hysteresis: bool | float = True

    def __post_init__(self) -> None:
        if self.direction not in get_args(Directions):
            raise ArgumentError(f"direction is {self.direction!r}; it is one of {', '.join(get_args(Directions))}")
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise ArgumentError(f"threshold is {self.threshold}; give a level in the unit of the data")
        if not (math.isfinite(self.threshold_sigma) and self.threshold_sigma > 0):
            raise ArgumentError(f"threshold_sigma is {self.threshold_sigma}; give a number above 0")
        if not (math.isfinite(self.hysteresis) and self.hysteresis >= 0):
            raise ArgumentError(f"hysteresis is {self.hysteresis}; give True, False, or how far the trace must go back")

    def level(self, sd: float) -> float:
        """Return the threshold for a channel of this standard deviation."""
        return self.threshold_sigma * sd if self.threshold is None else float(self.threshold)

    def finder(self, level: float, *, refractory: int = 0) -> CrossingFinder:
        """Return what finds the spikes in `prepared` values of a channel with this `level`."""
        sigma = self.threshold is None
        # Beyond a multiple of the deviation is beyond it; a trace without any has no spikes.
        fire = math.nextafter(level, math.inf) if sigma else level
        return CrossingFinder(
            -fire if sigma and self.direction == "down" else fire,
            direction="up" if sigma and self.direction == "both" else self.direction,
            hysteresis=0.0 if isinstance(self.hysteresis, bool) else float(self.hysteresis),
            refractory=refractory,
            at_level=0.0 if sigma else _AT_ULPS * float(np.spacing(abs(level))),
        )

    def prepared(self, trace: FloatArray) -> FloatArray:
        """Return what a finder is to look at: both ways from the center is one way from it in absolute values."""
        return np.abs(trace) if self.threshold is None and self.direction == "both" else trace

    def beyond(self, trace: FloatArray, level: float) -> IntArray:
        """Return every sample beyond the threshold."""
        if self.threshold is None:
            return np.flatnonzero(self._far(trace, level)).astype(np.int64)
        if self.direction == "both":
            raise ArgumentError("every sample is on one side of a level; with hysteresis=False choose up or down")
        close = _AT_ULPS * float(np.spacing(abs(level)))
        far = trace >= level - close if self.direction == "up" else trace <= level + close
        return np.flatnonzero(far).astype(np.int64)

    def _far(self, trace: FloatArray, level: float) -> npt.NDArray[np.bool_]:
        if self.direction == "both":
            return np.abs(trace) > level
        return trace > level if self.direction == "up" else trace < -level


def detect(data: npt.ArrayLike, fs_hz: float, rule: ThresholdRule, *, filter: bool | Mapping[str, Any]) -> Detected:  # noqa: A002 - SpikeLab's name
    """Find the spikes of each channel.

    Parameters
    ----------
    data : float array, shape (n_channels, n_samples)
        NaN is a missing sample: no spike is found on it or right after it.
    fs_hz : float
        Sampling rate.
    rule : ThresholdRule
    filter : bool or mapping
        As of `filter_of`.

    Raises
    ------
    ArgumentError
        Data of another shape, or an argument that makes no sense.
    """
    wanted = filter_of(filter, fs_hz)
    traces = _as_channels(data)
    if wanted is not None:
        if traces.shape[1] < wanted.least_samples:
            raise ArgumentError(
                f"the traces have {traces.shape[1]} samples, and this filter needs {wanted.least_samples}; give more, "
                "or filter=False"
            )
        traces = np.array([wanted.apply(trace) for trace in traces]).reshape(traces.shape)
    levels = tuple(rule.level(_sd(trace)) for trace in traces)
    spikes = []
    for trace, level in zip(traces, levels, strict=True):
        if rule.hysteresis is False:
            spikes.append(rule.beyond(trace, level))
        else:
            spikes.append(rule.finder(level).take(rule.prepared(trace)))
    if wanted is None and rule.threshold is None:
        _warn_of_offsets(traces, levels)
    return Detected(spikes, traces, levels)


def _as_channels(data: npt.ArrayLike) -> FloatArray:
    try:
        traces: FloatArray = np.asarray(data, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"the data have values that are no numbers: {error}") from error
    if traces.ndim != 2:
        raise ArgumentError(
            f"the data have the shape {traces.shape}; give (channels, samples), [trace] for one channel"
        )
    return traces


def _sd(trace: FloatArray) -> float:
    known = trace[np.isfinite(trace)] if not np.isfinite(trace).all() else trace
    return float(known.std()) if len(known) else math.nan


def _warn_of_offsets(traces: FloatArray, levels: tuple[float, ...]) -> None:
    """Say which channels lie beyond their threshold as a whole, since it is counted from 0."""
    off = [number for number, (trace, level) in enumerate(zip(traces, levels, strict=True)) if _is_off(trace, level)]
    if off:
        warnings.warn(
            f"the mean of channel {', '.join(map(str, off[:8]))}{' and more' if len(off) > 8 else ''} lies beyond the "
            "threshold, which is counted from 0; take the mean away, filter, or give threshold=",
            UserWarning,
            stacklevel=4,
        )


def _is_off(trace: FloatArray, level: float) -> bool:
    known = trace[np.isfinite(trace)]
    return bool(len(known)) and abs(float(known.mean())) > level
