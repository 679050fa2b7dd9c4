"""`spikedaq class` without a word on which benches: those that are known here, and what is said of each."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.class_bench import ClassBench
from spikedaq.cli import lesson_found
from spikedaq.cli.lesson_found import known_benches, last_benches, remember_benches
from spikedaq.cli.main import main

Pair = tuple[ClassBench, ClassBench]


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The user's folder of configuration, empty, on a computer without a daemon."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("SPIKEDAQ_URL", raising=False)
    monkeypatch.delenv("SPIKEDAQ_KEY", raising=False)
    monkeypatch.setattr(lesson_found, "SYSTEM_CONFIG", tmp_path / "etc" / "spikedaq.toml")
    nobody = f"tcp://127.0.0.1:{free_port()}"
    monkeypatch.setattr(lesson_found, "DEFAULT_CONTROL_URL", nobody)
    monkeypatch.setattr(lesson_found, "control_url", lambda: nobody)
    folder = tmp_path / "config" / "spikedaq"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def benches() -> Iterator[Pair]:
    pair = ClassBench("one"), ClassBench("two")
    yield pair
    for bench in pair:
        bench.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(*options: str, session: str = "lesson") -> int:
    return main(["class", "start", session, "--no-page", *options])


def test_the_users_list_and_configuration_are_found(
    config: Path, benches: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    """And it is said of each from where."""
    one, two = benches
    (config / "spikedaq.toml").write_text(f'control = "{one.url}"\n')
    (config / "benches.txt").write_text(f"# the room\n{two.url}  # by the window\n")
    assert start() == 0
    said = capsys.readouterr()
    assert f"bench: found one at {one.url} ({config / 'spikedaq.toml'})" in said.err
    assert f"bench: found two at {two.url} ({config / 'benches.txt'})" in said.err
    assert "2 boards on 2 benches" in said.out
    assert one.records and two.records
    assert main(["class", "stop"]) == 0


def test_the_benches_of_the_last_class_are_found_again(
    config: Path, benches: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that does not answer is told and left out: nobody has asked for it today."""
    one, two = benches
    assert start("--url", one.url, "--bench", two.url) == 0
    assert main(["class", "stop"]) == 0
    assert last_benches() == [one.url, two.url]
    absent = f"tcp://127.0.0.1:{free_port()}"
    remember_benches([one.url, absent])
    capsys.readouterr()
    assert start(session="next") == 0
    said = capsys.readouterr().err
    assert f"bench: found one at {one.url} (the last class)" in said
    assert f"bench: {absent} (the last class) does not answer; it is left out" in said
    assert one.records
    assert last_benches() == [one.url]


def test_a_bench_of_the_list_that_does_not_answer_holds_the_class_up(
    config: Path, benches: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was written down: everywhere or nowhere."""
    one, _ = benches
    absent = f"127.0.0.1:{free_port()}"
    (config / "benches.txt").write_text(f"{one.url}\n{absent}\n")
    assert start() == 1
    said = capsys.readouterr().err
    assert f"bench: tcp://{absent} ({config / 'benches.txt'}) does not answer\n" in said
    assert "the class was not started, nothing records" in said
    assert not one.records


def test_what_is_named_overrides_what_is_known(config: Path, benches: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = benches
    (config / "benches.txt").write_text(two.url)
    assert start("--url", one.url) == 0
    assert one.records and not two.records
    assert "bench:" not in capsys.readouterr().err


def test_a_daemon_with_two_addresses_is_one_bench(
    config: Path, benches: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    one, _ = benches
    (config / "benches.txt").write_text(f"{one.url}\n{one.url.replace('127.0.0.1', 'localhost')}\n")
    assert start() == 0
    assert "1 boards on 1 benches" in capsys.readouterr().out


def test_without_any_bench_this_computers_is_asked_for(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert start() == 1
    said = capsys.readouterr().err
    assert "no spikedaqd answers at" in said
    assert "bench:" not in said, "nobody has said that there is one"


def test_a_class_is_stopped_by_name_where_it_is_found(
    config: Path, benches: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a computer that did not begin it; a bench that is known and not of the class holds nothing up."""
    one, two = benches
    (config / "benches.txt").write_text(f"{one.url}\n{two.url}\n")
    one.session = {"session": "lesson", "state": "recording", "folder": "/d/lesson"}
    assert main(["class", "stop", "lessen"]) == 1
    assert "session lessen is at none of the benches that are known" in capsys.readouterr().err
    assert one.records
    assert main(["class", "stop", "lesson"]) == 0
    assert not one.records


def test_what_cannot_be_read_is_told_or_passed_over(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The user's own list is told; a configuration is the daemon's business, and a memory is only a memory."""
    (config / "spikedaq.toml").write_text("control = 7")
    lesson_found._last_path().parent.mkdir(parents=True)
    lesson_found._last_path().write_bytes(b"\xff\xfe")
    assert [one.source for one in known_benches()] == ["this computer"]
    (config / "benches.txt").write_bytes(b"\xff\xfe")
    assert start() == 1
    assert "the list of benches" in capsys.readouterr().err
