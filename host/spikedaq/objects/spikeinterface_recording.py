"""A recording as a recording of SpikeInterface. To be imported only where that is installed: its classes are the bases.

The classes stand at the top of the module, and are made again from plain arguments, so that a recording can be dumped,
pickled, and handed to other processes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from probeinterface import ProbeGroup
from spikeinterface.core import BaseRecording, BaseRecordingSegment

from spikedaq.model import StoreError
from spikedaq.objects.units import UV_PER_UNIT
from spikedaq.recording import Recording, Segment
from spikedaq.recording.dumping import from_dict


class SpikedaqRecording(BaseRecording):  # type: ignore[misc]
    """A recording of spikedaq, read as it is asked for.

    Parameters
    ----------
    recording : Recording or dict
        The recording, or what its ``to_dict`` says. Segments without samples are left out.

    Notes
    -----
    ``gain_to_uV`` and ``offset_to_uV`` are set for channels in volts; for others they are NaN, as SpikeInterface has
    it for what is no voltage. ``gain_to_physical_unit``, ``offset_to_physical_unit`` and ``physical_unit`` are set for
    all. Every segment has its times, in seconds since the recording's reference time; they are read as they are asked
    for, too.
    """

    name = "spikedaq"

    def __init__(self, recording: Recording | dict[str, Any]) -> None:
        opened = recording if isinstance(recording, Recording) else from_dict(recording)
        if opened.is_live:
            opened = opened.frame_slice(0, opened.num_frames)  # what SpikeInterface knows must not grow
        ids = np.array(opened.channel_ids)
        super().__init__(sampling_frequency=opened.sampling_frequency, channel_ids=ids, dtype=opened.dtype)
        filled = [index for index, segment in enumerate(opened.segments) if segment.n_frames]
        if not filled:
            raise StoreError(f"{opened.name} has no samples; SpikeInterface has no recordings without any")
        for index in filled:
            self.add_recording_segment(SpikedaqSegment(opened, index))
        self._set_scales(opened)
        if opened.probe is not None:
            self._attach(opened.probe)
        for key, values in opened.properties.items():
            self.set_property(key, np.asarray(values))
        for key, value in opened.annotations.items():
            self.annotate(**{key: value})
        self.name = opened.name
        in_memory = opened.opened is None  # there is nothing to make it again from
        self._kwargs = {"recording": opened if in_memory else opened.to_dict()}
        if in_memory:
            self._serializability["json"] = False
            self._serializability["pickle"] = False

    def _set_scales(self, opened: Recording) -> None:
        scales = np.array([channel.scale for channel in opened.channels], float)
        offsets = np.array([channel.offset for channel in opened.channels], float)
        units = [channel.unit for channel in opened.channels]
        uv = np.array([UV_PER_UNIT.get(unit, np.nan) for unit in units])
        self.set_property("gain_to_uV", scales * uv)
        self.set_property("offset_to_uV", offsets * uv)
        self.set_property("gain_to_physical_unit", scales)
        self.set_property("offset_to_physical_unit", offsets)
        self.set_property("physical_unit", np.array(units))
        self.set_property("channel_name", np.array([channel.name for channel in opened.channels]))

    def _attach(self, group: dict[str, Any]) -> None:
        """Attach probes; SpikeInterface takes the contacts only that are wired to a channel."""
        wired = ProbeGroup()
        for probe in ProbeGroup.from_dict(group).probes:
            chosen = np.flatnonzero(probe.device_channel_indices >= 0)
            if len(chosen):
                wired.add_probe(probe.get_slice(chosen))
        if wired.probes:
            self.set_probegroup(wired)


class SpikedaqSegment(BaseRecordingSegment):  # type: ignore[misc]
    """One segment of a recording."""

    def __init__(self, recording: Recording, index: int) -> None:
        segment = recording.segments[index]
        super().__init__(
            sampling_frequency=recording.sampling_frequency, t_start=None, time_vector=SegmentTimes(segment)
        )
        self._recording = recording
        self._index = index
        self._n = segment.n_frames

    def get_num_samples(self) -> int:
        """Return the samples of the segment."""
        return self._n

    def get_traces(
        self,
        start_frame: int | None = None,
        end_frame: int | None = None,
        channel_indices: Any = None,
    ) -> npt.NDArray[Any]:
        """Return raw values, shape (n_samples, n_channels)."""
        ids = self._recording.channel_ids
        chosen = slice(None) if channel_indices is None else channel_indices
        wanted = ids[chosen] if isinstance(chosen, slice) else [ids[int(k)] for k in np.asarray(chosen)]
        return self._recording.get_traces(self._index, start_frame, end_frame, wanted)

    def get_times(self, start_frame: int | None = None, end_frame: int | None = None) -> npt.NDArray[np.float64]:
        """Return times in seconds; unlike those of the base class, they are not kept in memory afterwards."""
        if isinstance(self._time_vector, SegmentTimes):
            times: npt.NDArray[np.float64] = self._time_vector[slice(start_frame, end_frame)]
        else:  # somebody has set others
            times = super().get_times(start_frame, end_frame)
        return times


class SegmentTimes:
    """Times of a segment, as an array that is read where it is indexed: 24 hours of them are 7 GB."""

    ndim = 1
    dtype = np.dtype("float64")

    def __init__(self, segment: Segment) -> None:
        self._segment = segment

    @property
    def shape(self) -> tuple[int]:
        """Length."""
        return (len(self),)

    @property
    def size(self) -> int:
        """Length."""
        return len(self)

    def __len__(self) -> int:
        return int(self._segment.n_frames)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                return np.asarray(self)[index]
            return self._segment.times_s(start, max(start, stop))
        if np.ndim(index):
            return np.asarray(self)[index]
        k = int(index) + (len(self) if index < 0 else 0)
        if not 0 <= k < len(self):
            raise IndexError(f"there is no sample {index}; there are {len(self)}")
        return self._segment.times_s(k, k + 1)[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        times = self._segment.times_s(0, len(self))
        return times if dtype is None else times.astype(dtype)
