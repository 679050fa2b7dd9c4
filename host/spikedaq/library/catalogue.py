"""All sessions of a daemon, newest first, without opening a recording file."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikedaq.library.places import Places, is_plain
from spikedaq.library.session_card import (
    MANIFEST_FILE,
    MAX_DEVICES,
    PIN,
    PLAN_FILE,
    DeviceCard,
    Plan,
    Stamp,
    read_device_card,
    read_plan_card,
    session_map,
    stamp_of,
)
from spikedaq.model import CommandRejected

MAX_SESSIONS = 20_000
"""Of one folder; some 40 MB of memory. What is beyond it is counted as left out."""
LOOK_S = 0.5
"""So long what a look at the folders found holds for everybody who asks."""
_MAX_CARDS = 4096
"""Devices whose manifests are kept: those of the sessions that are shown."""

Key = tuple[int, str, str]
"""Start in UTC nanoseconds, name and folder: sessions are told in descending order of it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A session, and where it is."""

    shelf: Path
    name: str
    plan: Plan
    stamp: Stamp

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.shelf / self.name

    @property
    def key(self) -> Key:
        """Its place among all."""
        return self.plan.started_utc_ns, self.name, str(self.shelf)


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at all shelves found; ``problems`` are maps of ``folder`` and ``text``."""

    sessions: tuple[Found, ...]
    problems: tuple[dict[str, str], ...]


class Catalogue:
    """Looks at the shelves; remembers what has not changed. For threads.

    Parameters
    ----------
    now_s : callable
        Seconds of a clock that never goes back.
    """

    def __init__(self, places: Places, now_s: Callable[[], float] = time.monotonic) -> None:
        self.places = places
        self._now_s = now_s
        self._lock = threading.Lock()
        self._plans: dict[Path, tuple[Stamp, Plan]] = {}
        self._cards: OrderedDict[Path, tuple[Stamp | None, Stamp | None, DeviceCard]] = OrderedDict()
        self._look: tuple[float, Look] | None = None

    def look(self) -> Look:
        """Return every session, newest first."""
        look = self._look
        if look is not None and self._now_s() - look[0] < LOOK_S:
            return look[1]
        sessions: list[Found] = []
        problems: list[dict[str, str]] = []
        plans: dict[Path, tuple[Stamp, Plan]] = {}
        for shelf in self.places.shelves():
            try:
                found, n_left_out = self._on_shelf(shelf, plans)
            except OSError as error:
                text = f"{shelf} cannot be read ({error.strerror}); is its disk there?"
                problems.append({"folder": str(shelf), "text": text})
                continue
            sessions += found
            if n_left_out:
                text = f"{n_left_out} more sessions are in {shelf}; move some of them elsewhere"
                problems.append({"folder": str(shelf), "text": text})
        sessions.sort(key=lambda f: f.key, reverse=True)
        new = Look(tuple(sessions), tuple(problems))
        with self._lock:
            self._plans = plans
            self._look = self._now_s(), new
        return new

    def find(self, name: str, shelf: Path | None) -> Found:
        """Return a session by name, and by folder where it has namesakes.

        Raises
        ------
        CommandRejected
            ``unknown_session``: there is none, or there are several.
        """
        shelves = self.places.shelves() if shelf is None else [shelf]
        found = []
        for each in shelves:
            stamp = None if (each / name).is_symlink() else stamp_of(each / name / PLAN_FILE)
            if stamp is not None:
                found.append(Found(each, name, self._plan(each / name, stamp), stamp))
        if not found:
            raise CommandRejected(
                f"there is no session {name!r} in {', '.join(map(str, shelves))}", code="unknown_session"
            )
        if len(found) > 1:
            where = ", ".join(str(f.shelf) for f in found)
            raise CommandRejected(f"there is a session {name!r} in each of {where}; say which", code="unknown_session")
        return found[0]

    def devices(self, session: Found) -> list[DeviceCard]:
        """Return what is known of a session's devices, in the order of their names."""
        names = set(session.plan.devices)
        try:
            with os.scandir(session.path) as entries:
                names |= {entry.name for entry in entries if entry.is_dir(follow_symlinks=False)}
        except OSError:
            names = set()
        shown = sorted(name for name in names if is_plain(name))[:MAX_DEVICES]
        return [self._card(session.path / name) for name in shown if not (session.path / name).is_symlink()]

    def device(self, session: Found, name: str) -> DeviceCard | None:
        """Return what is known of one device, None where the session has no folder of this name."""
        folder = session.path / name
        return self._card(folder) if is_plain(name) and folder.is_dir() and not folder.is_symlink() else None

    def is_running(self, session: Found) -> bool:
        """Tell whether this daemon records a session now; of others nobody here can know."""
        journals = self.places.config.journals
        ours = journals is not None and any(Path(j).parent == journals for j in session.plan.devices.values())
        return session.plan.is_unfinished and ours

    def tell(self, session: Found) -> dict[str, Any]:
        """Return a session as it is told, but for its verification."""
        devices = self.devices(session)
        pinned = (session.path / PIN).exists()
        running = self.is_running(session)
        return session_map(session.shelf, session.name, session.plan, devices, running=running, pinned=pinned)

    def _on_shelf(self, shelf: Path, plans: dict[Path, tuple[Stamp, Plan]]) -> tuple[list[Found], int]:
        found: list[Found] = []
        n_left_out = 0
        with os.scandir(shelf) as entries:
            for entry in entries:
                if not is_plain(entry.name) or not entry.is_dir(follow_symlinks=False):
                    continue
                folder = Path(entry.path)
                stamp = stamp_of(folder / PLAN_FILE)
                if stamp is None:
                    continue
                if len(found) >= MAX_SESSIONS:
                    n_left_out += 1
                    continue
                plan = self._plan(folder, stamp)
                plans[folder] = stamp, plan
                found.append(Found(shelf, entry.name, plan, stamp))
        return found, n_left_out

    def _plan(self, folder: Path, stamp: Stamp) -> Plan:
        known = self._plans.get(folder)
        return known[1] if known is not None and known[0] == stamp else read_plan_card(folder, stamp)

    def _card(self, folder: Path) -> DeviceCard:
        # A new manifest, file, mark or deletion changes the folder; a file that grows does not, and is looked at anew.
        stamps = stamp_of(folder / MANIFEST_FILE), stamp_of(folder)
        with self._lock:
            known = self._cards.get(folder)
            if known is not None and known[:2] == stamps and not known[2].open_files:
                self._cards.move_to_end(folder)
                return known[2]
        card = read_device_card(folder)
        with self._lock:
            self._cards[folder] = (*stamps, card)
            while len(self._cards) > _MAX_CARDS:
                self._cards.popitem(last=False)
        return card
