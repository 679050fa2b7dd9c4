"""The recorder of a triggered session killed at random moments: windows stay exact, and the journal is let go."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from fake_stream import recorder_process
from trigger_stream import TriggeredJournal, check_windows, fire_at_random

from spikedaq.recorder import read_manifest
from spikedaq.store import check_file, find_files, open_recording

KILLS = int(os.environ.get("SPIKEDAQ_KILLS", "6"))
TRIGGERS = 40 * KILLS


@pytest.mark.parametrize("seed", [1])
def test_killed_between_and_within_windows(tmp_path: Path, seed: int) -> None:
    """SIGKILL at seeded moments while the journal grows; in the end each sample, gap and epoch is there once."""
    rng = random.Random(seed)
    journal = TriggeredJournal(tmp_path)
    folder = journal.plan(tmp_path / "recordings" / "s", {"kind": "triggered"}, roll_s=60)
    for kill in range(KILLS):
        with recorder_process(folder) as process:
            begun_s = time.monotonic()
            runs_s = rng.choice([0.4, 0.8, 1.5]) * rng.uniform(0.5, 1.2)
            fire_at_random(journal, TRIGGERS * (kill + 1) // KILLS, rng)
            while time.monotonic() - begun_s < runs_s:
                assert process.poll() is None
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            process.stdout.close()
            assert process.wait(30) == -signal.SIGKILL
    journal.stop()
    with recorder_process(folder) as process:
        _, error = process.communicate(timeout=120)
        assert process.returncode == 0, error.decode()
    files = check_windows(folder, journal, journal.wanted())
    values = [e.value for f in files for e in f.epochs]
    assert sorted(values) == sorted(t.value for t in journal.triggers), "each trigger once"
    for file in files:
        assert check_file(file.path).problems == []
    again = journal.plan(tmp_path / "again" / "s", {"kind": "triggered"}, roll_s=60)
    with recorder_process(again) as process:
        _, error = process.communicate(timeout=120)
        assert process.returncode == 0, error.decode()
    for a, b in zip(find_files(folder, "alpha"), find_files(again, "alpha"), strict=True):
        with open_recording(a) as one, open_recording(b) as other:
            assert a.name == b.name
            np.testing.assert_array_equal(one.steps(), other.steps())
            assert one.gaps == other.gaps
            assert one.epochs == other.epochs
            assert one.events == other.events
            assert one.notes == other.notes


def test_the_journal_is_let_go_while_nothing_fires(tmp_path: Path) -> None:
    """Killed now and then, with only what the recorder says that it needs: a window after hours is still whole."""
    journal = TriggeredJournal(tmp_path)
    folder = journal.plan(tmp_path / "recordings" / "s", {"kind": "triggered", "max_pre_s": 20}, roll_s=600)
    bytes_per_s = 0.0
    kept = []
    for part in range(4):
        journal.blocks(3000)
        if part == 2:
            journal.fire(journal.device.step - 9, 20, 1)
            journal.blocks(200)
        with recorder_process(folder) as process:
            process.communicate(timeout=60)
            assert process.returncode == 3
        manifest = read_manifest(folder / "alpha")
        assert manifest is not None
        needed = manifest.needed_from(journal.start)
        kept.append(journal.writer.offset - needed)
        journal.writer.retain(needed, ring_bytes=0)
        bytes_per_s = (journal.writer.offset - journal.start) / (journal.host_ns(journal.device.step) - 1e12) * 1e9
    assert json.loads((folder / "alpha" / "manifest.json").read_text())["state"] == "interrupted"
    # 20 s of window, 5.4 s of grace, and a mebibyte between two notes of how far it is.
    assert max(kept) < 26 * bytes_per_s + 2**20, kept
    assert journal.writer.counters.segments_deleted > 3
    journal.stop()
    with recorder_process(folder) as process:
        process.communicate(timeout=60)
        assert process.returncode == 0
    check_windows(folder, journal, journal.wanted())
