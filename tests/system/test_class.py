"""`spikedaq class`: one session on several daemons, started everywhere or nowhere, its files on one clock."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import spikedaq
from harness import DaemonProcess, wait_for
from spikedaq.inlet import ClockReading, read_clock
from spikedaq.scope.app import PAGE
from spikedaq.store import find_files, open_recording


def class_(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    env.pop("SPIKEDAQ_URL", None)
    command = [sys.executable, "-m", "spikedaq.cli", "class", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=90)


def runs(daemon: DaemonProcess) -> None:
    wait_for("its devices", lambda: {e["state"] for e in daemon.call("list")} == {"running"})  # type: ignore[union-attr]


def host_zero_ns(path: Path) -> tuple[float, int]:
    """When, on CLOCK_BOOTTIME, the times of a file are 0, by its clock maps; and its reference in UTC."""
    with open_recording(path) as file:
        ticks, times = file.blocks["first_tick"], file.timestamps()[file.blocks["first_sample"]]
        piece = file.clock_maps[-1]
        n = len(ticks) - 1
        return piece.host_ns(int(ticks[n])) - times[n] * 1e9, file.meta.reference_utc_ns


def test_a_class_on_two_benches(tmp_path: Path) -> None:
    """Both record the same session; an instant has the same time in both their files, within what is said."""
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(DaemonProcess(tmp_path / "one", {"a": "sim:a", "b": "sim:b"}, bench="one"))
        two = stack.enter_context(DaemonProcess(tmp_path / "two", {"c": "sim:c"}, bench="two"))
        runs(one)
        runs(two)
        listed = tmp_path / "benches"
        listed.write_text(f"# the room\n{two.url.removeprefix('tcp://')}  # by the window\n")
        done = class_(tmp_path, "start", "lesson", "--url", one.url, "--list", str(listed), "--no-page", "--json")
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        assert said["address"] is None, "a bench without keys obeys everybody"
        assert [(bench["bench"], bench["devices"]) for bench in said["benches"]] == [
            ("one", ["a", "b"]),
            ("two", ["c"]),
        ]
        for daemon in (one, two):
            # On a busy computer it may say for a moment that the file does not grow.
            assert daemon.call("record_status")["state"] not in ("complete", "interrupted")  # type: ignore[index]
        again = class_(tmp_path, "start", "other", "--no-page", "--url", one.url, "--bench", two.url)
        assert again.returncode == 1
        assert "nothing records" not in again.stdout
        assert "bench one records session 'lesson' already" in again.stderr
        assert "bench two records session 'lesson' already" in again.stderr
        wait_for(
            "samples",
            lambda: all(
                f["samples"] > 15000
                for d in (one, two)
                for f in d.call("record_status")["devices"].values()  # type: ignore[index]
            ),
        )
        folders = [daemon.data / "recordings" / "lesson" for daemon in (one, two)]
        with spikedaq.open_session(*folders) as growing:
            # What a status counts is readable a moment later.
            wait_for("what was counted", lambda: growing["c"].n_samples >= 15000)
            before = growing["c"].n_samples
            wait_for("the file to grow as it is read", lambda: growing["c"].n_samples > before)
        done = class_(tmp_path, "stop")
        assert done.returncode == 0, done.stderr
        assert "one: complete" in done.stdout
        assert "its clock moved by" in done.stdout
        assert one.stop() == two.stop() == 0
    files = [p for d in (one, two) for p in find_files(d.data / "recordings" / "lesson")]
    assert [path.parent.name for path in files] == ["a", "b", "c"]
    zeros, references = zip(*(host_zero_ns(path) for path in files), strict=True)
    assert len(set(references)) == 1
    bound_ns = sum(bench["reading"]["uncertainty_ns"] for bench in said["benches"])
    # Times are rounded to 2**-20 s.
    assert np.ptp(zeros) <= bound_ns + 2000
    assert bound_ns < 50e6
    with spikedaq.open_session(*folders) as session:
        assert list(session) == ["a", "b", "c"]
        assert {len(traces.times_s) for traces in session.read(0.5, 1.0, ["vm"]).values()} <= {4999, 5000, 5001}
    for path in files:
        with open_recording(path) as file:
            assert any("times count from an instant" in note.text for note in file.notes)
            assert file.timestamps()[0] > 0


def test_everywhere_or_nowhere(tmp_path: Path) -> None:
    """A bench that is absent, one whose board is, two of one name: all told at once, and nothing records."""
    is_built = (PAGE / "index.html").exists()
    with contextlib.ExitStack() as stack:
        good = stack.enter_context(DaemonProcess(tmp_path / "one", {"a": "sim:a"}, bench="one"))
        bad = stack.enter_context(DaemonProcess(tmp_path / "two", {"b": "sim:b", "x": "pty:/no/such"}, bench="two"))
        runs(good)
        wait_for("the board", lambda: "running" in {e["state"] for e in bad.call("list")})  # type: ignore[union-attr]
        both = ("--url", good.url, "--bench", bad.url)
        done = class_(tmp_path, "start", "lesson", *both, "--bench", "127.0.0.1:1")
        assert done.returncode == 1
        assert "the class was not started, nothing records" in done.stderr
        assert "x is lost" in done.stderr
        assert "--without two/DEVICE" in done.stderr
        assert "no spikedaqd answers at tcp://127.0.0.1:1" in done.stderr
        assert good.call("record_status") is None
        done = class_(tmp_path, "start", "lesson", *both, "--without", "two/x", "--listen", "127.0.0.1:0")
        assert done.returncode == 0, done.stderr
        assert "2 boards on 2 benches" in done.stdout
        if is_built:
            assert "students watch at: http://127.0.0.1:" in done.stdout
            assert "only from this computer" in done.stdout
            assert "\N{FULL BLOCK}" in done.stdout
        else:
            assert "it is being recorded, but without a page for the students" in done.stderr
        assert good.url not in done.stdout.partition("students")[2]
        assert class_(tmp_path, "stop").returncode == 0
        assert not list((tmp_path / "state" / "spikedaq").glob("class-page.*.json"))
        done = class_(tmp_path, "stop")
        assert done.returncode == 1
        assert "no class was started from here" in done.stderr
        (bad.data / "recordings" / "late").mkdir()
        done = class_(tmp_path, "start", "late", *both, "--without", "two/x")
        assert done.returncode == 1
        assert "session 'late' exists already" in done.stderr
        assert "its first seconds were recorded on one" in done.stderr
        assert good.call("record_status")["state"] == "complete"  # type: ignore[index]


class Far:
    """A daemon on another computer: its clock stands elsewhere, and answers take their time, unevenly."""

    def __init__(self, offset_ns: int, delays_ns: list[tuple[int, int]]) -> None:
        self.now, self.offset, self.delays = 10**12, offset_ns, delays_ns

    def now_ns(self) -> int:
        return self.now

    def call(self, op: str) -> dict[str, int]:
        assert op == "clock"
        there, back = self.delays.pop(0)
        self.now += there
        value = {"host_ns": self.now + self.offset, "utc_ns": 0}
        self.now += back
        return value


@pytest.mark.parametrize("offset_ns", [0, -(10**14), 3 * 10**15])
def test_the_clock_of_another_computer_is_within_half_the_round_trip(offset_ns: int) -> None:
    """The soonest answer counts; the true offset lies within what is said, even where one way takes all the time."""
    far = Far(offset_ns, [(5_000_000, 90_000_000), (800_000, 0), (4_000_000, 4_000_000)])
    reading = read_clock(far, far.now_ns, tries=3)  # type: ignore[arg-type]
    assert reading.uncertainty_ns == 400_000
    assert abs(reading.theirs_ns - reading.ours_ns - offset_ns) <= reading.uncertainty_ns
    assert ClockReading(10, 1010, 1).theirs_at(30) == 1030
