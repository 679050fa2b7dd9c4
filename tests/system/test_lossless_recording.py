"""The lossless link with real processes: a virtual board, a cable that damages what passes, the daemon, and files."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness import DaemonProcess, wait_for
from helpers.damaging_proxy import DamagingProxy
from helpers.lasting_board import assert_recorded, board
from helpers.simulated_link import Channel

SESSION = "lossless"


def status(daemon: DaemonProcess) -> dict:
    return daemon.call("status")["devices"][0]


def running(daemon: DaemonProcess) -> bool:
    return status(daemon)["state"] == "running"


def passed(daemon: DaemonProcess, n_samples: int) -> None:
    """Wait until so many more samples have come."""
    before = status(daemon)["samples"]
    wait_for(f"{n_samples} samples", lambda: status(daemon)["samples"] >= before + n_samples, 60)


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
