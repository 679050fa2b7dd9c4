"""Find the spikes of a recording, piece after piece: the memory it takes does not depend on how long it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from spikedaq.analysis import DEFAULT_THRESHOLD_MV, SpikeTrains
from spikedaq.analysis.crossings import CrossingFinder, Directions
from spikedaq.analysis.filters import Filter, filter_of
from spikedaq.analysis.thresholding import ThresholdRule
from spikedaq.model import ArgumentError
from spikedaq.recording.recording import Recording
from spikedaq.recording.segments import FloatArray
from spikedaq.recording.sources.foreign import SpikeInterfaceTraces

Progress = Callable[[int, int], None]
PIECE_FRAMES = 1 << 17
"""Frames that are looked at together, of all channels: 8 MiB of eight channels."""
_MS_PER_S = 1000.0


class Traces(Protocol):
    """Where samples come from: our recordings, and those of others."""

    channel_ids: Sequence[int | str]
    fs_hz: float
    n_frames: Sequence[int]
    """Of each segment."""

    def read(self, segment: int, start: int, stop: int) -> FloatArray:
        """Return values, shape (stop - start, n_channels)."""

    def times_s(self, segment: int, start: int, stop: int) -> FloatArray:
        """Return times, shape (stop - start,)."""

    def described(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return what is known of each channel, and of all of it."""


def spike_trains(
    recording: Recording | Any,
    channel_ids: Sequence[int | str] | None = None,
    *,
    threshold: float | None = None,
    threshold_sigma: float | None = None,
    direction: Directions = "up",
    hysteresis: bool | float = True,
    refractory_ms: float = 0.0,
    filter: bool | Mapping[str, Any] = False,  # noqa: A002 - as `SpikeTrains.from_thresholding` has it
    progress: Progress | None = None,
) -> SpikeTrains:
    """Return the spikes of a recording: one unit per channel, each spike at the time of its sample.

    Parameters
    ----------
    recording : Recording, or spikeinterface.BaseRecording
    channel_ids : sequence of int or str, optional
        Default: ``vm`` where there is one, else all.
    threshold : float, optional
        A level in the channels' unit (microvolts of a SpikeInterface recording with gains). Default: -20, as of
        `find_spikes`, unless ``threshold_sigma`` is given.
    threshold_sigma : float, optional
        So many standard deviations of the channel from its mean, over all segments; they are read twice then.
    direction, hysteresis, filter
        As of `SpikeTrains.from_thresholding`. Nothing is filtered unless wanted: spikes of a membrane potential are
        slower than 300 Hz.
    refractory_ms : float
        A crossing less than this after the last spike is none.
    progress : callable, optional
        Called with how many frames were looked at, and how many will have been.

    Returns
    -------
    SpikeTrains
        Times since the recording's reference time. The window goes from the first segment to the last, ``gaps_ms`` are
        between them. No spike is found across a gap or a reboot, nor is anything filtered across one.

    Raises
    ------
    ArgumentError
        An argument that makes no sense; both thresholds.
    ConfigError
        A channel that is not there.
    StoreError
        A file cannot be read.
    """
    if threshold is not None and threshold_sigma is not None:
        raise ArgumentError("threshold and threshold_sigma are both given; give one")
    if threshold is None and threshold_sigma is None:
        threshold = DEFAULT_THRESHOLD_MV
    if not (math.isfinite(refractory_ms) and refractory_ms >= 0):
        raise ArgumentError(f"refractory_ms is {refractory_ms}; it must be 0 or more")
    rule = ThresholdRule(threshold, 5.0 if threshold_sigma is None else threshold_sigma, direction, hysteresis)
    traces: Traces
    if isinstance(recording, Recording):
        recording.refresh()
        traces = _Ours(recording, channel_ids)
    else:
        traces = SpikeInterfaceTraces(recording, channel_ids)
    wanted = filter_of(filter, traces.fs_hz)
    passes = _Passes(traces, wanted, progress, 1 if rule.threshold is not None else 2)
    centers, levels = passes.levels(rule)
    refractory = math.ceil(refractory_ms * traces.fs_hz / _MS_PER_S - 1e-9)
    trains_ms = passes.find(rule, centers, levels, refractory)
    start_ms, stop_ms, gaps_ms = _window(traces)
    attributes, metadata = traces.described()
    for one, center, level in zip(attributes, centers, levels, strict=True):
        one["threshold"] = center + (-level if rule.threshold is None and direction == "down" else level)
    return SpikeTrains(
        trains_ms,
        start_time=start_ms,
        length=stop_ms - start_ms,
        neuron_attributes=attributes,
        metadata=metadata,
        gaps_ms=gaps_ms,
    )


