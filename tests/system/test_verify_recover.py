"""`spikedaq verify` finds what is wrong with a recording; `spikedaq recover` puts right what its journal allows."""

from __future__ import annotations

import fcntl
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from fake_stream import FakeDevice, check_files, record_plan, recorder_process

from spikedaq.cli.main import main
from spikedaq.journal import JournalWriter, NoteRecord, SessionStart, SessionStop
from spikedaq.model import StoreError
from spikedaq.recorder import Finding, Verdict, mark_deleted, read_manifest, recover, verify
from spikedaq.store import check, check_file, find_files, open_recording

FLIPS = int(os.environ.get("SPIKEDAQ_FLIPS", "200"))
SEED = int(os.environ.get("SPIKEDAQ_SEED", "4"))
N_FILES = 4


class Made:
    """A finished session of one device in four files, with a gap in one and a gap between two, and its journal."""

    def __init__(self, root: Path, produced: list[tuple[int, int, int]]) -> None:
        self.root = root
        self.produced = produced
        self.session = root / "recordings" / "s"
        self.folder = self.session / "alpha"
        self.journal = root / "journal" / "alpha"

    @property
    def files(self) -> list[Path]:
        return find_files(self.session, "alpha")

    def problems(self, path: Path | None = None) -> list[Finding]:
        return [f for f in verify([path or self.session]) if f.is_problem]

    def set_plan(self, **changes: object) -> None:
        path = self.session / "session.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def record(root: Path, *, stop: bool = True) -> list[tuple[int, int, int]]:
    """Journal four seconds of a device in small segments, and record them."""
    device = FakeDevice()
    journal = root / "journal" / "alpha"
    writer = JournalWriter(journal, device="alpha", unique_id="01", segment_bytes=50_000)
    device.introduce(writer)
    start = writer.append(SessionStart(0, "s", 0, "{}"))
    record_plan(root / "recordings" / "s", "s", {"alpha": journal}, roll_s=1.0, start=start)
    for k in range(396):
        if k in (150, 199):
            device.block()  # lost on the wire: at 150 within a file, at 199 between two
            device.produced.pop()
        frames = [device.block()]
        if k % 7 == 0:
            frames.append(device.event(0, value=1.0))
        writer.append_frames(device.t_host_ns, frames)
        if k % 90 == 5:
            writer.append(NoteRecord(device.t_host_ns, f"note {k}", "test"))
    if stop:
        writer.append(SessionStop(0, "s", "asked"))
    writer.close()
    with recorder_process(root / "recordings" / "s") as process:
        if stop:
            process.communicate(timeout=60)
            assert process.returncode == 0
        else:
            while b'"number"' not in process.stdout.readline() and len(list(root.rglob("*.nwb"))) < N_FILES:
                pass
            process.kill()
    return device.produced


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Recorded once; never changed."""
    root = tmp_path_factory.mktemp("original")
    made = Made(root, record(root))
    made.set_plan(state="complete")
    return made


@pytest.fixture
def made(original: Made, tmp_path: Path) -> Made:
    """A copy to be spoilt, with a journal of its own."""
    root = tmp_path / "data"
    shutil.copytree(original.root, root)
    copy = Made(root, original.produced)
    plan = json.loads((copy.session / "session.json").read_text())
    copy.set_plan(devices=[{**plan["devices"][0], "journal": str(copy.journal)}])
    return copy


def test_a_good_recording(made: Made) -> None:
    """Nothing is found, every sample and byte is read once, and nothing is written."""
    before = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in made.root.rglob("*") if p.is_file()}
    seen: list[tuple[int, int]] = []
    findings = verify([made.root], lambda done, total: seen.append((done, total)))
    assert [f.verdict for f in findings] == [Verdict.GOOD] * N_FILES
    assert sum(f.n_samples for f in findings) == sum(n for _, _, n in made.produced)
    assert seen[-1][0] == seen[-1][1] == 2 * sum(f.n_bytes for f in findings)
    assert seen == sorted(seen)
    assert {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in made.root.rglob("*") if p.is_file()} == before
    assert recover(made.root) == []


def test_any_flipped_byte_is_found(made: Made) -> None:
    """A flipped byte at any place: seeded random places, the superblock, the file's end, and each object's data."""
    path = made.files[1]
    content = bytearray(path.read_bytes())
    rng = random.Random(SEED)
    places = [*range(48), len(content) - 1, *(rng.randrange(len(content)) for _ in range(FLIPS))]
    with h5py.File(path, "r") as file:
        file.visititems(lambda _, o: places.append(o.id.get_offset() or 0) if isinstance(o, h5py.Dataset) else None)
        data = file["acquisition/vm/data"]
        for k in range(data.id.get_num_chunks()):
            info = data.id.get_chunk_info(k)
            places += [info.byte_offset, info.byte_offset + info.size // 2, info.byte_offset + info.size - 1]
    for place in places:
        content[place] ^= (flip := rng.randrange(1, 256))
        path.write_bytes(content)
        (finding,) = verify([path])
        assert finding.verdict is Verdict.DAMAGED, f"byte {place}"
        content[place] ^= flip
    path.write_bytes(content)
    assert made.problems() == []
    print(f"{len(places)} x a flipped byte in a closed file of {len(content)} bytes, seed {SEED}: each found")


def drop(made: Made) -> None:
    made.files[1].unlink()


def shorten(made: Made) -> None:
    with made.files[1].open("r+b") as file:
        file.truncate(1000)


def flip(made: Made) -> None:
    with made.files[1].open("r+b") as file:
        file.seek(5000)
        file.write(b"\xff\xfe\xfd")


def empty(made: Made) -> None:
    made.files[1].write_bytes(b"")


def swap(made: Made) -> None:
    made.files[1].write_bytes(made.files[2].read_bytes())


def edit(made: Made) -> None:
    """Change samples in a way that HDF5 finds nothing wrong with."""
    with h5py.File(made.files[1], "r+") as file:
        file["acquisition/vm/data"][10:20] = 0


@pytest.mark.parametrize("harm", [drop, shorten, flip, empty, swap, edit])
@pytest.mark.parametrize("asked_for", ["session", "file or folder"])
def test_a_spoilt_file_is_found_and_made_again(made: Made, harm: Callable[[Made], None], asked_for: str) -> None:
    """From the journal, sample for sample, under its old name and number; what was there is kept aside."""
    path = made.files[1]
    with open_recording(path) as file:
        notes, events, times = file.notes, file.events, file.timestamps().tolist()
    harm(made)
    (problem,) = made.problems()
    assert problem.path == path
    assert problem.verdict is (Verdict.MISSING if harm is drop else Verdict.DAMAGED)
    place = made.session if asked_for == "session" else path if path.exists() else made.folder
    (deed,) = recover(place)
    assert deed.is_well, deed.text
    assert made.problems() == []
    check_files(made.session, made.produced)
    with open_recording(path) as file:
        assert (file.notes, file.events, file.timestamps().tolist()) == (notes, events, times)
    assert path.with_suffix(".nwb.damaged").exists() == (harm is not drop)
    assert [p.name for p in made.session.iterdir() if p.name.startswith(".rebuild")] == []
    assert recover(made.session) == []


def test_all_files_gone(made: Made) -> None:
    """A whole session comes back from its journal and its manifest."""
    for path in made.files:
        path.unlink()
    deeds = recover(made.root / "recordings")
    assert [d.is_well for d in deeds] == [True] * N_FILES
    check_files(made.session, made.produced)
    assert made.problems() == []


def test_a_journal_that_no_longer_has_it(made: Made) -> None:
    """What cannot be got is said; a damaged file, which may be readable still, stays where it is."""
    first, second, third = made.files[:3]
    shutil.rmtree(made.journal)
    content = bytearray(first.read_bytes())
    content[-5] ^= 1
    first.write_bytes(content)
    second.unlink()
    deeds = recover(made.session)
    assert [d.is_well for d in deeds] == [False, False]
    assert all("samples are not to be had" in d.text for d in deeds)
    assert first.read_bytes() == content
    assert third.exists()
    assert {f.verdict for f in made.problems()} == {Verdict.DAMAGED, Verdict.MISSING}


def test_a_journal_that_has_a_part_of_it(made: Made) -> None:
    """Of a missing file the part that is there comes back, and the missing steps are named."""
    segments = sorted(made.journal.glob("*.spj"))
    manifest = read_manifest(made.folder)
    assert manifest is not None
    assert len(segments) > 2
    gone = [s for s in segments if int(s.stem) < manifest.files[0].cursor][:-1]
    for segment in gone or segments[:1]:
        segment.unlink()
    path = made.files[0]
    path.unlink()
    (deed,) = recover(made.session)
    assert not deed.is_well
    assert "the journal no longer has steps 0 to" in deed.text
    made_again = check_file(path)
    assert made_again.next_step == manifest.files[0].last_step + 1
    assert made_again.first_step > 0
    assert made.problems() == []


def test_a_garbled_manifest_is_made_anew(made: Made) -> None:
    """The manifest is set aside and its files are taken in again."""
    (made.folder / "manifest.json").write_text('{"version": 1, "files": [')
    assert Verdict.DAMAGED in {f.verdict for f in made.problems()}
    assert all(d.is_well for d in recover(made.session))
    assert made.problems() == []
    check_files(made.session, made.produced)


def test_what_a_killed_recovery_left_is_cleared_away(made: Made) -> None:
    stale = made.session / ".rebuild-abc" / "alpha"
    stale.mkdir(parents=True)
    (stale / "half.nwb").write_bytes(b"x")
    assert recover(made.session) == []
    assert not stale.parent.exists()


def test_numbers_outlive_a_manifest_and_a_file(made: Made) -> None:
    """The first file was deleted to make room, the manifest made anew, and the third is made again: it stays that."""
    first, _, third = made.files[:3]
    first.unlink()
    (made.folder / "manifest.json").write_text("{")
    recover(made.session)
    third.unlink()
    assert [d.is_well for d in recover(made.session)] == [True]
    assert [check_file(p).number for p in made.files] == [1, 2, 3]
    manifest = read_manifest(made.folder)
    assert manifest is not None
    assert [f.number for f in manifest.files] == [1, 2, 3]


def test_files_that_do_not_follow_each_other(made: Made) -> None:
    """A doubled stretch, a missing stretch and a missing number are found, though each file is good."""
    manifest = read_manifest(made.folder)
    assert manifest is not None
    files = list(manifest.files)
    manifest.files = [files[0], files[2], files[3]]
    manifest.save(made.folder)
    files[1] = replace(files[1], number=1)
    made.files[1].rename(made.root / "elsewhere")
    texts = " ".join(f.text for f in made.problems())
    assert "file 0 is followed by file 2" in texts
    assert "are missing and no gap says so" in texts
    manifest.files = [files[0], files[1], files[1]]
    (made.root / "elsewhere").rename(made.folder / files[1].name)
    manifest.save(made.folder)
    assert "are doubled" in " ".join(f.text for f in made.problems())


def test_a_deleted_file_is_no_problem(made: Made) -> None:
    """What the retention took is reported, and neither missed nor made again."""
    path = made.files[0]
    mark_deleted(made.folder, path.name, 10**18, "older than 3 days")
    path.unlink()
    findings = verify([made.session])
    assert findings[0].verdict is Verdict.DELETED
    assert "older than 3 days" in findings[0].text
    assert made.problems() == []
    assert recover(made.session) == []


def test_what_a_kill_left(tmp_path: Path) -> None:
    """A killed session is finished with all that the journal holds, without a daemon, and stays to be resumed."""
    root = tmp_path / "data"
    made = Made(root, record(root, stop=False))
    assert {f.verdict for f in made.problems()} == {Verdict.NOT_CLOSED}
    assert all(d.is_well for d in recover(made.session))
    check_files(made.session, made.produced)
    assert made.problems() == []
    assert json.loads((made.session / "session.json").read_text())["state"] == "recording"


def test_a_file_without_its_session(made: Made, tmp_path: Path) -> None:
    """A file that was copied away is readable, but nobody can vouch for it; a killed one opens again."""
    away = tmp_path / "away"
    away.mkdir()
    path = away / made.files[0].name
    shutil.copy(made.files[0], path)
    (finding,) = verify([path])
    assert finding.verdict is Verdict.UNCHECKED
    assert recover(path) == []
    content = bytearray(path.read_bytes())
    content[8] ^= 1
    path.write_bytes(content)
    (deed,) = recover(path)
    assert not deed.is_well


@pytest.mark.parametrize("who", ["recorder", "daemon"])
def test_nothing_that_somebody_records_is_touched(made: Made, who: str) -> None:
    """A session in use is refused by name; verifying it is allowed."""
    drop(made)
    lock = made.session / ".recorder.lock"
    if who == "daemon":
        made.set_plan(state="recording")
        lock = made.root / ".spikedaqd.lock"
        lock.write_text("4711\n")
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="recorder is running" if who == "recorder" else r"process 4711"):
            recover(made.root)
        assert len(made.problems()) == 1
    assert len(made.files) == N_FILES - 1
    assert all(d.is_well for d in recover(made.root))


def test_a_file_that_crashes_hdf5_does_not_crash_us(made: Made) -> None:
    """Whatever is in a file that no manifest lists, reading it ends at most a process of its own."""
    rng = random.Random(8)
    (made.folder / "manifest.json").unlink()
    path = made.files[1]
    content = path.read_bytes()
    for _ in range(4):
        spoilt = bytearray(content)
        for _ in range(40):
            spoilt[rng.randrange(48, 30_000)] = rng.randrange(256)
        path.write_bytes(spoilt)
        (finding,) = verify([path])
        assert finding.verdict in (Verdict.DAMAGED, Verdict.WRONG, Verdict.UNCHECKED)


def test_a_damaged_file_that_was_never_closed_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HDF5 would wait for the end of a write that nobody is making."""
    monkeypatch.setattr(check, "PATIENCE_S", 5.0)
    root = tmp_path / "data"
    made = Made(root, record(root, stop=False))
    (finding,) = made.problems()
    content = bytearray(finding.path.read_bytes())
    # An object header in the first pages; its checksum no longer fits.
    at = content.index(b"OHDR", 100)
    content[at + 20 : at + 30] = bytes(10)
    finding.path.write_bytes(content)
    assert {f.verdict for f in made.problems()} == {Verdict.DAMAGED}
    assert all(d.is_well for d in recover(made.session))
    assert made.problems() == []
    check_files(made.session, made.produced)


def test_the_commands(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status, text and JSON of verify, recover and pin."""
    assert main(["verify", str(made.root)]) == 0
    assert "4 good" in capsys.readouterr().out
    shorten(made)
    assert main(["verify", str(made.session), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert [f["verdict"] for f in found["findings"]] == ["good", "damaged", "good", "good"]
    assert main(["recover", str(made.session), "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["ok"] is True
    assert main(["recover", str(made.session)]) == 0
    assert "nothing was done" in capsys.readouterr().out
    assert main(["verify", str(made.root / "nowhere")]) == 1
    assert "does not exist" in capsys.readouterr().err
    assert main(["pin", str(made.session)]) == 0
    assert (made.session / "keep").exists()
    assert main(["pin", "--remove", str(made.session)]) == 0
    assert main(["pin", "--remove", str(made.session)]) == 1
    done = subprocess.run([sys.executable, "-m", "spikedaq.cli", "verify"], capture_output=True, check=False)
    assert done.returncode == 2
