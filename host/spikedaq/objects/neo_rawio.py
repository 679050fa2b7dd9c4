"""Recordings for Neo's own machinery: a RawIO, and an IO made of it. To be imported only where Neo is installed.

A block is a device; what Neo asks for is read as it asks.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from neo.io.basefromrawio import BaseFromRaw
from neo.rawio.baserawio import (
    BaseRawIO,
    _event_channel_dtype,
    _signal_buffer_dtype,
    _signal_channel_dtype,
    _signal_stream_dtype,
    _spike_channel_dtype,
)

from spikedaq.model import ConfigError, StoreError
from spikedaq.objects.contents import EPOCH_NAMES, EVENT_NAMES, SegmentContents, segment_contents, tells_spikes
from spikedaq.objects.neo_block import describing, reference_datetime
from spikedaq.objects.rates import common_rate_hz
from spikedaq.objects.units import KNOWN
from spikedaq.recording import Recording, open_recordings

_NS_PER_S = 1e9


class SpikedaqRawIO(BaseRawIO):  # type: ignore[misc]
    """Reads recordings of spikedaq: the folder of a session or a device, or a file.

    Parameters
    ----------
    filename : str or Path
    device : str, optional
        Only this device of a session.

    Notes
    -----
    One block per device, in the order of the session; one segment per segment that has samples; one stream of all
    channels, which Neo parts by unit where it makes signals of it; the spike channel ``spikes``; events
    ``triggers``, ``device events``, ``parameters``, ``notes`` and epochs ``windows``, ``gaps``. Spike and event times
    are nanoseconds since the session's reference time, as int64.
    """

    name = "SpikedaqIO"
    description = "Recordings of spikedaq"
    extensions = ("nwb",)
    rawmode = "one-file"

    def __init__(self, filename: str | Path = "", device: str | None = None) -> None:
        BaseRawIO.__init__(self)
        self.filename = str(filename)
        self._device = device
        self._recordings: list[Recording] = []
        self._contents: list[list[SegmentContents]] = []

    def _source_name(self) -> str:
        return self.filename

    def _parse_header(self) -> None:
        session = open_recordings(self.filename, device=self._device)
        recordings = [device for device in session.devices.values() if device.num_frames]
        if not recordings:
            raise StoreError(f"{self.filename} has no samples; there is nothing that Neo could read")
        first = recordings[0]
        for other in recordings[1:]:
            if (other.channels, other.sampling_frequency) != (first.channels, first.sampling_frequency):
                raise ConfigError(
                    f"{first.name} and {other.name} in {self.filename} have different channels or rates, which Neo "
                    f"cannot have in one reader; read them apart with device={first.name!r} and so on"
                )
        self._recordings = recordings
        found = [segment_contents(recording) for recording in recordings]
        self._contents = [contents for contents, _ in found]
        rate_hz, has_spikes = self._rate_hz(), any(tells_spikes(recording) for recording in recordings)
        self.header = {
            "nb_block": len(recordings),
            "nb_segment": [len(contents) for contents in self._contents],
            "signal_buffers": np.array([], dtype=_signal_buffer_dtype),
            "signal_streams": np.array([("signals", "0", "")], dtype=_signal_stream_dtype),
            "signal_channels": np.array(
                [_channel_row(first, k, rate_hz) for k in range(first.num_channels)], dtype=_signal_channel_dtype
            ),
            "spike_channels": np.array(
                [("spikes", "spikes", "mV", 1.0, 0.0, 0, rate_hz)] if has_spikes else [], dtype=_spike_channel_dtype
            ),
            "event_channels": np.array(
                [(name, name, "event") for name in EVENT_NAMES] + [(name, name, "epoch") for name in EPOCH_NAMES],
                dtype=_event_channel_dtype,
            ),
        }
        self._generate_minimal_annotations()
        for block, (recording, (contents, n_outside)) in enumerate(zip(recordings, found, strict=True)):
            about = self.raw_annotations["blocks"][block]
            about.update(describing(recording), spikes_in_gaps=n_outside, name=recording.name)
            when = reference_datetime(recording)
            if when is not None:
                about["rec_datetime"] = when
            for k, segment in enumerate(contents):
                into = about["segments"][k]
                into.update(name=f"segment {segment.index}", boot_id=recording.segments[segment.index].boot_id)
                if not has_spikes:
                    continue
                # A new one: those that Neo made have their array annotations in common.
                of_spikes = {**into["spikes"][0], "__array_annotations__": {"v_mv": segment.spikes_mv}}
                into["spikes"] = [of_spikes]

    def _rate_hz(self) -> float:
        spans = []
        for recording, contents in zip(self._recordings, self._contents, strict=True):
            for segment in contents:
                times_s = recording.segments[segment.index].times_s
                n = segment.n_frames
                spans.append((n, float(times_s(0, 1)[0]), float(times_s(n - 1, n)[0])))
        return common_rate_hz(float(self._recordings[0].sampling_frequency), spans)

    # -- signals

    def _segment_t_start(self, block_index: int, seg_index: int) -> float:
        # In whole nanoseconds, as its spikes are: none may come before it, nor after its end.
        return math.floor(self._contents[block_index][seg_index].t_start_s * _NS_PER_S) / _NS_PER_S

    def _segment_t_stop(self, block_index: int, seg_index: int) -> float:
        return math.ceil(self._contents[block_index][seg_index].t_stop_s * _NS_PER_S) / _NS_PER_S

    def _get_signal_size(self, block_index: int, seg_index: int, stream_index: int) -> int:
        return self._contents[block_index][seg_index].n_frames

    def _get_signal_t_start(self, block_index: int, seg_index: int, stream_index: int) -> float:
        return float(self._segment(block_index, seg_index).times_s(0, 1)[0])

    def _segment(self, block_index: int, seg_index: int) -> Any:
        return self._recordings[block_index].segments[self._contents[block_index][seg_index].index]

    def _get_analogsignal_chunk(  # noqa: PLR0917  as Neo calls it
        self,
        block_index: int,
        seg_index: int,
        i_start: int | None,
        i_stop: int | None,
        stream_index: int,
        channel_indexes: Any,
    ) -> npt.NDArray[Any]:
        recording = self._recordings[block_index]
        contents = self._contents[block_index][seg_index]
        n = contents.n_frames
        start, stop = 0 if i_start is None else int(i_start), n if i_stop is None else int(i_stop)
        if not 0 <= start <= stop <= n:
            raise IndexError(f"there are no samples {start} to {stop} in this segment; it has {n}")
        every = np.arange(recording.num_channels)
        columns = every if channel_indexes is None else every[channel_indexes]
        ids = [recording.channel_ids[int(k)] for k in np.atleast_1d(columns)]
        return recording.get_traces(contents.index, start, stop, ids)

    # -- spikes

    def _spikes_ns(self, block_index: int, seg_index: int) -> npt.NDArray[np.int64]:
        return _to_ns(self._contents[block_index][seg_index].spikes_s)

    def _spike_count(self, block_index: int, seg_index: int, spike_channel_index: int) -> int:
        return len(self._contents[block_index][seg_index].spikes_s)

    def _get_spike_timestamps(
        self, block_index: int, seg_index: int, spike_channel_index: int, t_start: Any, t_stop: Any
    ) -> npt.NDArray[np.int64]:
        return _within(self._spikes_ns(block_index, seg_index), t_start, t_stop)[0]

    def _rescale_spike_timestamp(self, spike_timestamps: npt.NDArray[np.int64], dtype: Any) -> npt.NDArray[Any]:
        return (spike_timestamps / _NS_PER_S).astype(dtype)

    def _get_spike_raw_waveforms(self, *_: Any) -> None:
        return None

    # -- events and epochs

    def _event_count(self, block_index: int, seg_index: int, event_channel_index: int) -> int:
        return len(self._contents[block_index][seg_index].marks[event_channel_index].labels)

    def _get_event_timestamps(
        self, block_index: int, seg_index: int, event_channel_index: int, t_start: Any, t_stop: Any
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64] | None, npt.NDArray[np.str_]]:
        marks = self._contents[block_index][seg_index].marks[event_channel_index]
        times, kept = _within(_to_ns(marks.times_s), t_start, t_stop)
        labels = np.array(marks.labels, dtype="U")[kept] if marks.labels else np.array([], dtype="U1")
        durations = None if marks.durations_s is None else _to_ns(marks.durations_s)[kept]
        return times, durations, labels

    def _rescale_event_timestamp(
        self, event_timestamps: npt.NDArray[np.int64], dtype: Any, event_channel_index: int
    ) -> npt.NDArray[Any]:
        return (event_timestamps / _NS_PER_S).astype(dtype)

    def _rescale_epoch_duration(
        self, raw_duration: npt.NDArray[np.int64], dtype: Any, event_channel_index: int
    ) -> npt.NDArray[Any]:
        return (raw_duration / _NS_PER_S).astype(dtype)


class SpikedaqIO(SpikedaqRawIO, BaseFromRaw):  # type: ignore[misc]
    """Reads recordings of spikedaq into blocks of Neo, all at once or lazily; see `SpikedaqRawIO`."""

    mode = "file"
    _prefered_signal_group_mode = "group-by-same-units"

    def __init__(self, filename: str | Path = "", device: str | None = None) -> None:
        SpikedaqRawIO.__init__(self, filename, device)
        BaseFromRaw.__init__(self, filename)


def _channel_row(recording: Recording, k: int, rate_hz: float) -> tuple[Any, ...]:
    channel = recording.channels[k]
    unit = KNOWN.get(channel.unit, "dimensionless")
    gain, offset = float(channel.scale), float(channel.offset)
    return (channel.name, str(recording.channel_ids[k]), rate_hz, str(recording.dtype), unit, gain, offset, "0", "")


def _to_ns(times_s: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return np.rint(times_s * _NS_PER_S).astype(np.int64)


def _within(times_ns: npt.NDArray[np.int64], t_start: Any, t_stop: Any) -> tuple[npt.NDArray[np.int64], Any]:
    """Return the times from ``t_start`` to ``t_stop``, in seconds, each None for no bound, and which they were."""
    kept = np.ones(len(times_ns), bool)
    if t_start is not None:
        kept &= times_ns >= np.floor(float(t_start) * _NS_PER_S)
    if t_stop is not None:
        kept &= times_ns <= np.ceil(float(t_stop) * _NS_PER_S)
    return times_ns[kept], kept
