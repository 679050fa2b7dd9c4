"""A block of Neo as an NWB file, by PyNWB. Neo's own NWBIO cannot write events and epochs together, and more.

Neo's times count from each segment's own beginning where the block is PyNN-style; NWB has one clock. So every time is
moved by the segment's annotation ``begins_s``, seconds since the block's ``rec_datetime``.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from spikedaq.model import ConfigError, require
from spikedaq.objects.block_content import plain, to_json

_SI = {"mV": ("volts", 1e-3), "uV": ("volts", 1e-6), "V": ("volts", 1.0), "nA": ("amperes", 1e-9),
       "pA": ("amperes", 1e-12), "%": ("percent", 1.0)}  # fmt: skip
"""Unit in `quantities` to NWB's unit, and what a value is multiplied by."""


def write_nwb(block: Any, path: Path) -> None:
    """Write a block to a new NWB file.

    Every signal is a TimeSeries ``<segment>_<name>`` in ``acquisition``; spike trains of one source are one row of
    ``units``, with the segments in which it was looked for spikes; segments are rows of ``intervals/runs``, with their
    annotations as texts; epochs and events are ``intervals/<name>``.

    Raises
    ------
    MissingExtraError
        PyNWB is not installed.
    ConfigError
        Nobody knows when it was recorded: annotate the block with ``session_start_time``, a datetime.
    """
    pynwb: Any = require("pynwb", "nwb")
    start = _start(block)
    file = pynwb.NWBFile(
        session_description=str(block.description or block.name or "a block of Neo"),
        identifier=uuid.uuid4().hex,
        session_start_time=start,
        notes=to_json({"name": block.name, "annotations": plain(block.annotations)}),
    )
    file.subject = pynwb.file.Subject(
        subject_id=str(block.name or "unknown"),
        description="Spikeling devices: electronic model neurons, no animal.",
        species="http://purl.obolibrary.org/obo/NCBITaxon_32644",  # the taxon "unidentified"; NWB asks for one
        sex="U",
        age="P0D",
    )
    _add_signals(pynwb, file, block)
    _add_spikes(file, block)
    _add_runs(pynwb, file, block)
    _add_marks(pynwb, file, block)
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(file)


def _start(block: Any) -> datetime:
    given = block.annotations.get("session_start_time", block.rec_datetime)
    if given is None:
        given = next((segment.rec_datetime for segment in block.segments if segment.rec_datetime is not None), None)
    if isinstance(given, str):
        given = datetime.fromisoformat(given)
    if not isinstance(given, datetime):
        raise ConfigError(
            "NWB wants to know when this was recorded; say annotations={'session_start_time': datetime(...)}"
        )
    return given if given.tzinfo else given.replace(tzinfo=UTC)


def _begins_s(segment: Any) -> float:
    return float(segment.annotations.get("begins_s", 0.0))


def _add_signals(pynwb: Any, file: Any, block: Any) -> None:
    taken: set[str] = set()
    for k, segment in enumerate(block.segments):
        for signal in (*segment.analogsignals, *segment.irregularlysampledsignals):
            name = _free(f"{segment.name or f'segment{k:03d}'}_{signal.name or 'signal'}", taken)
            unit, factor = _SI.get(signal.units.dimensionality.string, (_unit_text(signal), 1.0))
            file.add_acquisition(
                pynwb.TimeSeries(
                    name=name,
                    data=signal.magnitude[:, 0] if signal.shape[1] == 1 else signal.magnitude,
                    unit=unit,
                    conversion=factor,
                    **_times(signal, _begins_s(segment)),
                    description=to_json({"annotations": plain(signal.annotations)}),
                )
            )


def _times(signal: Any, begins_s: float) -> dict[str, Any]:
    if hasattr(signal, "sampling_rate"):
        start_s = begins_s + float(signal.t_start.rescale("s"))
        return {"starting_time": start_s, "rate": float(signal.sampling_rate.rescale("Hz"))}
    return {"timestamps": begins_s + signal.times.rescale("s").magnitude}


