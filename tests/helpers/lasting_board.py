"""A virtual board that outlives the daemon, and what a recording of it must be."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness import read_truth
from spikedaq.link import find_device_program
from spikedaq.store import find_files, open_recording


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
