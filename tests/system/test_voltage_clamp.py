"""Voltage clamp end to end: a virtual device goes there and back while it is recorded, watched and asked."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pynwb
from pynwb.validation import validate

from harness import DaemonProcess, journal_blocks, read_truth, wait_for
from spikedaq.bus import EVENTS, SAMPLES, decode_mode, decode_samples
from spikedaq.inlet import connect
from spikedaq.model import ClampMode
from spikedaq.store import find_files, open_recording

# Name, unit and raw steps per stored one, as PyNWB sees them.
CURRENT = {"vm": ("volts", 10), "stimulus": ("%", 1), "i_total": ("a.u.", 10)}
VOLTAGE = {"vm": ("volts", 10), "v_command": ("volts", 10), "i_clamp_out": ("a.u.", 10)}


def spikedaq(daemon: DaemonProcess, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    url = [] if words[0] == "export" else ["--url", daemon.url]
    command = [sys.executable, "-m", "spikedaq.cli", *words, *url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done


class Listener(threading.Thread):
    """A bus client that keeps everything one device says."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self.samples: list[tuple[ClampMode, int, np.ndarray]] = []
        self.modes: list[dict[str, Any]] = []
        self.missed = 0
        self.ready = threading.Event()
        self.ending = threading.Event()

    def run(self) -> None:
        with connect(self._url) as bench, bench.subscribe(SAMPLES, EVENTS, devices=["alpha"]) as subscriber:
            while not self.ending.is_set():
                message = subscriber.recv(0.2)
                if message is None:
                    continue
                if message.topic.endswith("/samples/"):
                    self.samples.append((decode_mode(message), message.header["step"], decode_samples(message)))
                    self.ready.set()
                elif message.header["kind"] == "mode":
                    self.modes.append(message.header)
            self.missed = sum(subscriber.missed.values())


def boundaries(modes: np.ndarray) -> list[int]:
    """Indices at which the mode changes."""
    return (np.flatnonzero(np.diff(modes.astype(int))) + 1).tolist()


