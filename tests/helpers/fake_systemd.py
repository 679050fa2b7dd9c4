"""As much of systemd as a service with Type=notify sees: it is listened to, ended when stuck, started again."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from harness import wait_for
from helpers.configured_daemon import ConfiguredDaemon


class FakeSystemd:
    """Starts a daemon, listens to it, ends it with SIGABRT when it is not alive, and starts it again."""

    def __init__(self, daemon: ConfiguredDaemon, folder: Path, *, watchdog_s: float) -> None:
        self.daemon = daemon
        self.heard: list[str] = []
        self.aborts = self.starts = 0
        self._watchdog_s = watchdog_s
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / "notify"))
        self._socket.settimeout(0.05)
        daemon.environment |= {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": f"{watchdog_s * 1e6:.0f}"}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def count(self, text: str) -> int:
        """How often something was said."""
        return sum(text in message for message in list(self.heard))

    def _start(self) -> None:
        self.daemon.start(wait=False)
        self.starts += 1

    def _run(self) -> None:
        self._start()
        alive_s, is_ready = time.monotonic(), False
        while not self._ending.is_set():
            with contextlib.suppress(TimeoutError):
                message = self._socket.recv(4096).decode()
                self.heard.append(message)
                is_ready = is_ready or message == "READY=1"
                if message in ("READY=1", "WATCHDOG=1"):
                    alive_s = time.monotonic()
            process = self.daemon.process
            if is_ready and time.monotonic() - alive_s > self._watchdog_s and process.poll() is None:
                os.kill(process.pid, signal.SIGABRT)
                os.kill(process.pid, signal.SIGCONT)  # one that was stopped takes a signal only then
                self.aborts += 1
                process.wait()
            if process.poll() is not None and not self._ending.is_set():
                alive_s, is_ready = time.monotonic(), False
                self._start()

    def __enter__(self) -> Self:
        self._thread.start()
        wait_for("the daemon to be ready", lambda: self.count("READY=1"), 60)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._ending.set()
        self._thread.join()
        self.daemon.__exit__(kind, error, tb)
        with contextlib.suppress(TimeoutError):
            while True:
                self.heard.append(self._socket.recv(4096).decode())
        self._socket.close()
