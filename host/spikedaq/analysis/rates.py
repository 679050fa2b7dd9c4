"""Rates: intervals between spikes, how regular they are, and rates over time: held, in bins, smoothed.

Times are milliseconds of model time unless the caller gives others; a rate in Hz is one per 1000 of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spikedaq.analysis.stretches import (
    Breaks,
    FloatArray,
    IntArray,
    as_breaks,
    as_indices,
    as_trace,
    positive,
    stretch_of,
)
from spikedaq.model import MODEL_STEP_MS, ConfigError

_MS_PER_S = 1000.0
# A Gaussian beyond five standard deviations is less than 1e-6 of its whole.
_KERNEL_REACH = 5.0


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


def held_rate_hz(
    spikes: npt.ArrayLike, n_samples: int, *, step_ms: float = MODEL_STEP_MS, breaks: Breaks = None
) -> FloatArray:
    """Return the momentary rate: from each spike to the next one over the time between them, held in between.

    0 Hz before the first and after the last spike of each stretch, and on the last spike itself, as the stock software
    has it; on the samples from one spike up to, not including, the next, 1000 / interval.

    Parameters
    ----------
    spikes : int64 array, shape (n_spikes,)
        Indices of samples, rising.
    n_samples : int
        Length of the trace.
    step_ms : float
        Time between samples, in ms.
    breaks : int array, optional
        Samples before which others are missing; nothing is held across one.

    Returns
    -------
    float64 array, shape (n_samples,)
        In Hz.
    """
    step_ms = positive(step_ms, "the step in ms")
    at = as_indices(spikes, n_samples, "spikes")
    if len(at) < 2:
        return np.zeros(n_samples)
    lengths = np.diff(at)
    known = np.diff(stretch_of(at, as_breaks(breaks, n_samples))) == 0
    rates = np.where(known, _MS_PER_S / (lengths * step_ms), 0.0)
    held = np.zeros(n_samples)
    held[at[0] : at[-1]] = np.repeat(rates, lengths)
    return held


def bin_edges_ms(start_ms: float, stop_ms: float, bin_ms: float) -> FloatArray:
    """Return edges of bins of ``bin_ms`` from ``start_ms`` on; a rest shorter than a bin at the end is left out.

    Raises
    ------
    ConfigError
        No bin fits, or more than ten million do.
    """
    n = math.floor((stop_ms - start_ms) / positive(bin_ms, "the bin in ms") + 1e-9)
    if not 1 <= n <= 10_000_000:
        raise ConfigError(f"{n} bins of {bin_ms} ms fit into {start_ms} .. {stop_ms} ms; choose another bin")
    return as_trace(start_ms + bin_ms * np.arange(n + 1), "the list of edges")


def binned_rate_hz(
    spike_times_ms: npt.ArrayLike, edges_ms: npt.ArrayLike, *, observed_ms: npt.ArrayLike | None = None
) -> FloatArray:
    """Return spikes per observed second in each bin ``edges[k] <= t < edges[k + 1]``.

    Parameters
    ----------
    spike_times_ms : float array, shape (n_spikes,)
    edges_ms : float array, shape (n_bins + 1,)
        Rising.
    observed_ms : float array, shape (m, 2), optional
        Start and stop of what was recorded, in order and apart from one another. Default: all of it.

    Returns
    -------
    float64 array, shape (n_bins,)
        In Hz; NaN for a bin of which nothing was recorded.

    Raises
    ------
    ConfigError
        Edges that do not rise, or stretches that are no pairs.
    """
    edges = as_trace(edges_ms, "the list of edges")
    if len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise ConfigError("the edges of bins must rise, two at least")
    times = as_trace(spike_times_ms, "the list of spikes")
    place = np.searchsorted(edges, times, side="right") - 1
    inside = (place >= 0) & (place < len(edges) - 1)
    counts = np.bincount(place[inside], minlength=len(edges) - 1)
    width_ms = np.diff(edges)
    if observed_ms is not None:
        recorded = np.asarray(observed_ms, dtype=np.float64)
        if recorded.ndim != 2 or recorded.shape[1] != 2 or (np.diff(recorded.ravel()) < 0).any():
            raise ConfigError("what was recorded must be pairs of start and stop, in order and apart from one another")
        # Time recorded up to each edge; its differences are what was recorded between them.
        known_at = recorded.ravel()
        sums = np.concatenate([[0.0], np.cumsum(recorded[:, 1] - recorded[:, 0])])
        known = np.column_stack([sums[:-1], sums[1:]]).ravel()
        width_ms = np.diff(np.interp(edges, known_at, known)) if len(known_at) else np.zeros(len(edges) - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(width_ms > 0, _MS_PER_S * counts / width_ms, np.nan)


def kernel_rate_hz(spike_times_ms: npt.ArrayLike, at_ms: npt.ArrayLike, *, sigma_ms: float) -> FloatArray:
    """Return the rate smoothed by a Gaussian of unit area, cut at five standard deviations.

    Parameters
    ----------
    spike_times_ms : float array, shape (n_spikes,)
    at_ms : float array, shape (n,)
        Where the rate is wanted, rising.
    sigma_ms : float
        Standard deviation of the Gaussian, in ms. At the ends of a recording the rate falls to half, since the spikes
        beyond are not known.

    Returns
    -------
    float64 array, shape (n,)
        In Hz.

    Notes
    -----
    Source: Dayan and Abbott, Theoretical Neuroscience (2001), section 1.2, with a Gaussian window.
    """
    sigma_ms = positive(sigma_ms, "the standard deviation in ms")
    at = as_trace(at_ms, "the list of times")
    if (np.diff(at) < 0).any():
        raise ConfigError("the times at which a rate is wanted must rise")
    times = as_trace(spike_times_ms, "the list of spikes")
    starts = np.searchsorted(at, times - _KERNEL_REACH * sigma_ms, side="left")
    stops = np.searchsorted(at, times + _KERNEL_REACH * sigma_ms, side="right")
    rate = np.zeros(len(at))
    for time_ms, start, stop in zip(times.tolist(), starts.tolist(), stops.tolist(), strict=True):
        z = (at[start:stop] - time_ms) / sigma_ms
        rate[start:stop] += np.exp(-0.5 * z * z)
    scaled: FloatArray = rate * (_MS_PER_S / (sigma_ms * math.sqrt(2 * math.pi)))
    return scaled


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
    times_ms = np.arange(n_samples) * positive(step_ms, "the step in ms")
    at: IntArray = as_indices(spikes, n_samples, "spikes")
    intervals = inter_spike_intervals_ms(at, times_ms, breaks=breaks)
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
