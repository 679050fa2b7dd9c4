"""Recording files: what goes in comes out, in which pieces it reaches the disk, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from spikedaq.model import Block, BlockFlag, ChannelInfo, ClockMap, Event, Gap, GapCause, StoreError
from spikedaq.store import RecordingWriter, describe_closed, file_name, find_files, open_recording, repair
from spikedaq.store.repair import lookup3
from store_data import (
    CHANNELS,
    FIRST_TICK,
    INFO,
    META,
    PARAMETERS,
    REFERENCE_HOST_NS,
    apply,
    contents,
    expected_samples,
    expected_steps,
    make_journal,
    make_samples,
    meta_for,
    read_contents,
    record,
)

CLOCK = ClockMap(77, FIRST_TICK, REFERENCE_HOST_NS + 1_000_000_000, 1000.0, 20_000)


class ManualClock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def block(k: int, n: int = 100, flags: int = 0, n_channels: int = 8) -> Block:
    samples = np.full((n_channels, n), k, np.int16)
    return Block(77, k, 0, k * n, FIRST_TICK + k * n * 100, 100, BlockFlag(flags), samples.T)


def new_writer(path: Path, clock: ManualClock | None = None) -> RecordingWriter:
    return RecordingWriter.create(path / "a.nwb", META, 5, clock_s=clock or ManualClock())


def test_everything_comes_back(tmp_path: Path) -> None:
    """Samples, steps, meta and every table read back as they were given."""
    journal = make_journal(500)
    closed = record(tmp_path / "a.nwb", journal)
    with open_recording(tmp_path / "a.nwb") as recording:
        assert np.array_equal(recording.samples(), expected_samples(journal))
        assert np.array_equal(recording.steps(), expected_steps(journal))
        assert recording.meta == META
        assert recording.device_info == INFO
        assert recording.channels == CHANNELS
        assert recording.config == {"roll": {"seconds": 3600}, "name": "Gerät 1"}
        assert recording.session == "2026-05-01_tonic"
        assert recording.ending == "stopped"
        assert not recording.is_live
        blocks = [e for e in journal if e.block is not None]
        assert recording.blocks["journal_offset"].tolist() == [e.offset for e in blocks]
        assert recording.blocks["seq"].tolist() == [e.block.seq for e in blocks if e.block]
        assert recording.blocks["first_tick"].tolist() == [e.block.first_tick for e in blocks if e.block]
        assert [p.name for p in recording.parameters[:4]] == [p.name for p in PARAMETERS]
        assert [p.value for p in recording.parameters[:4]] == [p.value for p in PARAMETERS]
        assert {p.origin for p in recording.parameters} == {"initial", "board", "web"}
        assert [e.journal_offset for e in recording.events] == sorted(e.journal_offset for e in recording.events)
        assert len(recording.clock_maps) == 4
        assert closed.gaps == {
            c.value: sum(g.gap.n_steps for g in recording.gaps if g.gap.cause == c) for c in GapCause
        }
        assert sum(closed.gaps.values()) > 0
        assert closed.n_samples == recording.n_samples
    assert closed.first_step == 4000
    assert closed.next_step == expected_steps(journal)[-1] + 1
    assert closed.saturated_blocks == sum(1 for e in blocks if e.block and e.block.flags & BlockFlag.SATURATED) > 0
    assert describe_closed(tmp_path / "a.nwb") == closed


def test_slices(tmp_path: Path) -> None:
    """Slices of samples, times and steps are those of the whole, across blocks and gaps."""
    journal = make_journal(120, seed=3)
    record(tmp_path / "a.nwb", journal)
    samples, steps = expected_samples(journal), expected_steps(journal)
    with open_recording(tmp_path / "a.nwb") as recording:
        times = recording.timestamps()
        for start, stop in ((0, 1), (95, 305), (9999, 10003), (len(samples) - 5, len(samples) + 99), (7, 7), (9, 3)):
            assert np.array_equal(recording.samples(start, stop), samples[start:stop])
            assert np.array_equal(recording.steps(start, stop), steps[start:stop])
            assert np.array_equal(recording.timestamps(start, stop), times[start:stop])


def test_times_follow_the_clock_map(tmp_path: Path) -> None:
    """A sample's time is that of its tick in the block's map, rounded to 2**-20 s, strictly ascending."""
    journal = make_journal(400, seed=5)
    writer = RecordingWriter.create(tmp_path / "a.nwb", META)
    for _ in apply(writer, journal, 33):
        pass
    writer.close("stopped")
    with open_recording(tmp_path / "a.nwb") as recording:
        times, maps = recording.timestamps(), recording.clock_maps
        assert np.all(np.diff(times) > 0)
        assert np.array_equal(times * 2**20, np.rint(times * 2**20))
        for row in recording.blocks[::17]:
            clock = [m for m in maps if m.tick0 <= row["first_tick"]][-1]
            for k in (0, int(row["n_samples"]) - 1):
                ns = clock.host_ns(int(row["first_tick"]) + k * 100) - REFERENCE_HOST_NS
                assert abs(times[row["first_sample"] + k] * 1e9 - ns) <= 0.5e9 / 2**20 + 1.0


def test_times_do_not_depend_on_how_blocks_were_flushed(tmp_path: Path) -> None:
    """Two files of the same journal are equal, whatever was written together: resuming relies on it."""
    journal = make_journal(300, seed=8)
    for name, every in (("a.nwb", 1), ("b.nwb", 10**6)):
        writer = RecordingWriter.create(tmp_path / name, META)
        for _ in apply(writer, journal, every):
            pass
        writer.close("stopped")
    assert read_contents(tmp_path / "a.nwb") == read_contents(tmp_path / "b.nwb")


@pytest.mark.parametrize("value", [-32768, -32767, -1, 0, 1, 32767])
def test_limits_of_raw_values(tmp_path: Path, value: int) -> None:
    """Every int16 survives, stored as microvolts or as itself."""
    writer = new_writer(tmp_path)
    full = Block(77, 0, 0, 0, FIRST_TICK, 100, BlockFlag(0), np.full((50, 8), value, np.int16))
    writer.append_block(full, CLOCK, 10)
    writer.close("stopped")
    with open_recording(tmp_path / "a.nwb") as recording, h5py.File(tmp_path / "a.nwb") as file:
        assert np.all(recording.samples() == value)
        vm = file["acquisition/vm/data"]
        assert vm.dtype == np.int32
        assert vm[0] == value * 10
        assert vm.attrs["conversion"] == 1e-6
        current = file["acquisition/i_total/data"]
        assert (current.dtype, current[0], current.attrs["conversion"]) == (np.int32, value * 10, 1e-3)
        trigger = file["acquisition/trigger/data"]
        assert (trigger.dtype, trigger[0], trigger.attrs["conversion"]) == (np.int16, value, 1.0)


@pytest.mark.parametrize(
    ("channel", "dtype", "unit"),
    [
        (ChannelInfo("x", "mV", 1, -2, -500), "int32", "volts"),
        (ChannelInfo("x", "mV", -3, 0, 7), "int32", "volts"),
        (ChannelInfo("x", "mV", 1, -4), "int32", "volts"),
        (ChannelInfo("x", "mV", 10**5, 0), "int32", "volts"),
        (ChannelInfo("x", "mV", 123457, -8), "int16", "volts"),
        (ChannelInfo("x", "mV", 0, 0), "int16", "volts"),
        (ChannelInfo("x", "deg C", 5, -1, -400), "int32", "deg C"),
        (ChannelInfo("x", "", 1, 0), "int16", "1"),
    ],
)
def test_any_channel(tmp_path: Path, channel: ChannelInfo, dtype: str, unit: str) -> None:
    """Raw values of any scale come back, and the file's own conversion gives the device's value."""
    meta = replace(META, info=replace(INFO, channels=(channel,)))
    raw = np.array([-32768, -5, 0, 5, 32767], np.int16).reshape(5, 1)
    writer = RecordingWriter.create(tmp_path / "a.nwb", meta)
    writer.append_block(Block(77, 0, 0, 0, FIRST_TICK, 100, BlockFlag(0), raw), CLOCK, 10)
    writer.close("stopped")
    with open_recording(tmp_path / "a.nwb") as recording, h5py.File(tmp_path / "a.nwb") as file:
        assert np.array_equal(recording.samples(), raw)
        data = file["acquisition/x/data"]
        assert (data.dtype, data.attrs["unit"]) == (np.dtype(dtype), unit)
        value = data[:] * data.attrs["conversion"] + data.attrs["offset"]
        scale = 1e-3 if channel.unit == "mV" else 1.0
        true = (
            raw[:, 0].astype(float) * channel.scale_mantissa + channel.offset_mantissa
        ) * 10.0**channel.scale_exponent
        assert np.allclose(value, true * scale, rtol=1e-12, atol=1e-15)


def test_names_that_are_no_names(tmp_path: Path) -> None:
    """A device may call its channels anything; the file keeps them apart and tells them as they were."""
    names = ["a/b", "a_b", "", "..", "a/b", "Ä"]
    channels = tuple(ChannelInfo(n, "1", 1, 0) for n in names)
    writer = RecordingWriter.create(tmp_path / "a.nwb", replace(META, info=replace(INFO, channels=channels)))
    writer.append_block(block(1, n_channels=6), CLOCK, 10)
    writer.close("stopped")
    with open_recording(tmp_path / "a.nwb") as recording, h5py.File(tmp_path / "a.nwb") as file:
        assert len(file["acquisition"]) == 6
        assert [c.name for c in recording.channels] == names
        assert np.all(recording.samples() == 1)


def test_only_whole_chunks_reach_the_disk(tmp_path: Path) -> None:
    """The first block is readable at once, then nothing until a chunk of a second is full."""
    writer = new_writer(tmp_path)
    assert writer.flush() == 0
    readable = []
    for k in range(205):
        writer.append_block(block(k), CLOCK, 10 + k)
        readable.append(writer.flush())
    assert set(readable) == {100, 10_000, 20_000}
    assert readable.index(10_000) == 99
    assert (writer.n_samples, writer.n_readable, writer.cursor) == (20_500, 20_000, 10 + 199)
    assert writer.flush(force=True) == 20_500
    assert writer.cursor == 10 + 204
    assert writer.n_bytes() == (tmp_path / "a.nwb").stat().st_size
    assert writer.close("stopped").n_samples == 20_500


def test_waiting_blocks_are_bounded(tmp_path: Path) -> None:
    """A caller that never flushes does not fill the memory."""
    writer = new_writer(tmp_path)
    for k in range(1000):
        writer.append_block(block(k), CLOCK, 10 + k)
    assert writer.n_readable >= 10_000
    assert len(writer._waiting) <= 801
    writer.close("stopped")


def test_events_wait_a_second_at_most(tmp_path: Path) -> None:
    """Rows of a device that sends no full chunk are on disk a second later, but not before the first block."""
    clock = ManualClock()
    writer = new_writer(tmp_path, clock)
    writer.rows.append_event(Event(77, 1, 0, 5, FIRST_TICK, 0, 30.0), CLOCK, 6)
    clock.now_s = 5.0
    assert writer.flush() == 0
    writer.append_block(block(0), CLOCK, 10)
    writer.flush()
    writer.rows.append_event(Event(77, 2, 0, 6, FIRST_TICK + 100, 0, 30.0), CLOCK, 11)
    writer.flush()
    with open_recording(tmp_path / "a.nwb") as recording:
        assert len(recording.events) == 1
        clock.now_s = 6.1
        writer.flush()
        recording.refresh()
        assert len(recording.events) == 2
        assert recording.n_samples == 100
    writer.close("stopped")


def test_gaps_are_counted_by_cause_and_kept_in_order(tmp_path: Path) -> None:
    """Three counters, never one; the times of a gap are longer than nothing."""
    writer = new_writer(tmp_path)
    writer.append_block(block(0), CLOCK, 10)
    for k, (cause, n) in enumerate([("lost", 5), ("overrun", 7), ("lost", 0), ("stopped", 1000)]):
        writer.rows.append_gap(Gap(77, 0, 100 + k, n, FIRST_TICK + (100 + k) * 100, GapCause(cause)), CLOCK, 20)
    writer.append_block(block(20), CLOCK, 20)
    assert writer.gap_samples == {"lost": 5, "overrun": 7, "dropped": 0, "stopped": 1000, "outside": 0}
    assert writer.gap_counts == {"lost": 2, "overrun": 1, "dropped": 0, "stopped": 1, "outside": 0}
    writer.close("stopped")
    with open_recording(tmp_path / "a.nwb") as recording:
        assert [g.gap.cause.value for g in recording.gaps] == ["lost", "overrun", "lost", "stopped"]
        assert all(g.stop_s > g.start_s for g in recording.gaps)
        assert recording.gaps[0].stop_s - recording.gaps[0].start_s == pytest.approx(5e-4, abs=2e-6)


def test_loops_are_from_trigger_to_trigger(tmp_path: Path) -> None:
    """A missing trigger or a reboot ends no loop, so that none is twice as long."""
    writer = new_writer(tmp_path)
    writer.append_block(block(0), CLOCK, 10)
    for k, (boot, loop) in enumerate([(77, 1), (77, 2), (77, 4), (77, 5), (78, 6)]):
        event = Event(boot, k, 1, 200 * k, FIRST_TICK + 20_000 * k, loop, float(k % 2))
        writer.rows.append_event(event, CLOCK, 20 + k)
    writer.close("stopped")
    with h5py.File(tmp_path / "a.nwb") as file:
        loops = file["intervals/stimulus_loops"]
        assert loops["loop"][:].tolist() == [1, 4]
        assert loops["start_step"][:].tolist() == [0, 400]
        assert loops["stop_step"][:].tolist() == [200, 600]
        assert loops["stop_time"][:] - loops["start_time"][:] == pytest.approx(0.02, abs=2e-6)


@pytest.mark.parametrize("text", ["", "x", "ä" * 256, "x" + "ä" * 300, "€" * 1000, "a\x00b", "\ud800x", "x" * 512])
def test_notes_of_any_length(tmp_path: Path, text: str) -> None:
    """A note comes back whole, however many rows it takes; what is no text becomes a sign."""
    writer = new_writer(tmp_path)
    writer.append_block(block(0), CLOCK, 10)
    writer.rows.append_note(REFERENCE_HOST_NS + 2_000_000_000, text, "Jane", 11)
    writer.rows.append_note(REFERENCE_HOST_NS + 3_000_000_000, "second", "Jane", 12)
    writer.close("stopped")
    with open_recording(tmp_path / "a.nwb") as recording:
        first, second = recording.notes
    assert first.text == text.replace("\x00", " ").encode("utf-8", "replace").decode()
    assert (first.time_s, first.origin, second.text) == (2.0, "Jane", "second")


def test_a_reason_of_any_length(tmp_path: Path) -> None:
    """The reason for closing is cut, never garbled."""
    writer = new_writer(tmp_path)
    writer.append_block(block(0), CLOCK, 10)
    assert writer.close('"ä\n' * 2000).reason.startswith('"ä\n"ä')


def test_resume_goes_on_seamlessly(tmp_path: Path) -> None:
    """A file that was resumed, even after it was closed, holds what an uninterrupted one does."""
    journal = make_journal(320, seed=11)
    record(tmp_path / "whole.nwb", journal)
    writer = RecordingWriter.create(tmp_path / "a.nwb", META, 990)
    for _ in apply(writer, journal[:150]):
        pass
    writer.close("interrupted")
    writer = RecordingWriter.resume(tmp_path / "a.nwb")
    last = [e for e in journal[:150] if e.block][-1]
    assert writer.cursor == journal[149].offset, "what followed the last block is not read again, nor cut"
    assert last.block and writer.last_block
    assert (writer.last_block.seq, writer.last_block.next_step) == (last.block.seq, last.block.next_step)
    with open_recording(tmp_path / "a.nwb") as recording:
        assert recording.ending is None
    for _ in apply(writer, journal):
        pass
    counters = (writer.gap_samples, writer.saturated_blocks, writer.first_step)
    closed = writer.close("stopped")
    whole = describe_closed(tmp_path / "whole.nwb")
    assert counters == (whole.gaps, whole.saturated_blocks, whole.first_step)
    assert replace(closed, path=whole.path, sha256=whole.sha256, n_bytes=whole.n_bytes) == whole
    assert read_contents(tmp_path / "a.nwb") == read_contents(tmp_path / "whole.nwb")


def test_a_file_without_a_block(tmp_path: Path) -> None:
    """It opens, says that nothing is in it, and can be resumed from its start."""
    writer = new_writer(tmp_path)
    assert writer.last_block is None
    closed = writer.close("no samples")
    assert (closed.n_samples, closed.first_step, closed.next_step) == (0, 0, 0)
    with open_recording(tmp_path / "a.nwb") as recording:
        assert (recording.n_samples, recording.cursor, len(recording.steps())) == (0, 5, 0)
        assert contents(recording)["samples"] == []
    writer = RecordingWriter.resume(tmp_path / "a.nwb")
    assert writer.cursor == 5
    writer.append_block(block(3), CLOCK, 30)
    assert writer.close("stopped").n_samples == 100


def test_misuse_is_refused(tmp_path: Path) -> None:
    """Each refusal names the file and the remedy."""
    path = tmp_path / "a.nwb"
    writer = new_writer(tmp_path)
    with pytest.raises(StoreError, match=r"a\.nwb has 8 channels, the block 7; roll"):
        writer.append_block(block(0, n_channels=7), CLOCK, 10)
    with pytest.raises(StoreError, match=r"a\.nwb: it exists; resume"):
        new_writer(tmp_path)
    with pytest.raises(StoreError, match=r"a\.nwb is being written by another process"):
        RecordingWriter.resume(path)
    with pytest.raises(StoreError, match=r"a\.nwb is not closed|repair it first"):
        describe_closed(path)
    writer.append_block(block(0), CLOCK, 10)
    writer.close("stopped")
    for call in (
        lambda: writer.append_block(block(1), CLOCK, 11),
        lambda: writer.rows.append_note(0, "x", "me", 11),
        writer.flush,
        lambda: writer.close("again"),
    ):
        with pytest.raises(StoreError, match=r"a\.nwb is closed"):
            call()
    with pytest.raises(StoreError, match="described no channels"):
        RecordingWriter.create(tmp_path / "b.nwb", replace(META, info=replace(INFO, channels=())))
    with pytest.raises(StoreError, match=r"cannot create .*nowhere/b\.nwb\.new: no such file or folder; check"):
        RecordingWriter.create(tmp_path / "nowhere" / "b.nwb", META)
    with pytest.raises(StoreError, match=r"cannot open .*c\.nwb: there is no such file"):
        open_recording(tmp_path / "c.nwb")


@pytest.mark.parametrize(
    ("text", "hash_"),
    [
        (b"", 0xDEADBEEF),
        (b"Four score and seven years ago", 0x17770551),
    ],
)
def test_lookup3_vectors(text: bytes, hash_: int) -> None:
    """The two values that Jenkins' own driver5 prints for an initial value of 0."""
    assert lookup3(text) == hash_


