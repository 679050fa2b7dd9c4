"""The writing end of a journal: heads, reopening, full disks, retention, locking."""

from __future__ import annotations

import errno
import os
import sys
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgpack
import pytest
from cobs import cobs

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from fake_stream import FakeDevice

import spikedaq.journal.tail as tail_module
import spikedaq.journal.writer as writer_module
from spikedaq.daemon.config import JournalConfig
from spikedaq.daemon.journals import Journal
from spikedaq.journal import (
    ClockFitRecord,
    ClockMapRecord,
    JournalGap,
    JournalReader,
    JournalWriter,
    NoteRecord,
    PingRecord,
    SessionStart,
    SessionStop,
    TriggerRecord,
    decode_frames,
)
from spikedaq.journal.segments import kept_bytes
from spikedaq.model import ClockMap, StoreError
from spikedaq.wire import Frame


def make(folder: Path, **more: object) -> JournalWriter:
    return JournalWriter(folder, device="alpha", unique_id="0102", **{"segment_bytes": 50_000, **more})  # type: ignore[arg-type]


def independent(folder: Path) -> Iterator[tuple[int, list]]:
    """Journal offset and message of every frame, without the room's reader."""
    for path in sorted(folder.glob("*.spj")):
        position = int(path.stem)
        for piece in path.read_bytes().split(b"\0")[:-1]:
            body = cobs.decode(piece)
            assert zlib.crc32(body) == 0x2144DF1C
            yield position, msgpack.unpackb(body[:-4])
            position += len(piece) + 1


def read_all(reader: JournalReader) -> list:
    entries = []
    while found := reader.poll():
        entries += found
    return [e.item for e in entries]


def frames_of(items: list) -> list[bytes]:
    return [i.raw for i in items if isinstance(i, Frame)]


def test_device_frames_are_kept_byte_for_byte(tmp_path: Path) -> None:
    """What the device sent is in the file as it came, after a record of when."""
    device, writer = FakeDevice(), make(tmp_path / "j")
    raws = [device.hello(), device.block()]
    end = writer.append_frames(123, raws)
    writer.close()
    data = next((tmp_path / "j").glob("*.spj")).read_bytes()
    assert data.endswith(raws[0] + raws[1])
    assert end == len(data)
    assert [m[0] for _, m in independent(tmp_path / "j")] == [64, 65, 1, 3]


