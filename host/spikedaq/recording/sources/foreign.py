"""SpikeInterface's recordings as a source of samples, known by what they can do: nothing of it is imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from spikedaq.model import ArgumentError, ArgumentTypeError
from spikedaq.recording.segments import FloatArray

_NEEDED = ("get_traces", "get_num_segments", "get_num_samples", "get_channel_ids", "get_sampling_frequency")


class SpikeInterfaceTraces:
    """Channels of a SpikeInterface recording: microvolts where it has gains, else what it holds.

    Raises
    ------
    ArgumentTypeError
        Something that is no recording.
    ArgumentError
        A channel that it does not have.
    """

    def __init__(self, recording: Any, channel_ids: Sequence[int | str] | None) -> None:
        if missing := [name for name in _NEEDED if not callable(getattr(recording, name, None))]:
            raise ArgumentTypeError(
                f"{type(recording).__name__} is no recording: it has no {', '.join(missing)}; give one of "
                "spikedaq.open, or of SpikeInterface"
            )
        self._recording = recording
        known = [_plain(one) for one in recording.get_channel_ids()]
        wanted = [channel_ids] if isinstance(channel_ids, str) else channel_ids
        self.channel_ids: Sequence[int | str] = known if wanted is None else [_plain(one) for one in wanted]
        if unknown := [one for one in self.channel_ids if one not in known]:
            raise ArgumentError(f"the recording has no channel {', '.join(map(repr, unknown))}; it has {known}")
        self._rows = [known.index(one) for one in self.channel_ids]
        self.fs_hz = float(recording.get_sampling_frequency())
        self.n_frames: Sequence[int] = [
            int(recording.get_num_samples(k)) for k in range(int(recording.get_num_segments()))
        ]
        self._in_uv = hasattr(recording, "has_scaleable_traces") and bool(recording.has_scaleable_traces())

    def read(self, segment: int, start: int, stop: int) -> FloatArray:
        """Return values, shape (stop - start, n_channels)."""
        scaled = {"return_in_uV": True} if self._in_uv else {}
        values = self._recording.get_traces(
            segment_index=segment, start_frame=start, end_frame=stop, channel_ids=self.channel_ids, **scaled
        )
        return np.asarray(values, dtype=np.float64)

    def times_s(self, segment: int, start: int, stop: int) -> FloatArray:
        """Return times, shape (stop - start,)."""
        frames = np.arange(start, stop)
        if hasattr(self._recording, "sample_index_to_time"):
            return np.asarray(self._recording.sample_index_to_time(frames, segment_index=segment), dtype=np.float64)
        return frames / self.fs_hz

    def described(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return what is known of each channel, and of all of it."""
        places = self._locations()
        attributes: list[dict[str, Any]] = [
            {"unit_id": one, "electrode": row, **({"location": places[row]} if places else {})}
            for one, row in zip(self.channel_ids, self._rows, strict=True)
        ]
        if self._in_uv:
            for one in attributes:
                one["threshold_unit"] = "uV"
        return attributes, {"source_format": "SpikeInterface", "fs_Hz": self.fs_hz}

    def _locations(self) -> list[list[float]] | None:
        if not (hasattr(self._recording, "has_probe") and self._recording.has_probe()):
            return None
        found: list[list[float]] = np.asarray(self._recording.get_channel_locations()).tolist()
        return found


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
