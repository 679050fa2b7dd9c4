"""Stretches: where a trace may be looked at as one, and where not, because samples are missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.model import ConfigError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Breaks = npt.ArrayLike | None
"""Indices of samples before which others are missing, in any order; None where nothing is missing."""

NO_BREAKS: IntArray = np.empty(0, np.int64)


def as_trace(values: npt.ArrayLike, what: str) -> FloatArray:
    """Return values as float64 array, shape (n,).

    Raises
    ------
    ConfigError
        They are no numbers, or have another number of dimensions than one.
    """
    try:
        trace: FloatArray = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{what} has values that are no numbers: {error}") from error
    if trace.ndim != 1:
        raise ConfigError(f"{what} has the shape {trace.shape}; give the values of one channel")
    return trace


def as_indices(indices: npt.ArrayLike, n_samples: int, what: str) -> IntArray:
    """Return rising indices of samples as int64 array, shape (n,).

    Raises
    ------
    ConfigError
        They are no integers, do not rise, or lie outside ``0 .. n_samples - 1``.
    """
    found: npt.NDArray[Any] = np.asarray(indices)
    if found.size == 0:
        return NO_BREAKS
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise ConfigError(f"{what} must be indices of samples, integers in one dimension")
    if (np.diff(found.astype(np.int64)) <= 0).any():
        raise ConfigError(f"{what} must rise, each index once")
    if found[0] < 0 or found[-1] >= n_samples:
        raise ConfigError(f"{what} must lie in 0 .. {n_samples - 1}; they reach from {found[0]} to {found[-1]}")
    return found.astype(np.int64)


def as_breaks(breaks: Breaks, n_samples: int) -> IntArray:
    """Return breaks sorted, each once, without those at either end, which part nothing.

    Raises
    ------
    ConfigError
        Something else than indices ``0 .. n_samples``.
    """
    if breaks is None:
        return NO_BREAKS
    found: npt.NDArray[Any] = np.unique(np.asarray(breaks))
    if found.size == 0:
        return NO_BREAKS
    if found.dtype.kind not in "iu" or found[0] < 0 or found[-1] > n_samples:
        raise ConfigError(f"breaks must be indices of samples, 0 .. {n_samples}")
    return found[(found > 0) & (found < n_samples)].astype(np.int64)


def breaks_of_steps(steps: npt.ArrayLike) -> IntArray:
    """Return the breaks of a recording: where its step index does anything but count on by one.

    Parameters
    ----------
    steps : int64 array, shape (n,)
        The model's step of each sample. A jump is a gap, a fall is a reboot.
    """
    counted = np.asarray(steps, dtype=np.int64)
    found: IntArray = np.flatnonzero(np.diff(counted) != 1).astype(np.int64) + 1
    return found


def stretches(n_samples: int, breaks: Breaks = None) -> IntArray:
    """Return the stretches between breaks: int64 array, shape (m, 2), first index and index after the last."""
    if n_samples <= 0:
        return np.empty((0, 2), np.int64)
    edges = np.concatenate([[0], as_breaks(breaks, n_samples), [n_samples]]).astype(np.int64)
    return np.column_stack([edges[:-1], edges[1:]])


def stretch_of(indices: IntArray, breaks: IntArray) -> IntArray:
    """Return the number of the stretch in which each index lies."""
    return np.searchsorted(breaks, indices, side="right").astype(np.int64)


def positive(value: float, what: str) -> float:
    """Return a finite number above 0, or raise ConfigError."""
    if not (np.isfinite(value) and value > 0):
        raise ConfigError(f"{what} is {value}; it must be a number above 0")
    return float(value)


def not_negative(value: float, what: str) -> float:
    """Return a finite number, 0 or more, or raise ConfigError."""
    if not (np.isfinite(value) and value >= 0):
        raise ConfigError(f"{what} is {value}; it must be 0 or more")
    return float(value)
