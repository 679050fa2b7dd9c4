"""The reading end of a journal: polling, damage, segments that come and go, starting anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
import itertools

from fake_stream import FakeDevice

from spikedaq.journal import JournalReader, JournalWriter, NoteRecord, ReceivedAt, SegmentStart, Snapshot
from spikedaq.wire import Frame


def make(folder: Path, **more: object) -> JournalWriter:
    return JournalWriter(folder, device="alpha", unique_id="0102", **{"segment_bytes": 20_000, **more})  # type: ignore[arg-type]


def drain(reader: JournalReader) -> list:
    entries = []
    while found := reader.poll():
        entries += found
    return entries


def frames_of(entries: list) -> list[bytes]:
    return [e.item.raw for e in entries if isinstance(e.item, Frame)]


def test_a_folder_that_is_not_there_yet_has_nothing_new(tmp_path: Path) -> None:
    """The recorder may be started before the device has ever been seen."""
    reader = JournalReader.open_at(tmp_path / "j", 0)
    assert reader.poll() == []
    writer = make(tmp_path / "j")
    frame = FakeDevice().block()
    writer.append_frames(1, [frame])
    assert frames_of(reader.poll()) == [frame]
    assert reader.poll() == []


def test_who_waits_for_more_interns_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recorder lists its journals many times a second, for weeks: a name interned each time fills a table."""
    writer = make(tmp_path / "j")
    for frame in FakeDevice().frames(400):
        writer.append_frames(1, [frame])
    reader = JournalReader(tmp_path / "j")
    drain(reader)
    interned: list[str] = []
    intern = sys.intern
    monkeypatch.setattr(sys, "intern", lambda text: interned.append(text) or intern(text))
    assert reader.poll() == []
    assert reader.end_offset() == writer.offset
    assert interned == []


