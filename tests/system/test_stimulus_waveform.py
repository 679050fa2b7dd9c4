"""An uploaded waveform comes out of the real firmware at one row per step, in the files and in the device's truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness import DaemonProcess, read_truth, wait_for
from spikedaq.store import find_files, open_recording

STIMULUS, TRIGGER = 1, 7


def test_waveform_is_played_one_row_per_step_and_looped(tmp_path: Path) -> None:
    """Three hundred rows in pieces, looped: each loop is those rows in per cent, triggered on its first."""
    rows = [round(10_000 * np.sin(2 * np.pi * k / 300)) for k in range(300)]
    truth_path = tmp_path / "alpha.truth"
    with DaemonProcess(tmp_path / "data", {"alpha": f"sim:alpha?preset=0&truth={truth_path}"}) as daemon:
        wait_for("the device to run", lambda: daemon.call("list")[0]["state"] == "running")
        daemon.call("record_start", session="wave")
        daemon.call("stimulus", device="alpha", rows=rows, loop=True)
        session = tmp_path / "data" / "recordings" / "wave"

        def three_loops() -> bool:
            with open_recording(find_files(session, "alpha")[-1]) as recording:
                raw = recording.samples(0, recording.n_samples)
            return bool((raw[:, TRIGGER] == 1).sum() > 3 and (np.abs(raw[:, STIMULUS]) > 90).sum() > 500)

        wait_for("three loops on disk", three_loops)
        daemon.call("record_stop")
        assert daemon.stop() == 0
    (path,) = find_files(session, "alpha")
    with open_recording(path) as recording:
        raw = recording.samples(0, recording.n_samples).astype(int)
        first = int(recording.steps(0, 1)[0])
    truth = read_truth(truth_path)
    offset = first - int(truth["step"][0])
    np.testing.assert_array_equal(raw, truth["values"][offset : offset + len(raw)])
    expected = np.array([int(np.floor(abs(r) / 100 + 0.5)) * (1 if r >= 0 else -1) for r in rows])
    loops = [k for k in np.flatnonzero(raw[:, TRIGGER]) if np.array_equal(raw[k : k + 300, STIMULUS], expected)]
    assert len(loops) >= 3
    np.testing.assert_array_equal(np.diff(loops), 300)
