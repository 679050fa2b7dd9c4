"""The lossless link with real processes: a virtual board, a cable that damages what passes, the daemon, and files."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness import DaemonProcess, read_truth, wait_for
from helpers.damaging_proxy import DamagingProxy
from helpers.simulated_link import Channel
from spikedaq.link import find_device_program
from spikedaq.store import find_files, open_recording

SESSION = "lossless"


@contextlib.contextmanager
def board(truth: Path, *options: str) -> Iterator[int]:
    """A virtual board with a noisy neuron on a TCP port."""
    command = [str(find_device_program()), "--tcp", "127.0.0.1:0", "--record-truth", str(truth), "--die-with-parent"]
    command += ["--param", "i_clamp=15", "--param", "noise_sd=5", "--seed", "4", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        assert words[:2] == ["ready", "tcp"]
        try:
            yield int(words[-1].rsplit(":", 1)[1])
        finally:
            process.terminate()


def status(daemon: DaemonProcess) -> dict:
    return daemon.call("status")["devices"][0]


def running(daemon: DaemonProcess) -> bool:
    return status(daemon)["state"] == "running"


def passed(daemon: DaemonProcess, n_samples: int) -> None:
    """Wait until so many more samples have come."""
    before = status(daemon)["samples"]
    wait_for(f"{n_samples} samples", lambda: status(daemon)["samples"] >= before + n_samples, 60)


def assert_recorded(session: Path, truth: Path, least: int) -> None:
    """All files together hold each sample from the first to the last, as the board made it, and no gap."""
    produced = read_truth(truth)
    next_step, total = None, 0
    for path in find_files(session, "alpha"):
        with open_recording(path) as recording:
            n = recording.n_samples
            assert [g.gap for g in recording.gaps] == []
            steps, samples = np.asarray(recording.steps(0, n)), recording.samples(0, n)
        if next_step is not None:
            assert steps[0] == next_step
        np.testing.assert_array_equal(np.diff(steps), 1)
        first = int(steps[0] - produced["step"][0])
        np.testing.assert_array_equal(samples, produced["values"][first : first + n])
        next_step, total = int(steps[-1]) + 1, total + n
    assert total >= least


@pytest.mark.timeout(120)
def test_a_damaging_cable_costs_no_sample(tmp_path: Path) -> None:
    """Flipped bits, dropped and doubled frames in both directions: the recording is what the board produced."""
    truth = tmp_path / "truth"
    down = Channel(1, flips=2e-5, drops=5e-3, doubles=5e-3)
    up = Channel(2, flips=2e-5, drops=5e-3, doubles=5e-3)
    with (
        board(truth) as port,
        DamagingProxy(port, down, up) as proxy,
        DaemonProcess(tmp_path / "data", {"alpha": proxy.url}) as daemon,
    ):
        wait_for("the board to run", lambda: running(daemon), 40)
        daemon.call("record_start", session=SESSION)
        passed(daemon, 60_000)
        daemon.call("record_stop")
        told = status(daemon)
        assert daemon.stop() == 0
    print(f"\n{down.flipped} bits, {down.dropped} frames dropped, {down.doubled} doubled; {told['link']}")
    assert down.flipped + down.dropped > 5
    assert told["gaps"] == {"lost": 0, "overrun": 0, "dropped": 0}
    assert told["link"]["frames_resent"] > 5
    assert told["link"]["frames_missing"] == told["link"]["resend_given_up"] == 0
    assert_recorded(tmp_path / "data" / "recordings" / SESSION, truth, 60_000)


@pytest.mark.timeout(120)
def test_a_link_that_is_cut_costs_no_sample(tmp_path: Path) -> None:
    """The board goes on without the host; what it remembers of that time is in the recording, seamlessly."""
    truth = tmp_path / "truth"
    with (
        board(truth, "--rate", "1000") as port,
        DamagingProxy(port, Channel(1), Channel(2)) as proxy,
        DaemonProcess(tmp_path / "data", {"alpha": proxy.url}) as daemon,
    ):
        wait_for("the board to run", lambda: running(daemon), 40)
        daemon.call("record_start", session=SESSION)
        for n_cuts in (1, 2):
            passed(daemon, 500)
            sent = proxy.discarded_bytes
            proxy.cut()
            wait_for("the link to be back", lambda n=n_cuts: status(daemon)["reconnects"] >= n and running(daemon))
            assert proxy.discarded_bytes > sent, "nothing was sent while the link was cut"
        passed(daemon, 500)
        told = status(daemon)
        daemon.call("record_stop")
        assert daemon.stop() == 0
    print(f"\n{told['link']}")
    assert told["link"]["frames_resent"] > 0
    assert told["link"]["frames_missing"] == 0
    assert_recorded(tmp_path / "data" / "recordings" / SESSION, truth, 1500)


@pytest.mark.timeout(120)
def test_a_killed_daemon_costs_no_sample(tmp_path: Path) -> None:
    """What the board sent while there was no daemon is asked for by the next one, and follows in the recording."""
    truth = tmp_path / "truth"
    with (
        board(truth, "--rate", "500") as port,
        DamagingProxy(port, Channel(1), Channel(2)) as proxy,
        DaemonProcess(tmp_path / "data", {"alpha": proxy.url}) as daemon,
    ):
        wait_for("the board to run", lambda: running(daemon), 40)
        daemon.call("record_start", session=SESSION)
        passed(daemon, 500)
        daemon.kill()
        killed_s = time.monotonic()
        daemon.start()
        wait_for("the board to run", lambda: running(daemon), 40)
        away_s = time.monotonic() - killed_s
        passed(daemon, 500)
        told = status(daemon)
        daemon.call("record_stop")
        assert daemon.stop() == 0
    print(f"\naway for {away_s:.1f} s; {told['link']}")
    assert told["link"]["frames_resent"] > 0
    assert told["link"]["frames_missing"] == 0
    assert_recorded(tmp_path / "data" / "recordings" / SESSION, truth, 1000)