@pytest.mark.parametrize("data", [b"", b"not hdf5 at all" * 10, b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_other_files_are_not_recordings(tmp_path: Path, data: bytes) -> None:
    """Garbage is refused by name, by reader and by repair, and stays as it is."""
    path = tmp_path / "x.nwb"
    path.write_bytes(data)
    for call in (open_recording, repair, RecordingWriter.resume):
        with pytest.raises(StoreError, match=r"x\.nwb"):
            call(path)
    assert path.read_bytes() == data


@pytest.mark.parametrize("libver", ["earliest", ("v110", "v110")])
def test_other_hdf5_files_are_not_recordings(tmp_path: Path, libver: object) -> None:
    """A foreign HDF5 file is refused, whether closed or left open by its writer, and stays as it is."""
    path = tmp_path / "x.nwb"
    with h5py.File(path, "w", libver=libver) as file:
        file.create_dataset("x", data=np.arange(10))
    for flags in (0, 5):
        data = bytearray(path.read_bytes())
        if data[8] == 3:
            data[11] = flags
            data[44:48] = lookup3(bytes(data[:44])).to_bytes(4, "little")
        path.write_bytes(data)
        for call in (open_recording, repair):
            with pytest.raises(StoreError, match=r"x\.nwb"):
                call(path)
        assert path.read_bytes() == bytes(data)


def test_a_later_layout_is_refused(tmp_path: Path) -> None:
    """A file of a later version names both versions."""
    record(tmp_path / "a.nwb", make_journal(3))
    with h5py.File(tmp_path / "a.nwb", "r+") as file:
        text = file["general/data_collection"].asstr()[()].replace('"format_version": 1', '"format_version": 2')
        file["general/data_collection"][()] = text
    with pytest.raises(StoreError, match=r"layout version 2, this spikedaq knows up to 1; use a newer"):
        open_recording(tmp_path / "a.nwb")


def test_slow_motion_chunks(tmp_path: Path) -> None:
    """At 2 ms per step a chunk is a second too: 500 samples."""
    journal = make_journal(30, step_us=2000, n=50, gaps=False)
    record(tmp_path / "a.nwb", journal, meta_for(2000, 50))
    with h5py.File(tmp_path / "a.nwb") as file:
        assert file["acquisition/vm/data"].chunks == (500,)
        assert file["processing/icephys/blocks/seq"].chunks == (10,)


def test_find_files_in_order(tmp_path: Path) -> None:
    """By device, then by number; half-made files and strangers are no recordings."""
    for device, number, start in (
        ("b", 0, "20260101T000000Z"),
        ("a", 10000, "20260101T010000Z"),
        ("a", 2, "20260102T000000Z"),
    ):
        folder = tmp_path / device
        folder.mkdir(exist_ok=True)
        (folder / file_name("s", device, start, number)).touch()
        (folder / (file_name("s", device, start, number + 1) + ".new")).touch()
        (folder / "manifest.json").touch()
    (tmp_path / "session.json").touch()
    assert [p.name for p in find_files(tmp_path)] == [
        "s_a_20260102T000000Z_0002.nwb",
        "s_a_20260101T010000Z_10000.nwb",
        "s_b_20260101T000000Z_0000.nwb",
    ]
    assert [p.name for p in find_files(tmp_path, "b")] == ["s_b_20260101T000000Z_0000.nwb"]
    with pytest.raises(StoreError, match="device c has no folder"):
        find_files(tmp_path, "c")


def test_appending_takes_any_view(tmp_path: Path) -> None:
    """Read-only and strided arrays, as decoding gives them, are stored as they are."""
    raw = np.ascontiguousarray(make_samples(np.random.default_rng(1), 100)).tobytes()
    view = np.frombuffer(raw, "<i2").reshape(8, 100).T
    assert not view.flags.writeable
    writer = new_writer(tmp_path)
    writer.append_block(Block(77, 0, 0, 0, FIRST_TICK, 100, BlockFlag(0), view), CLOCK, 10)
    writer.append_block(Block(77, 1, 0, 100, FIRST_TICK + 10_000, 100, BlockFlag(0), view[::2]), CLOCK, 11)
    writer.close("stopped")
    with open_recording(tmp_path / "a.nwb") as recording:
        assert np.array_equal(recording.samples(), np.concatenate([view, view[::2]]))


def test_damage_in_the_file_of_a_killed_writer_is_told_and_not_waited_for(tmp_path: Path) -> None:
    """HDF5 would take a wrong checksum for a write under way and look again for centuries."""
    writer = new_writer(tmp_path)
    for k in range(20):
        writer.append_block(block(k, 1000), CLOCK, 10 + k)
    writer.flush(force=True)
    left = bytearray((tmp_path / "a.nwb").read_bytes())
    writer.close("stopped")
    (tmp_path / "whole.nwb").write_bytes(left)
    with open_recording(tmp_path / "whole.nwb") as recording:
        assert recording.is_live
        n_samples, samples = recording.n_samples, recording.samples()
    assert n_samples > 0 and samples.shape == (n_samples, 8)
    index = left.index(b"EAIB")  # of the chunks of some dataset; every one of them is read at opening or for samples
    while index >= 0:
        left[index + 20] ^= 0xFF
        index = left.find(b"EAIB", index + 1)
    (tmp_path / "torn.nwb").write_bytes(left)
    program = (
        "import pathlib, sys; from spikedaq.store import open_recording\n"
        "with open_recording(pathlib.Path(sys.argv[1])) as recording: recording.samples()"
    )
    # In a process of its own: while HDF5 waits, no time limit of Python's ends it.
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "torn.nwb"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "StoreError: cannot read" in done.stderr and "checksum" in done.stderr.splitlines()[-1]