def test_one_chunk_is_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill between two writes of one chunk would part the frames from their time."""
    device, writer = FakeDevice(), make(tmp_path / "j")
    calls: list[int] = []
    real = os.write

    def counted(fd: int, data: bytes) -> int:
        calls.append(len(data))
        return real(fd, data)

    monkeypatch.setattr(writer_module.os, "write", counted)
    writer.append_frames(1, [device.hello(), device.block(), device.block()])
    assert len(calls) == 1


def test_every_segment_starts_with_what_a_reader_needs(tmp_path: Path) -> None:
    """Segment record, snapshots of hello, descriptions, parameters and time, the clock map, the open session."""
    device, writer = FakeDevice(), make(tmp_path / "j")
    device.introduce(writer)
    writer.append(SessionStart(5, "s", 6, "{}"))
    writer.append_frames(7, [device.event(2, index=0, value=3.5)])
    newest = device.clock_map(7)
    writer.append(newest)
    for _ in range(100):
        writer.append_frames(8, [device.block()])
    writer.close()
    messages = [m for offset, m in independent(tmp_path / "j")]
    starts = [i for i, m in enumerate(messages) if m[0] == 64]
    assert len(starts) > 2
    for i in starts[1:]:
        head = messages[i : i + 15]
        assert [m[0] for m in head] == [64, *[74] * 12, 67, 71]
        # Hello, nine descriptions, the parameter's change, the status with its 64-bit tick.
        assert [msgpack.unpackb(m[2])[0] for m in head[1:13]] == [1, *[2] * 9, 4, 7]
        assert head[13][-1] == 7
        assert head[14][2] == "s"


def test_a_stopped_session_is_not_repeated(tmp_path: Path) -> None:
    device, writer = FakeDevice(), make(tmp_path / "j")
    device.introduce(writer)
    writer.append(SessionStart(5, "s", 6, "{}"))
    writer.append(SessionStop(6, "s", "asked"))
    for _ in range(100):
        writer.append_frames(8, [device.block()])
    assert sum(m[0] == 71 for _, m in independent(tmp_path / "j")) == 1


def test_another_boot_forgets_what_the_last_one_said(tmp_path: Path) -> None:
    """A clock map or a description of another boot would date and scale samples wrongly."""
    device, writer = FakeDevice(), make(tmp_path / "j")
    device.introduce(writer)
    device.reboot(2)
    writer.append_frames(1, [device.hello()])
    for _ in range(60):
        writer.append_frames(8, [device.block()])
    state = JournalReader.open_at(tmp_path / "j", writer.offset).state
    assert (state.boot_id, len(state.descriptions), state.clock_map) == (2, 0, None)


def test_offsets_go_on_over_segments_and_reopening(tmp_path: Path) -> None:
    """Each segment starts where the one before it ends, also after a restart of the writer."""
    device = FakeDevice()
    for _ in range(3):
        writer = make(tmp_path / "j", host_boot_id="b")
        for _ in range(40):
            writer.append_frames(8, [device.block()])
        end = writer.offset
        writer.close()
    paths = sorted((tmp_path / "j").glob("*.spj"))
    position = 0
    for path in paths:
        assert int(path.stem) == position
        position += path.stat().st_size
    assert position == end
    assert len(frames_of(read_all(JournalReader(tmp_path / "j")))) == 120


def test_after_a_restart_of_the_computer_no_offset_is_used_twice(tmp_path: Path) -> None:
    """A power cut may take back bytes that a recording's cursor already names."""
    device = FakeDevice()
    writer = make(tmp_path / "j", host_boot_id="first")
    device.introduce(writer)
    writer.append_frames(1, [device.block()])
    promised = writer.offset
    writer.close()
    path = next((tmp_path / "j").glob("*.spj"))
    os.truncate(path, path.stat().st_size - 700)
    writer = make(tmp_path / "j", host_boot_id="second")
    again = device.block()
    writer.append_frames(2, [again])
    assert writer.offset > promised
    reader = JournalReader(tmp_path / "j", promised)
    assert frames_of(read_all(reader)) == [again]
    state = JournalReader.open_at(tmp_path / "j", writer.offset).state
    assert state.boot_id == 1
    assert state.clock_map is None, "CLOCK_BOOTTIME has started anew"


@pytest.mark.parametrize("rubbish", [b"\x05torn\x00", b"\x00\x00\x00", b"\x03ab\x00\x00\x02c", b"\x01\x00" * 50])
def test_the_last_segment_is_cut_off_after_its_last_good_frame(tmp_path: Path, rubbish: bytes) -> None:
    """What follows it is no frame, whether or not a zero closes it."""
    device, writer = FakeDevice(), make(tmp_path / "j", host_boot_id="b")
    end = writer.append_frames(1, [device.block()])
    writer.close()
    path = next((tmp_path / "j").glob("*.spj"))
    with path.open("ab") as file:
        file.write(rubbish)
    writer = make(tmp_path / "j", host_boot_id="b")
    assert writer.offset == path.stat().st_size == end
    assert writer.counters.torn_bytes == len(rubbish)


def test_another_device_in_the_folder_starts_without_the_old_ones_state(tmp_path: Path) -> None:
    device, writer = FakeDevice(), make(tmp_path / "j", host_boot_id="b")
    device.introduce(writer)
    writer.close()
    writer = JournalWriter(tmp_path / "j", device="alpha", unique_id="ffff", host_boot_id="b")
    assert JournalReader.open_at(tmp_path / "j", writer.offset).state.hello is None


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    writer = make(tmp_path / "j")
    with pytest.raises(StoreError, match=r"another process.*stop the other"):
        make(tmp_path / "j")
    writer.close()
    make(tmp_path / "j").close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=str(tmp_path / "file" / "j")):
        make(tmp_path / "file" / "j")


