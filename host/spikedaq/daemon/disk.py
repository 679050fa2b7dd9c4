"""How full the disks are, for how long they last, and the alarms about it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import structlog

from spikedaq.daemon.alarms import AlarmKind, Alarms
from spikedaq.daemon.config import DiskConfig
from spikedaq.daemon.data_folder import DataFolder
from spikedaq.daemon.disk_low import DiskRoom, LowDisks
from spikedaq.daemon.journals import Journals
from spikedaq.daemon.live_config import LiveConfig
from spikedaq.daemon.sessions import Sessions
from spikedaq.link import host_now_ns

PERIOD_S = 0.5
"""An alarm is raised within 2 s of its cause."""
RATE_WINDOW_S = 60.0
"""Files grow by a chunk a second and journals at every block: over a minute the rate stands still."""
_LEAST_WINDOW_S = 20.0
_TRIM_PERIOD_S = 10.0
FILE_SHARE = 3.0
"""Bytes of recording files per byte of the journals that they are made from, where none is measured: 2.4 bytes a sample
against 0.72 of a tonic neuron without noise, on a virtual board; noise takes more in both, and the share is less."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DiskStatus:
    """One look at the disk of the data folder.

    Attributes
    ----------
    free_bytes : int or None
        None where the system does not say.
    reserve_bytes : int
        Kept free of recordings, for the journals.
    bytes_per_s : float or None
        At which recordings and journals grow now; None while not measured.
    time_left_s : float or None
        Until recordings have to stop; None while nothing grows, or not measured.
    recording_bytes_per_s : float or None
        At which the files of a recording of every device grow: as they do, or as the journals, from which they are
        made, let expect; None while not measured.
    time_left_recording_s : float or None
        As ``time_left_s``, were that recorded on this disk from now on; None while not measured.
    elsewhere : map
        By session that is recorded on another disk: ``free_bytes``, ``bytes_per_s`` and ``time_left_s`` of that disk.
    """

    free_bytes: int | None
    reserve_bytes: int
    bytes_per_s: float | None = None
    time_left_s: float | None = None
    recording_bytes_per_s: float | None = None
    time_left_recording_s: float | None = None
    elsewhere: dict[str, dict[str, float | int | None]] = field(default_factory=dict)

    def to_map(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class OtherDisk:
    """A disk that a session is recorded on, and the data folder is not.

    Attributes
    ----------
    free_bytes : int
    number : int
        By which the system knows it.
    """

    free_bytes: int
    number: int


def time_left_s(room_bytes: float, files_per_s: float, journals: Sequence[tuple[float, float]]) -> float | None:
    """Return how long ``room_bytes`` last, None where nothing grows for good.

    Parameters
    ----------
    files_per_s : float
        Growth of the recordings.
    journals : sequence of (float, float)
        Growth of each journal, bytes per second, and how far it grows before its ring is full.
    """
    if room_bytes <= 0:
        return 0.0
    growing = sorted((room / rate, rate) for rate, room in journals if rate > 0 and room > 0)
    at_s, rate_now = 0.0, files_per_s + sum(rate for _, rate in growing)
    for full_s, rate in growing:
        used = rate_now * (full_s - at_s)
        if used >= room_bytes:
            break
        room_bytes, at_s, rate_now = room_bytes - used, full_s, rate_now - rate
    return at_s + room_bytes / rate_now if rate_now > 1e-9 else None


class Growth:
    """Rates of counters that only grow, each over the last minute."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, dict[str, int]]] = []

    def update(self, t_s: float, counted: dict[str, int]) -> dict[str, float] | None:
        """Take the counters; return bytes per second by name, None while too little time has passed."""
        self._seen.append((t_s, counted))
        while len(self._seen) > 2 and self._seen[1][0] <= t_s - RATE_WINDOW_S:
            self._seen.pop(0)
        t0_s, first = self._seen[0]
        if t_s - t0_s < _LEAST_WINDOW_S:
            return None
        return {name: max(0, n - first.get(name, n)) / (t_s - t0_s) for name, n in counted.items()}


class DiskWatch:
    """Looks at the disks twice a second, raises and clears their alarms."""

    def __init__(
        self, config: LiveConfig, data: DataFolder, journals: Journals, sessions: Sessions, alarms: Alarms
    ) -> None:
        self._live = config
        self._data = data
        self._journals = journals
        self._sessions = sessions
        self._alarms = alarms
        self._growth = Growth()
        self._low = LowDisks(alarms)
        self._failing: set[str] = set()
        self._full: set[str] = set()
        self._next_trim_s = 0.0
        self._elsewhere: dict[str, OtherDisk] = {}
        self._looking: asyncio.Task[dict[str, OtherDisk]] | None = None
        self._trimming: asyncio.Task[None] | None = None
        self.status = DiskStatus(None, config.now.disk.reserve_bytes)

    @property
    def _config(self) -> DiskConfig:
        return self._live.now.disk

    async def run(self) -> None:
        """Watch for good."""
        try:
            while True:
                # In threads: a network disk that hangs must hang nothing else, nor this.
                free = await asyncio.to_thread(self._data.free_bytes)
                now_s = host_now_ns() / 1e9
                self._look(now_s, free, self._look_elsewhere())
                if free is not None and 2 * free < self._config.reserve_bytes and now_s >= self._next_trim_s:
                    # Recordings have stopped long before. What nobody needs of the past gives way to what comes.
                    self._next_trim_s = now_s + _TRIM_PERIOD_S
                    self._trim()
                await asyncio.sleep(PERIOD_S)
        finally:
            tasks = [task for task in (self._looking, self._trimming) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._looking = self._trimming = None

    def _trim(self) -> None:
        """Trim the journals, unless that goes on still."""
        if self._trimming is None or self._trimming.done():
            trim = self._journals.trim(self._sessions.needed_from, ring_bytes=0)
            self._trimming = asyncio.create_task(trim, name="trim on a full disk")

    def _look_elsewhere(self) -> dict[str, OtherDisk]:
        """Return what the last look at the other disks found; begin the next, unless that one hangs."""
        folders = {session.name: session.folder for session in self._sessions.all()}
        if self._looking is None or self._looking.done():
            if self._looking is not None:
                self._elsewhere = self._looking.result()
            look = asyncio.to_thread(_free_elsewhere, self._data.path, folders)
            self._looking = asyncio.create_task(look, name="look at other disks")
        return {name: disk for name, disk in self._elsewhere.items() if name in folders}

    def _look(self, now_s: float, free: int | None, elsewhere: dict[str, OtherDisk]) -> None:
        rates = self._growth.update(now_s, self._counted())
        left_s = total = None
        if rates is not None:
            total = sum(rates.values())
            left_s = None if free is None else self._time_left_s(free, rates, set(elsewhere))
        self.status = self._status(free, rates, elsewhere, total, left_s)
        self._low.judge(self._rooms(free, left_s, elsewhere), self._config)
        stopped = {s.name: s for s in self._sessions.all() if s.recorder.is_full}
        full = set()
        if free is not None and free < self._config.reserve_bytes:
            full.add("")
        full |= {"" if name not in elsewhere else name for name in stopped}
        full |= {name for name, disk in elsewhere.items() if disk.free_bytes < self._config.reserve_bytes}
        for subject in full - self._full:
            self._alarms.put(AlarmKind.DISK_FULL, subject, self._full_text(subject))
        for subject in self._full - full:
            room = free
            if subject:
                room = elsewhere[subject].free_bytes if subject in elsewhere else None
            if room is not None and room < self._config.restart_bytes:
                full.add(subject)
            else:
                self._alarms.clear(AlarmKind.DISK_FULL, subject)
        self._full = full
        self._judge_journals()

    def _status(
        self,
        free: int | None,
        rates: dict[str, float] | None,
        elsewhere: dict[str, OtherDisk],
        total: float | None,
        left_s: float | None,
    ) -> DiskStatus:
        reserve = self._config.reserve_bytes
        others: dict[str, dict[str, float | int | None]] = {}
        for name, disk in elsewhere.items():
            there = [other for other, found in elsewhere.items() if found.number == disk.number]
            rate = None if rates is None else sum(rates.get(f"file {other}", 0.0) for other in there)
            # No journal grows there.
            others[name] = {
                "free_bytes": disk.free_bytes,
                "bytes_per_s": rate,
                "time_left_s": None if rate is None else time_left_s(disk.free_bytes - reserve, rate, []),
            }
        if rates is None:
            return DiskStatus(free, reserve, total, left_s, elsewhere=others)
        of_journals = sum(rate for name, rate in rates.items() if name.startswith("journal "))
        of_files = [rate for name, rate in rates.items() if name.startswith("file ")]
        expected = sum(of_files) if of_files and sum(of_files) > 0 else FILE_SHARE * of_journals
        left_then_s = None
        if free is not None:
            # What is recorded is kept by its journals beyond their rings only until its file is closed.
            left_then_s = time_left_s(free - reserve, expected, self._rings(rates))
        return DiskStatus(free, reserve, total, left_s, expected, left_then_s, others)

    def _time_left_s(self, free: int, rates: dict[str, float], elsewhere: set[str]) -> float | None:
        files = sum(rate for name, rate in rates.items() if name.startswith("file ") and name[5:] not in elsewhere)
        return time_left_s(free - self._config.reserve_bytes, files, self._rings(rates))

    def _rings(self, rates: dict[str, float]) -> list[tuple[float, float]]:
        """Return growth and room of each journal."""
        ring_bytes = self._live.now.journal.ring_bytes
        journals = self._journals.all().items()
        return [(rates.get(f"journal {name}", 0.0), ring_bytes - journal.kept_bytes()) for name, journal in journals]

    def _rooms(self, free: int | None, left_s: float | None, elsewhere: dict[str, OtherDisk]) -> list[DiskRoom]:
        """Return what is left on each disk that is written to, of each once."""
        rooms = [] if free is None else [DiskRoom("", self._data.path, free, left_s, is_tidied=True)]
        numbers = set()
        for session in self._sessions.all():
            disk = elsewhere.get(session.name)
            if disk is not None and disk.number not in numbers:
                numbers.add(disk.number)
                there_s = self.status.elsewhere[session.name]["time_left_s"]
                is_tidied = session.folder.is_relative_to(self._data.recordings)
                rooms.append(DiskRoom(session.name, session.folder, disk.free_bytes, there_s, is_tidied))
        return rooms

    def _full_text(self, subject: str) -> str:
        folder: Path = self._data.recordings
        session = next((s for s in self._sessions.all() if s.name == subject), None)
        folder = session.folder if session is not None else folder
        return (
            f"the disk of {folder} is full: nothing more is recorded there, the journal keeps what comes; make room "
            f"(more than {self._config.restart_bytes / 1e6:.0f} MB), and recording goes on by itself"
        )

    def _judge_journals(self) -> None:
        journals = self._journals.all()
        failing = {name for name, j in journals.items() if j.writer.failing or j.writer.sync_error is not None}
        for device in failing - self._failing:
            writer = journals[device].writer
            text = f"the journal of {device} cannot be written, samples are being lost: make room on {self._data.path}"
            if not writer.failing:
                text = (
                    f"the journal of {device} does not reach the disk ({writer.sync_error}): what is in memory would "
                    f"be lost with the power; see whether the disk of {self._data.path} is failing"
                )
            self._alarms.put(AlarmKind.JOURNAL_FAILED, device, text)
        for device in self._failing - failing:
            self._alarms.clear(AlarmKind.JOURNAL_FAILED, device)
        self._failing = failing

    def _counted(self) -> dict[str, int]:
        counted = {f"journal {name}": journal.writer.offset for name, journal in self._journals.all().items()}
        for session in self._sessions.all():
            counted[f"file {session.name}"] = sum(file.bytes for file in session.recorder.files.values())
        return counted


def _free_elsewhere(data: Path, folders: dict[str, Path]) -> dict[str, OtherDisk]:
    """Return by session the disk of each that is recorded on another than that of the data folder."""
    elsewhere = {}
    for name, folder in folders.items():
        with contextlib.suppress(OSError):
            number = folder.stat().st_dev
            if number != data.stat().st_dev:
                elsewhere[name] = OtherDisk(shutil.disk_usage(folder).free, number)
    return elsewhere
