"""Sortings and recordings of SpikeInterface, and spike trains as a sorting."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.interchange.electrodes import distinct_ids
from spikedaq.interchange.errors import UnwrittenWarning
from spikedaq.interchange.plain import is_name
from spikedaq.interchange.spikelab import as_trains
from spikedaq.interchange.times import checked_fs_hz, from_ms
from spikedaq.interchange.window import window_read_back
from spikedaq.model import ArgumentError, ArgumentTypeError, require

_WINDOW = ("shift_ms", "start_time_ms", "length_ms")
"""Annotations of our sortings: what was added to times, and the window before that."""


def load_spikedata_from_spikeinterface(
    sorting: Any,
    *,
    sampling_frequency: float | None = None,
    unit_ids: Sequence[int | str] | None = None,
    segment_index: int = 0,
) -> SpikeTrains:
    """Return the units of one segment of a sorting; see `SpikeTrains.from_sorting`.

    Of a sorting that `to_spikeinterface_sorting` made the window comes back, too.

    Raises
    ------
    ArgumentTypeError, ArgumentError
        No sorting (TypeError, too); units or a segment that it does not have (ValueError, too).
    """
    found = SpikeTrains.from_sorting(
        sorting, sampling_frequency=sampling_frequency, unit_ids=unit_ids, segment_index=segment_index
    )
    annotation = getattr(sorting, "get_annotation", lambda _: None)
    shift_ms, start_ms, length_ms = (annotation(key) for key in _WINDOW)
    if shift_ms is None or start_ms is None or length_ms is None:
        return found
    trains = [train - shift_ms for train in found.trains]
    start_ms, length_ms = window_read_back(SpikeTrains([], start_time=start_ms, length=length_ms), trains)
    return SpikeTrains(
        trains,
        start_time=start_ms,
        length=length_ms,
        neuron_attributes=found.neuron_attributes,
        metadata=found.metadata,
    )


def load_spikedata_from_spikeinterface_recording(
    recording: Any,
    *,
    segment_index: int = 0,
    threshold_sigma: float = 5.0,
    filter: bool | Mapping[str, Any] = False,  # noqa: A002 - SpikeLab's name
    hysteresis: bool = True,
    direction: str = "both",
) -> SpikeTrains:
    """Find spikes in one segment of a SpikeInterface recording, by threshold; see `SpikeTrains.from_thresholding`.

    Traces are in µV where the recording knows its gains. The segment's start counts. Each channel is a unit.

    Raises
    ------
    ArgumentTypeError
        It is no recording (TypeError, too).
    ArgumentError
        A segment that it does not have, or an option that makes no sense.
    """
    needed = ("get_traces", "get_sampling_frequency", "get_channel_ids", "get_num_segments")
    if not all(callable(getattr(recording, name, None)) for name in needed):
        raise ArgumentTypeError(f"{type(recording).__name__} is no SpikeInterface recording; give one")
    n_segments = recording.get_num_segments()
    if not 0 <= segment_index < n_segments:
        raise ArgumentError(f"segment_index is {segment_index}; the recording has {n_segments} segments, from 0")
    scaled = {"return_in_uV": True} if recording.has_scaleable_traces() else {}
    # Samples by channels, whatever there is more of.
    traces = np.asarray(recording.get_traces(segment_index=segment_index, **scaled)).T
    found = SpikeTrains.from_thresholding(
        traces,
        recording.get_sampling_frequency(),
        threshold_sigma,
        filter,
        hysteresis,
        direction,  # type: ignore[arg-type]
        start_time=float(recording.get_start_time(segment_index)) * 1000.0,
    )
    ids = [i.item() if isinstance(i, np.generic) else i for i in recording.get_channel_ids()]
    found.neuron_attributes = [{"electrode": i} for i in ids]
    keys = recording.get_property_keys()
    if "location" in keys or recording.has_probe():
        for one, place in zip(found.neuron_attributes, recording.get_channel_locations(), strict=True):
            one["location"] = [float(x) for x in place]
    found.metadata |= {"source_format": "SpikeInterface", "segment_index": segment_index,
                       "fs_Hz": float(recording.get_sampling_frequency())}  # fmt: skip
    return found


def to_spikeinterface_sorting(sd: SpikeTrains | Any, *, fs_Hz: float) -> Any:  # noqa: N803 - as elsewhere in this room
    """Return spike trains as a NumpySorting, units without spikes included.

    Parameters
    ----------
    sd : SpikeTrains
        Or a SpikeData of SpikeLab.
    fs_Hz : float
        Sampling rate in Hz; times become samples, to the nearest one.

    Raises
    ------
    MissingExtraError
        SpikeInterface is not installed.

    Notes
    -----
    Samples count from 0 ms; with a window that starts before 0, from its start, and a warning says so.
    """
    trains = as_trains(sd)
    fs_hz = checked_fs_hz(fs_Hz, "a sorting")
    core = require("spikeinterface.core", "spikeinterface")
    shift_ms = -min(trains.start_time, 0.0)
    if shift_ms:
        message = f"the window starts at {trains.start_time:g} ms, and samples count from there: they cannot be below 0"
        warnings.warn(message, UnwrittenWarning, stacklevel=2)
    samples = [from_ms(train + shift_ms, "samples", fs_hz) for train in trains.trains]
    units = dict(zip(_unit_ids(trains), samples, strict=True))
    sorting = core.NumpySorting.from_unit_dict([units], fs_hz)
    for key, values in _properties(trains).items():
        sorting.set_property(key, values)
    sorting.annotate(**dict(zip(_WINDOW, (shift_ms, trains.start_time, trains.length), strict=True)))
    return sorting


def _unit_ids(trains: SpikeTrains) -> Sequence[int | str]:
    """Return the units' own names where each has one and they differ, else numbers."""
    names = [one.get("unit_id") for one in trains.neuron_attributes or ()]
    texts = [name for name in names if isinstance(name, str)]
    return texts if texts and len(set(texts)) == trains.N else distinct_ids(trains)


def _properties(trains: SpikeTrains) -> dict[str, Any]:
    """Return what every unit has as a number, a text, a truth, or a row of numbers of one length."""
    attributes = trains.neuron_attributes or []
    found = {}
    lost = []
    for key in dict.fromkeys(key for one in attributes for key in one):
        if key == "unit_id":
            continue
        try:
            values = np.array([one[key] for one in attributes])
        except (ValueError, KeyError):  # rows of different lengths, or units without it
            values = np.empty(0, object)
        # Infinities and names that no file can have do not survive in a folder.
        plain = values.dtype.kind in "biuU" or (values.dtype.kind == "f" and not np.isinf(values).any())
        if plain and is_name(key):
            found["channel" if key == "electrode" else str(key)] = values
        else:
            lost.append(str(key))
    if lost:
        message = f"a sorting has no place for {', '.join(map(repr, lost))} of the units"
        warnings.warn(message, UnwrittenWarning, stacklevel=3)
    return found
