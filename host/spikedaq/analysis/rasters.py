"""Rasters: spikes counted in bins, and spikes made of counts. Bins are ``(start, stop]``, as SpikeLab counts them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.analysis.stretches import FloatArray, IntArray
from spikedaq.model import ArgumentError

MAX_CELLS = 1 << 28
"""Cells of a raster, 2 GiB of counts: beyond it a computer stops answering rather than saying what is wrong."""

# A time this close to an edge, in bins, is on it: 0.3 / 0.1 is not 3 in binary.
_ON_EDGE = 1e-9


def bin_width_ms(bin_size_ms: float) -> float:
    """Return a width of bins that can be.

    Raises
    ------
    ArgumentError
        It is not a finite number above 0.
    """
    if not (math.isfinite(bin_size_ms) and bin_size_ms > 0):
        raise ArgumentError(f"bin_size_ms is {bin_size_ms}; it must be a number of ms above 0")
    return float(bin_size_ms)


def count_spikes(trains: Sequence[FloatArray], span_ms: float, bin_size_ms: float) -> IntArray:
    """Count the spikes of each train in bins.

    Parameters
    ----------
    trains : sequence of float64 arrays
        Times in ms since the first bin begins, sorted.
    span_ms : float
        What the bins must cover; 0 or more.
    bin_size_ms : float
        Width of a bin.

    Returns
    -------
    int64 array, shape (n_trains, n_bins)
        ``n_bins = ceil(span / bin)``, at least 1 where there is a spike. A spike on an edge is in the earlier bin; one
        on or before the first edge in the first, one after the last edge in the last.

    Raises
    ------
    ArgumentError
        More than 2**28 cells.
    """
    n_cells = span_ms / bin_size_ms * max(len(trains), 1)
    if not n_cells < MAX_CELLS:
        raise ArgumentError(
            f"bins of {bin_size_ms} ms over {span_ms} ms for {len(trains)} units are {n_cells:.4g} counts, and a "
            f"raster has at most {MAX_CELLS}; choose wider bins or fewer units"
        )
    # A window without length has a bin where it has a spike.
    n_bins = max(int(_up(np.array([span_ms / bin_size_ms]))[0]), int(any(len(train) for train in trains)))
    counts = np.zeros((len(trains), n_bins), np.int64)
    for number, times_ms in enumerate(trains if n_bins else ()):
        place = np.clip(_up(times_ms / bin_size_ms) - 1, 0, n_bins - 1)
        counts[number] = np.bincount(place, minlength=n_bins)
    return counts


def _up(bins: FloatArray) -> IntArray:
    """Round up, but not for what rounding of times adds."""
    return np.ceil(bins - _ON_EDGE * np.maximum(np.abs(bins), 1.0)).astype(np.int64)


def spread_spikes(raster: npt.ArrayLike, bin_size_ms: float, start_time_ms: float = 0.0) -> list[FloatArray]:
    """Place the n spikes of each bin evenly inside it: at ``k / (n + 1)`` of its width, k from 1 to n.

    Parameters
    ----------
    raster : int or bool array, shape (n_units, n_bins)
        Spikes in each bin. Floats that are whole numbers will do.
    bin_size_ms : float
    start_time_ms : float
        Where the first bin begins.

    Returns
    -------
    list of float64 arrays
        Times in ms, sorted.

    Raises
    ------
    ArgumentError
        Another number of dimensions, or a count that is no whole number of 0 or more.
    """
    counts: npt.NDArray[Any] = np.asarray(raster)
    if counts.ndim != 2:
        raise ArgumentError(f"the raster has the shape {counts.shape}; give (units, bins)")
    if counts.dtype.kind not in "buif":
        raise ArgumentError(f"the raster has values of type {counts.dtype}; give numbers of spikes")
    if counts.dtype.kind == "f" and not (counts == np.floor(counts)).all():
        unit, at = np.argwhere(~(counts == np.floor(counts)))[0]
        raise ArgumentError(f"bin {at} of unit {unit} has {counts[unit, at]} spikes; give whole numbers, not rates")
    if counts.size and counts.min() < 0:
        unit, at = np.argwhere(counts < 0)[0]
        raise ArgumentError(f"bin {at} of unit {unit} has {counts[unit, at]} spikes; give 0 or more")
    if counts.size and not counts.max() < 2**62:
        raise ArgumentError(f"the raster has a bin of {counts.max()} spikes; no computer holds so many")
    return [_spread(row.astype(np.int64), bin_size_ms, start_time_ms) for row in counts]


def _spread(counts: IntArray, bin_ms: float, start_ms: float) -> FloatArray:
    bins = np.flatnonzero(counts)
    per_bin = counts[bins]
    first = np.cumsum(per_bin) - per_bin
    inside = np.arange(per_bin.sum()) - np.repeat(first, per_bin) + 1
    share = inside / (np.repeat(per_bin, per_bin) + 1)
    times: FloatArray = start_ms + (np.repeat(bins, per_bin) + share) * bin_ms
    return times
