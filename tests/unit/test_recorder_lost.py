"""Devices of a session of which nothing is there: `verify` finds them, `recover` makes them again."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from fake_stream import FakeDevice, check_files, record_plan

from spikedaq.cli.main import main
from spikedaq.journal import JournalWriter, SessionStart, SessionStop
from spikedaq.recorder import Verdict, read_manifest, read_plan, recover, verify
from spikedaq.recorder.process import Recorder
from spikedaq.recorder.reporter import Reporter
from spikedaq.store import find_files

N_BLOCKS = 150
STARTED_UTC_NS = 1_800_000_000_000_000_000  # as `record_plan` says


class Bench:
    """Two devices, one session of both that is closed; ``quiet`` never sends a block."""

    def __init__(self, root: Path, *, quiet: str = "", stop: bool = True, later: bool = False) -> None:
        self.session = root / "recordings" / "s"
        self.beta = self.session / "beta"
        self.journal = root / "journal" / "beta"
        self.lock = root / ".spikedaqd.lock"
        journals = {name: root / "journal" / name for name in ("alpha", "beta")}
        starts = {}
        for name, journal in journals.items():
            device = FakeDevice()
            writer = JournalWriter(journal, device=name, unique_id="01", segment_bytes=30_000)
            device.introduce(writer)
            starts[name] = writer.offset
            writer.append(SessionStart(device.t_host_ns, "s", STARTED_UTC_NS, "{}"))
            if name != quiet:
                for frame in device.frames(N_BLOCKS):
                    writer.append_frames(device.t_host_ns, [frame])
            self.produced = list(device.produced) or self.produced
            if stop:
                writer.append(SessionStop(device.t_host_ns, "s", "asked"))
            if later:
                for frame in device.frames(N_BLOCKS):
                    writer.append_frames(device.t_host_ns, [frame])
            writer.close()
        record_plan(self.session, "s", journals, roll_s=1.0)
        plan = json.loads((self.session / "session.json").read_text())
        devices = [{**entry, "start_offset": starts[entry["name"]]} for entry in plan["devices"]]
        self.set_plan(devices=devices)
        reading, writing = os.pipe()
        said = os.open(os.devnull, os.O_WRONLY)
        os.close(writing)
        Recorder(read_plan(self.session), Reporter(said), reading, lambda: 0.0).run()
        os.close(reading)
        os.close(said)
        self.set_plan(state="complete" if stop else "recording")

    def set_plan(self, **changes: object) -> None:
        path = self.session / "session.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    def segments(self) -> list[Path]:
        return sorted(self.journal.glob("*.spj"))

    def problems(self) -> list[tuple[Path, Verdict]]:
        return [(f.path, f.verdict) for f in verify([self.session]) if f.is_problem]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    assert made.problems() == []
    return made


def remove(folder: Path) -> None:
    shutil.rmtree(folder)


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


@pytest.mark.parametrize("harm", [remove, empty])
def test_a_lost_device_is_found_and_made_again(
    bench: Bench, harm: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its folder, or all in it, is gone; it comes back with the same files, sample for sample."""
    before = [path.name for path in find_files(bench.session, "beta")]
    assert len(before) == 2
    harm(bench.beta)
    assert bench.problems() == [(bench.beta, Verdict.MISSING)]
    assert main(["verify", str(bench.session)]) == 1
    assert f"missing: {bench.beta}: session.json names this device" in capsys.readouterr().out
    (deed,) = recover(bench.session)
    assert deed.is_well
    assert (deed.path, "15000 samples in 2 files" in deed.text) == (bench.beta, True)
    assert [path.name for path in find_files(bench.session, "beta")] == before
    check_files(bench.session, bench.produced, "beta")
    assert bench.problems() == []
    assert recover(bench.session) == []
    assert [path.name for path in bench.session.iterdir() if path.name.startswith(".rebuild")] == []


def test_all_devices_lost(bench: Bench) -> None:
    """A session with nothing but its session.json is one that misses everything, from wherever it is looked at."""
    for name in ("alpha", "beta"):
        shutil.rmtree(bench.session / name)
    missing = [(bench.session / name, Verdict.MISSING) for name in ("alpha", "beta")]
    assert bench.problems() == missing
    assert [(f.path, f.verdict) for f in verify([bench.session.parent])] == missing
    assert [deed.is_well for deed in recover(bench.session.parent)] == [True, True]
    assert bench.problems() == []


def test_a_device_that_never_streamed_is_not_lost(tmp_path: Path) -> None:
    """Its manifest says that there is nothing; gone with its folder, it is made again as that."""
    bench = Bench(tmp_path, quiet="beta")
    assert find_files(bench.session, "beta") == []
    assert bench.problems() == []
    assert recover(bench.session) == []
    shutil.rmtree(bench.beta)
    assert bench.problems() == [(bench.beta, Verdict.MISSING)]
    (deed,) = recover(bench.session)
    assert deed.is_well
    assert "no samples of the session" in deed.text
    assert bench.problems() == []


