"""Spikes: where a membrane potential crosses a threshold, for one threshold or for many at once.

A row exactly at the threshold is a crossing. The same rule as that of triggers (docs/reference/triggers.md, "Level").
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import get_args

import numpy as np
import numpy.typing as npt

from spikedaq.analysis.crossings import CrossingFinder, Direction, Directions
from spikedaq.analysis.stretches import Breaks, IntArray, as_breaks, as_trace, not_negative, positive
from spikedaq.model import MODEL_STEP_MS, ConfigError

DEFAULT_THRESHOLD_MV = -20.0
"""The stock software's; with the 30 mV plateau of recordings any threshold in (-30, 30] finds the same spikes."""

AT_MV = 1e-9
"""A sample this close to a threshold is at it: raw x scale is off its decimal value by some 1e-14 mV."""

_MAX_STEPS = 2.0**53
# Bounds the memory of a sweep; its speed is the same from 2**14 to 2**18.
_CHUNK = 1 << 16
_SUGGESTED_FROM = 200
# No spike of this neuron stays below it, and no resting or subthreshold response reaches it.
_SPIKES_REACH_MV = -30.0
# Narrower ranges with one count are accidents of noise.
_LEAST_RANGE_MV = 5.0


def find_spikes(
    vm_mv: npt.ArrayLike,
    *,
    threshold_mv: float,
    direction: Directions = "up",
    hysteresis_mv: float = 0.0,
    refractory_ms: float = 0.0,
    step_ms: float = MODEL_STEP_MS,
    breaks: Breaks = None,
) -> IntArray:
    """Find the samples at which a potential crosses a threshold.

    Parameters
    ----------
    vm_mv : float array, shape (n,)
        Potential, in mV. NaN is a missing sample.
    threshold_mv : float
        Upward, a spike is the first sample at the threshold or above it, after one below
        ``threshold_mv - hysteresis_mv``; downward the mirror image.
    direction : {"up", "down", "both"}
    hysteresis_mv : float
        How far the potential must have gone back, in mV, before it can cross again.
    refractory_ms : float
        A crossing less than this after the last spike, in ms of model time, is none.
    step_ms : float
        Time between samples, for ``refractory_ms``.
    breaks : int array, optional
        Samples before which others are missing. No spike is found across a break or NaN: the first sample after it has
        none before it, so it is no spike. At a break the refractory time begins anew.

    Returns
    -------
    int64 array, shape (n_spikes,)
        Indices of samples, rising.

    Raises
    ------
    ConfigError
        An argument that makes no sense.
    """
    trace = as_trace(vm_mv, "the potential")
    finder = spike_finder(
        threshold_mv=threshold_mv,
        direction=direction,
        hysteresis_mv=hysteresis_mv,
        refractory_ms=refractory_ms,
        step_ms=step_ms,
    )
    return finder.take(trace, breaks)


def spike_finder(
    *,
    threshold_mv: float,
    direction: Directions = "up",
    hysteresis_mv: float = 0.0,
    refractory_ms: float = 0.0,
    step_ms: float = MODEL_STEP_MS,
) -> CrossingFinder:
    """Return what finds the same spikes as `find_spikes`, piece after piece; arguments as there."""
    refractory = not_negative(refractory_ms, "the refractory time in ms") / positive(step_ms, "the step in ms")
    return CrossingFinder(
        _finite(threshold_mv, "the threshold"),
        direction=direction,
        hysteresis=not_negative(hysteresis_mv, "the hysteresis in mV"),
        # Longer than any trace is as long as any.
        refractory=math.ceil(min(refractory, _MAX_STEPS) - 1e-9),
        at_level=AT_MV,
    )


