"""Triggered and scheduled recordings through the daemon: armed, windows of a virtual board to the sample, ended."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from harness import DaemonProcess, read_truth, wait_for
from spikedaq.journal import JournalReader, TriggerRecord
from spikedaq.model import CommandRejected
from spikedaq.store import find_files, open_recording

HAND = {"name": "now", "when": "hand", "pre_s": 1.5, "post_s": 0.7, "targets": ["*"]}


@pytest.fixture
def daemon(tmp_path: Path):
    devices = {
        name: f"sim:{name}?preset=0&param.i_clamp=15&truth={tmp_path / name}.truth&seed={k}"
        for k, name in enumerate(("alpha", "beta"))
    }
    with DaemonProcess(tmp_path / "data", devices) as process:
        wait_for("both to run", lambda: all(d["state"] == "running" for d in process.call("list")))
        yield process


def windows(daemon: DaemonProcess) -> list[int]:
    return [file["windows"] for file in daemon.call("record_status")["devices"].values()]


def records(folder: Path) -> list[TriggerRecord]:
    reader, found = JournalReader(folder), []
    while entries := reader.poll():
        found += [entry.item for entry in entries if isinstance(entry.item, TriggerRecord)]
    reader.close()
    return found


def test_windows_around_triggers_fired_by_hand(daemon: DaemonProcess, tmp_path: Path) -> None:
    """Armed until one fires, no file before; each window as long as the trigger says, its samples the board's own."""
    daemon.call("trigger_arm", trigger=HAND)
    # The session begins with a window of 1.5 s to be had.
    status = daemon.call("record_start", session="s", mode={"kind": "triggered", "triggers": ["now"]})
    assert status["state"] == "armed"
    assert [d["state"] for d in status["devices"].values()] == ["armed", "armed"]
    assert status["mode"]["max_pre_s"] == 60
    folder = Path(status["folder"])
    assert not list(folder.glob("*/*.nwb"))
    begun_s = time.monotonic()
    wait_for("two seconds of past", lambda: time.monotonic() - begun_s > 2)
    daemon.call("trigger_fire", name="now")
    daemon.call("trigger_fire", name="now")
    ended = daemon.call("record_stop", timeout_s=60)
    assert ended["state"] == "complete"
    for name in ("alpha", "beta"):
        truth = read_truth(tmp_path / f"{name}.truth")
        fired = records(tmp_path / "data" / "journal" / name)
        assert [r.pre_us for r in fired] == [1_500_000] * 2
        (path,) = find_files(folder, name)
        with open_recording(path) as file:
            steps, samples = file.steps(), file.samples()
            assert [e.trigger for e in file.epochs] == ["now", "now"]
            reference_ns = file.meta.reference_host_ns
            seconds = file.timestamps()
            assert seconds[0] == pytest.approx((fired[0].t_trigger_ns - reference_ns) / 1e9 - 1.5, abs=2e-4)
            assert (np.diff(steps) == 1).all(), "two windows that overlap are one"
            at = np.searchsorted(truth["step"], steps)
            np.testing.assert_array_equal(truth["step"][at], steps)
            np.testing.assert_array_equal(truth["values"][at], samples)


def test_a_schedule_ends_the_session(daemon: DaemonProcess, tmp_path: Path) -> None:
    """Every 2 s for 0.5 s until a date: windows by the clock, and a session that is over by itself."""
    until = time.time() + 7
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(until))
    mode = {"kind": "scheduled", "every_s": 2, "for_s": 0.5, "until": text, "zone": "UTC"}
    status = daemon.call("record_start", session="s", mode=mode)
    assert status["state"] in ("armed", "recording")
    wait_for("two windows", lambda: min(windows(daemon)) >= 2)
    ended = wait_for("its end", lambda: (s := daemon.call("record_status"))["state"] == "complete" and s)
    assert ended["reason"] == "the schedule is over"
    started_s = status["started_utc_ns"] / 1e9
    for name in ("alpha", "beta"):
        (path,) = find_files(Path(status["folder"]), name)
        with open_recording(path) as file:
            utc_s = file.timestamps() + started_s
            assert (utc_s % 2 < 0.5 + 1e-6).all()
            assert utc_s[-1] <= int(until) + 1e-6
            inner = utc_s[(utc_s > np.ceil(utc_s[0] / 2) * 2)]
            assert len(inner) >= 5000


BAD = [
    ({"kind": "sometimes"}, "continuous, triggered, scheduled"),
    ({"kind": "triggered", "triggers": ["nwo"]}, "now"),
    ({"kind": "triggered", "pre_s": -1}, "pre_s"),
    ({"kind": "triggered", "every_s": 3}, "every_s"),
    ({"kind": "scheduled", "every_s": 60, "for_s": 60}, "leaves nothing out"),
    ({"kind": "scheduled", "every_s": 60, "for_s": 5, "zone": "Mars/Crater"}, "Mars/Crater"),
    ({"kind": "scheduled", "every_s": 7, "for_s": 5, "zone": "Europe/Berlin"}, "divides a day"),
]


def test_what_cannot_be_meant_begins_nothing(daemon: DaemonProcess, tmp_path: Path) -> None:
    """Each gets an answer that names the thing, and nothing is left of it."""
    daemon.call("trigger_arm", trigger=HAND)
    for mode, text in BAD:
        with pytest.raises(CommandRejected, match=text):
            daemon.call("record_start", session="s", mode=mode)
    with pytest.raises(CommandRejected, match="divides a day"):
        daemon.call("record_start", session="s", roll_s=7, roll_aligned="utc")
    assert daemon.call("record_status") is None
    assert not list((tmp_path / "data" / "recordings").glob("*"))
