"""A remote recording as it runs: the copier, the recorder over the copies, and how both are doing."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from spikedaq.bus import FileStatus
from spikedaq.daemon.alarms import Alarms
from spikedaq.daemon.recorder_process import RecorderProcess
from spikedaq.journal import SessionStop
from spikedaq.link import host_now_ns
from spikedaq.model import StoreError
from spikedaq.remote.copier import Copier, CopierState
from spikedaq.remote.session import RemoteSession

TRIM_PERIOD_S = 10.0
PATIENCE_S = 10.0
"""How long the end of a recording waits for a daemon that is away."""
RESTART_BYTES = 16 * 2**20

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """What can be said at a moment.

    ``recording`` says that every device has samples that a reader sees on this disk, ``current`` that the daemon
    answers and no copy is behind.
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

    def to_map(self) -> dict[str, Any]:
        """Return it as JSON values."""
        devices = {name: {**file.to_map(), **vars(self.copying.devices[name])} for name, file in self.files.items()}
        return {
            "session": self.session,
            "state": self.state,
            "folder": self.folder,
            "recording": self.recording,
            "connected": self.copying.connected,
            "current": self.current,
            "trouble": self.copying.trouble,
            "reconnects": self.copying.reconnects,
            "free_bytes": self.free_bytes,
            "error": self.error,
            "devices": devices,
        }


class RemoteRecording:
    """Runs one `RemoteSession` until `stop`.

    Parameters
    ----------
    session : RemoteSession
    """

    def __init__(self, session: RemoteSession) -> None:
        self._session = session
        self._alarms = Alarms(host_now_ns)
        self._recorder = RecorderProcess(
            session.folder, list(session.copies), self._alarms, restart_bytes=RESTART_BYTES
        )
        self._copier = Copier(session.url, session.copies)
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """End the recording: what the journals hold by now is fetched, and the files are closed."""
        self._stop.set()

    def progress(self) -> Progress:
        """Return how it goes."""
        files, copying = dict(self._recorder.files), self._copier.state
        try:
            free_bytes: int | None = shutil.disk_usage(self._session.folder).free
        except OSError:
            free_bytes = None
        return Progress(
            session=self._session.name,
            state=self._session.plan["state"],
            folder=str(self._session.folder),
            files=files,
            copying=copying,
            recording=all(file.rows_on_disk > 0 for file in files.values()),
            current=copying.connected and not any(d.behind_bytes for d in copying.devices.values()),
            free_bytes=free_bytes,
            error=self._recorder.error,
        )

    async def run(self, tell: Callable[[Progress], None], period_s: float = 1.0) -> bool:
        """Record until stopped, telling how it goes now and then; return whether all files are closed.

        Cancelled, it closes the files and leaves the session to be taken up again.
        """
        recorder = asyncio.create_task(self._recorder.run(), name="recorder")
        copier = asyncio.create_task(asyncio.to_thread(self._copier.run), name="copier")
        telling = asyncio.create_task(self._tell(tell, period_s), name="progress")
        trimming = asyncio.create_task(self._trim(), name="trim")
        try:
            if self._session.plan["state"] == "recording":
                await _first_of(self._stop.wait(), self._recorder.finished.wait())
                self._session.save("stopping", "user")
                self._copier.stop(PATIENCE_S)
            else:
                self._copier.stop(0.0)  # it was being ended when it was killed
            await copier
            for copy in self._session.copies.values():
                copy.append(SessionStop(host_now_ns(), self._session.ends_with, self._session.plan["reason"] or "user"))
            self._recorder.poke()
            await self._recorder.finished.wait()
            complete = self._recorder.complete
            self._session.save("complete" if complete else "interrupted", self._recorder.error or "user")
            tell(self.progress())
            return complete
        finally:
            self._copier.stop(0.0)
            for task in (telling, trimming, recorder):
                task.cancel()
            await asyncio.gather(telling, trimming, recorder, copier, return_exceptions=True)

    async def _tell(self, tell: Callable[[Progress], None], period_s: float) -> None:
        while True:
            await asyncio.sleep(period_s)
            tell(self.progress())

    async def _trim(self) -> None:
        while True:
            await asyncio.sleep(TRIM_PERIOD_S)
            with contextlib.suppress(StoreError):
                await asyncio.to_thread(self._session.trim)


async def _first_of(*waits: Any) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
