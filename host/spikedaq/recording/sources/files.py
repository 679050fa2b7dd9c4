"""The rolled recording files of one device as what stands behind a recording."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from spikedaq.clock import ClockDrift
from spikedaq.model import ChannelInfo, ClampMode, ConfigError, RecordingWarning, StoreError
from spikedaq.recording.segments import Channel, Segment
from spikedaq.recording.sources.drifting import DriftingSegment
from spikedaq.recording.sources.rolled import (
    FilePart,
    FilePool,
    FileSegment,
    Opener,
    Piece,
    Place,
    open_patiently,
    scan,
)
from spikedaq.recording.sources.source import Source
from spikedaq.store import (
    RecordingFile,
    StoredEpoch,
    StoredEvent,
    StoredGap,
    StoredNote,
    StoredParameter,
)

MODES = (*(str(mode) for mode in ClampMode), "common")
LOOK_EVERY_S = 0.5
"""How often another file is looked for where none is open and the session has not been stopped: a session of twelve
boards and a week has two thousand, which take 50 ms to list."""
# What the recorder writes as the ending of a session's last file.
_ENDED = "session stopped"
_Row = TypeVar("_Row", StoredGap, StoredEvent, StoredParameter, StoredNote, StoredEpoch)


class FileSource(Source):
    """The rolled files of one device of a session.

    Parameters
    ----------
    parts : sequence of FilePart
        What was looked up in each, in order; one at least.
    reference_utc_ns : int
        What times are to count from.
    opened : dict
    mode : {"current", "voltage", "common"}, optional
        Which samples, where files are of different clamp modes; ``common``: the channels that all have. Default: those
        of the first.
    find : callable, optional
        Returns the places of files that may have come since; asked while the last one grows.
    opener : callable
        Opens one place.
    flags : sequence of str
        What is known already.
    drift : ClockDrift, optional
        What times are to be corrected by; on times that count from ``reference_utc_ns``.
    """

    def __init__(
        self,
        parts: Sequence[FilePart],
        *,
        reference_utc_ns: int,
        opened: dict[str, Any] | None = None,
        mode: str | None = None,
        find: Callable[[], Sequence[Place]] | None = None,
        opener: Opener = open_patiently,
        flags: Sequence[str] = (),
        drift: ClockDrift | None = None,
    ) -> None:
        super().__init__()
        self.drift = drift
        meta = parts[0].meta
        self.name = f"{meta.session}_{meta.device}"
        self.session, self.bench, self.device = meta.session, meta.bench, meta.device
        self.device_info = meta.info
        self.reference_utc_ns = reference_utc_ns
        self.opened = opened
        self.dtype = np.dtype(np.int16)
        self.ordered = True
        self._parts = list(parts)
        self._find = find
        self._opener = opener
        self._pool = FilePool(opener)
        self._seen: set[Place] = set()
        self._looked_s = time.monotonic()
        self._columns: dict[ClampMode, tuple[int, ...]] = {}
        self._said: dict[str, str] = {}
        for text in flags:
            self.flag(text)
        if meta.info.is_translated:
            # Of every such board, so that a warning would only be in the way.
            self._said["rows"] = "its board's firmware counts no steps: rows that were lost on the way cannot be seen"
            self.flags = tuple(self._said.values())
        self._choose(mode)
        self._look_for_holes()
        self._arrange()

    # -- what is read of it

    def _choose(self, mode: str | None) -> None:
        """Choose one set of channels at one rate, and say what that leaves out."""
        if mode is not None and mode not in MODES:
            raise ConfigError(f"mode is one of {', '.join(MODES)}, not {mode!r}")
        first = next((p for p in self._parts if mode in (None, "common", str(p.meta.mode))), None)
        if first is None:
            modes = ", ".join(dict.fromkeys(str(part.meta.mode) for part in self._parts))
            raise ConfigError(f"{self.name} has no samples in {mode} clamp, only in {modes} clamp; choose another mode")
        self._first, self._mode = first.meta, mode
        infos = list(first.meta.channels)
        if mode == "common":
            infos = [c for c in infos if all(c in part.meta.channels for part in self._parts)]
            if not infos:
                raise StoreError(f"the files of {self.name} have no channel in common; choose a mode")
        self._infos: list[ChannelInfo] = infos
        self.channels = tuple(Channel(c.name, c.unit, c.scale, c.offset) for c in infos)
        self.channel_ids = tuple(c.name for c in infos)
        self.fs_hz = 1e6 / first.meta.step_us
        self._say_left_out()

    def _say_left_out(self) -> None:
        n, own_us = len(self._parts), self._first.step_us
        left = [part.meta for part in self._parts if not self._is_kept(part)]
        if n_others := sum(meta.step_us == own_us for meta in left):
            self.flag(
                f"{n_others} of {n} files are left out, since their channels are others, as in another clamp mode; "
                "choose by mode='current', 'voltage', or 'common' for the channels that all have",
                "channels",
            )
        if paces := sorted({meta.step_us for meta in left} - {own_us}):
            self.flag(
                f"{len(left) - n_others} of {n} files are left out, since they are of another pace: "
                f"{', '.join(map(str, paces))} us between samples, not {own_us}; open those files by name",
                "pace",
            )

    def _is_kept(self, part: FilePart) -> bool:
        if part.meta.step_us != self._first.step_us:
            return False
        if self._mode == "common":
            return all(channel in part.meta.channels for channel in self._infos)
        return part.meta.channels == self._first.channels

    def _look_for_holes(self) -> None:
        """Say which files are missing between others, and where times go back from one to the next."""
        for before, after in zip(self._parts, self._parts[1:], strict=False):
            absent = after.meta.number - before.meta.number - 1
            if absent > 0:
                which = f"file {before.meta.number + 1} is" if absent == 1 else f"{absent} files are"
                self.flag(f"{which} missing between {_name(before.place)} and {_name(after.place)}")
            if before.span_s is None or after.span_s is None:
                continue
            back_s = before.span_s[1] + self._shift_s(before) - after.span_s[0] - self._shift_s(after)
            if back_s >= 0:
                self.ordered = False
                self.flag(
                    f"time goes back: {_name(after.place)} begins {back_s:.6f} s before {_name(before.place)} ends; "
                    "its order is that of the files"
                )

    def _arrange(self) -> None:
        """Put the stretches of all files together where they follow one another."""
        self._reference_utc_ns = self.reference_utc_ns
        found: list[tuple[tuple[int, int, int], int, list[Piece]]] = []
        for part in self._parts:
            if not self._is_kept(part):
                continue
            columns = tuple(part.meta.channels.index(channel) for channel in self._infos)
            shift_s, host_ns = self._shift_s(part), part.meta.reference_host_ns
            for k, run in enumerate(part.runs):
                start_s = part.span_s[0] + shift_s if part.span_s is not None and k == 0 else None
                piece = Piece(part.place, run.first_sample, run.n_samples, shift_s, columns, start_s)
                here, after = run.first_step, run.first_step + run.n_samples
                if k == 0 and found and found[-1][0] == (run.boot_id, host_ns, here):
                    _, first_step, pieces = found.pop()
                    found.append(((run.boot_id, host_ns, after), first_step, [*pieces, piece]))
                else:
                    found.append(((run.boot_id, host_ns, after), here, [piece]))
        segments: list[Segment] = [
            FileSegment(
                self._pool,
                pieces,
                boot_id=boot_id,
                first_step=first_step,
                fs_hz=self.fs_hz,
                is_backwards=self._told_backwards,
            )
            for (boot_id, _, _), first_step, pieces in found
        ]
        drift = self.drift
        self.segments = tuple(segments if drift is None else [DriftingSegment(one, drift) for one in segments])
        self.paths = [part.place for part in self._parts]
        self.is_live = any(part.is_live for part in self._parts)

    def _shift_s(self, part: FilePart) -> float:
        """Return what a file's times are to be moved by to count from the recording's reference."""
        return (part.meta.reference_utc_ns - (self.reference_utc_ns or 0)) / 1e9

    def _moved(self, time_s: float, shift_s: float) -> float:
        return time_s + shift_s if self.drift is None else self.drift.corrected(time_s + shift_s)

    def use_drift(self, drift: ClockDrift) -> None:
        """Correct times by this from now on."""
        self.drift = drift
        self._arrange()

    def flag(self, text: str, topic: str | None = None) -> None:
        """Say something that a reader must know, once; of one topic, the newest is kept."""
        known = self._said.get(topic or text)
        self._said[topic or text] = text
        self.flags = tuple(self._said.values())
        if known is None:
            warnings.warn(f"{self.name}: {text}", RecordingWarning, stacklevel=2)

    def _told_backwards(self, place: Place, time_s: float) -> None:
        self.flag(f"time goes back within {_name(place)}, after {time_s:.6f} s; check it with spikedaq verify")

    # -- growth

    def refresh(self) -> None:
        """Look how far growing files have come, and whether there are new ones."""
        if self._reference_utc_ns != self.reference_utc_ns:
            self._arrange()
        if not (self.is_live or self._may_go_on()):
            return
        parts = []
        for part in self._parts:
            if part.is_live:
                self._pool.close(part.place)
                parts.append(scan(part.place, self._opener))
            else:
                parts.append(part)
        known = {part.place for part in parts} | self._seen
        for place in self._find() if self._find is not None else ():
            if place in known:
                continue
            new = scan(place, self._opener)
            own = new.meta.info.unique_id == parts[0].meta.info.unique_id and new.meta.bench == self.bench
            if own and (new.meta.session, new.meta.device) == (self.session, self.device):
                parts.append(new)
            else:
                self._seen.add(place)
        self._parts = sorted(parts, key=lambda part: part.meta.number)
        self._say_left_out()
        self._look_for_holes()
        self._arrange()

    def _may_go_on(self) -> bool:
        """Whether a look for another file is due: between two files none may be open, between windows for hours."""
        if self._find is None or str(self._parts[-1].ending).startswith(_ENDED):
            return False
        now_s = time.monotonic()
        if now_s - self._looked_s < LOOK_EVERY_S:
            return False
        self._looked_s = now_s
        return True

    def close(self) -> None:
        """Close its files; they are opened again when something is asked."""
        self._pool.close()

    # -- what else they hold

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
        for part in self._parts:
            shift_s = self._shift_s(part)
            if part.is_live:
                self._pool.close(part.place)  # opened anew, it shows what has come
            for row in self._pool.reading(part.place, of):
                moved: dict[str, Any] = {name: self._moved(getattr(row, name), shift_s) for name in times}
                rows.append(replace(row, **moved) if shift_s or self.drift is not None else row)
        return rows


def _name(place: Place) -> str:
    return str(place).replace("\\", "/").rsplit("/", 1)[-1]
