"""Averages with their spread: over loops, and of a trace around spikes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spikedaq.analysis.stretches import Breaks, FloatArray, IntArray, as_breaks, as_indices, as_trace, stretch_of
from spikedaq.model import ConfigError


@dataclass(frozen=True, slots=True, eq=False)
class Average:
    """Mean and spread over loops (or windows), each a float64 array of the loop's length.

    ``sd`` has n - 1 in its denominator, ``sem`` is sd / sqrt(n). Missing values (NaN) do not count: ``n``, an int64
    array, says how many did. Both are NaN where n < 2, the mean where n = 0.
    """

    mean: FloatArray
    sd: FloatArray
    sem: FloatArray
    n: IntArray


def average(rows: npt.ArrayLike) -> Average:
    """Average over the first axis of a float array, shape (n_loops, length); NaN is left out."""
    values = np.asarray(rows, dtype=np.float64)
    if values.ndim != 2:
        raise ConfigError(f"loops to average have the shape {values.shape}; give (n_loops, length)")
    known = ~np.isnan(values)
    n = known.sum(axis=0).astype(np.int64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, values, 0.0).sum(axis=0) / n
        squares = (np.where(known, values - mean, 0.0) ** 2).sum(axis=0)
        sd = np.where(n >= 2, np.sqrt(squares / (n - 1)), np.nan)
        return Average(mean, sd, sd / np.sqrt(n), n)


@dataclass(frozen=True, slots=True, eq=False)
class TriggeredAverage:
    """What a trace looked like around spikes.

    Attributes
    ----------
    lags : int64 array, shape (n_before + n_after + 1,)
        Samples after the spike, negative before it.
    average : Average
    n_used, n_left_out : int
        Spikes whose window lies in one stretch, and those at the edge of one.
    """

    lags: IntArray
    average: Average
    n_used: int
    n_left_out: int


def spike_triggered_average(
    trace: npt.ArrayLike, spikes: npt.ArrayLike, *, n_before: int, n_after: int = 0, breaks: Breaks = None
) -> TriggeredAverage:
    """Average a trace around spikes.

    Parameters
    ----------
    trace : float array, shape (n,)
        The stimulus, as a rule.
    spikes : int64 array, shape (n_spikes,)
        Indices of samples, rising.
    n_before, n_after : int
        Samples before and after each spike.
    breaks : int array, optional
        Samples before which others are missing; a window that reaches across one is left out.

    Notes
    -----
    Source: Dayan and Abbott, Theoretical Neuroscience (2001), section 1.2. Spikes are not weighted; the mean of the
    trace is not taken away.
    """
    values = as_trace(trace, "the trace")
    at = as_indices(spikes, len(values), "spikes")
    if n_before < 0 or n_after < 0:
        raise ConfigError(f"a window of {n_before} samples before and {n_after} after spikes cannot be; give 0 or more")
    parted = as_breaks(breaks, len(values))
    whole = (at >= n_before) & (at + n_after < len(values))
    used = at[whole]
    used = used[stretch_of(used - n_before, parted) == stretch_of(used + n_after, parted)]
    lags = np.arange(-n_before, n_after + 1, dtype=np.int64)
    # One column at a time: a window of seconds around each of many spikes need not fit into memory.
    columns = [average(values[used + lag][:, np.newaxis]) for lag in lags.tolist()]
    whole_average = Average(
        np.concatenate([c.mean for c in columns]),
        np.concatenate([c.sd for c in columns]),
        np.concatenate([c.sem for c in columns]),
        np.concatenate([c.n for c in columns]),
    )
    return TriggeredAverage(lags, whole_average, len(used), len(at) - len(used))