def test_the_ring_keeps_what_somebody_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole segments go once they are older than the ring and below what is needed; never the present one."""
    monkeypatch.setattr(writer_module, "RETAIN_SLACK_BYTES", 10_000)
    device, writer = FakeDevice(), make(tmp_path / "j", ring_bytes=120_000)
    for _ in range(300):
        writer.append_frames(8, [device.block()])
    bases = sorted(int(p.stem) for p in (tmp_path / "j").glob("*.spj"))
    writer.retain(needed_from=bases[3] + 20_000)
    assert min(int(p.stem) for p in (tmp_path / "j").glob("*.spj")) == bases[3]
    writer.retain(needed_from=writer.offset)
    left = sorted(int(p.stem) for p in (tmp_path / "j").glob("*.spj"))
    assert writer.offset - left[0] >= 120_000
    assert writer.offset - left[1] < 120_000
    writer.retain(needed_from=0)
    assert left == sorted(int(p.stem) for p in (tmp_path / "j").glob("*.spj"))


def test_the_ring_is_filled_by_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offsets jump by up to a gibibyte at each start of the computer, which is no reason to delete anything."""
    monkeypatch.setattr(writer_module, "RETAIN_SLACK_BYTES", 0)
    device, folder = FakeDevice(), tmp_path / "j"
    for boot in range(4):
        writer = make(folder, ring_bytes=2 * 2**30, host_boot_id=f"boot {boot}")
        writer.append_frames(8, [device.block() for _ in range(10)])
        if boot < 3:
            writer.close()
    assert writer.offset > 3 * 2**30
    n_bytes = sum(p.stat().st_size for p in folder.glob("*.spj"))
    assert kept_bytes(folder) == n_bytes < 200_000
    writer.retain(needed_from=writer.offset)
    assert kept_bytes(folder) == n_bytes
    newest = max(folder.glob("*.spj")).stat().st_size
    writer.retain(needed_from=writer.offset, ring_bytes=newest + 1)
    assert len(list(folder.glob("*.spj"))) == 2, "the newest alone is a byte short of the ring"


def test_the_daemon_counts_what_is_there(tmp_path: Path) -> None:
    """And what it has written since it looked."""
    device, folder = FakeDevice(), tmp_path / "j"
    writer = make(folder, host_boot_id="an earlier boot")
    writer.append_frames(8, [device.block()])
    writer.close()
    journal = Journal("alpha", "01", folder, JournalConfig())
    journal.writer.append_frames(9, [device.block() for _ in range(10)])
    n_bytes = sum(p.stat().st_size for p in folder.glob("*.spj"))
    assert journal.kept_bytes() == n_bytes
    journal.trim(0)
    assert journal.kept_bytes() == n_bytes
    journal.writer.close()


def test_a_tiny_ring_keeps_the_segment_that_is_being_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "RETAIN_SLACK_BYTES", 0)
    device, writer = FakeDevice(), make(tmp_path / "j", ring_bytes=0)
    for _ in range(60):
        writer.append_frames(8, [device.block()])
    writer.retain(needed_from=2**60)
    assert len(list((tmp_path / "j").glob("*.spj"))) == 1
    writer.append_frames(9, [device.block()])


def test_space_is_reserved_without_changing_the_size(tmp_path: Path) -> None:
    """A reader relies on the size being the true end; the disk must fill up for others first."""
    writer = make(tmp_path / "j", segment_bytes=4 * 2**20)
    status = next((tmp_path / "j").glob("*.spj")).stat()
    assert status.st_size == writer.offset < 1000
    assert status.st_blocks * 512 >= 4 * 2**20
    writer.close()
    assert next((tmp_path / "j").glob("*.spj")).stat().st_blocks * 512 < 100_000


