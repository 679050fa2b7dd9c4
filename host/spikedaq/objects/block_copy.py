"""Copies of a block of Neo as kinds of files can hold it: times in seconds, annotations that they have a place for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any

import numpy as np

from spikedaq.model import StoreError, require
from spikedaq.objects.block_content import from_json_value, plain, restored, to_json

_JSON = "spikedaq-json:"
_Change = Callable[[dict[str, Any]], dict[str, Any]]


def for_nix(block: Any) -> Any:
    """Return a copy of a block, sharing its samples, as NIX keeps it.

    All times are in seconds and all rates in Hz: Neo's NixRawIO, and with it SpikeInterface, takes the numbers in a NIX
    file for that, whatever units they have there. Annotations that NIX would refuse or lose, such as None, a map or a
    list of lists, are JSON texts, which `nix_annotations_restored` makes again.
    """
    return _copy(block, lambda annotations: {key.replace("/", "_"): _nix(value) for key, value in annotations.items()})


def for_mat(block: Any) -> Any:
    """Return a copy of a block, sharing its samples, as a .mat file keeps it: dates are texts."""
    return _copy(block, lambda annotations: {key: _mat(value) for key, value in annotations.items()})


def nix_annotations_restored(block: Any) -> Any:
    """Give back to a block that was read the annotations that `for_nix` put into JSON."""
    _restore(block)
    for segment in block.segments:
        _restore(segment)
        for things in (segment.analogsignals, segment.irregularlysampledsignals, segment.spiketrains,
                       segment.epochs, segment.events):  # fmt: skip
            for thing in things:
                _restore(thing)
    return block


def _nix(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        is_kept = value.ndim <= 1
    elif isinstance(value, list | tuple):
        kinds = {type(one) for one in value}
        is_kept = len(kinds) == 1 and not kinds & {list, tuple, dict, type(None)}
    else:
        is_kept = value is not None and not isinstance(value, dict)
    return value if is_kept else _JSON + to_json(plain(value))


def _mat(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime | time) else value


def _restore(thing: Any) -> None:
    for key, value in thing.annotations.items():
        if isinstance(value, str) and value.startswith(_JSON):
            try:
                thing.annotations[key] = restored(from_json_value(value.removeprefix(_JSON)))
            except (ValueError, StoreError):
                continue  # somebody's own text


def _copy(block: Any, change: _Change) -> Any:
    neo = require("neo", "neo")
    about = {"name": block.name, "description": block.description, "rec_datetime": block.rec_datetime}
    copy = neo.Block(**about, **change(block.annotations))
    for segment in block.segments:
        about = {"name": segment.name, "description": segment.description, "rec_datetime": segment.rec_datetime}
        into = neo.Segment(**about, **change(segment.annotations))
        for signal in segment.analogsignals:
            made = neo.AnalogSignal(
                signal.magnitude,
                units=signal.units,
                t_start=signal.t_start.rescale("s"),
                sampling_rate=signal.sampling_rate.rescale("Hz"),
                **_kept(signal, change),
            )
            into.analogsignals.append(made)
        for signal in segment.irregularlysampledsignals:
            times = signal.times.rescale("s")
            made = neo.IrregularlySampledSignal(times, signal.magnitude, units=signal.units, **_kept(signal, change))
            into.irregularlysampledsignals.append(made)
        for train in segment.spiketrains:
            limits = {"t_start": train.t_start.rescale("s"), "t_stop": train.t_stop.rescale("s")}
            into.spiketrains.append(
                neo.SpikeTrain(train.times.rescale("s"), units="s", **limits, **_kept(train, change))
            )
        for event in segment.events:
            into.events.append(neo.Event(event.times.rescale("s"), labels=event.labels, **_kept(event, change)))
        for epoch in segment.epochs:
            lengths = epoch.durations.rescale("s")
            into.epochs.append(
                neo.Epoch(epoch.times.rescale("s"), durations=lengths, labels=epoch.labels, **_kept(epoch, change))
            )
        copy.segments.append(into)
    copy.check_relationships()
    return copy


def _kept(thing: Any, change: _Change) -> dict[str, Any]:
    return {
        "name": thing.name,
        "description": thing.description,
        "array_annotations": dict(thing.array_annotations),
        **change(thing.annotations),
    }
