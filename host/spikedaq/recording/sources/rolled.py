"""Rolled recording files: what is looked up in each as it is opened, and their samples as segments."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import methodcaller
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.model import StoreError
from spikedaq.recording.segments import FloatArray, Segment
from spikedaq.store import FileMeta, RecordingFile, Run, open_recording

MAX_OPEN = 4
"""Files kept open at a time: a week of hourly files of twelve boards is more than a process may open."""

Place = Path | str
"""Where a file is: a path, or the address of one that is elsewhere."""
Opener = Callable[[Any], RecordingFile]

PATIENCE_S = 3.0
"""How long a file may be neither closed nor growing: milliseconds of a recorder's time, more on a busy computer."""
# What HDF5 says of such a file.
_BETWEEN = "not already open for SWMR writing"
# Times that are read around a guess: less than a chunk at 10 kHz.
_LOOKED_AT = 4096
# Guesses from the rate before halving, which ends for any times.
_GUESSES = 6


def open_patiently(place: Any) -> RecordingFile:
    """Open a recording file, also one that its recorder is just beginning or closing, which HDF5 refuses for a moment.

    Raises
    ------
    StoreError
        It cannot be opened, or is in that state for `PATIENCE_S`, since its recorder was killed there.
    """
    until_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            return open_recording(place)
        except StoreError as error:
            if _BETWEEN not in str(error) or time.monotonic() >= until_s:
                raise
        time.sleep(0.02)


class FilePool:
    """Recording files, opened as they are needed; those used least recently are closed."""

    def __init__(self, opener: Opener = open_patiently, n_open: int = MAX_OPEN) -> None:
        self._opener = opener
        self._n_open = n_open
        self._opened: dict[Place, RecordingFile] = {}

    def get(self, place: Place) -> RecordingFile:
        """Return an open file."""
        file = self._opened.pop(place, None) or self._opener(place)
        self._opened[place] = file  # the newest last
        while len(self._opened) > self._n_open:
            self.close(next(iter(self._opened)))
        return file

    def close(self, place: Place | None = None) -> None:
        """Close one, or all; they open again when they are asked for."""
        for one in [place] if place is not None else list(self._opened):
            if (file := self._opened.pop(one, None)) is not None:
                file.close()

    def reading(self, place: Place, read: Callable[[RecordingFile], Any]) -> Any:
        """Return what ``read`` makes of a file; of one that grew meanwhile and was closed, once more when reopened."""
        file = self.get(place)
        try:
            return read(file)
        except StoreError:
            if not file.is_live:
                raise
            self.close(place)
            return read(self.get(place))


@dataclass(frozen=True, slots=True)
class FilePart:
    """What was looked up in one file.

    Attributes
    ----------
    place : Path or str
    meta : FileMeta
    is_live : bool
        It grows, or its writer was killed.
    runs : tuple of Run
        Its stretches without a gap.
    span_s : (float, float) or None
        Times of its first and its last sample, as the file has them; None where it has none.
    ending : str or None
        Why it was closed, None where it was not.
    """

    place: Place
    meta: FileMeta
    is_live: bool
    runs: tuple[Run, ...]
    span_s: tuple[float, float] | None
    ending: str | None = None

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return sum(run.n_samples for run in self.runs)


