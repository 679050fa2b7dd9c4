"""Rates over time: held between spikes, in bins, smoothed.

Times are milliseconds of model time unless the caller gives others; a rate in Hz is one per 1000 of them.
"""

from __future__ import annotations

import math

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


def held_rate_at(spikes: IntArray, at: IntArray, *, step_ms: float = MODEL_STEP_MS, breaks: IntArray) -> FloatArray:
    """Return what `held_rate_hz` would on some samples, without one value for each.

    Parameters
    ----------
    spikes, breaks : int64 arrays
        Indices of samples, rising.
    at : int64 array, of any shape
        Samples.

    Returns
    -------
    float64 array of that shape
        In Hz.
    """
    rates = np.zeros(at.shape)
    after = np.searchsorted(spikes, at, side="right")
    between = (after > 0) & (after < len(spikes))
    if between.any():
        low, high = spikes[after[between] - 1], spikes[after[between]]
        known = stretch_of(low, breaks) == stretch_of(high, breaks)
        rates[between] = np.where(known, _MS_PER_S / ((high - low) * step_ms), 0.0)
    return rates


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
