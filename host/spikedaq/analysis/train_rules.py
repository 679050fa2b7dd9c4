"""What spike trains must be, to be taken: each check returns what is kept, or says what is wrong and where."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.analysis.stretches import FloatArray
from spikedaq.model import ArgumentError

# A time in s, times 1000, is off its value in ms by a unit in the last place or two; so is start + length.
_ROUNDING_ULPS = 4


def checked_trains(trains: Iterable[npt.ArrayLike], n_units: int | None) -> list[FloatArray]:
    """Return copies of the trains, sorted, and empty ones up to ``n_units``."""
    if isinstance(trains, Mapping):
        raise ArgumentError("the trains are a mapping; give a list of them, and the keys as neuron_attributes")
    found = [_train(number, train) for number, train in enumerate(trains)]
    if n_units is not None:
        if n_units < len(found):
            raise ArgumentError(f"N is {n_units}, and there are {len(found)} trains; leave N out, or some trains")
        found += [np.empty(0) for _ in range(n_units - len(found))]
    return found


def _train(number: int, train: npt.ArrayLike) -> FloatArray:
    try:
        times_ms: FloatArray = np.array(train, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"the spikes of unit {number} are no numbers: {error}; give times in ms") from error
    if times_ms.ndim != 1:
        raise ArgumentError(f"the spikes of unit {number} have the shape {times_ms.shape}; give one row of times in ms")
    bad = np.flatnonzero(~np.isfinite(times_ms))
    if len(bad):
        raise ArgumentError(
            f"spike {bad[0]} of unit {number} is at {times_ms[bad[0]]} ms ({len(bad)} of its {len(times_ms)} spikes "
            "are no finite numbers); leave them out"
        )
    times_ms.sort()
    return times_ms


def checked_window(trains: Sequence[FloatArray], start_time: float, length: float | None) -> tuple[float, float]:
    """Return start and length of the window in which all spikes lie; those off by rounding are moved to its edge."""
    start_ms = float(start_time)
    if not math.isfinite(start_ms):
        raise ArgumentError(f"start_time is {start_ms}; it must be a finite number of ms")
    last_ms = max((float(train[-1]) for train in trains if len(train)), default=start_ms)
    if length is None:
        length = max(last_ms - start_ms, 0.0)
    length_ms = float(length)
    if not (math.isfinite(length_ms) and length_ms >= 0):
        raise ArgumentError(f"length is {length_ms}; it must be a finite number of ms, 0 or more")
    end_ms = start_ms + length_ms
    rounding_ms = _ROUNDING_ULPS * float(np.spacing(max(abs(start_ms), abs(end_ms))))
    for number, train in enumerate(trains):
        if not len(train):
            continue
        if train[0] < start_ms - rounding_ms:
            raise ArgumentError(
                f"unit {number} has a spike at {train[0]} ms, before the window of {start_ms} .. {end_ms} ms; "
                "give an earlier start_time, or leave the spike out"
            )
        if train[-1] > end_ms + rounding_ms:
            raise ArgumentError(
                f"unit {number} has a spike at {train[-1]} ms, after the window of {start_ms} .. {end_ms} ms; "
                "give a longer length, or the start_time if the spikes do not count from 0"
            )
        np.maximum(train, start_ms, out=train)
    while start_ms + length_ms < last_ms:
        length_ms = math.nextafter(length_ms, math.inf)
    return start_ms, length_ms


def checked_attributes(attributes: Sequence[Mapping[str, Any]] | None, n_units: int) -> list[dict[str, Any]] | None:
    """Return copies of what is known of each unit."""
    if attributes is None:
        return None
    if len(attributes) != n_units:
        raise ArgumentError(
            f"neuron_attributes has {len(attributes)} items for {n_units} units; give one for each, {{}} where nothing "
            "is known"
        )
    for number, one in enumerate(attributes):
        if not isinstance(one, Mapping):
            raise ArgumentError(f"neuron_attributes of unit {number} is {type(one).__name__}; give a mapping")
    return [dict(one) for one in attributes]


def checked_raw(
    raw_data: npt.ArrayLike | None, raw_time: npt.ArrayLike | None
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return raw traces, and the time of each of their samples in ms."""
    if raw_data is None and raw_time is None:
        return np.zeros((0, 0)), np.zeros(0)
    if raw_data is None or raw_time is None:
        given, missing = ("raw_time", "raw_data") if raw_data is None else ("raw_data", "raw_time")
        raise ArgumentError(f"there is {given} without {missing}; give both, or neither")
    data, times = np.asarray(raw_data), np.asarray(raw_time)
    if data.ndim == 0:
        raise ArgumentError("raw_data is one number; give traces, (channels, samples)")
    if times.ndim == 0:
        rate_khz = float(times)
        if not (math.isfinite(rate_khz) and rate_khz > 0):
            raise ArgumentError(f"raw_time is {rate_khz}; a sampling rate in kHz must be above 0")
        times = np.arange(data.shape[-1]) / rate_khz
    if times.shape != data.shape[-1:]:
        raise ArgumentError(
            f"raw_data has {data.shape[-1]} samples on its last axis, and raw_time has the shape {times.shape}; give a "
            "time for each, or the sampling rate in kHz"
        )
    return data, times


def checked_gaps_ms(gaps_ms: npt.ArrayLike | None) -> FloatArray:
    """Return gaps in order, float64 array, shape (n_gaps, 2)."""
    gaps: FloatArray = np.asarray([] if gaps_ms is None else gaps_ms, dtype=np.float64)
    if gaps.size == 0:
        return np.empty((0, 2))
    if gaps.ndim != 2 or gaps.shape[1] != 2 or not np.isfinite(gaps).all() or (np.diff(gaps.ravel()) < 0).any():
        raise ArgumentError("gaps_ms must be pairs of start and stop, in order and apart from one another")
    return gaps.copy()
