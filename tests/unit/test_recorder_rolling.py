"""Files that roll by size: how large they get, what lies between them, and what becomes of windows."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from fake_stream import FakeDevice, check_files, record_plan
from recorder_here import run_recorder
from trigger_stream import TriggeredJournal, check_windows

from spikedaq.journal import JournalWriter, SessionStart, SessionStop
from spikedaq.recorder import EXIT_DONE

LIMIT_BYTES = 400_000
REASON = f"rolled after {LIMIT_BYTES} bytes"
CHUNKS_BYTES = 150_000
"""A file is measured after its flushes: eight chunks of these samples may wait for one; closing adds a little."""


def record(folder: Path) -> list[dict]:
    """Run a recorder in this process; return what the manifest says of its files."""
    assert run_recorder(folder, time.monotonic)[0] == EXIT_DONE
    files: list[dict] = json.loads((folder / "alpha" / "manifest.json").read_text())["files"]
    return files


def test_files_roll_once_they_are_large_enough(tmp_path: Path) -> None:
    """Each but the last has at least its bytes, and hardly more; the next begins with the very next sample."""
    device, folder = FakeDevice(), tmp_path / "s"
    writer = JournalWriter(tmp_path / "alpha", device="alpha", unique_id="01", host_boot_id="b")
    device.introduce(writer)
    writer.append(SessionStart(device.t_host_ns, "s", 0, "{}"))
    for frame in device.frames(2500):
        writer.append_frames(device.t_host_ns, [frame])
    writer.append(SessionStop(device.t_host_ns, "s", "asked"))
    record_plan(folder, "s", {"alpha": tmp_path / "alpha"}, roll_bytes=LIMIT_BYTES)
    files = record(folder)
    check_files(folder, device.produced)
    *rolled, last = files
    assert len(rolled) >= 2
    assert {file["closed_reason"] for file in rolled} == {REASON}
    assert last["closed_reason"] == "session stopped: asked"
    for file in rolled:
        assert LIMIT_BYTES <= file["n_bytes"] == (folder / "alpha" / file["name"]).stat().st_size
        assert file["n_bytes"] < LIMIT_BYTES + CHUNKS_BYTES
    stops = [file["last_step"] + 1 for file in files]
    assert [file["first_step"] for file in files] == [0, *stops[:-1]]
    assert stops[-1] == device.step
    assert not any(sum(file["gaps"].values()) for file in files)


def test_a_window_is_cut_only_at_twice_the_size(tmp_path: Path) -> None:
    """One that makes its file larger than the limit stays whole; the next goes into another file."""
    journal = TriggeredJournal(tmp_path, step_us=100, block_samples=100)
    windows = []
    for seconds in (14, 32, 1):
        journal.blocks(50)
        windows.append((journal.device.step, seconds * 10_000))
        journal.fire(journal.device.step, 0.0, float(seconds))
        journal.blocks(seconds * 100 + 50)
    journal.stop()
    files = record(journal.plan(tmp_path / "s", {"kind": "triggered", "max_pre_s": 1}, roll_bytes=LIMIT_BYTES))
    check_windows(tmp_path / "s", journal, journal.wanted())
    (whole_at, whole_n), (long_at, long_n), _ = windows
    whole, part, rest = files[:3]
    assert (whole["first_step"], whole["n_samples"]) == (whole_at, whole_n)
    assert LIMIT_BYTES <= whole["n_bytes"] < 2 * LIMIT_BYTES
    assert part["first_step"] == long_at and part["n_samples"] < long_n
    assert 2 * LIMIT_BYTES <= part["n_bytes"] < 2 * LIMIT_BYTES + CHUNKS_BYTES
    assert rest["first_step"] == part["last_step"] + 1
    assert [whole["closed_reason"], part["closed_reason"]] == [REASON, REASON]
