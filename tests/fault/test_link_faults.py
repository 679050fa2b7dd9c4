"""Boards that are unplugged, renamed and rebooted again and again while a session records them.

SPIKEDAQ_LINK_CYCLES sets how often: 200 unplugs, and a quarter as many renames and reboots, are the full campaign;
SPIKEDAQ_SEED sets when.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import DaemonProcess, read_truth, wait_for
from helpers.faulty_device import Done, FaultyDevice
from spikedaq.bus import SAMPLES
from spikedaq.inlet import Subscriber, connect
from spikedaq.store import find_files, open_recording

CYCLES = int(os.environ.get("SPIKEDAQ_LINK_CYCLES", "20"))
FEWER = max(2, CYCLES // 4)
SEED = int(os.environ.get("SPIKEDAQ_SEED", "11"))
# The promise is 3 s at p95 on a computer that has time; the bound leaves room for one that has not.
PROMISED_S = 3.0
BOUND_S = 6.0
ID = "00112233445566aa"
# No frame may be had again: what is lost while the cable is out is a gap, each time.
BOARD = ("--id", ID, "--param", "i_clamp=15", "--seed", "5")


@dataclass
class Campaign:
    """One board, one daemon, one session, and how long the stream took to come back."""

    daemon: DaemonProcess
    board: FaultyDevice
    stream: Subscriber
    data: Path
    resumed_s: list[float] = field(default_factory=list)

    def entry(self) -> dict[str, Any]:
        return dict(self.daemon.call("status")["devices"][0])  # type: ignore[index]

    def is_running(self) -> bool:
        entry = self.entry()
        return (entry["state"], entry["unique_id"]) == ("running", ID)

    def wait_for_stream(self, since: Done) -> None:
        """Wait for the first block that was sampled after the fault, and for the board to be described again."""
        offset_s = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
        end = time.monotonic() + 30
        while time.monotonic() < end:
            message = self.stream.recv(1.0)
            sampled_ns = message.header.get("t_ns") if message is not None else None
            if sampled_ns is not None and sampled_ns * 1e-9 > since.time_s + offset_s:
                wait_for("the board to be itself", self.is_running, 20)
                self.resumed_s.append(time.monotonic() - since.time_s)
                return
        raise AssertionError(f"no block within 30 s of {since}\n{self.daemon.log()[-3000:]}")

    def load(self) -> dict[str, int]:
        """What a leak would show in: the daemon's descriptors and its tasks."""
        status: Any = self.daemon.call("status")
        return {"descriptors": len(os.listdir(f"/proc/{status['pid']}/fd")), "tasks": status["tasks"]}

    def figures(self, what: str) -> None:
        """Print how long it took, and hold it against the bound."""
        p50, p95 = (float(np.percentile(self.resumed_s, q)) for q in (50, 95))
        slowest = max(self.resumed_s)
        how_long = f"p50 {p50:.2f} s, p95 {p95:.2f} s, at most {slowest:.2f} s"
        print(f"\n{len(self.resumed_s)} x {what}, seed {SEED}: back after {how_long}")
        assert p95 <= BOUND_S, f"promised are {PROMISED_S} s at p95"


@contextmanager
def campaign(tmp_path: Path, url: str, *options: str) -> Iterator[Campaign]:
    ports = tmp_path / "ports"
    ports.mkdir()
    truth = ("--record-truth", str(tmp_path / "truth"))
    with (
        FaultyDevice(ports / "tty", "alpha", *BOARD, *truth, *options) as board,
        DaemonProcess(tmp_path / "data", {"alpha": url.format(ports=ports)}) as daemon,
    ):
        wait_for("the device to run", lambda: daemon.call("list")[0]["state"] == "running")
        daemon.call("record_start", session="campaign", timeout_s=30)
        with connect(daemon.url) as bench, bench.subscribe(SAMPLES) as stream:
            assert stream.recv(10) is not None
            # The first cycle may make what is made once (a thread, a log file); leaks grow with every cycle.
            run = Campaign(daemon, board, stream, tmp_path / "data")
            yield run
        recording: Any = daemon.call("status")["recording"]  # type: ignore[index]
        assert (recording["session"], recording["state"], recording["restarts"]) == ("campaign", "recording", 0)
        assert run.is_running()
        daemon.call("record_stop", timeout_s=60)
        assert daemon.stop() == 0
        assert "Task was destroyed" not in daemon.log()
        assert "internal error" not in daemon.log()