def scan(place: Place, opener: Opener = open_patiently) -> FilePart:
    """Look up what a file is and what stretches it has; some milliseconds, however long it is."""
    with opener(place) as file:
        n = file.n_samples
        span_s = (float(file.timestamps(0, 1)[0]), float(file.timestamps(n - 1, n)[0])) if n else None
        return FilePart(place, file.meta, file.is_live, tuple(file.runs), span_s, file.ending)


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive samples of one file, of some of its columns; its times are moved by ``shift_s``."""

    place: Place
    first_sample: int
    n: int
    shift_s: float
    columns: tuple[int, ...]
    start_s: float | None = None
    """Time of its first sample, moved, where it was looked up."""


class FileSegment(Segment):
    """Consecutive samples over one or several rolled files.

    Parameters
    ----------
    pool : FilePool
    pieces : sequence of Piece
        One at least.
    boot_id, first_step : int
    fs_hz : float
    is_backwards : callable
        Told where times that were read go back.
    """

    def __init__(
        self,
        pool: FilePool,
        pieces: Sequence[Piece],
        *,
        boot_id: int,
        first_step: int,
        fs_hz: float,
        is_backwards: Callable[[Place, float], None],
    ) -> None:
        self._pool = pool
        self._pieces = list(pieces)
        self._starts = np.cumsum([0, *(piece.n for piece in pieces)]).tolist()
        self._start_s = [piece.start_s for piece in pieces]
        self._is_backwards = is_backwards
        self.boot_id = boot_id
        self.first_step = first_step
        self.fs_hz = fs_hz

    @property
    def n_frames(self) -> int:
        """Number of samples."""
        return int(self._starts[-1])

    @property
    def t_start_s(self) -> float:
        """Time of its first sample, in seconds."""
        return self._piece_start_s(0)

    def read(self, start: int, stop: int, columns: Sequence[int] | None = None) -> npt.NDArray[Any]:
        """Return raw samples, int16, shape (stop - start, n_columns)."""
        chosen = range(len(self._pieces[0].columns)) if columns is None else columns
        parts = []
        for piece, first, after in self._within(start, stop):
            own = [piece.columns[k] for k in chosen]
            parts.append(self._pool.reading(piece.place, methodcaller("samples", first, after, own)))
        return parts[0] if len(parts) == 1 else np.concatenate([np.empty((0, len(chosen)), np.int16), *parts])

    def times_s(self, start: int, stop: int) -> FloatArray:
        """Return the samples' times, in seconds, shape (stop - start,)."""
        parts = []
        for piece, first, after in self._within(start, stop):
            times = self._pool.reading(piece.place, methodcaller("timestamps", first, after))
            if len(back := np.flatnonzero(times[1:] < times[:-1])):
                self._is_backwards(piece.place, float(times[back[0]]))
            parts.append(times + piece.shift_s)
        return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0), *parts])

    def frame_at(self, time_s: float) -> int:
        """Return the first frame with ``t >= time_s``; a few reads, however long the segment is."""
        k = bisect_left(range(len(self._pieces)), time_s, key=self._piece_start_s) - 1
        if k < 0:
            return 0
        lo, hi = int(self._starts[k]), int(self._starts[k + 1])
        known, known_s = lo, self._piece_start_s(k)
        for attempt in range(_GUESSES + 64):
            if lo >= hi:
                break
            guess = known + round((time_s - known_s) * self.fs_hz) if attempt < _GUESSES else (lo + hi) // 2
            first = min(max(guess - _LOOKED_AT // 2, lo), max(hi - _LOOKED_AT, lo))
            times = self.times_s(first, min(first + _LOOKED_AT, hi))
            if times[0] >= time_s:
                hi, known, known_s = first, first, float(times[0])
            elif times[-1] < time_s:
                lo, known, known_s = first + len(times), first + len(times) - 1, float(times[-1])
            else:
                return first + int(np.searchsorted(times, time_s))
        return lo

    def _piece_start_s(self, k: int) -> float:
        known = self._start_s[k]
        if known is None:
            at = self._starts[k]
            self._start_s[k] = known = float(self.times_s(at, at + 1)[0])
        return known

    def _within(self, start: int, stop: int) -> list[tuple[Piece, int, int]]:
        found = []
        first = max(bisect_left(self._starts, start + 1) - 1, 0)
        for piece, at in zip(self._pieces[first:], self._starts[first:], strict=False):
            if at >= stop:
                break
            begin, end = max(start - at, 0), min(stop - at, piece.n)
            if begin < end:
                found.append((piece, piece.first_sample + begin, piece.first_sample + end))
        return found
