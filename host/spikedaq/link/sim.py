"""Virtual devices: `spikedaq-device`, the firmware compiled for this computer, as a child process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
from collections import deque
from pathlib import Path

import structlog

from spikedaq.link.base import FdLink, OnBytes, OnLost
from spikedaq.link.ports import open_pty_fd
from spikedaq.link.url import SIM_OPTIONS, SIM_PREFIXES, SIM_SWITCHES, LinkUrl
from spikedaq.model import LinkLostError, LinkOpenError, LocalProtocolError

READY_TIMEOUT_S = 10.0
END_TIMEOUT_S = 5.0
"""A device that writes a truth file flushes it when told to end; it is killed after this."""

_PROGRAM = "spikedaq-device"
_BUILD = "`make firmware` builds it (or: cmake -S . -B build -G Ninja && cmake --build build)"

log = structlog.get_logger(__name__)


def find_device_program() -> Path:
    """Find `spikedaq-device`: $SPIKEDAQ_DEVICE, else beside this Python, else on PATH.

    Raises
    ------
    LinkOpenError
        It is nowhere; the text says how to build it.
    """
    named = os.environ.get("SPIKEDAQ_DEVICE")
    if named:
        if os.access(named, os.X_OK) and Path(named).is_file():
            return Path(named)
        raise LinkOpenError(f"SPIKEDAQ_DEVICE names {named}, which is not a program that can be run; {_BUILD}")
    beside = Path(sys.executable).parent / _PROGRAM
    if os.access(beside, os.X_OK):
        return beside
    found = shutil.which(_PROGRAM)
    if found is None:
        raise LinkOpenError(f"the virtual device {_PROGRAM} is not installed; {_BUILD}")
    return Path(found)


def device_arguments(url: LinkUrl) -> list[str]:
    """Return the arguments that a ``sim:`` URL stands for."""
    arguments = ["--name", url.target]
    for name, value in url.options:
        prefix, _, part = name.partition(".")
        if name in SIM_OPTIONS:
            arguments += [SIM_OPTIONS[name], value]
        elif name in SIM_SWITCHES:
            if value not in ("0", "false", "no"):
                arguments.append(SIM_SWITCHES[name])
        elif part and prefix in SIM_PREFIXES:
            arguments += [SIM_PREFIXES[prefix], f"{part}={value}"]
    return arguments


async def open_sim(url: LinkUrl) -> SimLink:
    """Start a virtual device and open its pseudo-terminal.

    Raises
    ------
    LinkOpenError
        The program is missing, refuses its arguments, or is not ready within `READY_TIMEOUT_S`.
    """
    program = find_device_program()
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            "--pty",
            "--die-with-parent",
            *device_arguments(url),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # A Ctrl-C in our terminal is for us; the child ends with its link, or with us.
            start_new_session=True,
        )
    except OSError as error:
        raise LinkOpenError(f"{program} cannot be started ({error.strerror}); {_BUILD}", url=url.text) from error
    child = _Child(url, process)
    try:
        path = await child.ready()
        fd = open_pty_fd(path, url.text)
        link = FdLink(
            url.text, fd, detail=child.detail(path), closer=lambda: os.close(fd), remedy="it is started again"
        )
    except BaseException:
        await child.end()
        raise
    return SimLink(link, child)


def _piped(reader: asyncio.StreamReader | None) -> asyncio.StreamReader:
    if reader is None:
        raise LocalProtocolError("the child process was started without this pipe")
    return reader


class _Child:
    """The device process, with the last lines it said on stderr."""

    def __init__(self, url: LinkUrl, process: asyncio.subprocess.Process) -> None:
        self.url = url
        self.process = process
        self.said: deque[str] = deque(maxlen=20)
        self._pumps = [asyncio.create_task(self._pump_stderr())]

    def detail(self, path: str) -> str:
        return f"virtual device {self.url.target}, process {self.process.pid}, {path}"

    async def ready(self) -> str:
        """Wait for ``ready pty PATH`` and return the path."""
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                line = (await _line(_piped(self.process.stdout))).decode(errors="replace").strip()
        except TimeoutError as error:
            message = f"the virtual device {self.url.target} is not ready after {READY_TIMEOUT_S:.0f} s"
            raise LinkOpenError(message, url=self.url.text) from error
        word, _, rest = line.partition(" ")
        kind, _, path = rest.partition(" ")
        if word != "ready" or kind != "pty" or not path:
            await self.end()
            said = "; ".join(self.said) or line or f"it ended with status {self.process.returncode}"
            raise LinkOpenError(f"the virtual device of {self.url.text} did not start: {said}", url=self.url.text)
        self._pumps.append(asyncio.create_task(self._drain_stdout()))
        return path

    async def end(self) -> None:
        """End the process: politely, then for good. Everything about it is awaited."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
            try:
                async with asyncio.timeout(END_TIMEOUT_S):
                    await self.process.wait()
            except TimeoutError:
                log.warning("virtual device does not end, killed", device=self.url.target, pid=self.process.pid)
                with contextlib.suppress(ProcessLookupError):
                    self.process.kill()
                await self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        # Whoever still holds the pipes (a program it started) must not keep us.
        _, late = await asyncio.wait(self._pumps, timeout=1.0)
        for pump in late:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _pump_stderr(self) -> None:
        while line := await _line(_piped(self.process.stderr)):
            text = line.decode(errors="replace").rstrip()
            self.said.append(text)
            log.info("virtual device says", device=self.url.target, text=text)

    async def _drain_stdout(self) -> None:
        while await _line(_piped(self.process.stdout)):
            pass


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ValueError:  # a line longer than asyncio's bound; the rest of it comes as the next line
        return b"(a very long line)"


class SimLink:
    """A `Link` to a child process; closing it ends the child."""

    def __init__(self, link: FdLink, child: _Child) -> None:
        self.url = link.url
        self.detail = link.detail
        self.pid = child.process.pid
        self._link = link
        self._child = child

    def start(self, on_bytes: OnBytes, on_lost: OnLost) -> None:
        """Begin to deliver."""

        def lost(_: LinkLostError) -> None:
            said = f" ({self._child.said[-1]})" if self._child.said else ""
            on_lost(LinkLostError(f"the virtual device {self._child.url.target} ended{said}", url=self.url))

        self._link.start(on_bytes, lost)

    def write(self, data: bytes) -> None:
        """Send, without waiting."""
        self._link.write(data)

    async def close(self) -> None:
        """End it, and the child."""
        await self._link.close()
        await self._child.end()
