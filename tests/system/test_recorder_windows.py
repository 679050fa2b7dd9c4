"""The recorder process on journals with triggers: what the windows hold is in the files, to the sample, and no more."""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from fake_stream import recorder_process
from trigger_stream import TriggeredJournal, check_windows, fire_at_random

from spikedaq.journal import NoteRecord
from spikedaq.recorder import recover
from spikedaq.store import find_files, open_recording

TRIGGERS = int(os.environ.get("SPIKEDAQ_TRIGGERS", "1000"))
AS_ASKED = {"kind": "triggered", "max_pre_s": 60}


def record(folder: Path, status: int = 0) -> list[dict]:
    with recorder_process(folder) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stderr is not None
        if status == 3:
            process.stdin.close()
        lines = [json.loads(line) for line in process.stdout]
        assert process.wait(120) == status, process.stderr.read().decode()
    return lines


def manifest(folder: Path) -> dict:
    return json.loads((folder / "alpha" / "manifest.json").read_text())


def n_runs(wanted: np.ndarray) -> int:
    return int(np.count_nonzero(np.diff(wanted.astype(int), prepend=0) == 1))


@pytest.mark.parametrize("seed", [1])
def test_a_thousand_triggers(tmp_path: Path, seed: int) -> None:
    """Overlapping, touching and apart, of this device, another and by hand, across losses: exact at both ends."""
    journal = TriggeredJournal(tmp_path)
    fire_at_random(journal, TRIGGERS, random.Random(seed))
    journal.stop()
    folder = journal.plan(tmp_path / "recordings" / "s", AS_ASKED, roll_s=0.6 * TRIGGERS)
    lines = record(folder)
    wanted = journal.wanted()
    files = check_windows(folder, journal, wanted)
    assert len(files) > 1
    epochs = [e for f in files for e in f.epochs]
    assert sorted(e.value for e in epochs) == sorted(t.value for t in journal.triggers), "each trigger is an epoch"
    assert lines[-1]["windows"] == n_runs(wanted)
    print(f"\n{TRIGGERS} x a trigger, seed {seed}: {n_runs(wanted)} merged windows in {len(files)} files, exact")
    for file in files:
        starts = [e.start_s for e in file.epochs]
        assert starts == sorted(starts)


def test_the_window_of_a_trigger(tmp_path: Path) -> None:
    """-pre <= t < post in steps: at 2 ms, 10 ms before and 4 ms after step 1000 are steps 995 to 1001."""
    journal = TriggeredJournal(tmp_path)
    journal.blocks(21)
    journal.fire(1000, 0.010, 0.004, name="level")
    journal.blocks(10)
    journal.stop()
    folder = journal.plan(tmp_path / "recordings" / "s", AS_ASKED)
    record(folder)
    (file,) = check_windows(folder, journal, journal.wanted())
    assert file.steps().tolist() == [995, 996, 997, 998, 999, 1000, 1001]
    (epoch,) = file.epochs
    assert (epoch.trigger, epoch.device, epoch.step, epoch.value) == ("level", "alpha", 1000, 1000.0)
    assert [round(s, 5) for s in (epoch.start_s, epoch.time_s, epoch.stop_s)] == [1.99, 2.0, 2.004]


def test_windows_of_sixty_seconds_and_more(tmp_path: Path) -> None:
    """A pre window of two minutes reaches back over many segments of the journal."""
    journal = TriggeredJournal(tmp_path)
    journal.blocks(3000)
    journal.fire(journal.device.step - 7, 120, 75)
    journal.blocks(2000)
    journal.stop()
    folder = journal.plan(tmp_path / "recordings" / "s", {"kind": "triggered", "max_pre_s": 120})
    record(folder)
    check_windows(folder, journal, journal.wanted())
    assert manifest(folder)["n_samples"] == 195 * 500


