"""A block of Neo as plain arrays and one text that describes them, and back: what .npz and .txt files are made of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.model import StoreError, require

FORMAT = "spikedaq block 1"

Arrays = dict[str, npt.NDArray[Any]]


def describe_block(block: Any) -> tuple[dict[str, Any], Arrays]:
    """Part a block into a description that JSON can hold, and named arrays.

    Returns
    -------
    map
        Names, annotations, units, starts and rates; each signal, train, event and epoch names its arrays.
    map of str to array
        Signals as (n_samples, n_channels), spikes, times and durations as (n,), times in ms.
    """
    arrays: Arrays = {}
    segments = []
    for k, segment in enumerate(block.segments):
        prefix = _key(segment.name or f"segment{k:03d}", arrays)
        arrays_of = _Names(prefix, arrays)
        segments.append({
            "name": segment.name,
            "description": segment.description,
            "rec_datetime": plain(segment.rec_datetime),
            "annotations": plain(segment.annotations),
            "signals": [_signal(signal, arrays_of) for signal in segment.analogsignals],
            "irregular": [_irregular(signal, arrays_of) for signal in segment.irregularlysampledsignals],
            "spiketrains": [_train(train, n, arrays_of) for n, train in enumerate(segment.spiketrains)],
            "epochs": [_marks(epoch, arrays_of, epoch.durations) for epoch in segment.epochs],
            "events": [_marks(event, arrays_of, None) for event in segment.events],
        })  # fmt: skip
    about = {
        "format": FORMAT,
        "name": block.name,
        "description": block.description,
        "rec_datetime": plain(block.rec_datetime),
        "annotations": plain(block.annotations),
        "segments": segments,
    }
    return about, arrays


def make_block(about: dict[str, Any], arrays: Arrays, source: str) -> Any:
    """Make a block again of what `describe_block` returned.

    Raises
    ------
    StoreError
        ``source`` holds no such description, or lacks an array.
    """
    neo, pq = require("neo", "neo"), require("quantities", "neo")
    if about.get("format") != FORMAT:
        raise StoreError(f"{source} holds no block that spikedaq wrote; it says {about.get('format')!r}")
    try:
        block = neo.Block(name=about["name"], description=about["description"], **restored(about["annotations"]))
        block.rec_datetime = restored(about["rec_datetime"])
        for one in about["segments"]:
            segment = neo.Segment(name=one["name"], description=one["description"], **restored(one["annotations"]))
            segment.rec_datetime = restored(one["rec_datetime"])
            for signal in one["signals"]:
                made = neo.AnalogSignal(
                    arrays[signal["array"]],
                    units=_unit(pq, signal["units"]),
                    t_start=signal["t_start_ms"] * pq.ms,
                    sampling_rate=signal["sampling_rate_hz"] * pq.Hz,
                    **_common(signal),
                )
                segment.analogsignals.append(made)
            for signal in one["irregular"]:
                times, units = arrays[signal["times"]] * pq.ms, _unit(pq, signal["units"])
                segment.irregularlysampledsignals.append(
                    neo.IrregularlySampledSignal(times, arrays[signal["array"]], units=units, **_common(signal))
                )
            for train in one["spiketrains"]:
                limits = {"t_start": train["t_start_ms"], "t_stop": train["t_stop_ms"]}
                segment.spiketrains.append(
                    neo.SpikeTrain(arrays[train["array"]], units="ms", **limits, **_common(train))
                )
            for mark in one["epochs"]:
                durations = arrays[mark["durations"]] * pq.ms
                times = arrays[mark["array"]] * pq.ms
                labels = np.array(mark["labels"], dtype="U")
                segment.epochs.append(neo.Epoch(times, durations=durations, labels=labels, **_common(mark)))
            for mark in one["events"]:
                times, labels = arrays[mark["array"]] * pq.ms, np.array(mark["labels"], dtype="U")
                segment.events.append(neo.Event(times, labels=labels, **_common(mark)))
            block.segments.append(segment)
    except (KeyError, TypeError) as error:
        raise StoreError(f"{source} is incomplete: {error}; write it again") from error
    block.check_relationships()
    return block


def plain(value: Any) -> Any:
    """Return an annotation as JSON can hold it; `restored` makes it again."""
    if hasattr(value, "dimensionality"):
        return {"__quantity__": plain(value.magnitude), "unit": value.dimensionality.string}
    if isinstance(value, np.ndarray):
        return {"__array__": [plain(one) for one in value.ravel().tolist()], "shape": list(value.shape)}
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, datetime):
        return {"__datetime__": value.isoformat()}
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)


def restored(value: Any) -> Any:
    """Return what `plain` was given; a tuple comes back as a list."""
    if isinstance(value, list):
        return [restored(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "__quantity__" in value:
        pq = require("quantities", "neo")
        magnitude = restored(value["__quantity__"])
        return pq.Quantity(magnitude, _unit(pq, value["unit"]))
    if "__array__" in value:
        return np.array([restored(one) for one in value["__array__"]]).reshape(value["shape"])
    if "__datetime__" in value:
        return datetime.fromisoformat(value["__datetime__"])
    return {key: restored(one) for key, one in value.items()}


def to_json(about: Any) -> str:
    """Return a description, or an annotation of `plain`, as one line of text."""
    return json.dumps(about, ensure_ascii=False)


def from_json_value(text: str) -> Any:
    """Return what `to_json` was given. Raises ValueError where it is none."""
    return json.loads(text)


def from_json(text: str, source: str) -> dict[str, Any]:
    """Return a description from its text. Raises StoreError where it is none."""
    try:
        about = json.loads(text)
    except ValueError as error:
        raise StoreError(f"{source} holds no block that spikedaq wrote: {error}") from error
    if not isinstance(about, dict):
        raise StoreError(f"{source} holds no block that spikedaq wrote")
    return about


class _Names:
    """Gives arrays names that are theirs alone."""

    def __init__(self, prefix: str, arrays: Arrays) -> None:
        self._prefix = prefix
        self._arrays = arrays

    def add(self, name: str, values: npt.NDArray[Any]) -> str:
        key = _key(f"{self._prefix}_{name}", self._arrays)
        self._arrays[key] = np.asarray(values)
        return key


def _key(name: str, taken: Arrays) -> str:
    clean = re.sub(r"\W+", "_", name).strip("_") or "array"
    return next(key for key in _numbered(clean) if key not in taken)


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 1
    while True:
        number += 1
        yield f"{name}_{number}"


def _signal(signal: Any, arrays: _Names) -> dict[str, Any]:
    return {
        "array": arrays.add(signal.name or "signal", signal.magnitude),
        "units": signal.units.dimensionality.string,
        "t_start_ms": float(signal.t_start.rescale("ms")),
        "sampling_rate_hz": float(signal.sampling_rate.rescale("Hz")),
        **_about(signal),
    }


def _irregular(signal: Any, arrays: _Names) -> dict[str, Any]:
    name = signal.name or "signal"
    return {
        "array": arrays.add(name, signal.magnitude),
        "times": arrays.add(f"{name}_times", signal.times.rescale("ms").magnitude),
        "units": signal.units.dimensionality.string,
        **_about(signal),
    }


def _train(train: Any, number: int, arrays: _Names) -> dict[str, Any]:
    index = train.annotations.get("source_index", number)
    return {
        "array": arrays.add(f"spikes_{index}", train.rescale("ms").magnitude),
        "t_start_ms": float(train.t_start.rescale("ms")),
        "t_stop_ms": float(train.t_stop.rescale("ms")),
        **_about(train),
    }


def _marks(marks: Any, arrays: _Names, durations: Any) -> dict[str, Any]:
    name = marks.name or "marks"
    described = {
        "array": arrays.add(name, marks.times.rescale("ms").magnitude),
        "labels": [str(label) for label in marks.labels],
        **_about(marks),
    }
    if durations is not None:
        described["durations"] = arrays.add(f"{name}_durations", durations.rescale("ms").magnitude)
    return described


def _about(thing: Any) -> dict[str, Any]:
    return {
        "name": thing.name,
        "description": thing.description,
        "annotations": plain(thing.annotations),
        "array_annotations": plain(dict(thing.array_annotations)),
    }


def _common(described: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": described["name"],
        "description": described["description"],
        "array_annotations": restored(described["array_annotations"]),
        **restored(described["annotations"]),
    }


_UNIT = re.compile(r"(?:1(?=/))?(?:[A-Za-zµ_]+|\*\*-?[0-9](?:\.[0-9])?(?!\*\*)|[*/() ])*")
"""Names, products, and powers of one digit: what is evaluated must not take long."""


def _unit(pq: Any, text: str) -> Any:
    """Return a unit by its name. Raises StoreError where it is none."""
    if text == "%":
        return pq.percent
    if not isinstance(text, str) or len(text) > 80 or not _UNIT.fullmatch(text):
        raise StoreError(f"{text!r} is no unit")
    try:
        return pq.Quantity(1, text).units
    except (LookupError, ValueError, SyntaxError, TypeError) as error:
        raise StoreError(f"{text!r} is no unit that quantities knows") from error
