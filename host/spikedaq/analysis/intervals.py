"""Intervals between spikes, and how regular they are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spikedaq.analysis.stretches import Breaks, FloatArray, as_breaks, as_indices, as_trace, positive, stretch_of
from spikedaq.model import MODEL_STEP_MS, ConfigError

_MS_PER_S = 1000.0


def inter_spike_intervals_ms(spikes: npt.ArrayLike, times_ms: npt.ArrayLike, *, breaks: Breaks = None) -> FloatArray:
    """Return the time from each spike to the next.

    Parameters
    ----------
    spikes : int64 array, shape (n_spikes,)
        Indices of samples, rising.
    times_ms : float array, shape (n_samples,)
        Time of each sample, in ms.
    breaks : int array, optional
        Samples before which others are missing.

    Returns
    -------
    float64 array, shape (n_spikes - 1,)
        In ms. NaN where samples are missing in between: nobody knows how many spikes were there.

    Raises
    ------
    ConfigError
        Spikes that are no rising indices of samples.
    """
    times = as_trace(times_ms, "the list of times")
    at = as_indices(spikes, len(times), "spikes")
    intervals = np.diff(times[at])
    intervals[np.diff(stretch_of(at, as_breaks(breaks, len(times)))) != 0] = np.nan
    return intervals


def cv(intervals_ms: npt.ArrayLike) -> float:
    """Return the coefficient of variation: standard deviation over mean, n in the denominator; NaN below two.

    NaN intervals are left out, here and below.
    """
    known = _known(intervals_ms)
    return float(known.std() / known.mean()) if len(known) >= 2 else math.nan


def cv2(intervals_ms: npt.ArrayLike) -> float:
    """Return the local CV2: mean of ``2 |I[k+1] - I[k]| / (I[k+1] + I[k])`` over neighbours; NaN where there are none.

    Source: Holt, Softky, Koch and Douglas, J Neurophysiol 75:1806 (1996).
    """
    ratios = _neighbours(intervals_ms)
    return float(2 * np.abs(ratios).mean()) if len(ratios) else math.nan


def local_variation(intervals_ms: npt.ArrayLike) -> float:
    """Return Lv: mean of ``3 ((I[k] - I[k+1]) / (I[k] + I[k+1]))**2`` over neighbours; NaN where there are none.

    0 for a clock, 1 for a Poisson process. Source: Shinomoto, Shima and Tanji, Neural Comput 15:2823 (2003).
    """
    ratios = _neighbours(intervals_ms)
    return float(3 * (ratios**2).mean()) if len(ratios) else math.nan


@dataclass(frozen=True, slots=True)
class SpikeTrain:
    """What a list of spikes comes to. NaN is a number that these spikes do not give.

    Attributes
    ----------
    n_spikes : int
    recorded_ms : float
        Time that was recorded, without gaps.
    rate_hz : float
        Spikes per recorded second.
    mean_interval_ms, median_interval_ms, shortest_interval_ms : float
    cv, cv2, lv : float
        See the functions of these names.
    """

    n_spikes: int
    recorded_ms: float
    rate_hz: float
    mean_interval_ms: float
    median_interval_ms: float
    shortest_interval_ms: float
    cv: float
    cv2: float
    lv: float


def describe_spikes(
    spikes: npt.ArrayLike, n_samples: int, *, step_ms: float = MODEL_STEP_MS, breaks: Breaks = None
) -> SpikeTrain:
    """Sum up the spikes of a trace of ``n_samples`` samples; arguments as in `held_rate_hz`."""
    at = as_indices(spikes, n_samples, "spikes")
    intervals = np.diff(at) * positive(step_ms, "the step in ms")
    intervals[np.diff(stretch_of(at, as_breaks(breaks, n_samples))) != 0] = np.nan
    known = _known(intervals)
    recorded_ms = n_samples * step_ms
    some = len(known) > 0
    return SpikeTrain(
        n_spikes=len(at),
        recorded_ms=recorded_ms,
        rate_hz=_MS_PER_S * len(at) / recorded_ms if n_samples else math.nan,
        mean_interval_ms=float(known.mean()) if some else math.nan,
        median_interval_ms=float(np.median(known)) if some else math.nan,
        shortest_interval_ms=float(known.min()) if some else math.nan,
        cv=cv(intervals),
        cv2=cv2(intervals),
        lv=local_variation(intervals),
    )


def _known(intervals_ms: npt.ArrayLike) -> FloatArray:
    intervals = as_trace(intervals_ms, "the list of intervals")
    known: FloatArray = intervals[~np.isnan(intervals)]
    if (known <= 0).any():
        raise ConfigError("an interval between spikes is 0 or less; give the times of spikes in order, each once")
    return known


def _neighbours(intervals_ms: npt.ArrayLike) -> FloatArray:
    """Return ``(I[k] - I[k+1]) / (I[k] + I[k+1])`` of neighbours that are both known."""
    _known(intervals_ms)
    intervals = as_trace(intervals_ms, "the list of intervals")
    ratios = (intervals[:-1] - intervals[1:]) / (intervals[:-1] + intervals[1:])
    known: FloatArray = ratios[~np.isnan(ratios)]
    return known
