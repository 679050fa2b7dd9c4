"""`spikedaq class start` and its page: what students are given can be looked at and nothing else."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.class_bench import ClassBench
from spikedaq.cli import lesson_address, lesson_shown
from spikedaq.cli.lesson_address import StudentsAddress, print_address
from spikedaq.cli.lesson_page import end_pages, served_page
from spikedaq.cli.main import main
from spikedaq.scope import app


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ClassBench]:
    """A bench without keys, a built page, and folders of one's own; whatever page was begun ends."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.delenv("SPIKEDAQ_URL", raising=False)
    (tmp_path / "index.html").write_text("<!doctype html>")
    monkeypatch.setattr(app, "PAGE", tmp_path)
    bench = ClassBench("one")
    yield bench
    end_pages()
    bench.close()


def start(bench: ClassBench, *options: str) -> int:
    return main(["class", "start", "lesson", "--url", bench.url, *options])


def health(address: str, headers: dict[str, str]) -> int:
    url = f"{address.partition('?')[0]}api/health"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_class_has_a_page_until_it_is_stopped(
    bench: ClassBench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its address is printed with its QR code; its token is a viewer's, and no other is made."""
    qr: list[str] = []
    monkeypatch.setattr(lesson_address, "qr_lines", lambda text: [qr.append(text) or "QR"])
    assert start(bench, "--listen", "127.0.0.1:0") == 0
    said = capsys.readouterr().out
    served = served_page([bench.url])
    assert served is not None and "token=" in served.address
    assert f"students watch at: {served.address}" in said.splitlines()
    assert qr == [served.address]
    assert bench.url not in said.partition("students")[2]
    token = served.address.rpartition("=")[2]
    assert health(served.address, {"Authorization": f"Bearer {token}"}) == 200
    assert health(served.address, {}) == 401
    assert main(["class", "address", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["address"] == served.address
    assert main(["class", "stop"]) == 0
    assert served_page() is None


def test_a_page_that_shows_these_benches_is_not_served_twice(
    bench: ClassBench, capsys: pytest.CaptureFixture[str]
) -> None:
    """And where one of the class is not stopped everywhere, its page stays."""
    assert start(bench, "--listen", "127.0.0.1:0", "--json") == 0
    first = json.loads(capsys.readouterr().out)["address"]
    bench.refuses.add("record_stop")
    assert main(["class", "stop"]) == 1
    bench.session = None
    assert start(bench, "--listen", "127.0.0.1:0", "--json") == 0
    assert json.loads(capsys.readouterr().out)["address"] == first


def test_without_a_page_no_bench_is_called_the_students(bench: ClassBench, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever reaches a bench without keys may stop the recording."""
    assert start(bench, "--no-page") == 0
    said = capsys.readouterr().out
    assert "there is no address for students yet" in said
    assert "spikedaq class serve --read-only" in said
    assert "students watch at" not in said
    bench.session = None
    capsys.readouterr()
    assert start(bench, "--no-page", "--json") == 0
    assert json.loads(capsys.readouterr().out)["address"] is None


def test_benches_with_keys_are_for_observers(capsys: pytest.CaptureFixture[str]) -> None:
    print_address(StudentsAddress(None, ("tcp://lab3:5571", "tcp://127.0.0.1:5571")), with_qr=True)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("observers with a key watch with: spikedaq watch --url ADDRESS")
    assert said[1:3] == ["  tcp://lab3:5571", "  tcp://127.0.0.1:5571  (only from this computer)"]


@pytest.mark.parametrize("what", ["not built", "taken", "no folder"])
def test_a_page_that_cannot_be_served_keeps_nothing_from_being_recorded(
    bench: ClassBench, tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said why, and what to do."""
    reason, listen = "", "127.0.0.1:0"
    if what == "not built":
        (tmp_path / "index.html").unlink()
        reason = "the page has not been built: make page"
    elif what == "taken":
        listen = bench.url.removeprefix("tcp://")
        reason = "choose another with --listen HOST:PORT"
    else:
        monkeypatch.setattr(lesson_shown, "state_folder", lambda: tmp_path / "index.html" / "x")
        reason = "the page cannot be served (Not a directory"
    assert start(bench, "--listen", listen) == 0
    said: Any = capsys.readouterr()
    assert bench.records
    assert "it is being recorded, but without a page for the students: " in said.err
    assert reason in said.err
    assert "there is no address for students yet" in said.out
