"""One recorder process: started, listened to until it ends, ended where it hangs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from spikedaq.recorder import NO_FD, AtWork, shared_memory

HUNG_S = 600.0
"""A recorder that makes a long file again, or checks one on a slow disk, says nothing for minutes."""
_CRASHES: Final = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE})
"""Signals that a process brings on itself; by others somebody else has ended it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a recorder ended.

    Attributes
    ----------
    status : int
        Its exit status, or the signal that ended it, negative.
    how : str
        The same in words.
    at : tuple of str and int, or None
        Of one that crashed or hung: the device that it was at, and the offset in its journal.
    """

    status: int
    how: str
    at: tuple[str, int] | None = None


class RecorderRun:
    """Runs recorders of a session, one after the other.

    Parameters
    ----------
    folder : Path
    report, complain : callable
        Called with each line of a recorder's stdout and stderr.

    Attributes
    ----------
    pid : int or None
        Of the newest.
    close_s : float
        How long it may close its files when `run` is cancelled, before it is killed.
    """

    def __init__(
        self, folder: Path, report: Callable[[str], None], complain: Callable[[str], None], *, close_s: float
    ) -> None:
        self.pid: int | None = None
        self.close_s = close_s
        self._folder = folder
        self._report = report
        self._complain = complain
        self._process: asyncio.subprocess.Process | None = None
        self._heard_s = time.monotonic()
        self._log = structlog.get_logger(__name__).bind(session=folder.name)

    def silent_s(self) -> float:
        """Seconds since a recorder said anything, or was started."""
        return time.monotonic() - self._heard_s

    def poke(self) -> None:
        """Have it look at the journals now."""
        process = self._process
        if process is not None and process.stdin is not None and process.returncode is None:
            with contextlib.suppress(OSError, RuntimeError):
                process.stdin.write(b"\n")

    def kill(self) -> None:
        """End it at once."""
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    async def run(self, without: Mapping[str, float]) -> Ended:
        """Run a recorder until it ends; cancelled, let it close its files and go.

        Parameters
        ----------
        without : map of str to float
            Devices that it is to do without, and for how many seconds.
        """
        fd = shared_memory()
        try:
            at_work = AtWork(fd)
            process = await self._start(without, fd)
        except OSError as error:
            return Ended(-1, f"it cannot be started: {error.strerror}")
        finally:
            if fd != NO_FD:
                os.close(fd)
        self._process, self.pid = process, process.pid
        self._heard_s = time.monotonic()
        self._log.info("recorder started", pid=process.pid, without=list(without))
        pumps = [
            asyncio.create_task(_pump(process.stdout, self._hear)),
            asyncio.create_task(_pump(process.stderr, self._complain)),
        ]
        try:
            hung_s = await self._wait(process)
            # Its last words are in the pipes; nothing else holds their other ends.
            await asyncio.wait(pumps, timeout=1.0)
            return _ended(process.returncode or 0, hung_s, at_work.read())
        except asyncio.CancelledError:
            await self._end(process)
            raise
        finally:
            self._process = None
            at_work.close()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _start(self, without: Mapping[str, float], fd: int) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "spikedaq.recorder",
            f"--at-work={fd}",
            str(self._folder),
            *(f"--without={device}={wait_s:.3f}" for device, wait_s in without.items()),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            pass_fds=() if fd == NO_FD else (fd,),
            # A Ctrl-C in our terminal is for us; the recorder ends with its session, or with its stdin.
            start_new_session=True,
        )

    async def _wait(self, process: asyncio.subprocess.Process) -> float | None:
        """Wait for its end; return after how many seconds of silence it was ended, where it was."""
        ended = asyncio.ensure_future(process.wait())
        n_silent = 0
        while not ended.done():
            await asyncio.wait([ended], timeout=1.0 if n_silent else max(1.0, HUNG_S - self.silent_s()))
            # Twice: it may be this process that stood still.
            n_silent = n_silent + 1 if self.silent_s() >= HUNG_S else 0
            if n_silent > 1 and not ended.done():
                silent_s = self.silent_s()
                self._log.error("recorder hangs, killed; the next one repairs its files", pid=process.pid)
                self.kill()
                await ended  # one that waits for a disk does not die before that answers
                return silent_s
        return None

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """Close its stdin: it takes what the journals hold, closes its files, and goes."""
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(self.close_s):
                await process.wait()
        except TimeoutError:
            self._log.error("recorder does not end, killed; the next one repairs its files", pid=process.pid)
            self.kill()
            await process.wait()

    def _hear(self, line: str) -> None:
        self._heard_s = time.monotonic()
        self._report(line)


async def _pump(reader: asyncio.StreamReader | None, take: Callable[[str], None]) -> None:
    while reader is not None:
        try:
            line = await reader.readline()
        except ValueError:  # longer than asyncio's bound; the rest follows as the next line
            continue
        if not line:
            return
        take(line.decode(errors="replace").strip())


def _ended(status: int, hung_s: float | None, at: tuple[str, int] | None) -> Ended:
    if hung_s is not None:
        return Ended(status, f"it said nothing for {hung_s:.0f} s and was ended", at)
    if status >= 0:
        return Ended(status, f"it ended with status {status}")
    try:
        name = signal.Signals(-status).name
    except ValueError:  # of the real-time signals only the first and the last have names
        name = f"signal {-status}"
    if -status in _CRASHES:
        return Ended(status, f"it crashed ({name})", at)
    return Ended(status, f"it was ended by {name}")