def repeat(run: Campaign, n: int, cycle: Callable[[random.Random], Done]) -> None:
    """Do ``n`` cycles with seeded pauses, and hold the daemon's load before and after against each other."""
    rng = random.Random(SEED)
    run.wait_for_stream(cycle(rng))
    before = run.load()
    for _ in range(n - 1):
        run.wait_for_stream(cycle(rng))
    wait_for("the load to be what it was", lambda: run.load() == before, 10)


def check_recording(run: Campaign, truth: Path, n_gaps: int) -> None:
    """Every sample in the files is the truth, and each outage is one gap, or one file's end, of the right length."""
    session = run.data / "recordings" / "campaign"
    produced = read_truth(truth)
    gaps, next_step = 0, None
    for path in find_files(session, "alpha"):
        with open_recording(path) as recording:
            steps = np.asarray(recording.steps(0, recording.n_samples))
            samples = np.asarray(recording.samples(0, recording.n_samples))
            stored = [entry.gap for entry in recording.gaps]
        rows = steps - int(produced["step"][0])
        np.testing.assert_array_equal(produced["step"][rows], steps)
        np.testing.assert_array_equal(samples, produced["values"][rows])
        if next_step is not None:
            steps = np.concatenate(([next_step - 1], steps))
        jumps = np.flatnonzero(np.diff(steps) != 1)
        missing = [(int(steps[j]) + 1, int(steps[j + 1] - steps[j] - 1)) for j in jumps]
        # Neighbouring gaps with one cause each are one jump of the steps.
        assert sum(gap.n_steps for gap in stored) == sum(n for _, n in missing)
        assert {first for first, _ in missing} <= {gap.first_step for gap in stored}
        gaps += len(missing)
        next_step = int(steps[-1]) + 1
    assert gaps == n_gaps


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_unplugged_boards_come_back_with_a_gap_each(tmp_path: Path) -> None:
    """The pty vanishes and comes back: the same board, the same session, one gap per outage, nothing leaked."""
    with campaign(tmp_path, "pty:{ports}/tty", "--resend-depth", "0") as run:
        repeat(run, CYCLES, lambda rng: run.board.do(f"unplug {rng.uniform(0.1, 0.6):.3f}", "plug"))
        run.figures("unplugged")
        assert run.entry()["reconnects"] == CYCLES
    check_recording(run, tmp_path / "truth", CYCLES)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_short_outages_lose_nothing_with_resend(tmp_path: Path) -> None:
    """With frames to send again an outage shorter than what the board remembers leaves no gap at all."""
    with campaign(tmp_path, "pty:{ports}/tty", "--resend-depth", "2000", "--resend-bytes", "2000000") as run:
        repeat(run, FEWER, lambda rng: run.board.do(f"unplug {rng.uniform(0.05, 0.3):.3f}", "plug"))
        run.figures("unplugged for a moment, with resend")
    check_recording(run, tmp_path / "truth", 0)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_renamed_ports_are_found_by_the_boards_identity(tmp_path: Path) -> None:
    """The port comes back under another name each time, beside the port of a stranger, and is found by its id."""
    with (
        campaign(tmp_path, "pty:{ports}/tty*?id=" + ID, "--resend-depth", "0") as run,
        FaultyDevice(tmp_path / "ports" / "tty-stranger", "stranger"),
    ):
        repeat(run, FEWER, lambda rng: run.board.do(f"rename {rng.uniform(0.1, 0.6):.3f}", "plug"))
        run.figures("renamed")
        assert run.entry()["reconnects"] == FEWER
    check_recording(run, tmp_path / "truth", FEWER)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_rebooted_boards_go_on_in_a_file_of_their_own(tmp_path: Path) -> None:
    """Each boot's samples are in files of their own that say why the one before ended, in the same session."""

    def reboot(rng: random.Random) -> Done:
        time.sleep(rng.uniform(0.1, 0.4))  # the moment of the reboot is the seeded input of this test
        return run.board.do("reboot", "reboot")

    with campaign(tmp_path, "pty:{ports}/tty", "--boot-id", "1") as run:
        repeat(run, FEWER, reboot)
        run.figures("rebooted")
        assert run.entry()["reconnects"] == 0
    session = run.data / "recordings" / "campaign"
    files = find_files(session, "alpha")
    boots, endings = [], []
    for path in files:
        with open_recording(path) as recording:
            boots.append(recording.device_info.boot_id)
            endings.append(recording.ending)
            steps = np.asarray(recording.steps(0, recording.n_samples))
            assert (np.diff(steps) == 1).all() or len(recording.gaps)
    assert boots == list(range(1, FEWER + 2))
    assert endings[:-1] == ["device rebooted"] * FEWER
