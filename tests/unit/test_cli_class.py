"""`spikedaq class` where benches fail it: begun everywhere or nowhere, ended as often as it takes."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.class_bench import ClassBench
from spikedaq.cli.lesson_address import is_local
from spikedaq.cli.main import main
from spikedaq.clock import ClockDrift
from spikedaq.model import CommandRejected


@pytest.fixture
def benches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[ClassBench, ClassBench]]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("SPIKEDAQ_URL", raising=False)
    monkeypatch.setattr("spikedaq.lesson.session.RECORD_TIMEOUT_S", 1.0)
    pair = ClassBench("one"), ClassBench("two")
    yield pair
    for bench in pair:
        bench.close()


def start(*benches: ClassBench) -> int:
    first, *others = (bench.url for bench in benches)
    line = ["class", "start", "lesson", "--no-qr", "--no-page", "--url", first]
    return main([*line, *(f"--bench={url}" for url in others)])


def state(tmp_path: Path) -> dict[str, Any] | None:
    path = tmp_path / "spikedaq" / "class.json"
    return json.loads(path.read_text()) if path.exists() else None  # type: ignore[no-any-return]


Pair = tuple[ClassBench, ClassBench]


def test_a_stop_that_failed_at_one_bench_succeeds_when_called_again(
    benches: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bench that had stopped answers that nothing is recorded, which is what was wanted."""
    one, two = benches
    assert start(one, two) == 0
    two.refuses.add("record_stop")
    assert main(["class", "stop"]) == 1
    assert "not stopped everywhere, call it again: two: no record_stop today" in capsys.readouterr().err
    two.refuses.clear()
    notes = len(one.notes)
    assert main(["class", "stop"]) == 0
    out = capsys.readouterr().out
    assert "one: complete, /d/lesson\n" in out
    assert "two: complete, /d/lesson, its clock moved by" in out
    assert len(one.notes) == notes, "written into whatever that bench records now"
    assert state(tmp_path) is None


def test_what_the_files_are_told_of_the_clock_can_be_computed_with(benches: Pair) -> None:
    """The note at the stop names both readings, on the times of the files; `spikedaq.open_session` takes it out."""
    one, two = benches
    assert start(one, two) == 0
    one.clock_ns = two.clock_ns = 50_000_000
    assert main(["class", "stop"]) == 0
    for bench in benches:
        assert ClockDrift.from_note(bench.notes[0]) is None
        found = re.search(r"\[clock start_s=(\S+) stop_s=(\S+) drift_ns=(\S+) uncertainty_ns=\d+\]", bench.notes[1])
        assert found is not None
        start_s, stop_s = float(found[1]), float(found[2])
        assert 0 <= start_s < 60
        assert stop_s - start_s == pytest.approx(0.05)
        moved_ms = re.search(r"moved by (\S+) ms", bench.notes[1])
        assert moved_ms is not None and float(moved_ms[1]) == pytest.approx(int(found[3]) / 1e6, abs=0.001)


