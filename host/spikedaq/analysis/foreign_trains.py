"""Spike trains out of other tools' objects, known by what they can do: neither Neo nor SpikeInterface is imported."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from spikedaq.analysis.stretches import FloatArray
from spikedaq.model import ArgumentError, ArgumentTypeError

_MS_PER_S = 1000.0
_ELECTRODES = ("electrode", "channel", "ch", "peak_channel")
_LOCATIONS = ("location", "unit_location", "position")


def of_neo(spiketrains: Iterable[Any]) -> dict[str, Any]:
    """Return what `SpikeTrains` is made of, from Neo spike trains.

    Raises
    ------
    ArgumentTypeError
        Something that is no Neo spike train.
    """
    trains: list[FloatArray] = []
    attributes: list[dict[str, Any]] = []
    starts_ms: list[float] = []
    stops_ms: list[float] = []
    for number, train in enumerate(spiketrains):
        try:
            trains.append(_ms(train))
            starts_ms.append(float(_ms(train.t_start)))
            stops_ms.append(float(_ms(train.t_stop)))
        except (AttributeError, ValueError) as error:
            raise ArgumentTypeError(
                f"spike train {number} is {type(train).__name__}, not a Neo SpikeTrain in units of time; give a list "
                "of them, such as segment.spiketrains"
            ) from error
        name = getattr(train, "name", None)
        attributes.append({**({"name": name} if name else {}), **getattr(train, "annotations", {})})
    found: dict[str, Any] = {"trains": trains, "neuron_attributes": attributes}
    if trains:
        start_ms = min(starts_ms)
        found |= {"start_time": start_ms, "length": max(max(stops_ms) - start_ms, 0.0)}
    return found


def _ms(quantity: Any) -> FloatArray:
    values: FloatArray = np.asarray(quantity.rescale("ms").magnitude, dtype=np.float64)
    return values


def of_sorting(
    sorting: Any, sampling_frequency: float | None, unit_ids: Sequence[int | str] | None, segment_index: int
) -> dict[str, Any]:
    """Return what `SpikeTrains` is made of, from a segment of a SpikeInterface sorting.

    Raises
    ------
    ArgumentTypeError
        Something that is no sorting.
    ArgumentError
        Units or a segment that it does not have, or no sampling frequency.
    """
    if missing := [
        name
        for name in ("get_unit_ids", "get_sampling_frequency", "get_unit_spike_train")
        if not callable(getattr(sorting, name, None))
    ]:
        raise ArgumentTypeError(
            f"{type(sorting).__name__} is no SpikeInterface sorting: it has no {', '.join(missing)}; give a sorting"
        )
    available = [_plain(one) for one in sorting.get_unit_ids()]
    wanted = available if unit_ids is None else [_plain(one) for one in unit_ids]
    if unknown := [one for one in wanted if one not in available]:
        raise ArgumentError(f"the sorting has no unit {', '.join(map(repr, unknown))}; it has {available}")
    n_segments = int(sorting.get_num_segments()) if hasattr(sorting, "get_num_segments") else 1
    if not 0 <= segment_index < n_segments:
        raise ArgumentError(f"segment_index is {segment_index}, and the sorting has {n_segments} segments, from 0")
    fs_hz = float(sorting.get_sampling_frequency() if sampling_frequency is None else sampling_frequency)
    if not (np.isfinite(fs_hz) and fs_hz > 0):
        raise ArgumentError(f"the sampling frequency is {fs_hz} Hz; give sampling_frequency, above 0")
    start_ms, length_ms = _window_ms(sorting, segment_index, fs_hz)
    by_itself = sampling_frequency is None and hasattr(sorting, "get_unit_spike_train_in_seconds")
    trains = []
    for unit_id in wanted:
        of = {"unit_id": unit_id, "segment_index": segment_index}
        if by_itself:
            # It knows of a recording's own times, too.
            trains.append(np.asarray(sorting.get_unit_spike_train_in_seconds(**of), np.float64) * _MS_PER_S)
        else:
            frames = np.asarray(sorting.get_unit_spike_train(**of), np.float64)
            trains.append(start_ms + frames * (_MS_PER_S / fs_hz))
    found: dict[str, Any] = {
        "trains": trains,
        "start_time": min([start_ms, *(float(train.min()) for train in trains if len(train))]),
        "neuron_attributes": _attributes(sorting, available, wanted),
        "metadata": {"source_format": "SpikeInterface", "unit_ids": wanted, "fs_Hz": fs_hz},
    }
    if length_ms is not None:
        last_ms = max((float(train.max()) for train in trains if len(train)), default=start_ms)
        found["length"] = max(start_ms + length_ms, last_ms) - found["start_time"]
    return found


def _window_ms(sorting: Any, segment_index: int, fs_hz: float) -> tuple[float, float | None]:
    start_s = float(sorting.get_start_time(segment_index)) if hasattr(sorting, "get_start_time") else 0.0
    if not (hasattr(sorting, "has_recording") and sorting.has_recording()):
        return start_s * _MS_PER_S, None
    times_s = sorting.sample_index_to_time(0, segment_index=segment_index)
    return float(times_s) * _MS_PER_S, int(sorting.get_num_samples(segment_index)) / fs_hz * _MS_PER_S


def _attributes(sorting: Any, available: list[Any], wanted: list[Any]) -> list[dict[str, Any]]:
    keys = list(sorting.get_property_keys()) if hasattr(sorting, "get_property_keys") else []
    columns = {str(key): sorting.get_property(key) for key in keys}
    attributes = []
    for unit_id in wanted:
        # Properties are of all units, in the sorting's order, whichever were asked for.
        row = available.index(unit_id)
        one = {key: _plain(values[row]) for key, values in columns.items() if values is not None}
        for name, others in (("electrode", _ELECTRODES), ("location", _LOCATIONS)):
            if (key := next((other for other in others if other in one), None)) is not None:
                one[name] = one.pop(key)
        attributes.append({"unit_id": unit_id, **one})
    return attributes


def _plain(value: Any) -> Any:
    """Return numpy's numbers and arrays as Python's."""
    if isinstance(value, np.ndarray | np.generic):
        plain: Any = value.tolist()
        return plain
    return value