def _add_spikes(file: Any, block: Any) -> None:
    by_source: dict[Any, list[tuple[Any, Any]]] = {}
    for segment in block.segments:
        for k, train in enumerate(segment.spiketrains):
            label = train.annotations.get("source_population", train.name or "unit")
            by_source.setdefault((label, train.annotations.get("source_index", k)), []).append((segment, train))
    if not by_source:
        return
    file.add_unit_column("unit_name", "population and index of the unit")
    rates = [float(signal.sampling_rate.rescale("Hz")) for s in block.segments for signal in s.analogsignals]
    for (label, index), trains in by_source.items():
        times = [_begins_s(s) + train.rescale("s").magnitude for s, train in trains]
        limits = [(_begins_s(s) + float(t.t_start.rescale("s")), _begins_s(s) + float(t.t_stop.rescale("s")))
                  for s, t in trains]  # fmt: skip
        file.add_unit(spike_times=np.concatenate(times), obs_intervals=limits, unit_name=f"{label} {index}")
    # Spikes lie on the grid of the samples.
    file.units.resolution = 1 / max(rates) if rates else 1e-3


def _add_runs(pynwb: Any, file: Any, block: Any) -> None:
    table = pynwb.epoch.TimeIntervals(name="runs", description="one row per segment of the block")
    table.add_column("label", "name of the segment")
    keys = list(dict.fromkeys(key for segment in block.segments for key in segment.annotations))
    taken = {"start_time", "stop_time", "label", "id", "tags", "timeseries"}
    names = {key: _free(str(key), taken) for key in keys}
    for name in names.values():
        table.add_column(name, "annotation of the segment, as text")
    for segment in block.segments:
        data = [*segment.analogsignals, *segment.spiketrains]
        begins_s = _begins_s(segment)
        starts = [float(one.t_start.rescale("s")) for one in data] or [0.0]
        stops = [float(one.t_stop.rescale("s")) for one in data] or [0.0]
        about = {name: str(segment.annotations.get(key, "")) for key, name in names.items()}
        table.add_row(
            start_time=begins_s + min(starts),
            stop_time=begins_s + max(stops),
            label=segment.name or "",
            **about,
        )
    if len(table):
        file.add_time_intervals(table)


def _add_marks(pynwb: Any, file: Any, block: Any) -> None:
    found: dict[str, list[tuple[float, float, str]]] = {}
    for segment in block.segments:
        begins_s = _begins_s(segment)
        for marks in (*segment.epochs, *segment.events):
            times = begins_s + np.atleast_1d(marks.times.rescale("s").magnitude)
            lengths = marks.durations.rescale("s").magnitude if hasattr(marks, "durations") else np.zeros(len(times))
            rows = found.setdefault(marks.name or "marks", [])
            rows += [
                (float(t), float(t + d), str(label)) for t, d, label in zip(times, lengths, marks.labels, strict=True)
            ]
    taken = {"runs", "epochs", "trials", "invalid_times"}
    for name, rows in found.items():
        table = pynwb.epoch.TimeIntervals(name=_free(name, taken), description=f"{name} of the block")
        table.add_column("label", "what it is")
        for start_s, stop_s, label in sorted(rows):
            table.add_row(start_time=start_s, stop_time=stop_s, label=label)
        file.add_time_intervals(table)


def _unit_text(signal: Any) -> str:
    text = signal.units.dimensionality.string
    return str(signal.annotations.get("unit", "1")) if text == "dimensionless" else text


def _free(name: str, taken: set[str]) -> str:
    """Return a name that NWB allows and that is not taken yet, and take it."""
    clean = name.replace("/", "_").replace(":", "_")
    number, free = 1, clean
    while free in taken:
        number += 1
        free = f"{clean}_{number}"
    taken.add(free)
    return free
