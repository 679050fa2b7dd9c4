"""A remote recording as it runs: the copier, the recorder over the copies, and how both are doing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from spikedaq.bus import FileStatus
from spikedaq.daemon.alarms import Alarms
from spikedaq.daemon.recorder_process import RecorderProcess
from spikedaq.daemon.session import shown_state
from spikedaq.journal import SessionStop
from spikedaq.keys import ClientKey
from spikedaq.link import host_now_ns
from spikedaq.model import StoreError
from spikedaq.remote.copier import Copier, CopierState
from spikedaq.remote.missing import Missing, known_bytes
from spikedaq.remote.session import RemoteSession
from spikedaq.remote.watch import RecordingWatch

TRIM_PERIOD_S = 10.0
PATIENCE_S = 10.0
"""How long the end of a recording waits for a daemon that sends nothing."""
RESTART_BYTES = 16 * 2**20

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """What can be said at a moment.

    ``state`` is recording, waiting or stalled where no file grows, stopping, complete or interrupted; ``recording``
    says that the file of every device grows on this disk, ``current`` that the daemon answers and no copy is behind.
    ``missing`` is what could not be had since the session was begun, by device.
    """

    session: str
    state: str
    folder: str
    files: dict[str, FileStatus]
    copying: CopierState
    recording: bool
    current: bool
    free_bytes: int | None
    error: str | None
    missing: dict[str, list[Missing]] = field(default_factory=dict)

    def to_map(self) -> dict[str, Any]:
        """Return it as JSON values."""
        devices = {name: self._device_map(name, file) for name, file in self.files.items()}
        return {
            "session": self.session,
            "state": self.state,
            "folder": self.folder,
            "recording": self.recording,
            "connected": self.copying.connected,
            "current": self.current,
            "trouble": self.copying.trouble,
            "reconnects": self.copying.reconnects,
            "came_s": self.copying.came_s,
            "free_bytes": self.free_bytes,
            "error": self.error,
            "devices": devices,
        }

    def _device_map(self, name: str, file: FileStatus) -> dict[str, Any]:
        holes = self.missing.get(name, [])
        lost = {"lost_bytes": known_bytes(holes), "missing": [hole.to_map() for hole in holes]}
        return {**file.to_map(), **vars(self.copying.devices[name]), **lost}


class RemoteRecording:
    """Runs one `RemoteSession` until `stop`.

    Parameters
    ----------
    session : RemoteSession
    key : ClientKey or path, optional
        As for `spikedaq.inlet.connect`.
    """

    def __init__(self, session: RemoteSession, *, key: ClientKey | str | os.PathLike[str] | None = None) -> None:
        self._session = session
        self._alarms = Alarms(host_now_ns)
        self._recorder = RecorderProcess(
            session.folder, list(session.copies), self._alarms, restart_bytes=RESTART_BYTES
        )
        self._copier = Copier(session.url, session.copies, key=key, miss=session.miss)
        self._watch = RecordingWatch(self._recorder, session.copies)
        self._stop = asyncio.Event()
        self._error: str | None = None

    def stop(self) -> None:
        """End the recording: what the journals hold by now is fetched, and the files are closed."""
        self._stop.set()

    def progress(self) -> Progress:
        """Return how it goes."""
        files = {device: self._shown(device, file) for device, file in self._recorder.files.items()}
        states, copying = {device: file.state for device, file in files.items()}, self._copier.state
        try:
            free_bytes: int | None = shutil.disk_usage(self._session.folder).free
        except OSError:
            free_bytes = None
        state = shown_state(self._session.plan["state"], list(states.values()))
        return Progress(
            session=self._session.name,
            state=state,
            folder=str(self._session.folder),
            files=files,
            copying=copying,
            recording=state == "recording" and all(shown in ("recording", "closing") for shown in states.values()),
            current=copying.connected and not any(d.behind_bytes for d in copying.devices.values()),
            free_bytes=free_bytes,
            missing=self._session.missing,
            error=self._error or self._recorder.error or "; ".join(self._watch.texts.values()) or None,
        )

    def _shown(self, device: str, file: FileStatus) -> FileStatus:
        if file.state not in ("recording", "closing", "waiting"):
            return file
        return replace(file, state=self._watch.states[device])

    async def run(self, tell: Callable[[Progress], None], period_s: float = 1.0) -> bool:
        """Record until stopped, telling how it goes now and then; return whether all files are closed.

        Where they are not it is left to be taken up again, but for a session whose recorder cannot work. So it is when
        cancelled; the files are closed first. What ends copying or recording unforeseen is raised.
        """
        recorder = asyncio.create_task(self._recorder.run(), name="recorder")
        telling = asyncio.create_task(self._tell(tell, period_s), name="progress")
        trimming = asyncio.create_task(self._trim(), name="trim")
        copier: asyncio.Task[None] | None = None
        try:
            if not self._session.is_fetched:
                copier = asyncio.create_task(asyncio.to_thread(self._copier.run), name="copier")
                if not await self._fetch(recorder, copier):
                    return False
            for copy in self._session.copies.values():
                copy.append(SessionStop(host_now_ns(), self._session.ends_with, self._session.plan["reason"] or "user"))
            self._recorder.poke()
            await _until(self._recorder.finished.wait(), recorder)
            complete = self._recorder.complete
            self._session.save("complete" if complete else "interrupted", self._recorder.error or "user")
            return complete
        finally:
            self._copier.stop(0.0)
            for task in (telling, trimming, recorder):
                task.cancel()
            await asyncio.gather(telling, trimming, recorder, *([copier] if copier else []), return_exceptions=True)
            await self._watch.close()
            tell(self.progress())

    async def _fetch(self, recorder: asyncio.Task[None], copier: asyncio.Task[None]) -> bool:
        """Copy until stopped and all is here; return whether it is."""
        session = self._session
        if session.plan["state"] == "recording":
            await _until(self._stop.wait(), recorder, copier)
            if recorder.done():
                session.save("interrupted", self._recorder.error)
                return False
            session.save("stopping", "user")
        self._copier.stop(PATIENCE_S)
        await asyncio.wait([copier])
        copier.result()
        if not self._copier.reached_end:
            trouble = self._copier.state.trouble or "it sends nothing"
            self._error = (
                f"the bench did not answer at the end ({trouble}); what came after the last samples here is missing. "
                "Give the same command again to fetch it"
            )
            log.error("not all was fetched", reason=trouble)
            return False
        for copy in session.copies.values():
            await asyncio.to_thread(copy.sync)
        # Before our own records are in the copies: nothing of the bench's can be copied behind those.
        session.save("stopping", "user", fetched=True)
        return True

    async def _tell(self, tell: Callable[[Progress], None], period_s: float) -> None:
        while True:
            await asyncio.sleep(period_s)
            self._watch.look()
            tell(self.progress())

    async def _trim(self) -> None:
        while True:
            await asyncio.sleep(TRIM_PERIOD_S)
            with contextlib.suppress(StoreError):
                await asyncio.to_thread(self._session.trim)


async def _until(wait: Coroutine[Any, Any, Any], *tasks: asyncio.Task[None]) -> None:
    """Wait for one thing, at most until one of the tasks ends; raise what ended it."""
    waiting = asyncio.ensure_future(wait)
    try:
        await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    for task in tasks:
        if task.done():
            task.result()
