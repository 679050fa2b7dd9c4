"""Runs the user's program on an alarm: without a shell, not too many at a time, not for too long."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog

from spikedaq.daemon.alarms import Alarm, AlarmKind
from spikedaq.daemon.config import AlarmsConfig

MAX_RUNNING = 2
MAX_WAITING = 50
"""Beyond it the oldest goes; it is counted."""
_SAID_BYTES = 4096
_END_S = 5.0
"""How long the daemon's end waits for what runs."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Subject:
    """What one alarm does, and what of it was told."""

    alarm: Alarm
    raised: bool
    told: bool | None = None
    """The state that was told last; None before the first."""
    told_s: dict[bool, float] = field(default_factory=dict)
    """When each state was told."""
    timer: asyncio.TimerHandle | None = None


class AlarmCommand:
    """Runs `AlarmsConfig.command` for each alarm.

    The alarm is in the environment (``SPIKEDAQ_ALARM_KIND``, ``_SUBJECT``, ``_TEXT``, ``_STATE`` raised or ended,
    ``_SINCE`` in UTC, and ``SPIKEDAQ_BENCH``) and, as one JSON object, on standard input.

    Attributes
    ----------
    runs, failures, skipped : int
        Programs started; those that failed, were killed, or could not be started; alarms for which none was started,
        because there were too many, or the same one had just been told (what stands after that time is told then).
    """

    def __init__(
        self,
        config: AlarmsConfig,
        bench: str,
        *,
        now_s: Callable[[], float] = time.monotonic,
        utc_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.config = config
        self.runs = self.failures = self.skipped = 0
        self._bench = bench
        self._now_s = now_s
        self._utc_ns = utc_ns
        self._waiting: deque[tuple[Alarm, bool]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._subjects: dict[tuple[AlarmKind, str], _Subject] = {}
        self._closed = False

    def changed(self, alarm: Alarm, raised: bool) -> None:
        """Take a change; returns at once."""
        subject = self._subjects.setdefault((alarm.kind, alarm.subject), _Subject(alarm, raised))
        subject.alarm, subject.raised = alarm, raised
        if not self.config.command or not (raised or self.config.command_when_ended):
            subject.told = raised
        elif subject.raised != subject.told and not self._tell(subject):
            self.skipped += 1

    def _later(self, subject: _Subject) -> None:
        subject.timer = None
        if self.config.command and subject.raised != subject.told:
            self._tell(subject)

    def _tell(self, subject: _Subject) -> bool:
        """Tell the state of an alarm, or see later what it is then: it was told a short while ago."""
        now_s, raised = self._now_s(), subject.raised
        wait_s = subject.told_s.get(raised, float("-inf")) + self.config.command_quiet_s - now_s
        if wait_s > 0:
            if subject.timer is None and not self._closed:
                subject.timer = asyncio.get_running_loop().call_later(wait_s, self._later, subject)
            return False
        subject.told, subject.told_s[raised] = raised, now_s
        self._put(subject.alarm, raised=raised)
        return True

    def _put(self, alarm: Alarm, *, raised: bool) -> None:
        if self._closed:
            self.skipped += 1
            return
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.popleft()
            self.skipped += 1
            log.warning("too many alarms for the alarm command, one is not told", running=len(self._running))
        self._waiting.append((alarm, raised))
        self._start_some()

    async def close(self) -> None:
        """Let what runs go on for a moment, and start nothing more."""
        self._closed = True
        self._waiting.clear()
        for subject in self._subjects.values():
            if subject.timer is not None:
                subject.timer.cancel()
        late: set[asyncio.Task[None]] = set()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=_END_S)
        for task in late:
            log.warning("the alarm command is killed, the daemon ends", task=task.get_name())
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _start_some(self) -> None:
        while self._waiting and len(self._running) < MAX_RUNNING:
            alarm, raised = self._waiting.popleft()
            task = asyncio.create_task(self._run(alarm, raised=raised), name=f"alarm command {alarm.kind}")
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start_some()

    async def _run(self, alarm: Alarm, *, raised: bool) -> None:
        command, about = self.config.command, self._about(alarm, raised=raised)
        names = ("kind", "subject", "text", "state", "since")
        environment = {f"SPIKEDAQ_ALARM_{name.upper()}": about[name].replace("\0", "") for name in names}
        self.runs += 1
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, **environment, "SPIKEDAQ_BENCH": self._bench},
                # A group of its own, so that what it starts can be ended with it.
                start_new_session=True,
            )
        except OSError as error:
            self._failed(f"it cannot be started: {error.strerror or error}")
            return
        except ValueError as error:
            self._failed(f"it cannot be started: {error}")
            return
        try:
            said = b""
            async with asyncio.timeout(self.config.command_timeout_s):
                said = await _feed(process, (json.dumps(about) + "\n").encode())
            if process.returncode:
                self._failed(f"it ended with status {process.returncode}: {said.decode(errors='replace').strip()}")
        except TimeoutError:
            self._failed(f"it was killed after {self.config.command_timeout_s:g} s")
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    def _about(self, alarm: Alarm, *, raised: bool) -> dict[str, Any]:
        age_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - alarm.since_ns
        since = datetime.fromtimestamp((self._utc_ns() - age_ns) / 1e9, UTC)
        return {
            "bench": self._bench,
            "kind": str(alarm.kind),
            "subject": alarm.subject,
            "text": alarm.text,
            "state": "raised" if raised else "ended",
            "since": since.isoformat(timespec="seconds"),
        }

    def _failed(self, reason: str) -> None:
        self.failures += 1
        log.error("the alarm command failed", command=self.config.command[0], reason=reason, failures=self.failures)


async def _feed(process: asyncio.subprocess.Process, data: bytes) -> bytes:
    """Give a program its input, and return the beginning of what it says on stderr."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):  # it need not read it
            process.stdin.write(data)
            await process.stdin.drain()
            process.stdin.close()
    said = b""
    while process.stderr is not None and (piece := await process.stderr.read(_SAID_BYTES)):
        said = (said + piece)[:_SAID_BYTES]
    await process.wait()
    return said
