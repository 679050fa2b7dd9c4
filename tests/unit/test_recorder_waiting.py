"""Notes and events that wait for a file, of which there are more than may wait: the file says how many it lacks."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from fake_stream import FakeDevice, record_plan
from recorder_here import run_recorder
from trigger_stream import TriggeredJournal

from spikedaq.journal import JournalWriter, NoteRecord, SessionStart, SessionStop
from spikedaq.recorder import EXIT_DONE, EXIT_INTERRUPTED, waiting
from spikedaq.store import find_files, open_recording

MOST = 20


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a test needs no ten thousand."""
    monkeypatch.setattr(waiting, "MAX_WAITING", MOST)


def record(folder: Path, *, ends: bool = False) -> tuple[int, list[str]]:
    """Run a recorder in this process, from which the daemon goes away or not; return its status and its remarks."""
    status, lines = run_recorder(folder, time.monotonic, orphaned=ends)
    return status, [line["remark"] for line in lines if line.get("remark")]


def notes(folder: Path) -> list[tuple[str, str]]:
    found = []
    for path in find_files(folder, "alpha"):
        with open_recording(path) as file:
            found += [(note.origin, note.text) for note in file.notes]
    return found


@pytest.mark.parametrize(("n", "n_lacking"), [(MOST, 0), (MOST + 1, 1), (3 * MOST, 2 * MOST)])
def test_a_file_says_how_many_rows_it_lacks(tmp_path: Path, n: int, n_lacking: int) -> None:
    """The newest are in it, and the log says as much; a file that has them all says nothing."""
    device, folder = FakeDevice(), tmp_path / "s"
    writer = JournalWriter(tmp_path / "alpha", device="alpha", unique_id="01", host_boot_id="b")
    device.introduce(writer)
    start = writer.append(SessionStart(device.t_host_ns, "s", 0, "{}"))
    for i in range(n):
        writer.append(NoteRecord(device.t_host_ns, f"note {i}", "anna"))
    for frame in device.frames(30):
        writer.append_frames(device.t_host_ns, [frame])
    writer.append(SessionStop(device.t_host_ns, "s", "asked"))
    record_plan(folder, "s", {"alpha": tmp_path / "alpha"}, start=start)
    status, remarks = record(folder)
    assert status == EXIT_DONE
    told = [text for who, text in notes(folder) if who == "recorder"]
    assert [text for who, text in notes(folder) if who == "anna"] == [f"note {i}" for i in range(n_lacking, n)]
    assert len(told) == len(remarks) == bool(n_lacking)
    for text in told + remarks:
        assert f"the oldest {n_lacking} are not in it" in text


def test_a_later_recorder_knows_what_was_too_much(tmp_path: Path) -> None:
    """Between windows the journal is not read again from the session's beginning: the manifest has the number."""
    journal = TriggeredJournal(tmp_path)
    for i in range(MOST + 7):
        journal.writer.append(NoteRecord(journal.device.t_host_ns, f"note {i}", "anna"))
    journal.blocks(200)
    folder = journal.plan(tmp_path / "s", {"kind": "triggered", "max_pre_s": 1})
    assert record(folder, ends=True) == (EXIT_INTERRUPTED, [])
    assert notes(folder) == []
    journal.fire(journal.device.step, 0.0, 1.0)
    journal.blocks(50)
    journal.stop()
    status, _ = record(folder)
    assert status == EXIT_DONE
    (told,) = (text for who, text in notes(folder) if who == "recorder")
    # The trigger waited as well, and is in the file.
    assert "the oldest 8 are not in it" in told
    assert sum(who == "anna" for who, _ in notes(folder)) == MOST - 1