def test_the_session_chooses_triggers_and_windows(tmp_path: Path) -> None:
    """Those that it names have its window; the others are marks."""
    journal = TriggeredJournal(tmp_path, pre_s=0.1, post_s=0.2)
    journal.blocks(30)
    a = journal.fire(1200, 5, 5, name="a")
    b = journal.fire(1300, name="b")
    journal.fire(600, 5, 5, name="c")
    journal.blocks(100)
    journal.stop()
    mode = {"kind": "triggered", "triggers": ["a", "b"], "pre_s": 0.1, "post_s": 0.2}
    folder = journal.plan(tmp_path / "recordings" / "s", mode)
    record(folder)
    (file,) = check_windows(folder, journal, journal.wanted([a, b]))
    found = {(e.trigger, round(e.stop_s - e.start_s, 4)) for e in file.epochs}
    assert found == {("a", 0.3), ("b", 0.3), ("c", 0.002)}


def test_continuous_recording_marks_triggers(tmp_path: Path) -> None:
    """Nothing is left out, and the epochs are there all the same."""
    journal = TriggeredJournal(tmp_path)
    journal.blocks(30)
    journal.fire(1400, 0.5, 0.5)
    journal.fire(1450)
    journal.blocks(30)
    journal.stop()
    folder = journal.plan(tmp_path / "recordings" / "s", None)
    record(folder)
    (file,) = check_windows(folder, journal, np.ones(journal.device.step, bool))
    assert [round(e.stop_s - e.start_s, 4) for e in file.epochs] == [1.0, 0.002]
    assert not file.gaps


def test_notes_between_windows_are_kept_and_spikes_are_not(tmp_path: Path) -> None:
    """What people do is recorded whenever they do it; what a device reports only within windows."""
    journal = TriggeredJournal(tmp_path)

    def note(text: str) -> None:
        journal.writer.append(NoteRecord(journal.device.t_host_ns, text, "me"))

    journal.blocks(10, spike=True)
    note("before")
    journal.blocks(1000)
    journal.fire(journal.device.step - 1, 1.0, 1.0)
    journal.blocks(10, spike=True)
    note("within")
    journal.blocks(1000, spike=True)
    note("after")
    journal.blocks(1000)
    journal.fire(journal.device.step - 1, 1.0, 1.0)
    journal.blocks(1000)
    note("at the end")
    journal.fire(journal.device.step - 1, name="mark")
    journal.blocks(1000)
    journal.stop()
    folder = journal.plan(tmp_path / "recordings" / "s", AS_ASKED, roll_s=250)
    record(folder)
    wanted = journal.wanted()
    (file,) = check_windows(folder, journal, wanted)
    assert [n.text for n in file.notes] == ["before", "within", "after", "at the end"]
    assert [e.trigger for e in file.epochs] == ["t", "t", "mark"]
    spikes = [e.step for e in file.events]
    assert spikes
    assert wanted[spikes].all()


def test_late_triggers_lose_what_was_passed_over(tmp_path: Path) -> None:
    """A record 20 s after its instant: the window begins where the journal could still be waited for."""
    journal = TriggeredJournal(tmp_path)
    journal.blocks(1000)
    journal.fire(journal.device.step - 10_000, 50, 30)
    journal.blocks(1000)
    journal.stop()
    folder = journal.plan(tmp_path / "recordings" / "s", AS_ASKED)
    record(folder)
    steps = np.concatenate([open_recording(p).steps() for p in find_files(folder, "alpha")])
    wanted = np.flatnonzero(journal.wanted())
    assert steps[-1] == wanted[-1]
    assert np.isin(steps, wanted).all()
    assert steps[0] > wanted[0]
    assert (np.diff(steps) == 1).all()


