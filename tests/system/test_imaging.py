"""The imaging simulation of a real daemon's virtual board: live, recorded, and computed again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nwbinspector import inspect_nwbfile
from pynwb.validation import validate

from harness import START_S, DaemonProcess, wait_for
from spikedaq.formats.imaging_csv import read_imaging_csv
from spikedaq.inlet import DerivedBlock, connect
from spikedaq.model import CommandRejected
from spikedaq.store import open_imaging, open_recording, repair_imaging

BOARD = "sim:alpha?preset=0&param.i_clamp=15&param.noise_sd=2&seed=1"
OPTIONS = ["--indicator", "GCaMP6f", "--set", "laser=1.5", "--set", "ca_noise=0.2", "--set", "frame_rate_hz=1000"]
WAIT_S = 3 * START_S


@contextmanager
def running(tmp_path: Path) -> Iterator[DaemonProcess]:
    with DaemonProcess(tmp_path / "data", {"alpha": BOARD}) as daemon:
        wait_for("samples", lambda: streams(daemon), WAIT_S)
        yield daemon


def streams(daemon: DaemonProcess) -> bool:
    (device,) = daemon.call("status")["devices"]
    return bool(device["state"] == "running" and device["samples"] and device["clock_u_ns"])


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "spikedaq.cli.main", "imaging", *arguments]


class Listener(threading.Thread):
    """Subscribes to a derived stream; keeps what comes."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.blocks: list[DerivedBlock] = []
        self._bench = connect(url)
        self.start()

    def run(self) -> None:
        with self._bench:
            for block in self._bench.derived("alpha", "imaging", timeout_s=WAIT_S):
                self.blocks.append(block)


def derived(daemon: DaemonProcess) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = daemon.call("describe", device="alpha")["derived"]
    return found


@pytest.mark.slow
def test_live_recorded_and_computed_again_are_the_same_bits(tmp_path: Path) -> None:
    """What is on the bus, in the file made live, and in the one made of the recording agree bit for bit."""
    with running(tmp_path) as daemon:
        daemon.call("record_start", WAIT_S, session="trial")
        listener = Listener(daemon.url)
        arguments = ["--url", daemon.url, "--json", "--record", "--seed", "7", *OPTIONS]
        with subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, text=True) as process:
            wait_for("two thousand frames", lambda: sum(len(b.values) for b in listener.blocks) >= 2000, WAIT_S)
            (told,) = derived(daemon)
            assert told["settings"]["indicator"] == "GCaMP6f" and told["pitch_steps"] == 10
            assert [c["name"] for c in told["channels"]][:4] == ["f_vm", "f_syn1", "f_syn2", "dff_vm"]
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=WAIT_S)
        assert process.returncode == 0
        summary = json.loads(out.splitlines()[-1])
        wait_for("the stream to end", lambda: not derived(daemon))
        daemon.call("record_stop", WAIT_S)
    assert summary["unpublished"] == 0 and summary["boots"][0]["n_spikes"][0] > 10

    nwb, table = (Path(path) for path in summary["files"])
    session = tmp_path / "data" / "recordings" / "trial"
    assert nwb == session / "alpha" / "trial_alpha_imaging.nwb"
    again = tmp_path / "again.nwb"
    subprocess.run(command(str(session), "--like", str(nwb), "--out", str(again)), check=True)
    with open_imaging(nwb) as live, open_imaging(again) as computed:
        made, wanted = live.frames(), computed.frames()
        assert live.ending == "stopped" and live.meta.session == "trial" and not live.is_live
        assert live.meta.reference_utc_ns == computed.meta.reference_utc_ns
    n = len(made)
    assert n == summary["published"] >= 2000
    np.testing.assert_array_equal(made.steps, wanted.steps[:n])
    np.testing.assert_array_equal(made.values.view(np.uint32), wanted.values[:n].view(np.uint32))
    np.testing.assert_allclose(made.times_s, wanted.times_s[:n], atol=1e-4)
    published = np.concatenate([block.values for block in listener.blocks])
    steps = np.concatenate([block.steps for block in listener.blocks])
    assert len(steps) >= 2000 and np.isin(steps, made.steps).all()
    np.testing.assert_array_equal(published.view(np.uint32), made.values[np.isin(made.steps, steps)].view(np.uint32))
    rows = read_imaging_csv(table)
    first = summary["boots"][0]["first_step"]
    np.testing.assert_array_equal(
        rows.fluorescence[made.steps - first].astype(np.float32).view(np.uint32), made.values[:, :3].view(np.uint32)
    )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in (nwb, again):
            assert validate(path=str(path)) == []
            messages = list(inspect_nwbfile(nwbfile_path=str(path)))
            assert {m.check_function_name for m in messages} <= {"check_keywords"}, [m.message for m in messages]
    verified = subprocess.run(
        [sys.executable, "-m", "spikedaq.cli.main", "verify", str(session)], capture_output=True, text=True
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.slow
def test_a_killed_run_leaves_its_frames_and_its_name(tmp_path: Path) -> None:
    """After kill -9 the file is repaired, and the stream is free for the next, at once for who left it."""
    with running(tmp_path) as daemon:
        nwb = tmp_path / "live.nwb"
        with subprocess.Popen(
            command("--url", daemon.url, "--out", str(nwb), *OPTIONS), stdout=subprocess.PIPE
        ) as process:

            def grown() -> bool:
                with open_imaging(nwb) as file:
                    return file.n_frames >= 1000

            wait_for("frames in the file", grown, WAIT_S)
            os.kill(process.pid, signal.SIGKILL)
        assert repair_imaging(nwb) >= 1000
        with open_imaging(nwb) as file:
            assert file.ending == "interrupted" and (np.diff(file.frames().steps) == 10).all()
        wait_for("the stream to end by itself", lambda: not derived(daemon), WAIT_S)
        channels = [{"name": "f", "unit": "a.u."}]
        daemon.call("derive_open", device="alpha", stream="imaging", channels=channels, pitch_steps=1, ttl_s=60)
        taken = subprocess.run(command("--url", daemon.url, "--seconds", "1"), capture_output=True, text=True)
        assert taken.returncode == 1 and "publishes the stream 'imaging' of alpha already" in taken.stderr
        again = subprocess.run(
            command("--url", daemon.url, "--seconds", "1", "--replace", "--json"), capture_output=True, text=True
        )
        assert again.returncode == 0 and json.loads(again.stdout.splitlines()[-1])["published"] > 0, again.stderr
        with pytest.raises(CommandRejected, match="not open"):
            daemon.call("derive_close", device="alpha", stream="imaging", id="0")


@pytest.mark.slow
def test_a_daemon_that_is_started_again_is_published_to(tmp_path: Path) -> None:
    """The client opens its stream anew; the file has one beginning, or another part where the board has rebooted."""
    daemon = DaemonProcess(tmp_path / "data", {"alpha": BOARD})
    daemon.start()
    try:
        wait_for("samples", lambda: streams(daemon), WAIT_S)
        csv = tmp_path / "live.csv"
        arguments = ["--url", daemon.url, "--out", str(csv), "--json", *OPTIONS]
        with subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, text=True) as process:
            wait_for("the stream", lambda: derived(daemon)[0]["values"] > 100, WAIT_S)
            daemon.kill()
            daemon.start()
            wait_for("the stream again", lambda: derived(daemon)[0]["values"] > 100, WAIT_S)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=WAIT_S)
        assert process.returncode == 0
        summary = json.loads(out.splitlines()[-1])
        assert summary["published"] > 200 and len(summary["boots"]) >= 1
        for number, (path, boot) in enumerate(zip(summary["files"], summary["boots"], strict=True), start=1):
            assert Path(path).name == ("live.csv" if number == 1 else f"live_boot{number}.csv")
            rows = read_imaging_csv(Path(path))
            assert len(rows.time_ms) == boot["n_samples"] and (np.diff(rows.time_ms) > 0).all()
    finally:
        daemon.stop()