def test_one_device_asked_for_lacks_no_other(bench: Bench) -> None:
    """A device's folder or a file is looked at by itself."""
    shutil.rmtree(bench.beta)
    alpha = bench.session / "alpha"
    file = find_files(bench.session, "alpha")[0]
    assert [f for f in verify([alpha, file]) if f.is_problem] == []
    assert recover(alpha) == []
    assert recover(file) == []
    assert not bench.beta.exists()


def test_a_journal_that_is_gone_is_said(bench: Bench) -> None:
    """Nothing is made, and it stays missing."""
    shutil.rmtree(bench.beta)
    shutil.rmtree(bench.journal)
    (deed,) = recover(bench.session)
    assert not deed.is_well
    assert f"there is no journal in {bench.journal}" in deed.text
    assert not bench.beta.exists()
    assert bench.problems() == [(bench.beta, Verdict.MISSING)]


def test_what_came_after_the_session_is_not_taken_for_it(tmp_path: Path) -> None:
    """A journal that went on and has let the session go holds other samples; also while other files are finished."""
    bench = Bench(tmp_path, later=True)
    for segment in bench.segments()[:-1]:
        segment.unlink()
    shutil.rmtree(bench.beta)
    (bench.session / "alpha" / "manifest.json").unlink()
    deeds = recover(bench.session)
    assert [deed.path for deed in deeds if not deed.is_well] == [bench.beta]
    assert "no longer has the session's end" in deeds[-1].text
    assert not bench.beta.exists()
    assert bench.problems() == [(bench.beta, Verdict.MISSING)]


def test_a_later_session_of_the_same_name_is_another(tmp_path: Path) -> None:
    """Its end in the journal says nothing of the one that was lost."""
    bench = Bench(tmp_path)
    for segment in bench.segments()[:-1]:
        segment.unlink()
    bench.segments()[0].unlink()
    device = FakeDevice()
    writer = JournalWriter(bench.journal, device="beta", unique_id="01")
    device.introduce(writer)
    writer.append(SessionStart(device.t_host_ns, "s", STARTED_UTC_NS + 3600 * 10**9, "{}"))
    writer.append_frames(device.t_host_ns, list(device.frames(10)))
    writer.append(SessionStop(device.t_host_ns, "s", "asked"))
    writer.close()
    shutil.rmtree(bench.beta)
    (deed,) = recover(bench.session)
    assert not deed.is_well
    assert "another session of this name" in deed.text
    assert not bench.beta.exists()


def test_a_journal_that_has_a_part_of_it(bench: Bench) -> None:
    """What is there is made, and it is said from when on."""
    gone = bench.segments()[0]
    gone.unlink()
    shutil.rmtree(bench.beta)
    (deed,) = recover(bench.session)
    assert not deed.is_well
    assert "the journal no longer has what came before 2027-01-15" in deed.text
    manifest = read_manifest(bench.beta)
    assert manifest is not None
    assert 0 < sum(file.n_samples for file in manifest.files) < 100 * N_BLOCKS
    assert bench.problems() == []


@pytest.mark.parametrize("has_journal", [True, False])
def test_a_session_that_goes_on(tmp_path: Path, *, has_journal: bool) -> None:
    """No daemon has it now: its lost device is taken up with the rest, or said to be gone."""
    bench = Bench(tmp_path, stop=False)
    shutil.rmtree(bench.beta)
    assert (bench.beta, Verdict.MISSING) in bench.problems()
    if not has_journal:
        shutil.rmtree(bench.journal)
    deeds = {deed.path: deed for deed in recover(bench.session)}
    assert deeds[bench.beta].is_well == has_journal
    if has_journal:
        check_files(bench.session, bench.produced, "beta")
    assert bench.problems() == ([] if has_journal else [(bench.beta, Verdict.MISSING)])


def test_what_is_being_recorded_may_not_be_there_yet(bench: Bench) -> None:
    """Its recorder is about to make it: that is worth a note, and nothing is wrong."""
    shutil.rmtree(bench.beta)
    bench.set_plan(state="recording")
    bench.lock.write_text("4711\n")
    with bench.lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        (note,) = [f for f in verify([bench.session]) if f.path == bench.beta]
        assert (note.verdict, note.is_problem) == (Verdict.NOTE, False)


def test_a_session_whose_devices_are_not_known(bench: Bench) -> None:
    """Without a session.json that can be read nobody knows whether one is lost, and both commands say so."""
    plan = bench.session / "session.json"
    plan.write_text("{")
    assert bench.problems() == [(plan, Verdict.DAMAGED)]
    (deed,) = recover(bench.session)
    assert not deed.is_well
    assert deed.path == plan
