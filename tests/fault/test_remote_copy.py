"""Copies of journals that are cut off, deleted from and replaced: what is recorded, and what is said to be missing."""

from __future__ import annotations

import json
import os
import random
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from copied_journal import Original
from fake_stream import T0_NS, check_files, record_plan, recorder_process

from spikedaq.journal import JournalCopy, OtherJournalError, SessionStart, SessionStop, list_segments
from spikedaq.store import RecordingFile, find_files, open_recording

SEEDS = int(os.environ.get("REMOTE_COPY_SEEDS", "3"))


def finish(copy: JournalCopy, folder: Path) -> None:
    """End the session and let a real recorder take all of it."""
    copy.append(SessionStop(T0_NS, "the end of the copy", "user"))
    copy.close()
    recorder = recorder_process(folder)
    _, said = recorder.communicate(timeout=60)
    assert recorder.returncode == 0, said


def missing_samples(files: list[RecordingFile]) -> dict[str, int]:
    """Return what the files say is missing, by cause."""
    counts: Counter[str] = Counter()
    for file in files:
        for gap in file.gaps:
            counts[str(gap.gap.cause)] += gap.gap.n_steps
    return dict(counts)


def plan(tmp_path: Path, copy: JournalCopy) -> Path:
    """Write a session that records the copy from where it begins."""
    folder = tmp_path / "away"
    record_plan(folder, "away", {"alpha": copy.folder}, start=copy.offset)
    path = folder / "session.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "ends_with": "the end of the copy"}))
    return folder


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_copy_that_was_killed_and_resumed_has_every_block_once(tmp_path: Path, seed: int) -> None:
    """Torn writes, restarts of either side, a rolling original, a session of the same name there: all is recorded."""
    rng = random.Random(seed)
    original = Original(tmp_path / "there", ring_bytes=2**30)
    original.blocks(rng.randint(1, 100))
    copy = JournalCopy(tmp_path / "here" / "alpha")
    original.begin(copy)
    folder = plan(tmp_path, copy)
    first = len(original.device.produced)
    for i in range(40):
        original.blocks(rng.randint(0, 40))
        chance = rng.random()
        if chance < 0.3:
            copy.close()
            segment = list_segments(copy.folder)[-1]
            cut = rng.randint(0, min(3000, segment.size() - 1))
            if segment.size() - cut > 2000:  # its head was there before anything was recorded
                os.truncate(segment.path, segment.size() - cut)
            copy = JournalCopy(copy.folder)
        elif chance < 0.4:
            original.writer.close()
            original.open(host_boot_id=rng.choice(["b", f"b{i}"]))
        elif chance < 0.5:
            original.writer.append(SessionStart(T0_NS, "away", 0, "{}"))
            original.writer.append(SessionStop(T0_NS, "away", "user"))
        if rng.random() < 0.7:
            assert original.copy_all(copy) == 0
    assert original.copy_all(copy) == 0
    finish(copy, folder)
    files = check_files(folder, original.device.produced[first:])
    assert missing_samples(files) == {}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_was_deleted_before_it_was_copied_is_a_gap_of_known_length(tmp_path: Path, seed: int) -> None:
    """The file says exactly which samples are missing, and that they were dropped on the way."""
    rng = random.Random(seed)
    original = Original(tmp_path / "there")
    copy = JournalCopy(tmp_path / "here" / "alpha")
    original.begin(copy)
    folder = plan(tmp_path, copy)
    original.blocks(rng.randint(1, 60))
    assert original.copy_all(copy) == 0
    kept = len(original.device.produced)
    original.blocks(rng.randint(1500, 2500))
    original.writer.retain(original.writer.offset)
    if rng.random() < 0.5:
        copy.close()
        copy = JournalCopy(copy.folder)
    assert original.copy_all(copy) > 0
    original.blocks(10)
    original.copy_all(copy)
    index = original.ask("extent", device="alpha")["first"]
    resumed = next(i for i, (_, step, _) in enumerate(original.device.produced) if step == index["step"])
    finish(copy, folder)
    produced = original.device.produced
    files = check_files(folder, produced[:kept] + produced[resumed:])
    missing = sum(n for _, _, n in produced[kept:resumed])
    assert missing_samples(files) == {"dropped": missing}


