"""Rolled recording files of one device as what stands behind a recording."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from spikedaq.model import ClampMode, RecordingWarning, StoreError
from spikedaq.recording.segments import Channel, FloatArray, Segment
from spikedaq.recording.source import Source
from spikedaq.store import (
    FileMeta,
    RecordingFile,
    StoredEpoch,
    StoredEvent,
    StoredGap,
    StoredNote,
    StoredParameter,
    open_recording,
)

MAX_OPEN = 4
"""Files kept open at a time: a week of hourly files of twelve boards is more than a process may open."""

_Row = TypeVar("_Row", StoredGap, StoredEvent, StoredParameter, StoredNote, StoredEpoch)


class FilePool:
    """Recording files, opened as they are needed; the least used are closed."""

    def __init__(self, opener: Callable[[Path], RecordingFile] = open_recording, n_open: int = MAX_OPEN) -> None:
        self._opener = opener
        self._n_open = n_open
        self._opened: dict[Path, RecordingFile] = {}

    def get(self, path: Path) -> RecordingFile:
        """Return an open file."""
        file = self._opened.pop(path, None) or self._opener(path)
        self._opened[path] = file  # the newest last
        while len(self._opened) > self._n_open:
            self._opened.pop(next(iter(self._opened))).close()
        return file

    def close(self) -> None:
        """Close all; they open again when they are asked for."""
        for file in self._opened.values():
            file.close()
        self._opened.clear()


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive samples of one file."""

    path: Path
    first_sample: int
    n: int
    first_step: int
    shift_s: float
    """What its times are to be moved by to count from the recording's reference."""
    columns: tuple[int, ...]
    """The file's columns of the recording's channels."""


class FileSegment(Segment):
    """Consecutive samples over one or several rolled files."""

    def __init__(self, pool: FilePool, pieces: Sequence[Piece], boot_id: int, fs_hz: float) -> None:
        self._pool = pool
        self._pieces = list(pieces)
        self._starts = np.cumsum([0, *(piece.n for piece in pieces)])
        self.boot_id = boot_id
        self.first_step = pieces[0].first_step
        self.fs_hz = fs_hz

    @property
    def n_frames(self) -> int:
        """Number of samples."""
        return int(self._starts[-1])

    @property
    def t_start_s(self) -> float:
        """Time of its first sample, in seconds."""
        return float(self.times_s(0, 1)[0])

    def read(self, start: int, stop: int, columns: Sequence[int] | None = None) -> npt.NDArray[Any]:
        """Return raw samples, int16."""
        chosen = range(len(self._pieces[0].columns)) if columns is None else columns
        parts = [
            self._pool.get(piece.path).samples(first, after, [piece.columns[k] for k in chosen])
            for piece, first, after in self._within(start, stop)
        ]
        return np.concatenate(parts) if parts else np.empty((0, len(chosen)), np.int16)

    def times_s(self, start: int, stop: int) -> FloatArray:
        """Return the samples' times, in seconds."""
        parts = [
            self._pool.get(piece.path).timestamps(first, after) + piece.shift_s
            for piece, first, after in self._within(start, stop)
        ]
        return np.concatenate(parts) if parts else np.empty(0)

    def _within(self, start: int, stop: int) -> list[tuple[Piece, int, int]]:
        found = []
        for piece, at in zip(self._pieces, self._starts.tolist(), strict=False):
            first, after = max(start - at, 0), min(stop - at, piece.n)
            if first < after:
                found.append((piece, piece.first_sample + first, piece.first_sample + after))
        return found


