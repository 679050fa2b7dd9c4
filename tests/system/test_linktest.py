"""`spikedaq linktest` against real daemons and virtual devices with good and bad cables."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from harness import DaemonProcess, wait_for


def linktest(*arguments: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "spikedaq.cli", "linktest", *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else {"error": done.stderr}


def test_a_good_and_a_bad_cable_through_the_daemon(tmp_path: Path) -> None:
    """Flipped bits show as damaged frames and resends or losses, a good cable shows nothing."""
    devices = {
        "good": "sim:good?param.i_clamp=15",
        "bad": "sim:bad?param.i_clamp=15&param.noise_sd=3&fault=flip=1e-5,seed=3",
    }
    with DaemonProcess(tmp_path / "data", devices) as daemon:
        wait_for("both to run", lambda: all(d["state"] == "running" for d in daemon.call("list")))  # type: ignore[union-attr]
        _, good = linktest("good", "--seconds", "2", "--url", daemon.url)
        status, bad = linktest("bad", "--seconds", "4", "--url", daemon.url)
        refused, unknown = linktest("worse", "--seconds", "1", "--url", daemon.url)
        assert daemon.stop() == 0
    assert good["bad_frames"] == good["lost_samples"] == good["reconnects"] == good["pings_lost"] == 0
    assert good["blocks"] > 50
    assert good["bytes_per_s"] > 1000
    assert 0 < good["round_trip_ns"]["p50"] <= good["round_trip_ns"]["p99"] <= good["round_trip_ns"]["max"]
    assert bad["bad_frames"] > 0
    assert bad["frames_resent"] + bad["lost_samples"] > 0
    assert bad["verdict"] in ("fair", "bad")
    assert status == (1 if bad["verdict"] == "bad" else 0)
    assert refused == 1
    assert "worse" in unknown["error"]


def test_a_link_url_is_measured_without_a_daemon() -> None:
    """A URL gets a daemon of its own for as long as it is measured; one that cannot be opened says why."""
    status, report = linktest("fault:drop_frame=0.05,seed=4;sim:alone?param.i_clamp=15", "--seconds", "2")
    assert report["frames_resent"] + report["lost_samples"] > 0, report
    assert status in (0, 1)
    status, report = linktest("tcp:nonsense", "--seconds", "1")
    assert status == 1
    assert "host and a port" in report["error"]