def test_offsets_of_entries_tile_the_journal(tmp_path: Path) -> None:
    """Every byte belongs to one entry, so that an end offset is where the next reader starts."""
    device, writer = FakeDevice(), make(tmp_path / "j")
    device.introduce(writer)
    for frame in device.frames(120):
        writer.append_frames(1, [frame])
    reader = JournalReader(tmp_path / "j")
    entries = drain(reader)
    assert entries[0].offset == 0
    assert all(a.end_offset == b.offset for a, b in itertools.pairwise(entries))
    assert entries[-1].end_offset == writer.offset == reader.offset == reader.end_offset()
    for entry in entries[:: len(entries) // 50]:
        assert JournalReader(tmp_path / "j", entry.offset).poll()[0] == entry


def test_a_reader_that_follows_sees_each_frame_once(tmp_path: Path) -> None:
    device, writer = FakeDevice(), make(tmp_path / "j")
    reader, seen, sent = JournalReader(tmp_path / "j"), [], []
    for i in range(200):
        sent.append(device.block())
        writer.append_frames(1, [sent[-1]])
        if i % 7 == 0:
            seen += frames_of(drain(reader))
    seen += frames_of(drain(reader))
    assert seen == sent
    assert reader.counters.damaged == 0


@pytest.mark.parametrize("cut", [1, 2, 50, 1600])
def test_a_partly_written_tail_is_left_for_the_next_poll(tmp_path: Path, cut: int) -> None:
    """A torn tail that a new writer replaces leaves nothing behind in the reader."""
    device, writer = FakeDevice(), make(tmp_path / "j", segment_bytes=2**20, host_boot_id="b")
    first, torn, replaced = device.block(), device.block(), device.block()
    writer.append_frames(1, [first])
    at = writer.offset
    writer.close()
    path = next((tmp_path / "j").glob("*.spj"))
    with path.open("ab") as file:
        file.write(torn[: len(torn) - cut])
    reader = JournalReader(tmp_path / "j")
    assert frames_of(drain(reader)) == [first]
    assert reader.offset == at
    writer = make(tmp_path / "j", segment_bytes=2**20, host_boot_id="b")
    assert writer.counters.torn_bytes == len(torn) - cut
    writer.append_frames(2, [replaced])
    assert frames_of(drain(reader)) == [replaced]
    assert reader.counters.damaged == 0


def test_damage_in_the_middle_is_counted_and_skipped(tmp_path: Path) -> None:
    """A flipped bit costs one frame, a flipped delimiter two, and nothing else."""
    device, writer = FakeDevice(), make(tmp_path / "j", segment_bytes=2**20)
    sent, ends = [device.block() for _ in range(10)], []
    for frame in sent:
        ends.append(writer.append_frames(1, [frame]))
    writer.close()
    path = next((tmp_path / "j").glob("*.spj"))
    data = bytearray(path.read_bytes())
    data[ends[3] - 100] ^= 0x10 if data[ends[3] - 100] != 0x10 else 0x20
    data[ends[6] - 1] = 0x55
    path.write_bytes(data)
    reader = JournalReader(tmp_path / "j")
    entries = drain(reader)
    assert frames_of(entries) == [f for i, f in enumerate(sent) if i not in (3, 6)]
    assert reader.counters.damaged == 2
    assert len([e for e in entries if isinstance(e.item, ReceivedAt)]) == 9, (
        "the record after the delimiter went as well"
    )


def test_megabytes_of_zeros_or_noise_do_not_stop_a_reader(tmp_path: Path) -> None:
    """What a power cut leaves in a file; the writer that comes after it starts a segment of its own."""
    device = FakeDevice()
    for rubbish in (bytes(3 * 2**20), b"\x55" * (3 * 2**20)):
        folder = tmp_path / f"j{rubbish[0]}"
        writer = make(folder, segment_bytes=2**24, host_boot_id="b1")
        first, second = device.block(), device.block()
        writer.append_frames(1, [first])
        writer.close()
        path = next(folder.glob("*.spj"))
        with path.open("ab") as file:
            file.write(rubbish)
        reader = JournalReader(folder)
        assert frames_of(drain(reader)) == [first]
        writer = make(folder, segment_bytes=2**24, host_boot_id="b2")
        assert writer.counters.torn_bytes == len(rubbish)
        writer.append_frames(2, [second])
        assert frames_of(drain(reader)) == [second]
        assert frames_of(drain(JournalReader(folder))) == [first, second]


@pytest.mark.parametrize("max_bytes", [1, 700, 5000, 2**20])
def test_who_asks_for_little_gets_the_same(tmp_path: Path, max_bytes: int) -> None:
    """A frame longer than what is asked for comes by itself; a longer one that is partly written is waited for."""
    device, writer = FakeDevice(), make(tmp_path / "j", segment_bytes=2**20)
    for _ in range(5):
        writer.append_frames(1, [device.block()])
        writer.append(NoteRecord(1, "x" * 200_000, "y" * 50_000))
        writer.append_frames(1, [device.block()])
    expected = drain(JournalReader(tmp_path / "j"))
    path = max((tmp_path / "j").glob("*.spj"))
    with path.open("ab") as file:
        file.write(b"\x05" * 100_000)
    reader = JournalReader(tmp_path / "j")
    entries = []
    while found := reader.poll(max_bytes):
        assert len(found) == 1 or found[-1].end_offset - found[0].offset <= max_bytes
        entries += found
    assert entries == expected
    assert reader.counters.damaged == 0


def test_a_torn_tail_before_another_segment_is_damage(tmp_path: Path) -> None:
    device, writer = FakeDevice(), make(tmp_path / "j", segment_bytes=2**20, host_boot_id="b1")
    first, second = device.block(), device.block()
    writer.append_frames(1, [first])
    writer.close()
    path = next((tmp_path / "j").glob("*.spj"))
    writer = make(tmp_path / "j", host_boot_id="b2")
    writer.append_frames(2, [second])
    with path.open("ab") as file:
        file.write(b"\x05torn")
    reader = JournalReader(tmp_path / "j")
    assert frames_of(drain(reader)) == [first, second]
    assert (reader.counters.damaged, reader.counters.damaged_bytes) == (1, 5)


def test_segments_deleted_under_a_reader(tmp_path: Path) -> None:
    """The open one is read to its end, what is gone is counted in bytes."""
    device, writer = FakeDevice(), make(tmp_path / "j")
    sent = [device.block() for _ in range(100)]
    ends = [writer.append_frames(1, [f]) for f in sent]
    reader = JournalReader(tmp_path / "j")
    drain_some = reader.poll(1)
    paths = sorted((tmp_path / "j").glob("*.spj"))
    for path in paths[:3]:
        path.unlink()
    entries = drain_some + drain(reader)
    gone = sum(int(paths[0].stem) < end <= int(paths[3].stem) for end in ends)
    first_segment = sum(end <= int(paths[1].stem) for end in ends)
    assert frames_of(entries) == [*sent[:first_segment], *sent[gone:]]
    late = JournalReader(tmp_path / "j", 0)
    assert frames_of(drain(late)) == sent[gone:]
    assert late.counters.skipped_bytes == int(paths[3].stem)


def test_the_last_frames_of_a_segment_are_not_missed_when_the_next_appears(tmp_path: Path) -> None:
    """The writer may add to a segment and start the next between a reader's read and its look at the folder."""
    device, writer = FakeDevice(), make(tmp_path / "j", segment_bytes=2**20)
    first = device.block()
    writer.append_frames(1, [first])
    reader = JournalReader(tmp_path / "j")
    assert frames_of(drain(reader)) == [first]
    late, next_one = device.block(), device.block()
    real = os.pread
    calls = []

    def racing(fd: int, n: int, at: int) -> bytes:
        data = real(fd, n, at)
        if not calls:
            calls.append(1)
            writer.append_frames(2, [late])
            writer._roll()
            writer.append_frames(3, [next_one])
        return data

    os.pread = racing
    try:
        assert frames_of(drain(reader)) == [late, next_one]
    finally:
        os.pread = real


def test_opening_in_the_middle_knows_what_came_before(tmp_path: Path) -> None:
    """At any offset, also inside a frame or at a segment's first byte, the state is that of a reader from the start."""
    device, writer = FakeDevice(), make(tmp_path / "j")
    device.introduce(writer)
    maps, ends = [], []
    for i in range(60):
        ends.append(writer.append_frames(1, [device.block()]))
        maps.append(device.clock_map(i))
        writer.append(maps[-1])
    bases = [int(p.stem) for p in (tmp_path / "j").glob("*.spj") if int(p.stem)]
    for offset in [*ends, *bases, *(e + 3 for e in ends), *(e - 800 for e in ends[1:])]:
        reader = JournalReader.open_at(tmp_path / "j", offset)
        assert reader.offset >= offset
        assert reader.state.boot_id == 1
        assert len(reader.state.descriptions) == 9
        assert reader.state.time is not None
        seen = [m.map for m, e in zip(maps, [*ends[1:], writer.offset], strict=False) if e <= offset]
        if seen:
            assert reader.state.clock_map is not None
            assert reader.state.clock_map.tick0 >= seen[-1].tick0
        entries = drain(reader)
        assert reader.counters.damaged == 0, "a reader that starts inside a frame skips its rest quietly"
        assert frames_of(entries) == frames_of([e for e in drain(JournalReader(tmp_path / "j")) if e.offset >= offset])


def test_snapshots_are_no_device_frames(tmp_path: Path) -> None:
    """They keep old sequence numbers, so a reader that counts missing frames must be able to tell."""
    device, writer = FakeDevice(), make(tmp_path / "j")
    device.introduce(writer)
    sent = [device.block() for _ in range(60)]
    for frame in sent:
        writer.append_frames(1, [frame])
    entries = drain(JournalReader(tmp_path / "j"))
    n_heads = len([e for e in entries if isinstance(e.item, SegmentStart)]) - 1
    assert len([e for e in entries if isinstance(e.item, Snapshot)]) == n_heads * 11
    assert len(frames_of(entries)) == 11 + 60


def test_a_reader_in_another_process_while_this_one_writes(tmp_path: Path) -> None:
    """Polling never sees a frame twice, torn or out of order, over many segments."""
    script = """
import sys
from pathlib import Path
from spikedaq.journal import JournalReader, NoteRecord
reader, n = JournalReader(Path(sys.argv[1])), 0
while True:
    for entry in reader.poll():
        if isinstance(entry.item, NoteRecord):
            assert entry.item.text == str(n), (entry.item.text, n)
            n += 1
            if entry.item.t_host_ns == 1:
                print(n, reader.counters.damaged)
                sys.exit()
"""
    writer = make(tmp_path / "j")
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "j")], stdout=subprocess.PIPE) as reader:
        for i in range(3000):
            writer.append(NoteRecord(0, str(i), "x" * (i % 200)))
        writer.append(NoteRecord(1, "3000", ""))
        out, _ = reader.communicate(timeout=60)
    assert out.split() == [b"3001", b"0"]