class FileSource(Source):
    """The rolled files of one device of a session.

    Parameters
    ----------
    files : sequence of (Path, FileMeta)
        In order.
    reference_utc_ns : int
        What times are to count from.
    opened : dict
    """

    def __init__(
        self,
        files: Sequence[tuple[Path, FileMeta]],
        *,
        reference_utc_ns: int,
        opened: dict[str, Any] | None = None,
        mode: str | None = None,
    ) -> None:
        super().__init__()
        meta = files[0][1]
        self.name = f"{meta.session}_{meta.device}"
        self.session, self.bench, self.device = meta.session, meta.bench, meta.device
        self.device_info = meta.info
        self.reference_utc_ns = reference_utc_ns
        self.opened = opened
        self.paths = [path for path, _ in files]
        self.dtype = np.dtype(np.int16)
        self._files = list(files)
        self._pool = FilePool()
        self._choose(mode)
        self.refresh()

    def _choose(self, mode: str | None) -> None:
        """Choose files of one set of channels, and say what is left out."""
        kinds = {meta.mode: meta.channels for _, meta in self._files}
        if mode == "common":
            every = list(kinds.values())
            infos = [channel for channel in every[0] if all(channel in others for others in every[1:])]
            self._kept = self._files
        else:
            wanted = ClampMode(mode) if mode else self._files[0][1].mode
            infos = list(kinds.get(wanted, ()))
            self._kept = [(path, meta) for path, meta in self._files if meta.mode is wanted]
        if not infos:
            raise StoreError(f"{self.device} has no samples of mode {mode}; it has {', '.join(kinds)}")
        if left := len(self._files) - len(self._kept):
            self._flag(
                f"{left} of {len(self._files)} files are left out, since they are of another clamp mode; "
                "choose by mode='current', 'voltage', or 'common' for the channels that all have"
            )
        self.channels = tuple(Channel(c.name, c.unit, c.scale, c.offset) for c in infos)
        self.channel_ids = tuple(c.name for c in infos)
        self.fs_hz = 1e6 / self._kept[0][1].step_us
        self._columns = {m: tuple(channels.index(c) for c in infos if c in channels) for m, channels in kinds.items()}

    def _flag(self, text: str) -> None:
        self.flags = (*self.flags, text)
        warnings.warn(f"{self.name}: {text}", RecordingWarning, stacklevel=2)

    def refresh(self) -> None:
        """Look how far its files have grown."""
        assert self.reference_utc_ns is not None  # noqa: S101
        found: list[tuple[int, int, list[Piece]]] = []
        for path, meta in self._kept:
            file = self._pool.get(path)
            file.refresh()
            self.is_live = file.is_live
            shift_s = (meta.reference_utc_ns - self.reference_utc_ns) / 1e9
            for first, n, step, boot_id in _runs(file):
                piece = Piece(path, first, n, step, shift_s, self._columns[meta.mode])
                pieces = [*found.pop()[2], piece] if found and found[-1][:2] == (boot_id, step) else [piece]
                found.append((boot_id, step + n, pieces))
        self.segments = tuple(FileSegment(self._pool, pieces, boot, self.fs_hz) for boot, _, pieces in found)

    def close(self) -> None:
        """Close its files; they are opened again when something is asked."""
        self._pool.close()

    @property
    def gaps(self) -> list[StoredGap]:
        """What is missing, and why, in order."""
        return self._rows(lambda file: file.gaps, "start_s", "stop_s")

    @property
    def events(self) -> list[StoredEvent]:
        """Spikes, triggers and other events of the device, in order."""
        return self._rows(lambda file: file.events, "time_s")

    @property
    def parameters(self) -> list[StoredParameter]:
        """Values as each file starts, and every change."""
        return self._rows(lambda file: file.parameters, "time_s")

    @property
    def notes(self) -> list[StoredNote]:
        """Notes in order."""
        return self._rows(lambda file: file.notes, "time_s")

    @property
    def epochs(self) -> list[StoredEpoch]:
        """Triggers with their windows."""
        return self._rows(lambda file: file.epochs, "start_s", "stop_s", "time_s")

    def _rows(self, of: Callable[[RecordingFile], list[_Row]], *times: str) -> list[_Row]:
        rows: list[_Row] = []
        for path, meta in self._files:
            file = self._pool.get(path)
            if file.is_live:
                file.refresh()
            shift_s = (meta.reference_utc_ns - (self.reference_utc_ns or 0)) / 1e9
            for row in of(file):
                moved: dict[str, Any] = {name: getattr(row, name) + shift_s for name in times} if shift_s else {}
                rows.append(replace(row, **moved) if moved else row)
        return rows


def _runs(file: RecordingFile) -> list[tuple[int, int, int, int]]:
    """Return first sample, number of samples, first step and boot of each stretch without a gap."""
    blocks = file.blocks
    if not len(blocks):
        return []
    nexts = blocks["first_step"] + blocks["n_samples"]
    breaks = np.flatnonzero((blocks["first_step"][1:] != nexts[:-1]) | np.diff(blocks["boot_id"]).astype(bool)) + 1
    firsts = [0, *breaks.tolist()]
    samples = [*blocks["first_sample"][firsts].tolist(), file.n_samples]
    return [
        (samples[k], samples[k + 1] - samples[k], int(blocks["first_step"][at]), int(blocks["boot_id"][at]))
        for k, at in enumerate(firsts)
    ]
