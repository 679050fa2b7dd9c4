"""A daemon as a child process, for the demo."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from spikedaq.inlet import ControlClient
from spikedaq.model import CommandError, CommandTimeout, StoreError

START_TIMEOUT_S = 20.0
# Closing the files of a long demo: the last chunks, and a checksum over each file.
END_TIMEOUT_S = 60.0
_POLL_S = 0.05


def free_ports(n: int) -> list[int]:
    """Return ``n`` different loopback ports that were free a moment ago."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    try:
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _open_log(path: Path) -> BinaryIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab")
    except OSError as error:
        text = f"the data folder {path.parent} cannot be used ({error.strerror}); name another with --data"
        raise StoreError(text) from error


class DaemonChild:
    """`spikedaqd` on free loopback ports, ended with this process.

    It runs in a session of its own, so that a Ctrl-C reaches only us and we can end things in the right order; it
    ends by itself when our end of its standard input closes.
    """

    def __init__(self, *, data: Path, bench: str, devices: Mapping[str, str]) -> None:
        control, publish = free_ports(2)
        self.url = f"tcp://127.0.0.1:{control}"
        self.log_path = data / "spikedaqd.log"
        command = [sys.executable, "-m", "spikedaq.cli.daemon", "--end-with-stdin"]
        command += ["--data", str(data), "--bench", bench, "--control", self.url]
        command += ["--publish", f"tcp://127.0.0.1:{publish}"]
        for name, url in devices.items():
            command += ["--device", f"{name}={url}"]
        with _open_log(self.log_path) as log:
            self._log_start = log.tell()
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )
        self.client = ControlClient(self.url)

    def wait_until_ready(self, stop: Callable[[], bool]) -> None:
        """Wait until it answers, or ``stop`` says that nobody wants it any more.

        Raises
        ------
        CommandError
            It ended, or does not answer within `START_TIMEOUT_S`.
        """
        end_s = time.monotonic() + START_TIMEOUT_S
        while not stop():
            self.check_alive()
            try:
                self.client.call("hello", timeout_s=1.0)
            except CommandTimeout:
                if time.monotonic() > end_s:
                    raise CommandError(
                        f"the daemon does not answer after {START_TIMEOUT_S:.0f} s{self._said()}"
                    ) from None
                time.sleep(_POLL_S)
            else:
                return

    def check_alive(self) -> None:
        """Raise `CommandError` with the daemon's last words if it has ended."""
        status = self.process.poll()
        if status is not None:
            raise CommandError(f"the daemon ended with status {status}{self._said()}")

    def _said(self) -> str:
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        # What it says to people comes before what it logs.
        said = [line.removeprefix("spikedaqd: ") for line in lines if line.startswith("spikedaqd: ")] or lines
        return f": {said[-1]} (its log is {self.log_path})" if said else f"; its log {self.log_path} is empty"

    def end(self) -> None:
        """End it cleanly; kill it only if it does not end within `END_TIMEOUT_S`."""
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.end()
