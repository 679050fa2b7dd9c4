"""Spike times in the units that files have them in."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from spikedaq.model import ArgumentError

TimeUnit = Literal["s", "ms", "samples"]
FloatArray = npt.NDArray[np.float64]

_MS_PER_S = 1000.0
# Beyond it neighbouring samples are one number in float64, and rounding to int64 is meaningless.
_MAX_SAMPLE = 2.0**53


def checked_unit(unit: str, keyword: str, fs_hz: float | None) -> TimeUnit:
    """Return a unit that can be used.

    Raises
    ------
    ArgumentError
        An unknown one, or samples without a positive sampling rate.
    """
    for known in get_args(TimeUnit):
        if unit == known:
            if known == "samples":
                checked_fs_hz(fs_hz, f"{keyword}='samples'")
            return known  # type: ignore[no-any-return]
    raise ArgumentError(f"{keyword} is {unit!r}; it is one of {', '.join(get_args(TimeUnit))}")


def checked_fs_hz(fs_hz: float | None, what: str) -> float:
    """Return a sampling rate that can be.

    Raises
    ------
    ArgumentError
        There is none, or it is no finite number above 0.
    """
    if fs_hz is None or not (math.isfinite(fs_hz) and fs_hz > 0):
        raise ArgumentError(f"{what} needs fs_Hz, the sampling rate in Hz; it is {fs_hz}")
    return float(fs_hz)


def from_ms(times_ms: FloatArray, unit: TimeUnit, fs_hz: float | None) -> npt.NDArray[Any]:
    """Convert times.

    Parameters
    ----------
    times_ms : float64 array
    unit : {"s", "ms", "samples"}
        As of `checked_unit`.
    fs_hz : float or None

    Returns
    -------
    float64 array, or int64 array of samples, to the nearest one

    Raises
    ------
    ArgumentError
        Samples beyond 2**53.
    """
    if unit == "ms":
        return times_ms.copy()
    if unit == "s":
        return times_ms / _MS_PER_S
    samples = np.rint(times_ms * checked_fs_hz(fs_hz, "'samples'") / _MS_PER_S)
    if len(samples) and np.abs(samples).max() >= _MAX_SAMPLE:
        raise ArgumentError(f"at fs_Hz={fs_hz} the last spike is sample {samples.max():.4g}; check fs_Hz")
    return samples.astype(np.int64)


def to_ms(values: npt.NDArray[Any], unit: TimeUnit, fs_hz: float | None) -> FloatArray:
    """Convert what a file has to ms: float64 array of the shape of ``values``."""
    times: FloatArray = values.astype(np.float64)
    if unit == "ms":
        return times
    if unit == "s":
        return times * _MS_PER_S
    return times / checked_fs_hz(fs_hz, "'samples'") * _MS_PER_S
