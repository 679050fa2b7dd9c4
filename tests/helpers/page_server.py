"""`spikedaq scope` as a process of its own, for tests that open its page."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness import START_S, DaemonProcess, free_ports, wait_for


class PageProcess:
    """One page server on a loopback port of its own; may be ended and started again at the same address.

    With tokens it asks for them as it would off loopback. With ``reached`` it has reached its benches when it enters.
    """

    def __init__(
        self,
        urls: Sequence[str],
        log_path: Path,
        *,
        viewer_token: str | None = None,
        controller_token: str | None = None,
        options: Sequence[str] = (),
        reached: bool = True,
    ) -> None:
        self.urls = list(urls)
        self.viewer_token = viewer_token
        self.controller_token = controller_token
        self.log_path = log_path
        (self.port,) = free_ports(1)
        self.options = list(options)
        self._reached = reached
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Of the page, with the slash at its end and without a token."""
        return f"http://127.0.0.1:{self.port}/"

    def start(self, *, reached: bool = True) -> None:
        """Start it, and wait until it answers, and has ``reached`` its benches."""
        command = [sys.executable, "-m", "spikedaq.cli", "scope", "--listen", f"127.0.0.1:{self.port}", "--json"]
        for url in self.urls:
            command += ["--url", url]
        if self.viewer_token is not None and self.controller_token is not None:
            command += ["--viewer-token", self.viewer_token, "--controller-token", self.controller_token]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen([*command, *self.options], stdout=log, stderr=log)
        try:
            wait_for("the page server to answer", lambda: self.is_serving(reached=reached), START_S)
        except AssertionError:
            self.kill()
            raise AssertionError(f"the page server does not answer:\n{self.log()}") from None

    def is_serving(self, *, reached: bool = False) -> bool:
        """Tell whether it answers, and all its benches do; raise where it has ended."""
        if self.process is None or self.process.poll() is not None:
            raise OSError(f"it has ended: {self.log()}")
        return all(bench["here"] or not reached for bench in self.health()["benches"])

    def get(
        self, path: str, *, token: str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Ask for a path as a program would; status, headers with small letters, body.

        The controllers' token is given unless another is, "" for none.
        """
        return self.request("GET", path, token=token, headers=headers)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Make any request, as `get` does."""
        given = dict(headers or {})
        token = self.controller_token if token is None else token
        if token:
            given["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(self.address + path, body, given, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, {name.lower(): value for name, value in error.headers.items()}, error.read()

    def health(self) -> dict[str, Any]:
        """What it says of itself."""
        status, _, body = self.get("api/health")
        assert status == 200, body
        health: dict[str, Any] = json.loads(body)
        return health

    def log(self) -> str:
        """Everything it has said."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def kill(self) -> None:
        """Kill -9, and reap."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """End it as Ctrl-C does, and wait for it."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the page server did not end within 20 s of TERM:\n{self.log()}") from None

    def __enter__(self) -> PageProcess:
        self.start(reached=self._reached)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


BenchMaker = Callable[..., DaemonProcess]
ServerMaker = Callable[..., PageProcess]
"""What the fixtures `make_bench` and `make_server` of tests/browser give."""