def test_what_cannot_be_followed_is_said(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        for arguments, text in (
            (["--device", "beta"], "no device 'beta'"),
            (["--record"], "alpha is not being recorded"),
            (["--stream", "samples"], "the daemon's own"),
            (["--out", str(tmp_path / "none" / "x.nwb")], "is not a folder"),
        ):
            done = subprocess.run(command("--url", daemon.url, *arguments), capture_output=True, text=True)
            assert done.returncode == 1 and text in done.stderr, done.stderr
            assert derived(daemon) == []
        started = time.monotonic()
        recorded = list((tmp_path / "data").rglob("*imaging*"))
        assert not recorded and time.monotonic() - started < WAIT_S
    absent = subprocess.run(command("--url", daemon.url), capture_output=True, text=True)
    assert absent.returncode == 1 and "no spikedaqd answers" in absent.stderr


def test_frames_count_from_the_recordings_own_instant(tmp_path: Path) -> None:
    """Written beside a recording, frames have the times of the samples they were made of."""
    with running(tmp_path) as daemon:
        daemon.call("record_start", WAIT_S, session="clock")
        done = subprocess.run(
            command("--url", daemon.url, "--record", "--seconds", "2", "--json"), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        daemon.call("record_stop", WAIT_S)
    nwb = tmp_path / "data" / "recordings" / "clock" / "alpha" / "clock_alpha_imaging.nwb"
    (recording,) = [path for path in nwb.parent.glob("*.nwb") if path != nwb]
    with open_imaging(nwb) as imaging, open_recording(recording) as samples:
        frames, steps, times_s = imaging.frames(), samples.steps(), samples.timestamps()
    known = np.isin(frames.steps, steps)
    assert known.sum() > 20
    at = np.searchsorted(steps, frames.steps[known])
    np.testing.assert_allclose(frames.times_s[known], times_s[at], atol=1e-4)