def test_there_and_back_while_recording(tmp_path: Path) -> None:
    """Three files with exact boundaries and right units; bus, status, watch and CSV all say which mode it is."""
    truth_path = tmp_path / "alpha.truth"
    device = f"sim:alpha?param.i_clamp=15&param.stim_strength=30&seed=3&truth={truth_path}"
    with DaemonProcess(tmp_path / "data", {"alpha": device}) as daemon:
        wait_for("the device to run", lambda: daemon.call("list")[0]["state"] == "running")
        listener = Listener(daemon.url)
        listener.start()
        assert listener.ready.wait(20)
        described = daemon.call("describe", device="alpha")
        assert [(c["name"], c["unit"]) for c in described["clamp_channels"][:3]] == [
            ("vm", "mV"), ("v_command", "mV"), ("i_clamp_out", "a.u."),
        ]  # fmt: skip
        assert [c["name"] for c in described["channels"][:3]] == ["vm", "stimulus", "i_total"]
        daemon.call("record_start", session="clamped")
        folder = tmp_path / "data" / "recordings" / "clamped" / "alpha"

        def seen(mode: ClampMode, files: int) -> bool:
            newest = listener.samples[-20:]
            there = len(newest) == 20 and all(m is mode for m, _, _ in newest)
            return there and len(list(folder.glob("*.nwb"))) == files

        wait_for("current clamp to be recorded", lambda: seen(ClampMode.CURRENT, 1))
        spikedaq(daemon, "set", "alpha", "clamp_mode=1", "v_hold=-40")
        wait_for("voltage clamp to be recorded", lambda: seen(ClampMode.VOLTAGE, 2))
        status = spikedaq(daemon, "status").stdout
        assert "-40 mV" in status
        entry = daemon.call("status")["devices"][0]
        assert (entry["mode"], entry["v_hold_mv"]) == ("voltage", -40.0)
        assert "voltage clamp at -40 mV" in spikedaq(daemon, "watch", "--seconds", "2").stdout
        daemon.call("set", device="alpha", values={"clamp_mode": 0})
        wait_for("current clamp to be recorded again", lambda: seen(ClampMode.CURRENT, 3))
        entry = daemon.call("status")["devices"][0]
        assert (entry["mode"], entry["v_hold_mv"]) == ("current", None)
        daemon.call("record_stop")
        exported = json.loads(spikedaq(daemon, "export", str(folder), "--json").stdout)
        as_stock = spikedaq(daemon, "export", str(folder), "--stock-header", "--overwrite")
        listener.ending.set()
        listener.join(20)
        assert daemon.stop() == 0

    truth = read_truth(truth_path)
    first = int(truth["step"][0])
    changes = [first + k for k in boundaries(truth["voltage_clamp"])]
    assert len(changes) == 2

    files = find_files(folder.parent, "alpha")
    assert len(files) == 3
    following = None
    for path, channels, clamped in zip(files, (CURRENT, VOLTAGE, CURRENT), (False, True, False), strict=True):
        with open_recording(path) as recording:
            steps, samples = recording.steps(), recording.samples()
            assert recording.mode is (ClampMode.VOLTAGE if clamped else ClampMode.CURRENT)
            assert not recording.gaps
            initial = {p.name: p.value for p in recording.parameters if p.origin == "initial"}
        assert initial["clamp_mode"] == clamped
        rows = truth[int(steps[0]) - first :][: len(steps)]
        assert (rows["voltage_clamp"] == clamped).all()
        np.testing.assert_array_equal(steps, rows["step"])
        np.testing.assert_array_equal(samples, rows["values"])
        assert following in (None, int(steps[0]))
        following = int(steps[-1]) + 1
        if clamped:
            assert validate(path=str(path)) == []
        with pynwb.NWBHDF5IO(str(path), "r") as io:
            acquisition = io.read().acquisition
            assert set(acquisition) == {*channels, "syn1_vm", "syn1_i", "syn2_vm", "syn2_i", "trigger"}
            for k, (name, (unit, factor)) in enumerate(channels.items()):
                assert acquisition[name].unit == unit
                np.testing.assert_array_equal(acquisition[name].data[:], rows["values"][:, k].astype(int) * factor)
    with open_recording(files[0]) as one, open_recording(files[1]) as two, open_recording(files[2]) as three:
        assert [int(two.steps(0, 1)[0]), int(three.steps(0, 1)[0])] == changes
        assert (one.ending, two.ending) == ("voltage clamp from here on", "current clamp from here on")
        np.testing.assert_array_equal(two.samples()[:, 1], -4000)

    # No spike is told of in voltage clamp, and the device's membrane is held.
    with open_recording(files[1]) as two:
        assert [e for e in two.events if e.label == "spike" and changes[0] <= e.step < changes[1]] == []
        assert abs(int(two.samples()[-1, 0]) + 4000) <= 100

    assert listener.missed == 0
    assert [(h["mode"], h["step"]) for h in listener.modes] == [("voltage", changes[0]), ("current", changes[1])]
    for mode, step, samples in listener.samples:
        rows = truth[step - first :][: len(samples)]
        assert (rows["voltage_clamp"] == (mode is ClampMode.VOLTAGE)).all()
        np.testing.assert_array_equal(samples, rows["values"])

    assert [one["mode"] for one in exported] == ["current", "voltage", "current"]
    for one in exported:
        with Path(one["csv"]).with_suffix(".json").open() as file:
            assert json.load(file)["clamp_mode"] == one["mode"]
    assert as_stock.stderr.count("warning") == 1
    assert "holds the command in mV" in as_stock.stderr
    with Path(exported[1]["csv"]).open(newline="") as file:
        stock = list(csv.reader(file))
    assert stock[0][2] == "Stimulus (%)"  # on request, and warned of
    assert {row[2] for row in stock[1:]} == {"-40.0"}
    # The journal's blocks are cut where the mode changes, so that any reader can tell.
    cut = {step for _, _, step, _ in journal_blocks(tmp_path / "data" / "journal" / "alpha")}
    assert set(changes) <= cut
