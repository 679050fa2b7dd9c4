"""A real daemon whose disk runs full, again and again: an alarm, streaming goes on, nothing is missing afterwards."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import DaemonProcess, read_truth, wait_for
from helpers.small_disk import small_disk
from spikedaq.recorder import verify
from spikedaq.store import find_files, open_recording

EPISODES = int(os.environ.get("SPIKEDAQ_FULL_DISKS", "3"))
SEED = int(os.environ.get("SPIKEDAQ_SEED", "40"))
SLACK = float(os.environ.get("SPIKEDAQ_SLACK", "1"))
"""More on a computer that is busy with other things."""
ALARM_S, RESUME_S = 2.0 * SLACK, 10.0 * SLACK
DISK_BYTES = (48 + EPISODES) * 2**20
RESERVE_BYTES = 3 * 2**20
CONFIG = f"""
[journal]
segment_bytes = {2**20}
ring_bytes = {2**21}
[disk]
reserve_bytes = {RESERVE_BYTES}
low_bytes = 0
low_s = 0
"""


@pytest.fixture(name="small_disk")
def _small_disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system; needs the right to mount."""
    with small_disk(tmp_path / "small", DISK_BYTES) as folder:
        yield folder


def fill(disk: Path, leave: int) -> None:
    """Write until so much is free, or the system refuses."""
    with (disk / "ballast").open("wb", buffering=0) as file:
        while True:
            free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - leave
            if free <= 0:
                return
            try:
                if file.write(bytes(min(free, 2**20))) == 0:
                    return
            except OSError:
                if leave == 0:
                    return
                raise


def standing(daemon: DaemonProcess) -> set[str]:
    status: Any = daemon.call("status")
    return {alarm["kind"] for alarm in status["alarms"]}


def device(daemon: DaemonProcess) -> dict[str, Any]:
    status: Any = daemon.call("status")
    return dict(status["devices"][0])


@pytest.mark.slow
@pytest.mark.timeout(60 + 30 * EPISODES)
def test_episodes_of_a_full_disk(tmp_path: Path, small_disk: Path) -> None:
    """Full to the last byte or below the reserve; each time an alarm in 2 s, recording in 10 s, and no sample lost."""
    rng = random.Random(SEED)
    truth = tmp_path / "alpha.truth"
    daemon = DaemonProcess(
        small_disk / "data", {"alpha": f"sim:alpha?preset=0&param.i_clamp=15&truth={truth}"}, config=CONFIG
    )
    daemon.log_path = tmp_path / "daemon.log"
    session = small_disk / "data" / "recordings" / "full"
    slowest = {"alarm": 0.0, "recording": 0.0}
    with daemon:
        wait_for("the device to run", lambda: device(daemon)["state"] == "running")
        daemon.call("record_start", session="full")
        for _ in range(EPISODES):
            time.sleep(rng.uniform(0.1, 1.5))  # the moment at which the disk is full is this test's seeded input
            before_s = time.monotonic()
            fill(small_disk, rng.choice([0, 0, rng.randrange(RESERVE_BYTES)]))
            wait_for("the alarm", lambda: "disk_full" in standing(daemon), 2 * ALARM_S)
            slowest["alarm"] = max(slowest["alarm"], time.monotonic() - before_s)
            samples = device(daemon)["samples"]
            wait_for("streaming to go on", lambda n=samples: device(daemon)["samples"] >= n + 5000, 5.0)
            time.sleep(rng.uniform(0.0, 1.0))
            rows = device(daemon)["recording"]["rows_on_disk"]
            before_s = time.monotonic()
            (small_disk / "ballast").unlink()
            wait_for(
                "recording to go on", lambda n=rows: device(daemon)["recording"]["rows_on_disk"] > n, 1.5 * RESUME_S
            )
            slowest["recording"] = max(slowest["recording"], time.monotonic() - before_s)
            wait_for("the alarm to end", lambda: "disk_full" not in standing(daemon), 5.0)
        assert "journal_failed" not in daemon.log()
        daemon.call("record_stop", timeout_s=30)
        assert daemon.stop() == 0
    print(
        f"{EPISODES} x a full disk, seed {SEED}: slowest alarm {slowest['alarm']:.2f} s, recording again after at most "
        f"{slowest['recording']:.2f} s"
    )
    assert slowest["alarm"] <= ALARM_S
    assert slowest["recording"] <= RESUME_S
    produced = read_truth(truth)
    steps, samples = [], []
    for path in find_files(session, "alpha"):
        with open_recording(path) as recording:
            steps.append(recording.steps())
            samples.append(recording.samples())
    all_steps = np.concatenate(steps)
    np.testing.assert_array_equal(all_steps, np.arange(all_steps[0], all_steps[0] + len(all_steps)))
    first = int(all_steps[0] - produced["step"][0])
    np.testing.assert_array_equal(np.concatenate(samples), produced["values"][first : first + len(all_steps)])
    assert [f for f in verify([session]) if f.is_problem] == []
