"""The history process of a real daemon: it answers up to the live edge, comes back when killed, and ends in time."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness import DaemonProcess, history_pids, wait_for
from spikedaq.bus import SAMPLES, decode_samples
from spikedaq.inlet import Bench, connect

SIM = "sim:alpha?preset=1&rate=10000&seed=3"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[DaemonProcess]:
    with DaemonProcess(tmp_path / "data", {"alpha": SIM}) as process:
        wait_for("the device to run", lambda: process.call("list")[0]["state"] == "running")
        wait_for("the history", lambda: process.call("hello")["history"])
        yield process


def live_and_past(bench: Bench, n: int) -> None:
    """Take live blocks, and compare what the history has of the same frames."""
    live = []
    for block in bench.blocks("alpha", timeout_s=10.0):
        live.append(block)
        if len(live) == n:
            break
    first, last = live[0].header, live[-1].header
    with bench.history() as history:
        past = list(
            history.read(
                "alpha",
                streams=[SAMPLES],
                after=(first["boot"], (first["seq"] - 1) % 2**32),
                until_seq=(last["boot"], (last["seq"] + 1) % 2**32),
            )
        )
    assert [m.header["seq"] for m in past] == [b.header["seq"] for b in live]
    for message, block in zip(past, live, strict=True):
        np.testing.assert_array_equal(decode_samples(message), block.samples)
        for key in ("boot", "step", "tick", "step_us", "flags", "mode", "t_ns", "u_ns"):
            assert message.header[key] == block.header[key], key


def test_what_was_published_a_moment_ago_can_be_fetched(daemon: DaemonProcess) -> None:
    """The newest block that a viewer got is already in the history, the same to the nanosecond."""
    with connect(daemon.url) as bench:
        live_and_past(bench, 50)


def test_a_killed_history_is_started_again_where_it_was(daemon: DaemonProcess) -> None:
    """Its death is nobody's but its own: the daemon streams on, and the next one answers at the same address."""
    before = daemon.call("hello")["history"]
    os.kill(history_pids(daemon)[0], signal.SIGKILL)
    with connect(daemon.url) as bench:
        wait_for("another history", lambda: live_and_past(bench, 5) is None)
    assert daemon.call("hello")["history"] == before
    assert daemon.call("list")[0]["state"] == "running"


def test_it_ends_with_its_daemon(daemon: DaemonProcess) -> None:
    """Also when the daemon is killed: its standard input ends then."""
    pid = history_pids(daemon)[0]
    daemon.kill()
    wait_for("the history to end", lambda: not Path(f"/proc/{pid}").exists())
