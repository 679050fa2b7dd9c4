"""Deletes old recordings to make room: closed, verified, unpinned ones, and says so."""

from __future__ import annotations

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from spikedaq.daemon.alarms import AlarmKind, Alarms
from spikedaq.daemon.closed_files import Closed, closed_files
from spikedaq.daemon.config import RetentionConfig
from spikedaq.daemon.data_folder import DataFolder
from spikedaq.daemon.live_config import LiveConfig
from spikedaq.daemon.sessions import Sessions
from spikedaq.model import StoreError
from spikedaq.recorder import is_pinned, mark_deleted
from spikedaq.store import sha256_of

PERIOD_S = 60.0
HURRY_S = 5.0
"""Between looks while less is free than should be."""
ALARM_S = 3600.0
"""So long after the last deletion the alarm that tells of it stands."""

log = structlog.get_logger(__name__)


def choose(
    files: Sequence[Closed], config: RetentionConfig, *, now_ns: int, free_bytes: int | None
) -> list[tuple[Closed, str]]:
    """Return which files to delete and why, oldest first.

    Files that may not be deleted count among the newest that are kept, and are passed over.
    """
    oldest_first = sorted(files, key=lambda f: (f.entry.stop_utc_ns, f.path))
    by_device: dict[str, list[Closed]] = defaultdict(list)
    for file in oldest_first:
        by_device[file.device].append(file)
    surplus: set[str] = set()
    if config.keep_files is not None:
        surplus = {f.path for own in by_device.values() for f in own[: max(0, len(own) - config.keep_files)]}
    room = free_bytes
    chosen = []
    for file in oldest_first:
        if file.is_pinned or (file.is_running and not config.running):
            continue
        age_days = (now_ns - file.entry.stop_utc_ns) / 86400e9
        short = config.free_bytes is not None and room is not None and room < config.free_bytes
        why = file.entry.deleted_why  # by a daemon that said so and was killed before it did
        if why is None and config.keep_days is not None and age_days > config.keep_days:
            why = f"older than {config.keep_days:g} days"
        if why is None and file.path in surplus:
            why = f"more than {config.keep_files} files of {file.device}"
        if why is None and short:
            why = f"less than {(config.free_bytes or 0) / 1e9:g} GB free"
        if why is not None:
            chosen.append((file, why))
            room = None if room is None else room + file.entry.n_bytes
    return chosen


class Retention:
    """Looks once a minute what may go, and deletes it.

    Only files in the daemon's own recordings folder, and of these only what a manifest lists with its present SHA-256.
    """

    def __init__(
        self,
        config: LiveConfig,
        data: DataFolder,
        sessions: Sessions,
        alarms: Alarms,
        utc_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._live = config
        self._data = data
        self._sessions = sessions
        self._alarms = alarms
        self._utc_ns = utc_ns
        self._spoilt: dict[str, int] = {}
        self._told: set[str] = set()
        self._said = ""

    @property
    def _config(self) -> RetentionConfig:
        return self._live.now.retention

    async def run(self) -> None:
        """Look for good."""
        quiet_s = 0.0
        while True:
            deleted = await self.look() if self._config.is_active else 0
            if not self._config.is_active:
                self._tell_spoilt([])
            short = await self._is_short()
            period_s = HURRY_S if short else PERIOD_S
            quiet_s = 0.0 if deleted or short else quiet_s + period_s
            if quiet_s >= ALARM_S or not self._config.is_active:
                self._alarms.clear(AlarmKind.RETENTION)
                self._said = ""
            await asyncio.sleep(period_s)

    async def look(self) -> int:
        """Delete what may go now; return how many files went."""
        running = {str(session.folder) for session in self._sessions.all()}
        files = await asyncio.to_thread(closed_files, str(self._data.recordings), running)
        free_bytes = await asyncio.to_thread(self._data.recordings_free_bytes)
        chosen = choose(files, self._config, now_ns=self._utc_ns(), free_bytes=free_bytes)
        deleted = []
        for file, why in chosen:
            if await asyncio.to_thread(self._delete, file, why):
                deleted.append(file)
        # Here and not in the thread: who listens to alarms is in the loop.
        self._tell_spoilt([file.path for file, _ in chosen if file.path in self._spoilt])
        if deleted:
            n_bytes = sum(file.entry.n_bytes for file in deleted)
            self._say(
                f"{len(deleted)} old files ({n_bytes / 1e6:.0f} MB) were deleted to make room, up to "
                f"{deleted[-1].entry.name}; pin what is to stay (spikedaq pin)"
            )
        elif await self._is_short():
            self._say(
                f"less than {(self._config.free_bytes or 0) / 1e9:g} GB are free for recordings, and nothing in "
                f"{self._data.recordings} may be deleted: what is left is pinned, being recorded, or "
                "not as its manifest says; make room"
            )
        return len(deleted)

    async def _is_short(self) -> bool:
        wanted = self._config.free_bytes
        if wanted is None:
            return False
        # In a thread, as it may be a network disk that hangs. What is deleted makes room there, and nowhere else.
        free = await asyncio.to_thread(self._data.recordings_free_bytes)
        return free is not None and free < wanted

    def _delete(self, file: Closed, why: str) -> bool:
        """Delete one file, if it is what its manifest says; for a thread."""
        path, entry = Path(file.path), file.entry
        try:
            modified_ns = path.stat().st_mtime_ns
            if self._spoilt.get(file.path) == modified_ns:
                return False
            self._spoilt.pop(file.path, None)
            if path.is_symlink() or path.stat().st_size != entry.n_bytes or sha256_of(path) != entry.sha256:
                self._spoilt[file.path] = modified_ns
                log.warning("file not deleted", file=str(path), reason="not what its manifest says")
                return False
            if is_pinned(path):
                return False
            # First the line, then the file: a file that is gone without a word would be a loss.
            mark_deleted(path.parent, path.name, self._utc_ns(), why)
            path.unlink()
        except (OSError, StoreError) as error:
            log.warning("file cannot be deleted", file=str(path), reason=str(error))
            return False
        log.warning("file deleted to make room", file=str(path), reason=why, n_bytes=entry.n_bytes)
        return True

    def _tell_spoilt(self, paths: Sequence[str]) -> None:
        """Tell of files that should go and are not what their manifests say; the others are told of no more."""
        named = {os.path.basename(path): path for path in paths}  # noqa: PTH119 - see closed_files.py
        for name in self._told - named.keys():
            self._alarms.clear(AlarmKind.RETENTION, name)
        for name, path in named.items():
            text = f"{path} is not what its manifest says, so it is not deleted; see spikedaq verify {path}"
            self._alarms.put(AlarmKind.RETENTION, name, text)
        self._told = set(named)

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._alarms.clear(AlarmKind.RETENTION)
            self._alarms.put(AlarmKind.RETENTION, "", text)
