"""`spikedaq class serve`: the page of all benches, never without tokens, with one address for the students."""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from helpers.class_bench import ClassBench
from spikedaq.cli import lesson_serve, scope
from spikedaq.cli.lesson_address import is_local
from spikedaq.cli.lesson_page import ServedPage, remembered, served_page
from spikedaq.cli.main import main
from spikedaq.scope import server


def test_all_benches_are_served_and_tokens_are_demanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    served: list[argparse.Namespace] = []
    monkeypatch.setattr(lesson_serve, "run_scope", lambda arguments: served.append(arguments) or 0)
    listed = tmp_path / "benches.txt"
    listed.write_text("lab2\n# the old one: lab9\nlab3:6000\n")
    assert main(["class", "serve", "--url", "tcp://127.0.0.1:1", "--list", str(listed)]) == 0
    (arguments,) = served
    assert arguments.url == ["tcp://127.0.0.1:1", "tcp://lab2:5571", "tcp://lab3:6000"]
    assert arguments.needs_token is True
    assert arguments.listen == "0.0.0.0:5580"


def test_the_students_address_is_that_of_the_viewers(capsys: pytest.CaptureFixture[str]) -> None:
    """And the QR code is of it, not of the teacher's."""
    qr: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scope, "qr_lines", lambda text: [qr.append(text) or "QR"])
        addresses = {"viewers": "http://lab:5580/?token=v", "controllers": "http://lab:5580/?token=c"}
        scope._print(addresses, ("students watch at", "you control at"), with_qr=True)
    said: Any = capsys.readouterr().out.splitlines()
    assert said[:3] == ["students watch at: http://lab:5580/?token=v", "you control at: http://lab:5580/?token=c", "QR"]
    assert qr == ["http://lab:5580/?token=v"]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("SPIKEDAQ_URL", raising=False)
    return tmp_path / "spikedaq"


@contextmanager
def serving(url: str, *options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The command itself in a process of its own, and what it says."""
    line = [
        sys.executable,
        "-m",
        "spikedaq.cli",
        "class",
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--url",
        url,
        "--json",
        *options,
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None and process.stderr is not None
            said = process.stdout.readline()
            assert said, process.stderr.read()
            yield process, json.loads(said)
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_address_that_is_printed_again_is_the_page_while_it_is_served(
    state: Path, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    """Before and behind there is none, also where its server was killed: a bench without keys is not for students."""
    bench = ClassBench("one")
    try:
        nothing = {"address": None, "page": None, "with_key": []}
        assert main(["class", "address", "--url", bench.url, "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == nothing
        with serving(bench.url) as (process, said):
            assert "token=" in said["viewers"]
            for named in (["--url", bench.url], []):
                assert main(["class", "address", "--json", *named]) == 0
                assert json.loads(capsys.readouterr().out)["page"] == said["viewers"]
            assert main(["class", "address", "--no-qr"]) == 0
            printed = capsys.readouterr().out
            assert printed.splitlines()[0] == f"students watch at: {said['viewers']}"
            assert "--listen 0.0.0.0:5580" in printed
            assert said["controllers"].rpartition("=")[2] not in "".join(p.read_text() for p in state.iterdir())
            process.send_signal(number)
            process.wait(30)
        assert main(["class", "address", "--url", bench.url, "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == nothing
        assert list(state.iterdir()) == []
    finally:
        bench.close()


def test_a_page_of_other_benches_is_not_theirs(state: Path) -> None:
    """Who names benches gets a page that shows all of them; who names none the one that is served."""
    with remembered() as tell:
        assert served_page() is None
        tell("http://lab:5580/?token=v", ["tcp://one:5571", "tcp://two:5571"])
        page = ServedPage("http://lab:5580/?token=v", ("tcp://one:5571", "tcp://two:5571"))
        assert served_page() == served_page(["tcp://two:5571"]) == page
        assert served_page(["tcp://two:5571", "tcp://three:5571"]) is None
        (path,) = state.iterdir()
        assert path.stat().st_mode & 0o777 == 0o600
        for content in ("", "[]", "null", '{"address": 7}', "[" * 100_000, "\x00"):
            path.write_text(content)
            assert served_page() is None
    assert served_page() is None


def test_a_state_folder_that_cannot_be_written_keeps_no_page_from_being_served(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state.write_text("a file where the folder should be")

    def run(arguments: argparse.Namespace) -> int:
        arguments.on_served({"viewers": "http://lab:5580/?token=v"})
        return 0

    monkeypatch.setattr(lesson_serve, "run_scope", run)
    assert main(["class", "serve", "--url", "tcp://127.0.0.1:1"]) == 0
    assert "'spikedaq class address' will not know this page" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "local"),
    [("http://127.0.0.1:5580/?token=v", True), ("http://[::1]:5580/", True), ("http://lab:5580/?token=v", False)],
)
def test_which_pages_students_cannot_reach(address: str, local: bool) -> None:
    assert is_local(address) is local


def test_a_page_that_is_read_only_has_no_address_for_controllers(state: Path) -> None:
    """Nobody is told one, and nobody can be one."""
    bench = ClassBench("one")
    try:
        with serving(bench.url, "--read-only") as (_, said):
            assert list(said) == ["viewers"]
    finally:
        bench.close()
    assert main(["class", "serve", "--url", bench.url, "--read-only", "--controller-token", "x" * 16]) == 1


@pytest.mark.parametrize(
    ("host", "own", "told"),
    [
        ("0.0.0.0", "http://127.0.0.1:{port}/", "open the controllers' address on this computer"),
        ("127.0.0.1", "http://127.0.0.1:{port}/", None),
    ],
)
def test_the_controllers_address_is_for_this_computer(
    state: Path,
    host: str,
    own: str,
    told: str | None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the page can be reached from others, it is said that the token can be read as it crosses the network."""

    def run(self: server.PageServer, sockets: list[socket.socket]) -> None:
        self._started_hook()

    monkeypatch.setattr(server.PageServer, "run", run)
    assert main(["class", "serve", "--url", "tcp://127.0.0.1:1", "--listen", f"{host}:0", "--json"]) == 0
    printed = capsys.readouterr()
    said = json.loads(printed.out)
    port = said["viewers"].partition("/?")[0].rpartition(":")[2]
    assert said["controllers"].startswith(own.format(port=port) + "?token=")
    assert ("not encrypted" in printed.err) is (told is not None)
    assert (told or "") in printed.err