class Disk:
    """Stands in for os.write: takes so many more bytes, then fails, until told that there is space."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room: int | None = None
        self._write = os.write
        monkeypatch.setattr(writer_module.os, "write", self)

    def __call__(self, fd: int, data: bytes) -> int:
        if self.room is None:
            return self._write(fd, data)
        n = min(self.room, len(data))
        if n == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= n
        return self._write(fd, data[:n])


@pytest.mark.parametrize("room", [0, 1, 7, 8, 20, 1000, 1650, 1700, 3000, 3400, 3500])
def test_a_full_disk_never_raises_and_what_is_missing_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """Wherever the write stops: whole frames stay, the rest is counted, held records come back, no frame is torn."""
    errors: list[OSError] = []
    device, writer = FakeDevice(), make(tmp_path / "j", on_error=errors.append)
    first = [device.hello(), device.block()]
    writer.append_frames(1, first)
    disk = Disk(monkeypatch)
    disk.room = room
    sent = [[device.block(), device.block()] for _ in range(3)]
    for frames in sent:
        writer.append_frames(2, frames)
    writer.append(NoteRecord(3, "during", "me"))
    writer.append(PingRecord(3, 1))
    assert len(errors) == 1, "one call per episode"
    assert errors[0].errno == errno.ENOSPC
    assert writer.failing
    disk.room = None
    after = device.block()
    writer.append_frames(4, [after])
    assert not writer.failing
    items = read_all(JournalReader(tmp_path / "j"))
    kept = frames_of(items)
    flat = [f for frames in sent for f in frames]
    n_kept = len(kept) - len(first) - 1
    assert kept == [*first, *flat[:n_kept], after]
    gaps = [i for i in items if isinstance(i, JournalGap)]
    assert [g.n_frames for g in gaps] == [len(flat) - n_kept]
    assert writer.counters.frames_dropped == len(flat) - n_kept
    assert [i.text for i in items if isinstance(i, NoteRecord)] == ["during"]
    assert not [i for i in items if isinstance(i, PingRecord)], "a ping without its time of sending helps nobody"
    assert items.index(gaps[0]) < next(i for i, x in enumerate(items) if isinstance(x, Frame) and x.raw == after)


def test_each_episode_of_a_full_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    errors: list[OSError] = []
    device, writer = FakeDevice(), make(tmp_path / "j", on_error=errors.append)
    disk = Disk(monkeypatch)
    for _ in range(2):
        disk.room = 0
        for _ in range(5):
            writer.append_frames(1, [device.block()])
        disk.room = None
        writer.append_frames(1, [device.block()])
    assert len(errors) == 2
    assert [i.n_frames for i in read_all(JournalReader(tmp_path / "j")) if isinstance(i, JournalGap)] == [5, 5]


def test_the_session_stop_survives_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recorder waits for it; among a thousand held records the oldest go, and are counted."""
    _device, writer = FakeDevice(), make(tmp_path / "j")
    disk = Disk(monkeypatch)
    disk.room = 0
    for i in range(1200):
        writer.append(NoteRecord(i, f"n{i}", "me"))
    writer.append(SessionStop(9, "s", "asked"))
    disk.room = None
    writer.close()
    items = read_all(JournalReader(tmp_path / "j"))
    assert isinstance(items[-1], SessionStop)
    assert len([i for i in items if isinstance(i, NoteRecord)]) == 999
    assert writer.counters.records_dropped == 201


