"""The recorder of one session, kept alive: started, listened to, started again when it dies."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from spikedaq.bus import FileStatus
from spikedaq.daemon.alarms import AlarmKind, Alarms
from spikedaq.daemon.recorder_faults import RecorderFaults
from spikedaq.daemon.recorder_run import Ended, RecorderRun
from spikedaq.model import RemoteProtocolError
from spikedaq.recorder import DISK_FULL as _FULL
from spikedaq.recorder import LEFT_OUT, WRITE_FAILED

EXIT_DONE, EXIT_BAD_PLAN, EXIT_DISK, EXIT_BUSY = 0, 2, 4, 5
"""Of the recorder's exit statuses those that matter here."""
BUSY_S = 0.1
BUSY_LONG_S = 5.0
QUICK_RESTARTS = 1
BACKOFF_FIRST_S = 0.5
BACKOFF_LAST_S = 5.0
BACKOFF_KILLED_S = 1.0
"""At most this long between a recorder that a signal ended and the next: a repair takes at most 5 s in all."""
ROOM_PERIOD_S = 0.5
"""How often a full disk is looked at: with space again, recording goes on within 10 s."""
CLOSE_S = 60.0
"""How long files may take to be closed; a memory card takes half a minute for some hundred megabytes."""
KILL_S = 10.0
"""The same where nobody can wait: another recorder repairs what this one leaves."""
_SAID_LINES = 20
_IDLE = ("waiting", "armed", "closed")
"""States of a device of which a recorder that has looked has nothing to write."""

log = structlog.get_logger(__name__)