def test_a_clock_that_cannot_be_noted_keeps_nothing_from_being_stopped(
    benches: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither at the start nor at the stop; it is said."""
    one, two = benches
    two.refuses.add("note")
    assert start(one, two) == 0
    assert "two: how well its clock is known could not be noted" in capsys.readouterr().err
    assert main(["class", "stop"]) == 0
    assert "two: how far its clock has moved could not be noted" in capsys.readouterr().err
    assert not one.records
    assert not two.records


@pytest.mark.parametrize("after", ["another session", "a restart"])
def test_a_bench_that_knows_the_session_no_more_does_not_hold_up_the_stop(
    benches: Pair, tmp_path: Path, after: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unless its daemon has only just begun, and may still take it up."""
    one, two = benches
    assert start(one, two) == 0
    two.session = None if after == "a restart" else {"session": "other", "state": "recording", "folder": "/d/other"}
    two.uptime_s = 1.0
    assert main(["class", "stop"]) == 1
    assert "started just now" in capsys.readouterr().err
    two.uptime_s = 11.0
    assert main(["class", "stop"]) == 0
    assert "two: knows no session lesson (any more)" in capsys.readouterr().out
    assert state(tmp_path) is None
    assert two.session is None or two.session["state"] == "recording"


def test_a_session_that_was_interrupted_at_a_bench_is_no_success(
    benches: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script that looks at the status learns of it; there is nothing left to stop."""
    one, two = benches
    assert start(one, two) == 0
    two.session = {"session": "lesson", "state": "interrupted", "folder": "/d/lesson", "reason": "the disk was full"}
    assert main(["class", "stop"]) == 1
    said = capsys.readouterr()
    assert "one: complete, /d/lesson" in said.out
    assert "two: interrupted, /d/lesson" in said.out
    assert "the session was interrupted on two (the disk was full, /d/lesson)" in said.err
    assert "spikedaq verify" in said.err
    assert not one.records
    assert state(tmp_path) is None


def test_a_name_that_is_no_session_is_refused(benches: Pair) -> None:
    """What was not started from here is believed of no bench."""
    assert main(["class", "stop", "lessen", "--url", benches[0].url]) == 1


def test_a_start_that_was_not_answered_is_ended_everywhere(
    benches: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bench may have begun although its answer did not come."""
    one, two = benches
    two.keeps_silent.add("record_start")
    assert start(one, two) == 1
    err = capsys.readouterr().err
    assert "the class was not started: two: " in err
    assert "its first seconds were recorded on one, two" in err
    assert not one.records
    assert not two.records
    assert state(tmp_path) is None


def test_a_bench_that_cannot_be_ended_again_is_named_and_remembered(
    benches: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`class stop` ends it later."""
    one, two = benches
    one.refuses.add("record_stop")
    two.refuses.add("record_start")
    assert start(one, two) == 1
    err = capsys.readouterr().err
    assert "the class was not started: two: no record_start today" in err
    assert "could not be stopped and may be recording: one (no record_stop today)" in err
    assert "spikedaq class stop" in err
    assert one.records
    one.refuses.clear()
    assert main(["class", "stop"]) == 0
    assert not one.records
    assert state(tmp_path) is None


def test_a_session_of_somebody_else_is_left_alone(benches: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bench that refused to begin has not begun; what it records under this name is not ours to end."""
    one, two = benches

    def taken(session: str, **_: Any) -> None:
        two.session = {"session": session, "state": "recording", "folder": "/d/theirs"}
        raise CommandRejected(f"session {session!r} is being recorded", code="busy")

    monkeypatch.setattr(two, "_record_start", taken)
    assert start(one, two) == 1
    assert two.records
    assert not one.records


def test_ctrl_c_while_it_begins_ends_it_everywhere(
    benches: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = benches
    two.interrupts = True

    def interrupt(*_: object) -> None:
        two.noticed.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        assert start(one, two) == 1
    finally:
        signal.signal(signal.SIGINT, before)
    assert "the class was not started: interrupted" in capsys.readouterr().err
    assert not one.records
    assert not two.records
    assert state(tmp_path) is None


def test_what_was_remembered_before_is_remembered_after_a_start_that_failed(benches: Pair, tmp_path: Path) -> None:
    """A class at other benches can still be stopped without naming them."""
    one, two = benches
    assert start(one) == 0
    before = state(tmp_path)
    two.refuses.add("record_start")
    assert main(["class", "start", "other", "--no-page", "--url", two.url]) == 1
    assert state(tmp_path) == before
    assert main(["class", "stop"]) == 0


READING = {"ours_ns": 1, "theirs_ns": 2, "uncertainty_ns": 3}


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "7", "null", "{}", '{"session": 7, "benches": []}', '{"session": "s"}', "[" * 100_000,
        *(json.dumps({"session": "s", "benches": [bench]}) for bench in (
            7, {}, {"url": 7, "bench": "b"}, {"url": "tcp://127.0.0.1:1"}, {"url": "u", "bench": "b", "reading": 7},
            {"url": "u", "bench": "b", "reading": {}},
            {"url": "u", "bench": "b", "reading": {**READING, "ours_ns": "x"}},
        )),
    ],
)  # fmt: skip
def test_a_damaged_memory_is_one_line_with_the_remedy(
    benches: Pair, tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the class can be stopped by name all the same, once it is removed."""
    path = tmp_path / "spikedaq" / "class.json"
    path.parent.mkdir()
    path.write_text(content)
    assert main(["class", "stop"]) == 1
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1 and f"{path} " in err and "remove it, and name session and benches" in err
    assert start(*benches) == 0
    assert main(["class", "stop"]) == 0


@pytest.mark.parametrize(
    ("without", "text"),
    [
        ("one/alhpa", "bench one has no board 'alhpa' that could be left out; it has alpha"),
        ("eno/alpha", "--without eno/alpha: no bench of the class is called 'eno'; there are one, two"),
        ("one", "--without 'one' is not BENCH/DEVICE"),
        ("one/", "--without 'one/' is not BENCH/DEVICE"),
    ],
)
def test_a_mistyped_board_is_not_recorded_in_silence(
    benches: Pair, without: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever asked to leave it out believes that it is."""
    one, two = benches
    line = ["class", "start", "lesson", "--no-page", "--url", one.url, f"--bench={two.url}", "--without", without]
    assert main(line) == 1
    assert text in capsys.readouterr().err
    assert not one.records and not two.records


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("tcp://127.0.0.1:5571", True), ("tcp://127.3.2.1:5571", True), ("tcp://[::1]:5571", True),
        ("tcp://localhost:5571", True), ("ipc:///run/spikedaq", True), ("tcp://10.127.0.5:5571", False),
        ("tcp://192.127.0.1:5571", False), ("tcp://localhost.lab:5571", False), ("tcp://lab3:5571", False),
        ("tcp://[fe80::1%eth0]:5571", False),
    ],
)  # fmt: skip
def test_which_addresses_students_cannot_reach(address: str, local: bool) -> None:
    assert is_local(address) is local