def test_another_journal_in_its_place_is_noticed(tmp_path: Path) -> None:
    """A daemon that came back with another data folder is no continuation; what it sends from then on is recorded."""
    original = Original(tmp_path / "there")
    original.blocks(100)
    copy = JournalCopy(tmp_path / "here" / "alpha")
    original.begin(copy)
    folder = plan(tmp_path, copy)
    original.blocks(20)
    original.copy_all(copy)
    other = Original(tmp_path / "elsewhere")
    other.device.reboot(77)
    other.device.t_host_ns = original.device.t_host_ns
    other.device.introduce(other.writer)
    other.blocks(5)
    with pytest.raises(OtherJournalError):
        other.copy_all(copy)
    other.begin(copy)
    first = len(other.device.produced)
    other.blocks(30)
    other.copy_all(copy)
    finish(copy, folder)
    check_files(folder, original.device.produced[100:] + other.device.produced[first:])


def test_a_longer_journal_in_its_place_is_noticed_by_its_segments(tmp_path: Path) -> None:
    """Offsets alone do not say whose they are; when a segment was begun does."""
    original = Original(tmp_path / "there", segment_bytes=2**24)
    copy = JournalCopy(tmp_path / "here" / "alpha")
    original.begin(copy)
    original.blocks(20)
    original.copy_all(copy)
    other = Original(tmp_path / "elsewhere", segment_bytes=2**24)
    other.device.t_host_ns += 10**9
    other.writer.close()
    for segment in list_segments(tmp_path / "elsewhere" / "alpha"):
        segment.path.unlink()
    other.open(segment_bytes=2**24)
    other.device.introduce(other.writer)
    other.blocks(200)
    with pytest.raises(OtherJournalError):
        other.copy_all(copy)


def test_a_boot_that_began_among_what_was_deleted_is_recorded_as_one(tmp_path: Path) -> None:
    """Its hello was never copied; the head of the next segment says it."""
    original = Original(tmp_path / "there")
    copy = JournalCopy(tmp_path / "here" / "alpha")
    original.begin(copy)
    folder = plan(tmp_path, copy)
    original.blocks(30)
    original.copy_all(copy)
    original.device.reboot(55)
    original.device.introduce(original.writer)
    original.blocks(2000)
    original.writer.retain(original.writer.offset)
    step = original.ask("extent", device="alpha")["first"]["step"]
    assert original.copy_all(copy) > 0
    finish(copy, folder)
    produced = original.device.produced
    check_files(folder, [p for p in produced if p[0] == 1 or p[1] >= step])


def test_ticks_go_on_after_hours_that_were_deleted(tmp_path: Path) -> None:
    """A tick of 32 bits wraps every 71 minutes; how often it did meanwhile says the head of the next segment."""
    original = Original(tmp_path / "there")
    copy = JournalCopy(tmp_path / "here" / "alpha")
    original.begin(copy)
    folder = plan(tmp_path, copy)
    original.blocks(30)
    original.copy_all(copy)
    for _ in range(10):
        original.device.skip(20 * 60 * 10_000)
        original.writer.append_frames(original.device.t_host_ns, [original.device.status()])
        original.blocks(200)
    original.writer.retain(original.writer.offset)
    assert original.copy_all(copy) > 0
    newest_tick = original.device.tick - 100 * original.device.step_us
    finish(copy, folder)
    (*_, file) = [open_recording(path) for path in find_files(folder, "alpha")]
    assert int(file.blocks["first_tick"][-1]) == newest_tick
