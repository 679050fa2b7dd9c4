"""`spikedaq scope` for scripts: what it prints where, and what it takes for an address."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from helpers.class_bench import ClassBench
from spikedaq.cli.scope import split_listen
from spikedaq.model import ConfigError


class Daemon(ClassBench):
    """A daemon without devices."""

    def _status(self) -> dict[str, object]:
        return {"epoch": self.name, "devices": [], "leases": []}


def test_with_json_stdout_has_one_document_and_the_log_goes_to_stderr(tmp_path: Path) -> None:
    """A program that reads stdout found lines of the log in it."""
    daemon = Daemon("lab")
    command = [sys.executable, "-m", "spikedaq.cli", "scope", "--json", "--listen", "127.0.0.1:0", "--url", daemon.url]
    log: list[str] = []
    follows = threading.Event()
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:

            def read() -> None:
                assert process.stderr is not None
                for line in process.stderr:
                    log.append(line)
                    if "following a bench" in line:
                        follows.set()
                follows.set()

            reading = threading.Thread(target=read)
            reading.start()
            try:
                assert follows.wait(60)
            finally:
                process.terminate()
                assert process.stdout is not None
                said = process.stdout.read()
                process.wait(20)
                reading.join(20)
    finally:
        daemon.close()
    assert list(json.loads(said)) == ["page"]
    assert said.count("\n") == 1
    (line,) = [json.loads(line) for line in log if "following a bench" in line]
    assert (line["bench"], line["level"]) == ("lab", "info")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("127.0.0.1:5580", ("127.0.0.1", 5580)), (":80", ("127.0.0.1", 80)), ("80", ("127.0.0.1", 80)),
     ("[::1]:0", ("::1", 0)), ("lab:65535", ("lab", 65535))],
)  # fmt: skip
def test_addresses_are_read(text: str, expected: tuple[str, int]) -> None:
    assert split_listen(text) == expected


@pytest.mark.parametrize("text", ["", "lab:", "lab:x", "lab:-1", "lab:65536", "lab:٣", "lab:" + "9" * 5000])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="HOST:PORT"):
        split_listen(text)
