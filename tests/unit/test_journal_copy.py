"""A copy of a journal after a power cut: what is damaged is cut off, with all behind it, and fetched again."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from copied_journal import Original

from spikedaq.journal import JournalCopy, list_segments
from spikedaq.journal.copy import ORIGIN_FILE


def original_and_copy(tmp_path: Path) -> tuple[Original, JournalCopy]:
    original = Original(tmp_path / "there", segment_bytes=2**24)
    copy = JournalCopy(tmp_path / "here" / "alpha")
    original.begin(copy)
    original.blocks(50)
    original.copy_all(copy)
    return original, copy


def power_cut(copy: JournalCopy, first: int, n_bytes: int) -> bytes:
    """Zero what had not come to the disk, as on another boot; return what the copy held before."""
    copy.close()
    path = list_segments(copy.folder)[-1].path
    before = path.read_bytes()
    path.write_bytes(before[:first] + bytes(n_bytes) + before[first + n_bytes :])
    origin = copy.folder / ORIGIN_FILE
    origin.write_text(json.dumps({**json.loads(origin.read_text()), "host_boot": "the one before"}))
    return before


@pytest.mark.parametrize(("from_frame", "n_frames"), [(20, 0), (20, 3), (25, 20)])
def test_zeros_in_the_middle_are_fetched_again(tmp_path: Path, from_frame: int, n_frames: int) -> None:
    """Frames behind a hole that a power cut left are good and worthless: the copy goes on before the hole."""
    original, copy = original_and_copy(tmp_path)
    data = list_segments(copy.folder)[-1].path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(data) if byte == 0]
    first = ends[from_frame] if n_frames else ends[from_frame] + 7
    before = power_cut(copy, first, (ends[from_frame + n_frames] - first) if n_frames else 100)
    again = JournalCopy(copy.folder)
    assert again.offset == copy.offset - len(before) + ends[from_frame]
    assert original.copy_all(again) == 0
    again.close()
    assert list_segments(again.folder)[-1].path.read_bytes() == before
    # From now on it is of this boot: nothing is looked at twice.
    assert JournalCopy(copy.folder).offset == copy.offset


def test_what_was_written_since_is_brought_to_the_disk_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sync brings what came since the last one to the disk, and costs nothing where nothing came."""
    original, copy = original_and_copy(tmp_path)
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda fd: synced.append(os.fstat(fd).st_size))
    copy.sync()
    copy.sync()
    size = list_segments(copy.folder)[-1].size()
    assert synced == [size]
    original.blocks(1)
    original.copy_all(copy)
    copy.sync()
    assert synced == [size, list_segments(copy.folder)[-1].size()]


def test_a_segment_is_on_the_disk_before_the_next_one_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a power cut only the newest segment may lack anything, so that only it has to be looked through."""
    original = Original(tmp_path / "there", ring_bytes=2**30)
    copy = JournalCopy(tmp_path / "here" / "alpha")
    original.begin(copy)
    synced: set[int] = set()
    real = os.fdatasync

    def note(fd: int) -> None:
        synced.add(os.fstat(fd).st_ino)
        real(fd)

    monkeypatch.setattr(os, "fdatasync", note)
    original.blocks(500)
    original.copy_all(copy)
    *older, newest = list_segments(copy.folder)
    assert len(older) > 2
    assert {segment.path.stat().st_ino for segment in older} <= synced
    assert newest.path.stat().st_ino in synced  # its head was, before it got its name
