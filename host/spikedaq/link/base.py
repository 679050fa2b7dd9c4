"""What every link is, and the one transport beneath all of them: a non-blocking file descriptor."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Protocol

from spikedaq.model import LinkLostError

READ_BYTES = 65536
"""One read empties a pseudo-terminal (20 kB), and costs one wake-up where 1024 bytes at a time cost several."""

WRITE_LIMIT_BYTES = 65536
"""Requests are tens of bytes; a device that has not read this much is not reading at all."""

OnBytes = Callable[[bytes, int], None]
OnLost = Callable[[LinkLostError], None]

# Runs on through suspend; CLOCK_MONOTONIC, which stops, is what other systems than Linux have.
_HOST_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def host_now_ns() -> int:
    """Host time, in nanoseconds of CLOCK_BOOTTIME."""
    return time.clock_gettime_ns(_HOST_CLOCK)


class Link(Protocol):
    """An open byte transport.

    Attributes
    ----------
    url : str
        What it was opened with.
    detail : str
        What that turned out to be, for people: the port's description, the process.
    """

    url: str
    detail: str

    def start(self, on_bytes: OnBytes, on_lost: OnLost) -> None:
        """Begin to deliver: ``on_bytes(data, t_host_ns)`` after each read, ``on_lost(error)`` at most once.

        Called again, it hands the link over to other receivers.
        """

    def write(self, data: bytes) -> None:
        """Send, without waiting.

        Raises
        ------
        LinkLostError
            The link is closed or gone, or `WRITE_LIMIT_BYTES` already wait for a device that does not read.
        """

    async def close(self) -> None:
        """End it. Neither callback is called afterwards. Closing twice is harmless."""


class FdLink:
    """A `Link` on a non-blocking file descriptor: serial port, pseudo-terminal or socket.

    Parameters
    ----------
    closer : callable
        Closes the descriptor; called once.
    remedy : str
        What to do when it is lost, the end of the error's text.
    """

    def __init__(self, url: str, fd: int, *, detail: str, closer: Callable[[], None], remedy: str) -> None:
        self.url = url
        self.detail = detail
        self._fd = fd
        self._closer = closer
        self._remedy = remedy
        self._loop = asyncio.get_running_loop()
        self._on_bytes: OnBytes | None = None
        self._on_lost: OnLost | None = None
        self._waiting = bytearray()
        self._open = True
        self._lost: LinkLostError | None = None

    def start(self, on_bytes: OnBytes, on_lost: OnLost) -> None:
        """Begin to deliver."""
        self._on_bytes = on_bytes
        self._on_lost = on_lost
        if self._open:
            self._loop.add_reader(self._fd, self._read)

    def write(self, data: bytes) -> None:
        """Send, without waiting."""
        if self._lost is not None or not self._open:
            raise self._lost or LinkLostError(f"{self.url} is closed", url=self.url)
        if not self._waiting:
            try:
                sent = os.write(self._fd, data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError as error:
                raise self._lose(f"{self.url} cannot be written to ({error.strerror})") from error
            if sent == len(data):
                return
            data = data[sent:]
            self._loop.add_writer(self._fd, self._write_waiting)
        elif len(self._waiting) + len(data) > WRITE_LIMIT_BYTES:
            raise self._lose(f"{self.url} takes no more bytes: {len(self._waiting)} wait and the device does not read")
        self._waiting += data

    async def close(self) -> None:
        """End it."""
        self._detach()

    def _read(self) -> None:
        try:
            data = os.read(self._fd, READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            # A pseudo-terminal whose other end is gone says EIO, a USB port that was pulled EIO or ENXIO.
            self._lose(f"{self.url} is gone ({error.strerror})")
            return
        t_host_ns = time.clock_gettime_ns(_HOST_CLOCK)
        if not data:
            self._lose(f"{self.url} was closed by the other side")
        elif self._on_bytes is not None:
            self._on_bytes(data, t_host_ns)

    def _write_waiting(self) -> None:
        try:
            sent = os.write(self._fd, self._waiting)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(f"{self.url} cannot be written to ({error.strerror})")
            return
        del self._waiting[:sent]
        if not self._waiting:
            self._loop.remove_writer(self._fd)

    def _lose(self, what: str) -> LinkLostError:
        if self._lost is None:
            self._lost = LinkLostError(f"{what}; {self._remedy}", url=self.url)
            on_lost = self._on_lost
            self._detach()
            if on_lost is not None:
                # Later, so that a caller of `write` sees its own exception first.
                self._loop.call_soon(on_lost, self._lost)
        return self._lost

    def _detach(self) -> None:
        if not self._open:
            return
        self._open = False
        self._on_bytes = self._on_lost = None
        self._waiting.clear()
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        self._closer()