def test_interrupted_and_taken_up_again(tmp_path: Path) -> None:
    """The daemon dies within a window, before one, and after one: the next recorder goes on, to the sample."""
    journal = TriggeredJournal(tmp_path)
    folder = journal.plan(tmp_path / "recordings" / "s", AS_ASKED)
    rng = random.Random(5)
    for _ in range(6):
        journal.blocks(rng.randrange(1, 300))
        journal.fire(journal.device.step - 3, rng.uniform(0, 20), rng.uniform(0, 20))
        journal.blocks(rng.randrange(1, 300))
        record(folder, status=3)
        assert manifest(folder)["state"] == "interrupted"
    journal.blocks(2000)
    journal.stop()
    record(folder)
    check_windows(folder, journal, journal.wanted())


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_on_a_schedule(tmp_path: Path, zone: str) -> None:
    """Every 10 s for 3 s by the clock: the samples with those times, the first window cut at the session's start."""
    journal = TriggeredJournal(tmp_path)
    journal.blocks(310)
    journal.stop()
    mode = {"kind": "scheduled", "every_s": 10, "for_s": 3, "zone": zone}
    folder = journal.plan(tmp_path / "recordings" / "s", mode)
    lines = record(folder)
    # The session starts at 1 800 000 000 s UTC, a full minute in both zones.
    seconds = np.arange(journal.device.step) * 0.002
    check_windows(folder, journal, seconds % 10 < 3)
    assert lines[-1]["windows"] == 4
    assert lines[0]["state"] == "armed"


def test_files_roll_by_the_clock_to_the_sample(tmp_path: Path) -> None:
    """A block is cut where the hour strikes; killed or not, each sample is in one file."""
    journal = TriggeredJournal(tmp_path, block_samples=333)
    journal.blocks(100)
    journal.stop()
    folder = journal.plan(tmp_path / "recordings" / "s", None, roll_s=20, aligned="UTC")
    record(folder)
    files = check_windows(folder, journal, np.ones(journal.device.step, bool))
    assert [int(f.steps(0, 1)[0]) for f in files] == [0, 10_000, 20_000, 30_000]
    assert manifest(folder)["files"][0]["closed_reason"] == "rolled by the clock of UTC"


def test_rolls_spare_windows(tmp_path: Path) -> None:
    """A window goes on in its file; one longer than a file may be is cut, and nothing is missing between."""
    journal = TriggeredJournal(tmp_path)
    journal.blocks(80)
    journal.fire(journal.device.step - 1, 1, 6)
    journal.blocks(100)
    journal.fire(journal.device.step - 1, 1, 30)
    journal.blocks(400)
    journal.stop()
    folder = journal.plan(tmp_path / "recordings" / "s", AS_ASKED, roll_s=10)
    lines = record(folder)
    files = check_windows(folder, journal, journal.wanted())
    assert len(files) == 5
    assert [round(f.n_samples * 0.002) for f in files] == [7, 10, 10, 10, 1]
    assert lines[-1]["windows"] == 2


@pytest.mark.parametrize("kind", ["triggered", "by the clock"])
def test_damaged_files_are_made_again(tmp_path: Path, kind: str) -> None:
    """Windows and cut blocks too: the first, a middle and the last file come back from the journal as they were."""
    triggered = kind == "triggered"
    journal = TriggeredJournal(tmp_path, block_samples=50 if triggered else 333)
    if triggered:
        fire_at_random(journal, 150, random.Random(1))
    else:
        journal.blocks(100)
    journal.stop()
    plan = {"mode": AS_ASKED, "roll_s": 20} if triggered else {"mode": None, "roll_s": 20, "aligned": "UTC"}
    folder = journal.plan(tmp_path / "recordings" / "s", **plan)
    record(folder)
    session = json.loads((folder / "session.json").read_text())
    (folder / "session.json").write_text(json.dumps({**session, "state": "complete"}))
    wanted = journal.wanted() if triggered else np.ones(journal.device.step, bool)
    paths = [f.path for f in check_windows(folder, journal, wanted)]
    assert len(paths) > 2
    for path in (paths[0], paths[1], paths[-1]):
        path.write_bytes(b"x" * 3000)
        assert [deed.is_well for deed in recover(folder)] == [True]
    files = check_windows(folder, journal, wanted)
    assert sorted(e.value for f in files for e in f.epochs) == sorted(t.value for t in journal.triggers)