@dataclass(slots=True)
class _Passes:
    """Goes through all samples, once or twice."""

    traces: Traces
    filter: Filter | None
    progress: Progress | None
    n_passes: int
    n_done: int = 0

    def levels(self, rule: ThresholdRule) -> tuple[list[float], list[float]]:
        """Return what each channel's threshold is counted from, and the threshold."""
        n_channels = len(self.traces.channel_ids)
        if rule.threshold is not None:
            return [0.0] * n_channels, [float(rule.threshold)] * n_channels
        n, mean, squares = np.zeros(n_channels), np.zeros(n_channels), np.zeros(n_channels)
        for _, _, values in self._pieces():
            known = np.isfinite(values)
            count = known.sum(axis=0)
            part = np.where(known, values, 0.0).sum(axis=0) / np.maximum(count, 1)
            away = np.where(known, values - part, 0.0)
            total = n + count
            # Chan, Golub and LeVeque 1979: means and squares of parts, put together.
            shift = (part - mean) * count / np.maximum(total, 1)
            squares += (away**2).sum(axis=0) + (part - mean) * shift * n
            mean += shift
            n = total
        with np.errstate(invalid="ignore", divide="ignore"):
            return mean.tolist(), [rule.level(sd) for sd in np.sqrt(squares / n).tolist()]

    def find(
        self, rule: ThresholdRule, centers: Sequence[float], levels: Sequence[float], refractory: int
    ) -> list[FloatArray]:
        """Return the times of the spikes of each channel, in ms."""
        found: list[list[FloatArray]] = [[] for _ in levels]
        finders: list[CrossingFinder] = []
        for segment, start, values in self._pieces():
            if start == 0:
                finders = [rule.finder(level, refractory=refractory) for level in levels]
            spikes = []
            for k, (center, level) in enumerate(zip(centers, levels, strict=True)):
                trace = values[:, k] - center if center else np.ascontiguousarray(values[:, k])
                if rule.hysteresis is False:
                    spikes.append(rule.beyond(trace, level))
                else:
                    spikes.append(finders[k].take(rule.prepared(trace)) - start)
            if not (hit := [one for one in spikes if len(one)]):
                continue
            first, last = min(int(one[0]) for one in hit), max(int(one[-1]) for one in hit)
            times_ms = self.traces.times_s(segment, start + first, start + last + 1) * _MS_PER_S
            for times, one in zip(found, spikes, strict=True):
                times.append(times_ms[one - first])
        return [np.concatenate(times) if times else np.empty(0) for times in found]

    def _pieces(self) -> Iterator[tuple[int, int, FloatArray]]:
        traces, margin = self.traces, self.filter.margin if self.filter is not None else 0
        total = sum(traces.n_frames) * self.n_passes
        for segment, n in enumerate(traces.n_frames):
            for start in range(0, n, PIECE_FRAMES):
                stop = min(start + PIECE_FRAMES, n)
                before, after = max(start - margin, 0), min(stop + margin, n)
                values = traces.read(segment, before, after)
                if self.filter is not None:
                    values = np.column_stack([self.filter.apply(np.ascontiguousarray(one)) for one in values.T])
                yield segment, start, values[start - before : stop - before]
                self.n_done += stop - start
                if self.progress is not None:
                    self.progress(self.n_done, total)


def _window(traces: Traces) -> tuple[float, float, npt.NDArray[np.float64]]:
    """Return where the window begins and ends, and the gaps in it, in ms."""
    spans = sorted(
        (float(traces.times_s(k, 0, 1)[0]), float(traces.times_s(k, n - 1, n)[0]) + 1 / traces.fs_hz)
        for k, n in enumerate(traces.n_frames)
        if n
    )
    if not spans:
        return 0.0, 0.0, np.empty((0, 2))
    until, gaps = spans[0][1], []
    for start, stop in spans[1:]:
        # Less than half a sample is the jitter of measured times, not a gap.
        if start - until > 0.5 / traces.fs_hz:
            gaps.append((until, start))
        until = max(until, stop)
    return spans[0][0] * _MS_PER_S, until * _MS_PER_S, np.array(gaps).reshape(-1, 2) * _MS_PER_S


class _Ours:
    """A recording of ours."""

    def __init__(self, recording: Recording, channel_ids: Sequence[int | str] | None) -> None:
        if channel_ids is None:
            channel_ids = ["vm"] if "vm" in recording.channel_ids else list(recording.channel_ids)
        self._recording = recording.channel_slice([channel_ids] if isinstance(channel_ids, str) else channel_ids)
        self._places = [recording.channel_ids.index(one) for one in self._recording.channel_ids]
        self.channel_ids: Sequence[int | str] = self._recording.channel_ids
        self.fs_hz = recording.sampling_frequency
        self.n_frames: Sequence[int] = [segment.n_frames for segment in self._recording.segments]

    def read(self, segment: int, start: int, stop: int) -> FloatArray:
        values: FloatArray = self._recording.get_traces(segment, start, stop, return_in_units=True)
        return values

    def times_s(self, segment: int, start: int, stop: int) -> FloatArray:
        return self._recording.get_times(segment, start, stop)

    def described(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        of = self._recording
        device = {} if of.device is None else {"device": of.device}
        attributes = [
            {"unit_id": channel_id, "electrode": place, "threshold_unit": channel.unit, **device}
            for channel_id, place, channel in zip(self.channel_ids, self._places, of.channels, strict=True)
        ]
        known = {"source": of.name, "session": of.session, "fs_Hz": self.fs_hz, "reference_utc_ns": of.reference_utc_ns}
        return attributes, {key: value for key, value in known.items() if value is not None}
