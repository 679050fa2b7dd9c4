"""A recording that is opened while a real recorder writes and rolls it: followed into each new file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import spikedaq
from harness import DaemonProcess, wait_for
from spikedaq.recording import Recording

FILES = 4


def test_a_reader_follows_a_recorder_that_rolls(tmp_path: Path) -> None:
    """What is read of the growing end is what the closed files hold, and nothing that grows is lost at a roll."""
    folder = tmp_path / "data" / "recordings" / "s"
    with DaemonProcess(tmp_path / "data", {"alpha": "sim:alpha?param.i_clamp=15&seed=1"}) as daemon:
        wait_for("the board to run", lambda: all(d["state"] == "running" for d in daemon.call("list")))  # type: ignore[union-attr]
        daemon.call("record_start", session="s", roll_s=0.5)
        recording = spikedaq.open(folder)
        assert isinstance(recording, Recording)
        ends: list[tuple[int, np.ndarray]] = []
        wrong: list[Exception] = []

        def look() -> None:
            before, n = recording.num_frames, recording.refresh()
            assert n >= before
            segment = recording.num_segments - 1
            if n > before:
                in_segment = recording.get_num_frames(segment)
                ends.append((n, recording.get_traces(segment, max(in_segment - 300, 0))))

        def has_rolled() -> bool:
            try:
                look()
            except Exception as error:
                wrong.append(error)
                raise
            return len(recording.paths) >= FILES

        wait_for("some files", has_rolled, timeout_s=60)
        daemon.call("record_stop", timeout_s=60)
        assert daemon.stop() == 0
    n = recording.refresh()
    assert not recording.is_live
    fresh = spikedaq.open(folder)
    assert isinstance(fresh, Recording)
    assert n == fresh.num_frames
    assert [s.n_frames for s in recording.segments] == [s.n_frames for s in fresh.segments]
    whole = np.concatenate([fresh.get_traces(k) for k in range(fresh.num_segments)])
    assert wrong == []
    assert ends
    for stop, samples in ends:
        np.testing.assert_array_equal(samples, whole[stop - len(samples) : stop])
