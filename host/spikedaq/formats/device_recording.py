"""One device of a session: its rolled files, read as one recording."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from spikedaq.model import ChannelInfo, StoreError
from spikedaq.store import (
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


@dataclass(frozen=True, slots=True, eq=False)
class Traces:
    """Samples of one device.

    Attributes
    ----------
    times_s : float64 array, shape (n_samples,)
        Seconds since the session's reference time.
    steps : int64 array, shape (n_samples,)
        The model's step of each; a gap is a jump, a reboot begins anew.
    values : float64 array, shape (n_samples, n_channels)
        In ``units``.
    channels, units : tuple of str
        Of each column.
    """

    times_s: npt.NDArray[np.float64]
    steps: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    channels: tuple[str, ...]
    units: tuple[str, ...]

    def __getitem__(self, channel: str) -> npt.NDArray[np.float64]:
        """Return the values of one channel."""
        if channel not in self.channels:
            raise KeyError(f"there is no channel {channel!r} here; there are {', '.join(self.channels)}")
        return self.values[:, self.channels.index(channel)]


class DeviceRecording:
    """What one device recorded in a session, over all its files. Nothing is read before it is asked for.

    Attributes
    ----------
    bench, device : str
    paths : list of Path
        Its files, in order.
    """

    def __init__(self, bench: str, device: str, paths: Sequence[Path], reference_utc_ns: int) -> None:
        self.bench = bench
        self.device = device
        self.paths = list(paths)
        self._reference_utc_ns = reference_utc_ns
        self._opened: dict[Path, RecordingFile] = {}
        self._spans: dict[Path, tuple[float, float]] = {}  # of files that do not grow

    def __repr__(self) -> str:
        return f"DeviceRecording({self.bench!r}, {self.device!r}, {len(self.paths)} files)"

    @property
    def channels(self) -> tuple[ChannelInfo, ...]:
        """Channels of its first file; those of voltage clamp are others."""
        return self._file(self.paths[0]).channels

    @property
    def n_samples(self) -> int:
        """Samples in all files, as they are now."""
        return sum(self._file(path).refresh() for path in self.paths)

    @property
    def span_s(self) -> tuple[float, float] | None:
        """Times of the first and the last sample, seconds since the session's reference; None where there is none."""
        spans = [span for path in self.paths if (span := self._span_s(path)) is not None]
        return (spans[0][0], spans[-1][1]) if spans else None

    def read(
        self, start_s: float | None = None, stop_s: float | None = None, channels: Sequence[str] | None = None
    ) -> Traces:
        """Return the samples with ``start_s <= t < stop_s``; without limits all of them, which may be a lot.

        Raises
        ------
        StoreError
            A channel that is not there in every file that is read: the device changed between current and voltage
            clamp. Name another channel, or read the parts apart.
        """
        found = [(path, self._read(path, start_s, stop_s, channels)) for path in self.paths]
        parts = [part for _, part in found if part is not None]
        if not parts:
            return self._nothing(channels)
        first = parts[0]
        for path, part in found:
            if part is not None and (part.channels, part.units) != (first.channels, first.units):
                message = f"{self.device} has other channels from {path.name} on; name some, or read the parts apart"
                raise StoreError(message)
        return replace(
            first,
            times_s=np.concatenate([part.times_s for part in parts]),
            steps=np.concatenate([part.steps for part in parts]),
            values=np.concatenate([part.values for part in parts]),
        )

    @property
    def gaps(self) -> list[StoredGap]:
        """What is missing, and why, in order; between windows that is what nobody wanted (cause ``outside``)."""
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

    def close(self) -> None:
        """Close its files; they are opened again when something is asked."""
        for file in self._opened.values():
            file.close()
        self._opened.clear()

    def _file(self, path: Path) -> RecordingFile:
        file = self._opened.pop(path, None) or open_recording(path)
        self._opened[path] = file  # the newest last
        while len(self._opened) > MAX_OPEN:
            self._opened.pop(next(iter(self._opened))).close()
        return file

    def _shift_s(self, file: RecordingFile) -> float:
        """Return what its times are to be moved by to count from the session's reference."""
        return (file.meta.reference_utc_ns - self._reference_utc_ns) / 1e9

    def _span_s(self, path: Path) -> tuple[float, float] | None:
        if path in self._spans:
            return self._spans[path]
        file = self._file(path)
        n, shift_s = file.refresh() if file.is_live else file.n_samples, self._shift_s(file)
        if n == 0:
            return None
        span = (float(file.timestamps(0, 1)[0]) + shift_s, float(file.timestamps(n - 1, n)[0]) + shift_s)
        if not file.is_live:
            self._spans[path] = span
        return span

    def _read(
        self, path: Path, start_s: float | None, stop_s: float | None, names: Sequence[str] | None
    ) -> Traces | None:
        """Return a file's part of what is asked for, None where it has nothing of it."""
        span = self._span_s(path)
        if span is None or (start_s is not None and span[1] < start_s) or (stop_s is not None and span[0] >= stop_s):
            return None
        file = self._file(path)
        shift_s, n = self._shift_s(file), file.n_samples

        def index(t_s: float | None, default: int) -> int:
            if t_s is None:
                return default
            return bisect_left(range(n), t_s - shift_s, key=lambda k: file.timestamps(k, k + 1)[0])

        start, stop = index(start_s, 0), index(stop_s, n)
        chosen, columns = self._columns(file.channels, names)
        raw = file.samples(start, stop)[:, columns]
        return Traces(
            times_s=file.timestamps(start, stop) + shift_s,
            steps=file.steps(start, stop),
            values=raw * np.array([c.scale for c in chosen]) + np.array([c.offset for c in chosen]),
            channels=tuple(c.name for c in chosen),
            units=tuple(c.unit for c in chosen),
        )

    def _columns(
        self, channels: Sequence[ChannelInfo], names: Sequence[str] | None
    ) -> tuple[list[ChannelInfo], list[int]]:
        by_name = {channel.name: k for k, channel in enumerate(channels)}
        wanted = list(by_name) if names is None else list(names)
        if unknown := [name for name in wanted if name not in by_name]:
            raise StoreError(f"{self.device} has no channel {', '.join(unknown)}; it has {', '.join(by_name)}")
        columns = [by_name[name] for name in wanted]
        return [channels[k] for k in columns], columns

    def _nothing(self, names: Sequence[str] | None) -> Traces:
        chosen, _ = self._columns(self.channels, names)
        return Traces(
            np.empty(0),
            np.empty(0, np.int64),
            np.empty((0, len(chosen))),
            tuple(c.name for c in chosen),
            tuple(c.unit for c in chosen),
        )

    def _rows(self, of: Callable[[RecordingFile], list[_Row]], *times: str) -> list[_Row]:
        rows: list[_Row] = []
        for path in self.paths:
            file = self._file(path)
            if file.is_live:
                file.refresh()
            shift_s = self._shift_s(file)
            for row in of(file):
                moved: dict[str, Any] = {name: getattr(row, name) + shift_s for name in times} if shift_s else {}
                rows.append(replace(row, **moved) if moved else row)
        return rows
