"""Talks to the service manager that started us, if one did: ready, alive, ending.

Notes
-----
Source: sd_notify(3) and sd_watchdog_enabled(3). One datagram of ``NAME=VALUE`` lines to the socket in NOTIFY_SOCKET.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import MutableMapping

import structlog

_PER_PERIOD = 3
"""Signs of life per watchdog period: one may be late, and one lost."""
_MAX_STATUS_CHARS = 200

log = structlog.get_logger(__name__)


class ServiceManager:
    """Sends notifications; does nothing where there is no service manager. Nothing here waits or raises.

    Parameters
    ----------
    environment : mapping
        What we read is taken out of it, so that no child process speaks for us.

    Attributes
    ----------
    watchdog_s : float or None
        Without a sign of life for this long we are ended.
    """

    def __init__(self, environment: MutableMapping[str, str] | None = None) -> None:
        found = os.environ if environment is None else environment
        self._address = _address(found.pop("NOTIFY_SOCKET", ""))
        self.watchdog_s = _watchdog_s(found.pop("WATCHDOG_USEC", ""), found.pop("WATCHDOG_PID", ""))
        self._alive_s = float("-inf")
        self._status = ""
        self._socket: socket.socket | None = None
        if self._address is not None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            # A manager that does not read must not stop the loop.
            self._socket.setblocking(False)

    def ready(self) -> None:
        """Say that requests are answered."""
        self._send("READY=1")

    def stopping(self) -> None:
        """Say that we are ending, on purpose."""
        self._send("STOPPING=1")

    def reloading(self) -> None:
        """Say that the configuration is being read anew; `ready` says that it is done."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def status(self, text: str) -> None:
        """Say in one line what we are doing, if that has changed."""
        line = " ".join(text.split())[:_MAX_STATUS_CHARS]
        if line != self._status and self._send(f"STATUS={line}"):
            self._status = line

    def alive(self, now_s: float) -> None:
        """Give a sign of life, where the last is old enough."""
        if self.watchdog_s is not None and now_s - self._alive_s >= self.watchdog_s / _PER_PERIOD:
            self._alive_s = now_s
            self._send("WATCHDOG=1")

    def close(self) -> None:
        """Release the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, text: str) -> bool:
        if self._socket is None or self._address is None:
            return False
        with contextlib.suppress(OSError):
            self._socket.sendto(text.encode(), self._address)
            return True
        return False


def _address(text: str) -> str | None:
    if text.startswith("@"):
        return "\0" + text[1:]  # in the abstract namespace
    if text and not text.startswith("/"):
        log.warning("NOTIFY_SOCKET is of no kind that is known here; the service manager is not told", socket=text)
        return None
    return text or None


def _watchdog_s(usec: str, pid: str) -> float | None:
    if not usec.isdecimal() or int(usec) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 1e6