def test_a_clock_pushes_nothing_out_that_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour of a full disk: a map and a fit with each ping; of the maps the newest of each boot is kept."""
    _device, writer = FakeDevice(), make(tmp_path / "j")
    disk = Disk(monkeypatch)
    disk.room = 0
    writer.append(NoteRecord(1, "make room", "me"))
    writer.append(SessionStop(2, "s", "asked"))
    for i in range(4000):
        writer.append(ClockMapRecord(ClockMap(7 + i // 2000, i, i, 1000.0, 5), i))
        writer.append(ClockFitRecord(i, 7, i, i, 1000.0, 5, 100, 3))
        if i % 2:
            writer.append(TriggerRecord(i, "t", "alpha", 7, i, i, i, 0.5, 0, 0))
    disk.room = None
    writer.close()
    items = read_all(JournalReader(tmp_path / "j"))
    assert [i for i in items if isinstance(i, NoteRecord | SessionStop)] == [
        NoteRecord(1, "make room", "me"),
        SessionStop(2, "s", "asked"),
    ]
    assert [i.map.tick0 for i in items if isinstance(i, ClockMapRecord)] == [1999, 3999]
    assert not [i for i in items if isinstance(i, ClockFitRecord)]
    triggers = [i.t_host_ns for i in items if isinstance(i, TriggerRecord)]
    assert triggers == list(range(3999 - 2 * (len(triggers) - 1), 4000, 2)), "the newest"
    assert 990 < len(triggers) < 1000
    assert writer.counters.records_dropped == 2000 - len(triggers)


def test_the_next_segment_is_not_prepared_over_one_that_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the other thread comes in between: the head that was written stays, and each frame comes once."""
    device, writer = FakeDevice(), make(tmp_path / "j", segment_bytes=20_000)
    writer.prepare()
    write = tail_module._write_all

    def interrupted(fd: int, data: bytes) -> None:
        write(fd, data)
        writer.prepare()

    monkeypatch.setattr(tail_module, "_write_all", interrupted)
    sent = [device.hello(), *(device.block() for _ in range(100))]
    for frame in sent:
        writer.append_frames(1, [frame])
        writer.prepare()
    assert len(list((tmp_path / "j").glob("*.spj"))) > 3
    reader = JournalReader(tmp_path / "j")
    assert frames_of(read_all(reader)) == sent
    for path in (tmp_path / "j").glob("*.spj"):
        assert isinstance(decode_frames(path.read_bytes())[0], Frame), "a segment begins with its head"
    writer.close()


def test_a_folder_that_cannot_be_synced_costs_no_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers have seen the new name: the writer goes on there."""
    device, writer = FakeDevice(), make(tmp_path / "j", segment_bytes=20_000)

    def refused(_: Path) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(tail_module, "sync_folder", refused)
    reader = JournalReader(tmp_path / "j")
    sent, found = [], []
    for _ in range(200):
        sent.append(device.block())
        writer.append_frames(1, [sent[-1]])
        found += read_all(reader)
    assert frames_of(found) == sent


def test_what_does_not_reach_the_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device, writer = FakeDevice(), make(tmp_path / "j")
    writer.append_frames(1, [device.block()])

    def failing(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(tail_module.os, "fdatasync", failing)
        writer.sync()
    assert writer.sync_error is not None
    assert writer.sync_error.errno == errno.EIO
    writer.sync()
    assert writer.sync_error is None


def test_a_segment_that_cannot_be_made_does_not_stop_the_present_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device, writer = FakeDevice(), make(tmp_path / "j")
    monkeypatch.setattr(tail_module, "segment_path", lambda folder, base: folder / "absent" / f"{base:020d}.spj")
    sent = [device.block() for _ in range(100)]
    for frame in sent:
        writer.append_frames(1, [frame])
    assert frames_of(read_all(JournalReader(tmp_path / "j"))) == sent
    assert len(list((tmp_path / "j").glob("*.spj"))) == 1


def test_sync_in_a_thread_while_segments_change(tmp_path: Path) -> None:
    """Descriptors are handed over under a lock: no bad descriptor, none leaked, all frames there."""
    device, writer = FakeDevice(), make(tmp_path / "j", segment_bytes=5_000)
    stop = threading.Event()
    failures: list[BaseException] = []

    def syncing() -> None:
        try:
            while not stop.is_set():
                writer.sync()
        except BaseException as e:  # noqa: BLE001
            failures.append(e)

    before = len(os.listdir("/proc/self/fd"))
    thread = threading.Thread(target=syncing)
    thread.start()
    sent = [device.block() for _ in range(300)]
    for frame in sent:
        writer.append_frames(1, [frame])
    stop.set()
    thread.join()
    writer.sync()
    assert not failures
    assert len(os.listdir("/proc/self/fd")) <= before
    assert frames_of(read_all(JournalReader(tmp_path / "j"))) == sent


def test_clock_map_before_the_first_hello_is_kept(tmp_path: Path) -> None:
    device, writer = FakeDevice(), make(tmp_path / "j")
    writer.append(device.clock_map())
    writer.append_frames(1, [device.hello()])
    state = JournalReader.open_at(tmp_path / "j", writer.offset).state
    assert isinstance(device.clock_map(), ClockMapRecord)
    assert state.clock_map == device.clock_map().map
