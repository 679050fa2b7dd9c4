"""Read a recording: its numbers, its samples and their times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.model import ConfigError
from spikedaq.recording.cutting import by_times, frame_bounds
from spikedaq.recording.segments import Channel, FloatArray, Segment
from spikedaq.recording.sources.source import Source
from spikedaq.recording.traces import Traces

ITERATED_FRAMES = 1 << 17
"""Frames that `Readable.pieces` gives at a time: 2 MiB of eight int16 channels."""


class Readable:
    """The reading half of `spikedaq.recording.Recording`: segments, channels, samples."""

    def __init__(
        self, source: Source, segments: Sequence[Segment] | None, columns: Sequence[int], *, ordered: bool = True
    ) -> None:
        self._source = source
        self._in_order = ordered
        self._fixed = None if segments is None else tuple(segments)
        self._columns = tuple(columns)

    # -- what there is

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Stretches without a gap or reboot, in order; of a growing recording those of the last `refresh`."""
        return self._source.segments if self._fixed is None else self._fixed

    @property
    def num_segments(self) -> int:
        """Number of segments."""
        return len(self.segments)

    @property
    def num_channels(self) -> int:
        """Number of channels."""
        return len(self._columns)

    @property
    def num_frames(self) -> int:
        """Samples in all segments."""
        return sum(segment.n_frames for segment in self.segments)

    @property
    def channel_ids(self) -> tuple[int | str, ...]:
        """What channels are chosen by: names, or whole numbers."""
        return tuple(self._source.channel_ids[k] for k in self._columns)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Name, unit, scale and offset of each."""
        return tuple(self._source.channels[k] for k in self._columns)

    @property
    def sampling_frequency(self) -> float:
        """Samples per second, Hz."""
        return self._source.fs_hz

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of raw samples."""
        return self._source.dtype

    @property
    def duration_s(self) -> float:
        """Samples over sampling frequency, in seconds; gaps do not count."""
        return self.num_frames / self.sampling_frequency

    def get_num_frames(self, segment_index: int | None = None) -> int:
        """Return the samples of a segment; it may be left out where there is one."""
        return self._segment(segment_index).n_frames

    # -- samples

    def get_traces(
        self,
        segment_index: int | None = None,
        start_frame: int | None = None,
        end_frame: int | None = None,
        channel_ids: Sequence[int | str] | None = None,
        return_in_units: bool = False,
    ) -> npt.NDArray[Any]:
        """Return samples of one segment.

        Parameters
        ----------
        segment_index : int, optional
            Needed where there are several.
        start_frame, end_frame : int, optional
            As in ``array[start_frame:end_frame]``.
        channel_ids : sequence of int or str, optional
            In the order in which they are to stand.
        return_in_units : bool
            Values in the channels' units instead of raw ones.

        Returns
        -------
        array, shape (n_frames, n_channels)
            Of `dtype`; float64 in units.

        Raises
        ------
        ConfigError
            No such segment or channel, or several segments and none chosen.
        StoreError
            A file cannot be read.
        """
        segment = self._segment(segment_index)
        start, stop = frame_bounds(start_frame, end_frame, segment.n_frames)
        columns = self._chosen(channel_ids)
        raw = segment.read(start, stop, columns)
        return self._in_units(raw, columns) if return_in_units else raw

    def get_times(
        self, segment_index: int | None = None, start_frame: int | None = None, end_frame: int | None = None
    ) -> FloatArray:
        """Return the times of samples of one segment, seconds since the reference time: float64, shape (n_frames,)."""
        segment = self._segment(segment_index)
        return segment.times_s(*frame_bounds(start_frame, end_frame, segment.n_frames))

    def pieces(
        self, n_frames: int = ITERATED_FRAMES, channel_ids: Sequence[int | str] | None = None
    ) -> Iterator[tuple[int, int, npt.NDArray[Any]]]:
        """Go through everything in bounded memory: yield segment index, first frame and raw samples of each piece."""
        if n_frames < 1:
            raise ConfigError(f"a piece has at least one frame, not {n_frames}")
        columns = self._chosen(channel_ids)
        for index, segment in enumerate(self.segments):
            for start in range(0, segment.n_frames, n_frames):
                yield index, start, segment.read(start, min(start + n_frames, segment.n_frames), columns)

    # -- for those that build on it

    @property
    def _ordered(self) -> bool:
        """Whether each segment begins after the one before it."""
        return self._in_order and self._source.ordered

    def _segment(self, index: int | None) -> Segment:
        segments = self.segments
        if index is None:
            if len(segments) != 1:
                raise ConfigError(f"{self._source.name} has {len(segments)} segments; name one by segment_index")
            return segments[0]
        if not 0 <= index < len(segments):
            raise ConfigError(f"{self._source.name} has no segment {index}; it has {len(segments)}, counted from 0")
        return segments[index]

    def _positions(self, channel_ids: Sequence[int | str] | None) -> list[int]:
        """Return the places of channels among those of this recording."""
        known = self.channel_ids
        if channel_ids is None:
            return list(range(len(known)))
        wanted = [channel_ids] if isinstance(channel_ids, str) else list(channel_ids)
        if unknown := [one for one in wanted if one not in known]:
            listed = ", ".join(map(str, known))
            raise ConfigError(f"{self._source.name} has no channel {', '.join(map(str, unknown))}; it has {listed}")
        return [known.index(one) for one in wanted]

    def _chosen(self, channel_ids: Sequence[int | str] | None) -> list[int]:
        """Return the columns of the source for some channels."""
        return [self._columns[k] for k in self._positions(channel_ids)]

    def _in_units(self, raw: npt.NDArray[Any], columns: Sequence[int]) -> FloatArray:
        chosen = [self._source.channels[k] for k in columns]
        values: FloatArray = raw * np.array([c.scale for c in chosen]) + np.array([c.offset for c in chosen])
        return values

    def _read_window(
        self, start_s: float | None, stop_s: float | None, channel_ids: Sequence[int | str] | None
    ) -> Traces:
        columns = self._chosen(channel_ids)
        parts = [part for part in by_times(self.segments, start_s, stop_s, ordered=self._ordered) if part.n_frames]
        spans = [(part, part.n_frames) for part in parts]
        chosen = [self._source.channels[k] for k in columns]
        return Traces(
            times_s=np.concatenate([part.times_s(0, n) for part, n in spans] or [np.empty(0)]),
            steps=np.concatenate([part.steps(0, n) for part, n in spans] or [np.empty(0, np.int64)]),
            values=np.concatenate(
                [self._in_units(part.read(0, n, columns), columns) for part, n in spans]
                or [np.empty((0, len(columns)))]
            ),
            channels=tuple(c.name for c in chosen),
            units=tuple(c.unit for c in chosen),
        )
