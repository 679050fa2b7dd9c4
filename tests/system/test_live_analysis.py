"""`spikedaq spikes --live` and `average --live` on a real daemon: what they say is what was recorded."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import spikedaq
from harness import START_S, DaemonProcess, wait_for
from spikedaq.analysis import breaks_of_steps, find_spikes

BOARD = "sim:alpha?preset=0&param.i_clamp=15&param.noise_sd=2&param.stim_strength=30&seed=1"
WAIT_S = 3 * START_S


def command(name: str, daemon: DaemonProcess, *arguments: object) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "spikedaq.cli.main", name, "--live", "--url", daemon.url, *map(str, arguments)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def column(path: Path, header: str) -> list[str]:
    with path.open(newline="") as file:
        return [row[header] for row in csv.DictReader(file)]


@pytest.mark.slow
def test_live_spikes_and_loops_are_those_of_the_recording(tmp_path: Path) -> None:
    """Step by step, from the first to the last sample that came; Ctrl-C sums up, writes the tables, is no error."""
    with DaemonProcess(tmp_path / "data", {"alpha": BOARD}) as daemon:
        wait_for("samples", lambda: all(one["samples"] for one in daemon.call("status")["devices"]), WAIT_S)
        daemon.call("record_start", WAIT_S, session="trial")
        with (
            command("spikes", daemon, "--json", "--every", 0.2, "--out", tmp_path / "spikes") as spikes,
            command("average", daemon, "--every", 0.2, "--out", tmp_path / "average") as average,
        ):
            assert spikes.stdout is not None and average.stdout is not None
            told = []
            while sum(len(one["new_spike_times_ms"]) for one in told) < 40:
                told.append(json.loads(spikes.stdout.readline()))
            while "0 of" in (line := average.stdout.readline()) or " loops" not in line:
                assert line.startswith("alpha Spikeling: ")
            for process in (spikes, average):
                process.send_signal(signal.SIGINT)
            rest, error = spikes.communicate(timeout=WAIT_S)
            assert (spikes.returncode, error) == (0, "")
            printed, error = average.communicate(timeout=WAIT_S)
            assert (average.returncode, error) == (0, "")
        daemon.call("record_stop", WAIT_S)
    summary = json.loads(rest.splitlines()[-1])
    (neuron,) = summary["neurons"]
    assert summary["summary"] and neuron["n_gaps"] == 0
    lines = [*told, *(json.loads(line) for line in rest.splitlines()[:-1])]
    so_far = [time for line in lines for time in line["new_spike_times_ms"]]
    assert so_far == neuron["spike_times_ms"][: len(so_far)]
    assert "loops of 51 ms used, left out: " in printed
    with spikedaq.open(tmp_path / "data" / "recordings" / "trial") as recording:
        traces = recording.read(channels=["vm", "trigger"])
    breaks = breaks_of_steps(traces.steps)
    recorded = traces.steps[find_spikes(traces["vm"], threshold_mv=-20, breaks=breaks)]
    for folder in ("spikes", "average"):
        live = np.array([int(step) for step in column(tmp_path / folder / "spikes.csv", "step")])
        inside = recorded[(recorded >= live[0]) & (recorded <= live[-1])]
        # The recording may have begun after the first spike that was seen, and ended before the last.
        overlap = live[(live >= traces.steps[1]) & (live <= traces.steps[-1])]
        assert len(overlap) >= 20
        np.testing.assert_array_equal(overlap, inside[inside >= traces.steps[1]])
    lengths = column(tmp_path / "average" / "loops.csv", "samples")
    assert set(lengths[:-1]) == {"510"}
    vm = [float(value) for value in column(tmp_path / "average" / "averages.csv", "vm (mV) mean")]
    assert len(vm) == 510
    assert min(vm) < -60
