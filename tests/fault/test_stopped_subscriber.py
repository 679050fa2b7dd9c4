"""A viewer that stands still harms neither the recording nor the other viewer, and knows what it missed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness import DaemonProcess, read_truth, wait_for
from spikedaq.store import find_files, open_recording

SUBSCRIBER = """
import json, signal, sys
from spikedaq.inlet import Subscriber
ended = False
def end(*_):
    global ended
    ended = True
signal.signal(signal.SIGTERM, end)
numbers = []
with Subscriber(sys.argv[1], ["bench/alpha/samples/"]) as subscriber:
    while not ended:
        message = subscriber.recv(0.2)
        if message is not None:
            numbers.append(message.header["n"])
            if len(numbers) % 200 == 1:
                print(numbers[-1], flush=True)
    print(json.dumps({"first": numbers[0], "last": numbers[-1], "got": len(numbers),
                      "missed": sum(subscriber.missed.values())}), flush=True)
"""


def last_line(process: subprocess.Popen[str]) -> dict[str, int]:
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    found = json.loads(out.splitlines()[-1])
    assert isinstance(found, dict)
    return found


@pytest.mark.timeout(120)
def test_a_stopped_viewer_counts_and_nobody_else_loses(tmp_path: Path) -> None:
    """SIGSTOP one of two viewers of a device that sends as fast as it can, while it is recorded; then let it go on."""
    truth_path = tmp_path / "alpha.truth"
    url = f"sim:alpha?fast=1&preset=0&param.i_clamp=15&truth={truth_path}"
    with DaemonProcess(tmp_path / "data", {"alpha": url}) as daemon:
        wait_for("the device to run", lambda: daemon.call("list")[0]["state"] == "running")
        viewers = [
            subprocess.Popen(
                [sys.executable, "-c", SUBSCRIBER, f"tcp://127.0.0.1:{daemon.publish_port}"],
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        healthy, stopped = viewers
        try:
            for viewer in viewers:
                assert viewer.stdout is not None
                assert viewer.stdout.readline()
            daemon.call("record_start", session="viewers")
            stopped.send_signal(signal.SIGSTOP)
            # Both ends' high-water marks are reached first, and the kernel's buffers are full: of 3 MB, or of 30.
            assert healthy.stdout is not None
            full = int(healthy.stdout.readline())
            while "viewer_dropping" not in [alarm["kind"] for alarm in daemon.call("status")["alarms"]]:  # type: ignore[index, call-overload]
                full = int(healthy.stdout.readline())
            while int(healthy.stdout.readline()) < full + 2_000:
                pass
            stopped.send_signal(signal.SIGCONT)
            target = int(healthy.stdout.readline()) + 2_000
            assert stopped.stdout is not None
            while int(stopped.stdout.readline()) < target:
                pass
            daemon.call("record_stop", timeout_s=30)
            seen, late = last_line(healthy), last_line(stopped)
        finally:
            for viewer in viewers:
                viewer.kill()
                viewer.wait()
        assert daemon.stop() == 0
    assert seen["missed"] == 0
    assert seen["got"] == seen["last"] - seen["first"] + 1
    assert late["missed"] > 0
    assert late["missed"] == late["last"] - late["first"] + 1 - late["got"]
    truth = read_truth(truth_path)
    recorded = 0
    next_step = None
    for path in find_files(tmp_path / "data" / "recordings" / "viewers", "alpha"):
        with open_recording(path) as recording:
            assert len(recording.gaps) == 0
            raw, steps = recording.samples(), np.asarray(recording.steps())
        assert next_step is None or steps[0] == next_step
        np.testing.assert_array_equal(steps, np.arange(steps[0], steps[0] + len(steps)))
        offset = int(steps[0]) - int(truth["step"][0])
        np.testing.assert_array_equal(raw, truth["values"][offset : offset + len(raw)])
        next_step, recorded = int(steps[-1]) + 1, recorded + len(raw)
    assert recorded > 1_000_000
