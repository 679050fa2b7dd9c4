"""Whether a file is said to grow: only where the recorder, the file system and the samples agree on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spikedaq.bus import FileStatus
from spikedaq.daemon.health.files import FileLook, GrowthWatch, look_at

PATH = "/data/s/alpha/s_alpha_0000.nwb"
FINE: dict[str, Any] = {"streams": True, "chunk_s": 1.0, "silent_s": 0.2, "hangs_s": 0.0}


def recording(rows: int, state: str = "recording") -> FileStatus:
    return FileStatus(state, file=PATH, rows_on_disk=rows, bytes=rows)


def grown(seconds: float = 5.0) -> GrowthWatch:
    """Return the watch of a file that has grown each second until ``seconds``."""
    watch = GrowthWatch(2.0)
    for second in range(round(seconds) + 1):
        look = {PATH: FileLook(second, second)}
        assert watch.judge(recording(second * 10_000), look, float(second), **FINE) == "recording"
    return watch


def test_rows_that_stop_growing_while_samples_come_are_stalled() -> None:
    watch, look = grown(), {PATH: FileLook(5, 5)}
    assert watch.judge(recording(50_000), look, 6.9, **FINE) == "recording"
    assert watch.judge(recording(50_000), look, 7.1, **FINE) == "stalled"
    assert "has not grown for 2.1 s although samples come in" in watch.text
    assert watch.judge(recording(60_000), {PATH: FileLook(6, 6)}, 7.3, **FINE) == "recording"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"silent_s": 1.6}, "the recorder has not moved for 1.6 s"),
        ({"hangs_s": 1.6}, "has not answered for 1.6 s"),
        ({"ended": "killed"}, "does not grow: killed"),
    ],
)
def test_what_the_recorder_said_last_is_not_believed_for_long(changes: dict[str, Any], words: str) -> None:
    watch = grown()
    assert watch.judge(recording(60_000), {PATH: FileLook(6, 6)}, 5.5, **{**FINE, **changes}) == "stalled"
    assert words in watch.text


def test_a_file_without_a_name_is_gone_whatever_the_recorder_says() -> None:
    watch = grown()
    assert watch.judge(recording(60_000), {PATH: FileLook(None, error="no such file")}, 5.5, **FINE) == "stalled"
    assert watch.gone


def test_a_file_that_nobody_writes_is_stalled_although_rows_are_claimed() -> None:
    """The recorder claims rows, and the file of that name is not touched: it writes another one."""
    watch, look = grown(), {PATH: FileLook(5, 5)}
    assert watch.judge(recording(60_000), look, 6.0, **FINE) == "recording"
    assert watch.judge(recording(70_000), look, 7.0, **FINE) == "recording"
    assert watch.judge(recording(80_000), look, 8.1, **FINE) == "stalled"


def test_without_samples_it_waits_and_raises_nothing() -> None:
    watch, look = grown(), {PATH: FileLook(5, 5)}
    assert watch.judge(recording(50_000), look, 60.0, **{**FINE, "streams": False}) == "waiting"
    assert not watch.text
    # The first chunk after a pause needs its second.
    assert watch.judge(recording(50_000), look, 61.0, **FINE) == "recording"


def test_slow_streams_have_the_time_of_two_chunks() -> None:
    watch, look = grown(), {PATH: FileLook(5, 5)}
    assert watch.judge(recording(50_000), look, 10.9, **{**FINE, "chunk_s": 3.0}) == "recording"
    assert watch.judge(recording(50_000), look, 11.1, **{**FINE, "chunk_s": 3.0}) == "stalled"


def test_closing_a_large_file_is_no_alarm_unless_it_never_ends() -> None:
    watch, look = grown(), {PATH: FileLook(5, 5)}
    silent = {**FINE, "silent_s": 30.0}
    assert watch.judge(recording(50_000, "closing"), look, 35.0, **silent, closing=True) == "closing"
    assert (
        watch.judge(recording(50_000, "closing"), look, 99.0, **{**FINE, "silent_s": 61.0}, closing=True) == "stalled"
    )
    other = grown()
    assert other.judge(recording(50_000), look, 35.0, **silent, closing=True) == "waiting"
    assert not other.text


def test_a_look_at_a_file_says_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.nwb"
    assert look_at(path) == FileLook(None, error="No such file or directory")
    path.write_bytes(b"abc")
    assert look_at(path) == FileLook(path.stat().st_mtime_ns, 3, path.stat().st_ino)


@pytest.mark.parametrize(
    ("look", "words"),
    [
        (FileLook(6, 3, inode=1), "was cut"),
        (FileLook(6, 6, inode=2), "was replaced by another"),
        (FileLook(None, error="No such file or directory"), "is not there any more"),
    ],
)
def test_what_is_done_to_a_file_is_seen_and_forgotten_with_the_next_recorder(look: FileLook, words: str) -> None:
    """Until a recorder was started anew; what that one writes may be smaller, and is another file."""
    watch = GrowthWatch(2.0)
    assert watch.judge(recording(30_000), {PATH: FileLook(5, 5, inode=1)}, 3.0, **FINE) == "recording"
    assert watch.judge(recording(40_000), {PATH: look}, 3.5, **FINE) == "stalled"
    assert watch.gone and words in watch.text
    assert watch.judge(recording(40_000), {PATH: look}, 3.7, **FINE, ended="killed") == "stalled"
    assert not watch.gone
    assert watch.judge(recording(10_000), {PATH: FileLook(7, 2, inode=3)}, 4.0, **FINE) == "recording"


def test_a_recorder_that_stands_still_between_windows_is_told() -> None:
    watch = grown()
    assert watch.judge(recording(0, "armed"), {}, 6.0, **FINE) == "armed"
    assert watch.judge(recording(0, "armed"), {}, 9.0, **{**FINE, "silent_s": 1.6}) == "stalled"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"silent_s": 8.0}, "the recorder last said anything 8 s ago"),
        ({}, "the recorder last said anything 0 s ago"),
        ({"ended": "busy"}, "although samples come in: busy"),
    ],
)
def test_a_recorder_that_never_begins_a_file_is_told(changes: dict[str, Any], words: str) -> None:
    """As one that hangs on its disk after the daemon was started again; it has the time of a repair."""
    watch, file, known = GrowthWatch(2.0), FileStatus("waiting"), {**FINE, **changes}
    assert watch.judge(file, {}, 0.0, **{**known, "streams": False}) == "waiting"
    assert watch.judge(file, {}, 60.0, **known) == "waiting"
    assert watch.judge(file, {}, 66.9, **known) == "waiting"
    assert watch.judge(file, {}, 67.1, **known) == "stalled"
    assert words in watch.text
    assert watch.judge(recording(10), {PATH: FileLook(5, 5)}, 67.5, **FINE) == "recording"
    assert watch.judge(file, {}, 68.0, **known) == "waiting"


def test_a_file_is_not_begun_while_another_is_closed() -> None:
    watch, file = GrowthWatch(2.0), FileStatus("waiting")
    for now_s in (0.0, 10.0):
        assert watch.judge(file, {}, now_s, **FINE, closing=True) == "waiting"
    assert watch.judge(file, {}, 99.0, **{**FINE, "silent_s": 61.0}, closing=True) == "stalled"
