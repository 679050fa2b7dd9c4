"""What lies in each segment of a recording beside its samples: spikes, events, epochs, at times of the recording."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.model import EventKind
from spikedaq.objects.rates import sampling_rate_hz
from spikedaq.recording import Recording

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """Labelled instants, or intervals, in order of time.

    Attributes
    ----------
    times_s : float64 array, shape (n,)
    durations_s : float64 array, shape (n,), or None
        None where they are instants.
    labels : list of str
    """

    name: str
    times_s: FloatArray
    durations_s: FloatArray | None
    labels: list[str]


@dataclass(frozen=True, slots=True, eq=False)
class SegmentContents:
    """One segment.

    Attributes
    ----------
    t_start_s, t_stop_s : float
        Of the first sample, and one period after the last; spikes lie between the two.
    rate_hz : float
    spikes_s : float64 array, shape (n_spikes,)
    spikes_mv : float64 array, shape (n_spikes,)
        The model's potential at each.
    marks : tuple of Marks
        Those of `EVENT_NAMES` and `EPOCH_NAMES`, in this order, also where they are empty.
    """

    index: int
    n_frames: int
    t_start_s: float
    t_stop_s: float
    rate_hz: float
    spikes_s: FloatArray
    spikes_mv: FloatArray
    marks: tuple[Marks, ...]


EVENT_NAMES = ("triggers", "device events", "parameters", "notes")
EPOCH_NAMES = ("windows", "gaps")


_UNKNOWN = float("nan")


@dataclass(slots=True)
class _Rows:
    times_s: list[float] = field(default_factory=list)
    durations_s: list[float] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)

    def add(self, time_s: float, label: str, stop_s: float | None = None) -> None:
        self.times_s.append(time_s)
        self.labels.append(label)
        self.durations_s.append(0.0 if stop_s is None else stop_s - time_s)

    def marks(self, name: str) -> Marks:
        order = np.argsort(np.asarray(self.times_s), kind="stable")
        durations = np.asarray(self.durations_s)[order] if name in EPOCH_NAMES else None
        return Marks(name, np.asarray(self.times_s, float)[order], durations, [self.labels[k] for k in order])


def tells_spikes(recording: Recording) -> bool:
    """Whether spikes were recorded: not in a CSV, where that none stand in it does not mean that there were none."""
    return recording.device_info is not None or any(event.kind == EventKind.SPIKE for event in recording.events)


def segment_contents(recording: Recording) -> tuple[list[SegmentContents], int]:
    """Sort what happened into the segments that have samples.

    A spike belongs to the segment in which it lies; what lies in a gap is not in any of them. All else belongs to the
    segment that it lies in or after, the first one has what came before.

    Returns
    -------
    list of SegmentContents
    int
        Spikes that lie in no segment: the device told of them, and the samples around them are missing.
    """
    spans = [_span(recording, index) for index, segment in enumerate(recording.segments) if segment.n_frames]
    if not spans:
        return [], 0
    rows = [{name: _Rows() for name in (*EVENT_NAMES, *EPOCH_NAMES)} for _ in spans]
    spikes: list[list[tuple[float, float]]] = [[] for _ in spans]
    starts = [span.start_s - span.half_s for span in spans]
    n_outside = 0
    for event in recording.events:
        k = bisect_right(starts, event.time_s) - 1
        if event.kind == EventKind.SPIKE:
            if k < 0 or event.time_s >= spans[k].stop_s + spans[k].half_s:
                n_outside += 1
            else:
                spikes[k].append((event.time_s, event.value))
        elif event.kind == EventKind.TRIGGER:
            rows[max(k, 0)]["triggers"].add(event.time_s, f"loop {event.index}")
        else:
            rows[max(k, 0)]["device events"].add(event.time_s, event.label)
    for name, time_s, label, stop_s in _others(recording):
        rows[max(bisect_right(starts, time_s) - 1, 0)][name].add(time_s, label, stop_s)
    return [
        _contents(span, sorted(spikes[k]), tuple(rows[k][name].marks(name) for name in (*EVENT_NAMES, *EPOCH_NAMES)))
        for k, span in enumerate(spans)
    ], n_outside


@dataclass(frozen=True, slots=True)
class _Span:
    index: int
    n_frames: int
    start_s: float
    stop_s: float
    rate_hz: float

    @property
    def half_s(self) -> float:
        return 0.5 / self.rate_hz


def _span(recording: Recording, index: int) -> _Span:
    segment = recording.segments[index]
    n = segment.n_frames
    first_s = float(segment.times_s(0, 1)[0])
    last_s = float(segment.times_s(n - 1, n)[0])
    rate_hz = sampling_rate_hz(recording.sampling_frequency, n, first_s, last_s)
    return _Span(index, n, first_s, last_s + 1 / rate_hz, rate_hz)


def _contents(span: _Span, spikes: Sequence[tuple[float, float]], marks: tuple[Marks, ...]) -> SegmentContents:
    times = np.array([time_s for time_s, _ in spikes])
    # A spike at the very edge may be rounded out of the segment by less than half a sample.
    start_s = min(span.start_s, float(times[0])) if len(times) else span.start_s
    stop_s = max(span.stop_s, float(times[-1])) if len(times) else span.stop_s
    values = np.array([value for _, value in spikes])
    return SegmentContents(span.index, span.n_frames, start_s, stop_s, span.rate_hz, times, values, marks)


def _others(recording: Recording) -> list[tuple[str, float, str, float | None]]:
    """Everything that is no event of the device, as (name, time, label, stop), times in seconds."""
    found: list[tuple[str, float, str, float | None]] = []
    known: dict[str, float | None] = {}
    for parameter in recording.parameters:
        is_told = parameter.origin == "initial" and known.get(parameter.name, _UNKNOWN) == parameter.value
        known[parameter.name] = parameter.value
        if is_told:  # each file begins with all values
            continue
        who = f"asked by {parameter.origin}" if parameter.is_request else parameter.origin
        value: Any = "knob" if parameter.value is None else f"{parameter.value:g}"
        found.append(("parameters", parameter.time_s, f"{parameter.name}={value} ({who})", None))
    found += [("notes", note.time_s, note.text, None) for note in recording.notes]
    found += [("windows", epoch.start_s, epoch.trigger, epoch.stop_s) for epoch in recording.epochs]
    found += [("gaps", gap.start_s, str(gap.gap.cause), gap.stop_s) for gap in recording.gaps]
    return found