class RecorderProcess:
    """Runs `python -m spikedaq.recorder FOLDER` until it has finished the session.

    Attributes
    ----------
    files : dict of str to FileStatus
        By device, what the recorder said last.
    restarts : int
    error : str or None
        Why the newest one ended before its time.
    finished : asyncio.Event
        It has ended for good.
    complete : bool
        With everything in closed files. Otherwise ``error`` says why no recorder can do it.
    is_full : bool
        It waits for space on the disk, or was started again and has neither written since nor found that there is
        nothing to write: no trigger yet, no samples.
    changed : asyncio.Event
        Set at each report; who waits for one clears it.
    """

    def __init__(self, folder: Path, devices: Iterable[str], alarms: Alarms, *, restart_bytes: int = 0) -> None:
        self.folder = folder
        self.is_full = False
        self._alarms = alarms
        self._restart_bytes = restart_bytes
        self._cause: str | None = None
        self._idle: set[str] = set()
        """Devices for which the present recorder has nothing to write, or which it has left out."""
        self.files = {device: FileStatus(state="waiting") for device in devices}
        self.restarts = 0
        self.error: str | None = None
        self.finished = asyncio.Event()
        self.complete = False
        self.changed = asyncio.Event()
        self.prepare: Callable[[], Awaitable[None]] | None = None
        """Called before a recorder is started again."""
        self._child = RecorderRun(folder, self._report, self._complain, close_s=KILL_S)
        self._said: deque[str] = deque(maxlen=_SAID_LINES)
        self._log = log.bind(session=folder.name)
        self._failures = 0
        self._faults = RecorderFaults()
        self._culprit: str | None = None
        self._busy_since_s: float | None = None

    @property
    def pid(self) -> int | None:
        """Of the newest recorder."""
        return self._child.pid

    @property
    def close_s(self) -> float:
        """How long it may close its files once cancelled, before it is killed."""
        return self._child.close_s

    @close_s.setter
    def close_s(self, close_s: float) -> None:
        self._child.close_s = close_s

    async def run(self) -> None:
        """Keep a recorder going until the session is finished; cancelled, let it close its files and go."""
        while True:
            if self.restarts and self.prepare is not None:
                await self.prepare()
            ended = await self._run_once()
            status = ended.status
            if status == EXIT_BUSY:
                await self._busy()
                continue
            if status in (EXIT_DONE, EXIT_BAD_PLAN):
                self._finish(None if status == EXIT_DONE else "; ".join(self._said))
                return
            self.restarts += 1
            self._failures += 1
            self._blame(ended)
            reason = self._reason(ended)
            self.error = f"the recorder ended ({reason}) and is started again"
            self._log.error("recorder ended, starting it again", status=status, reason=reason, restarts=self.restarts)
            self.changed.set()
            if status == EXIT_DISK and self._cause == _FULL:
                self.is_full = True
                await self._room()
            elif len(self.files) > 1 and self._culprit is not None and self._faults.is_held(self._culprit):
                text = self._faults.describe(self._culprit, self.files[self._culprit].error or "")
                self._alarms.put(AlarmKind.WRITE_FAILED, f"{self.folder.name}/{self._culprit}", text)
            elif status == EXIT_DISK:
                text = f"{self.folder.name} cannot be recorded: {reason}; the journal keeps what comes"
                self._alarms.put(AlarmKind.WRITE_FAILED, self.folder.name, text)
            if self._failures > QUICK_RESTARTS:
                backoff_s = BACKOFF_FIRST_S * 2.0 ** min(10, self._failures - QUICK_RESTARTS - 1)
                # One that was killed has a whole disk to go on with; one that failed by itself may have none.
                await asyncio.sleep(min(backoff_s, BACKOFF_KILLED_S if status < 0 else BACKOFF_LAST_S))

    def _blame(self, ended: Ended) -> None:
        """Put the end of a recorder that could not say anything any more down to the device that it was at."""
        device, offset = ended.at or ("", 0)
        known = self.files.get(device)
        if known is None:
            return
        self.files[device] = replace(known, state="failed", error=f"{ended.how} while it was at this device's files")
        self._culprit = device
        self._faults.ended(device, known, max(offset, known.offset))

    def _reason(self, ended: Ended) -> str:
        """Say why a recorder ended: what it said itself, unless it was ended."""
        if ended.status < 0:
            return f"{ended.how} at {ended.at[0]}" if ended.at else ended.how
        failed = (f"{device}: {file.error}" for device, file in self.files.items() if file.state == "failed")
        return self._said[-1] if self._said else "; ".join(failed) or ended.how

    async def _busy(self) -> None:
        """Wait for the recorder of a daemon that was killed: it is still closing its files."""
        if self._busy_since_s is None:
            self._busy_since_s = time.monotonic()
        busy_s = time.monotonic() - self._busy_since_s
        if busy_s > BUSY_LONG_S:
            self.error = f"the recorder of an earlier daemon has not ended for {busy_s:.0f} s; is its disk stuck?"
            self.changed.set()
        await asyncio.sleep(BACKOFF_FIRST_S if busy_s > BUSY_LONG_S else BUSY_S)

    def give_up(self, reason: str) -> None:
        """Take it that no recorder can do it."""
        self.kill()
        self._finish(reason)

    def _finish(self, error: str | None) -> None:
        self.complete, self.error, self.is_full = error is None, error, False
        self.end_alarms()
        self.finished.set()
        self.changed.set()

    def end_alarms(self) -> None:
        """End its alarms: it is not run any more."""
        for subject in (self.folder.name, *(f"{self.folder.name}/{device}" for device in self.files)):
            self._alarms.clear(AlarmKind.WRITE_FAILED, subject)

    async def _room(self) -> None:
        """Wait until the disk has room to go on with."""
        while True:
            try:
                free = (await asyncio.to_thread(shutil.disk_usage, self.folder)).free
            except OSError:
                return  # the recorder knows better what is wrong
            if free >= self._restart_bytes:
                return
            await asyncio.sleep(ROOM_PERIOD_S)

    def poke(self) -> None:
        """Have it look at the journals now."""
        self._child.poke()

    def silent_s(self) -> float:
        """Seconds since the recorder said anything, or was started."""
        return self._child.silent_s()

    def kill(self) -> None:
        """End it at once; another is started, and makes its files again from the journal."""
        self._child.kill()

    async def _run_once(self) -> Ended:
        self._said.clear()
        self._cause = self._culprit = None
        without = self._faults.without(self.files)
        self._idle = set(without)
        return await self._child.run(without)

    def _complain(self, text: str) -> None:
        if text:
            self._said.append(text)
            self._log.warning("recorder says", text=text)

    def _report(self, text: str) -> None:
        try:
            fields: dict[str, Any] = json.loads(text)
            device = fields["device"]
            if "remark" in fields:
                self._log.warning("recorder repaired", device=device, remark=fields["remark"])
                return
            self._take(device, fields)
        except (ValueError, KeyError, TypeError, RemoteProtocolError) as error:
            self._log.warning("recorder said something odd", text=text[:200], reason=str(error))
            return
        self.changed.set()

    def _take(self, device: str, fields: dict[str, Any]) -> None:
        known = self.files[device]  # a KeyError is one of the odd things
        if self._busy_since_s is not None:
            self._busy_since_s = self.error = None
        if fields.get("state") == "failed" and "samples" not in fields:
            self.files[device] = replace(known, state="failed", error=str(fields.get("error")))
            self._said.append(f"{device}: {fields.get('error')}")
            self._cause = fields.get("cause")
            if self._cause == LEFT_OUT:
                self._idle.add(device)
                text = f"{device} is not recorded: {fields.get('error')}; its journal keeps what comes"
                self._alarms.put(AlarmKind.WRITE_FAILED, f"{self.folder.name}/{device}", text)
            elif self._cause == WRITE_FAILED:
                self._culprit = device
                self._faults.ended(device, known, int(fields.get("offset") or 0))
            return
        name = fields.get("file")
        path = os.path.join(self.folder, device, name) if name else None  # noqa: PTH118 - as in health/files.py
        status = FileStatus.from_map({**fields, "file": path})
        self.files[device] = status
        if status.state in _IDLE:
            self._idle.add(device)
        else:
            self._idle.discard(device)
        self._faults.heard(device, status)
        if not self._faults.is_held(device):
            self._alarms.clear(AlarmKind.WRITE_FAILED, f"{self.folder.name}/{device}")
        if status.rows_on_disk > known.rows_on_disk:
            # It works: the next failure is restarted at once again.
            self._failures = 0
            self.error = None
            self.is_full = False
            self._alarms.clear(AlarmKind.WRITE_FAILED, self.folder.name)
        elif self.error is not None and self._idle == self.files.keys():
            # It goes on (with room, where that was missing), and nothing can show it: the next window may be days away.
            self.error = None
            self.is_full = False