def threshold_sweep(
    vm_mv: npt.ArrayLike,
    thresholds_mv: npt.ArrayLike,
    *,
    direction: Direction = "up",
    breaks: Breaks = None,
) -> IntArray:
    """Count the spikes for each of many thresholds, in one pass: what `find_spikes` would find without hysteresis.

    Each sample is sorted once among the thresholds; a rise from place i to place j crosses thresholds i .. j-1. 10**7
    samples and 200 thresholds took 0.6 s on one core.

    Parameters
    ----------
    vm_mv : float array, shape (n,)
        In mV; NaN is a missing sample.
    thresholds_mv : float array, shape (m,)
        In any order.
    direction, breaks
        As in `find_spikes`.

    Returns
    -------
    int64 array, shape (m,)
        Spikes for each threshold, in the order of ``thresholds_mv``.

    Raises
    ------
    ConfigError
        A threshold that is no finite number, or another argument that makes no sense.
    """
    trace = as_trace(vm_mv, "the potential")
    levels = as_trace(thresholds_mv, "the list of thresholds")
    if not np.isfinite(levels).all():
        raise ConfigError("a threshold of the sweep is no finite number; give thresholds in mV")
    parted = as_breaks(breaks, len(trace))
    sign = -1.0 if _is_down(direction) else 1.0
    order = np.argsort(sign * levels, kind="stable")
    sorted_levels = (sign * levels)[order] - AT_MV
    change = np.zeros(len(levels) + 1, np.int64)
    for start in range(0, len(trace) - 1, _CHUNK):
        stop = min(start + _CHUNK, len(trace) - 1)
        piece = sign * trace[start : stop + 1]
        place = np.searchsorted(sorted_levels, piece, side="right")
        rises = place[1:] > place[:-1]
        missing = np.isnan(piece)
        if missing.any():
            rises &= ~(missing[1:] | missing[:-1])
        low, high = np.searchsorted(parted, (start + 1, stop + 1))
        rises[parted[low:high] - start - 1] = False
        change += np.bincount(place[:-1][rises], minlength=len(change))
        change -= np.bincount(place[1:][rises], minlength=len(change))
    counts = np.empty(len(levels), np.int64)
    counts[order] = np.cumsum(change)[:-1]
    return counts


@dataclass(frozen=True, slots=True)
class ThresholdRange:
    """A range of thresholds, in mV, in which the number of spikes does not depend on the threshold.

    ``threshold_mv`` is its middle, ``n_spikes`` the number.
    """

    threshold_mv: float
    low_mv: float
    high_mv: float
    n_spikes: int


def suggest_threshold(
    vm_mv: npt.ArrayLike, *, direction: Direction = "up", breaks: Breaks = None
) -> ThresholdRange | None:
    """Suggest a threshold: the middle of the widest range of thresholds with one and the same number of spikes.

    Parameters
    ----------
    vm_mv : float array, shape (n,)
        In mV.
    direction, breaks
        As in `find_spikes`.

    Returns
    -------
    ThresholdRange or None
        None where nothing looks like a spike: upward, the potential stays below -30 mV; or no count holds over 5 mV.
    """
    trace = as_trace(vm_mv, "the potential")
    finite = trace[np.isfinite(trace)]
    if not len(finite):
        return None
    low_mv, high_mv = float(finite.min()), float(finite.max())
    if high_mv - low_mv < _LEAST_RANGE_MV or (not _is_down(direction) and high_mv < _SPIKES_REACH_MV):
        return None
    thresholds = np.linspace(low_mv, high_mv, _SUGGESTED_FROM + 1)
    counts = threshold_sweep(trace, thresholds, direction=direction, breaks=breaks)
    edges = np.concatenate([[0], np.flatnonzero(np.diff(counts)) + 1, [len(counts)]])
    runs = [(thresholds[b - 1] - thresholds[a], int(a), int(b)) for a, b in pairwise(edges)]
    runs = [(width, a, b) for width, a, b in runs if counts[a] > 0 and width >= _LEAST_RANGE_MV]
    if not _is_down(direction):
        runs = [(width, a, b) for width, a, b in runs if thresholds[b - 1] >= _SPIKES_REACH_MV]
    if not runs:
        return None
    _, a, b = max(runs, key=lambda run: (run[0], run[1]))
    first, last = float(thresholds[a]), float(thresholds[b - 1])
    return ThresholdRange((first + last) / 2, first, last, int(counts[a]))


def _is_down(direction: str) -> bool:
    if direction not in get_args(Direction):
        raise ConfigError(f"the direction {direction!r} is unknown; it is up or down")
    return direction == "down"


def _finite(value: float, what: str) -> float:
    if not math.isfinite(value):
        raise ConfigError(f"{what} is {value}; give a number in mV")
    return float(value)


__all__ = [
    "AT_MV",
    "DEFAULT_THRESHOLD_MV",
    "Direction",
    "Directions",
    "ThresholdRange",
    "find_spikes",
    "spike_finder",
    "suggest_threshold",
    "threshold_sweep",
]
