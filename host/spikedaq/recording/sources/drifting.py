"""Segments whose times are freed of the drift that their computer's clock had against the others of a session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from spikedaq.clock import ClockDrift
from spikedaq.recording.segments import FloatArray, Segment
from spikedaq.recording.sources.rolled import FilePart, Opener
from spikedaq.store import RecordingFile

# The note is written as the session is stopped; a file may be begun between it and the end.
_LOOKED_AT = 2


class DriftingSegment(Segment):
    """A segment with corrected times.

    Parameters
    ----------
    whole : Segment
        With the times as stored.
    drift : ClockDrift
        On the same times.
    """

    def __init__(self, whole: Segment, drift: ClockDrift) -> None:
        self._whole, self._drift = whole, drift
        self.fs_hz = whole.fs_hz
        self.boot_id = whole.boot_id
        self.first_step = whole.first_step

    @property
    def n_frames(self) -> int:
        """Number of samples."""
        return self._whole.n_frames

    @property
    def t_start_s(self) -> float:
        """Time of its first sample, in seconds."""
        return self._drift.corrected(self._whole.t_start_s)

    def read(self, start: int, stop: int, columns: Sequence[int] | None = None) -> npt.NDArray[Any]:
        """Return raw samples."""
        return self._whole.read(start, stop, columns)

    def times_s(self, start: int, stop: int) -> FloatArray:
        """Return the samples' times, in seconds, shape (stop - start,)."""
        return self._drift.corrected(self._whole.times_s(start, stop))

    def frame_at(self, time_s: float) -> int:
        """Return the first frame with ``t >= time_s``."""
        frame = self._whole.frame_at(self._drift.uncorrected(time_s))
        # The way back is rounded: the frame beside it may be the one.
        while frame > 0 and self._time_s(frame - 1) >= time_s:
            frame -= 1
        while frame < self.n_frames and self._time_s(frame) < time_s:
            frame += 1
        return frame

    def _time_s(self, frame: int) -> float:
        return float(self.times_s(frame, frame + 1)[0])


def drift_in(parts: Sequence[FilePart], opener: Opener) -> ClockDrift | None:
    """Return the drift that a session's last files tell, on times of those files; None where it is not known.

    Raises
    ------
    StoreError
        A file cannot be read.
    """
    for part in reversed(parts[-_LOOKED_AT:]):
        with opener(part.place) as file:
            found = _noted(file)
        if found is not None:
            return found if found.is_known else None
    return None


def _noted(file: RecordingFile) -> ClockDrift | None:
    """Return the last drift that a file has a note of."""
    drifts = [drift for note in file.notes if (drift := ClockDrift.from_note(note.text)) is not None]
    return drifts[-1] if drifts else None
