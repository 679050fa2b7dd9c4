"""Our own files as a recording: the samples that h5py reads, segments at gaps, growth, and files that are not right."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spikedaq
from helpers.formats_recordings import Maker, device_info, spiking
from spikedaq.model import DamagedFileError, GapCause, RecordingWarning, StoreError, Trait
from spikedaq.recording import Recording
from spikedaq.recording.sources.rolled import FilePool, FileSegment, Piece
from spikedaq.store import RecordingFile, open_recording

SPIKE = 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "demo"


def opened(*paths: Path, **how: Any) -> Recording:
    recording = spikedaq.open(*paths, **how)
    assert isinstance(recording, Recording)
    return recording


def in_segments(recording: Recording) -> list[tuple[int | None, int, int | None]]:
    return [(segment.first_step, segment.n_frames, segment.boot_id) for segment in recording.segments]


def test_samples_are_those_that_h5py_reads(folder: Path) -> None:
    """Raw values, units and times, against the datasets as the reference page describes them."""
    maker = Maker(folder)
    maker.open().samples(0, spiking(700)).gap(700, 50).samples(750, spiking(250, start=750)).close()
    maker.open().samples(1000, spiking(333, start=1000)).close()
    recording = opened(folder)
    assert in_segments(recording) == [(0, 700, 7), (750, 583, 7)]
    stored, times_s = [], []
    for path in maker.paths:
        with h5py.File(path) as file:
            names = list(recording.channel_ids)
            columns = [file[f"acquisition/{name}/data"] for name in names]
            stored.append(np.stack([c[:] * c.attrs.get("conversion", 1.0) for c in columns], axis=1))
            times_s.append(file["acquisition/vm/timestamps"][:])
    values = np.concatenate(stored)
    for k, channel in enumerate(recording.channels):
        values[:, k] *= 1000 if channel.unit == "mV" else 1
    both = [recording.get_traces(k, return_in_units=True) for k in (0, 1)]
    np.testing.assert_allclose(np.concatenate(both), values, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(
        np.concatenate([recording.get_times(0), recording.get_times(1)]), np.concatenate(times_s)
    )
    raw = recording.get_traces(1, 240, 260)
    assert raw.dtype == recording.dtype == np.int16
    np.testing.assert_array_equal(raw, np.concatenate([spiking(250, start=750)[240:], spiking(333, start=1000)[:10]]))
    np.testing.assert_array_equal(
        recording.get_traces(1, -3, channel_ids=["trigger", "vm"]), spiking(333, start=1000)[-3:, [7, 0]]
    )
    assert (recording.sampling_frequency, recording.name, recording.num_channels) == (10_000.0, "demo_alpha", 8)


@pytest.fixture(scope="module")
def three_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recording, Any]:
    """A recording of three files with a gap in the second, and all raw samples."""
    folder = tmp_path_factory.mktemp("three") / "demo"
    maker = Maker(folder)
    maker.open().samples(0, spiking(431)).close()
    maker.open().samples(431, spiking(212, start=431)).gap(643, 7).samples(650, spiking(100, start=643)).close()
    maker.open().samples(750, spiking(77, start=743)).close()
    return opened(folder), spiking(820)


frames = st.one_of(st.none(), st.integers(-900, 900))


@settings(max_examples=60, deadline=None)
@given(frames, frames, st.lists(st.integers(0, 7), min_size=1, max_size=8, unique=True))
def test_any_piece_is_that_of_the_whole(
    three_files: tuple[Recording, Any], start: int | None, stop: int | None, columns: list[int]
) -> None:
    """Over files and gaps, of any channels in any order."""
    recording, samples = three_files
    ids = [recording.channel_ids[k] for k in columns]
    for index, part in enumerate((samples[:643], samples[643:])):
        found = recording.get_traces(index, start, stop, ids)
        np.testing.assert_array_equal(found, part[start:stop][:, columns])
        assert len(recording.get_times(index, start, stop)) == len(found)
    cut = recording.frame_slice(start, stop).channel_slice(ids)
    np.testing.assert_array_equal(
        np.concatenate([raw for _, _, raw in cut.pieces(100)] or [samples[:0, columns]]),
        samples[start:stop][:, columns],
    )


def test_windows_of_a_triggered_recording_are_segments(folder: Path) -> None:
    """Also from one file to the next, where nothing is missing but what nobody wanted."""
    maker = Maker(folder)
    maker.open().samples(500, spiking(200)).gap(700, 300, GapCause.OUTSIDE).samples(1000, spiking(100)).close()
    maker.open().gap(1100, 900, GapCause.OUTSIDE).samples(2000, spiking(150)).close()
    recording = opened(folder)
    assert in_segments(recording) == [(500, 200, 7), (1000, 100, 7), (2000, 150, 7)]
    assert [round(segment.t_start_s, 4) for segment in recording.segments] == [0.05, 0.1, 0.2]
    assert recording.flags == ()
    assert in_segments(recording.time_slice(0.05995, 0.20095)) == [(600, 100, 7), (1000, 100, 7), (2000, 10, 7)]
    assert in_segments(recording.time_slice(0.10495, 0.19995)) == [(1050, 50, 7)]
    assert in_segments(recording.time_slice(0.08, 0.09)) == [(700, 0, 7)]
    turned = recording.select_segments([2, 0])
    assert in_segments(turned.time_slice(0.05995, 0.20095)) == [(2000, 10, 7), (600, 100, 7)]


def test_what_happened_goes_with_the_part(folder: Path) -> None:
    maker = Maker(folder)
    maker.open().samples(0, spiking(1000)).event(SPIKE, 100, value=30.0).event(SPIKE, 600, value=30.0)
    maker.changed("i_clamp", 200, 5.0).changed("i_clamp", 700, 9.0).note(0.065, "now")
    maker.gap(1000, 100).samples(1100, spiking(100)).close()
    part = opened(folder).time_slice(0.05, 0.08)
    assert [event.step for event in part.events] == [600]
    assert [note.text for note in part.notes] == ["now"]
    assert [(row.step, row.value) for row in part.parameters if row.name == "i_clamp"] == [(200, 5.0), (700, 9.0)]
    assert part.gaps == []
    assert len(opened(folder).time_slice(0.05).gaps) == 1


def test_a_reboot_begins_a_segment(folder: Path) -> None:
    maker = Maker(folder)
    maker.open().samples(0, spiking(100)).close()
    maker.open(device_info(boot_id=8)).samples(100, spiking(100)).close()
    assert in_segments(opened(folder)) == [(0, 100, 7), (100, 100, 8)]


def test_a_stock_board_is_said_to_count_no_steps(folder: Path) -> None:
    info = replace(device_info(), traits=Trait.TRANSLATED)
    Maker(folder, info=info).open().samples(0, spiking(100)).close()
    assert opened(folder).flags == (
        "its board's firmware counts no steps: rows that were lost on the way cannot be seen",
    )


def test_a_recording_is_followed_while_it_is_written(folder: Path) -> None:
    """Into the file that grows, and into the next."""
    maker = Maker(folder)
    maker.open().samples(0, spiking(300)).writer.flush(force=True)
    recording = opened(folder)
    part = recording.frame_slice(100, 300)
    assert (recording.num_frames, recording.is_live) == (300, True)
    maker.samples(300, spiking(200, start=300)).writer.flush(force=True)
    assert recording.num_frames == 300
    assert (recording.refresh(), part.refresh()) == (500, 200)
    np.testing.assert_array_equal(recording.get_traces(), spiking(500))
    recording.close()  # HDF5 knows that writer and reader are one process here
    maker.close()
    maker.open().samples(500, spiking(100, start=500)).writer.flush(force=True)
    assert recording.n_samples == 600
    assert (recording.num_segments, len(recording.paths)) == (1, 2)
    recording.close()
    maker.close("session stopped")
    assert (recording.refresh(), recording.is_live) == (600, False)
    np.testing.assert_array_equal(recording.get_traces(), spiking(600))
    np.testing.assert_array_equal(part.get_traces(), spiking(300)[100:])


def test_between_two_files_the_next_is_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a roll no file may be open, between windows for hours; only a session that was stopped has ended."""
    monkeypatch.setattr("spikedaq.recording.sources.files.LOOK_EVERY_S", 0.0)
    maker = Maker(folder)
    maker.open().samples(0, spiking(100)).close("rolled after 1 s")
    recording = opened(folder)
    assert (recording.refresh(), recording.is_live) == (100, False)
    maker.open().samples(100, spiking(50)).close("session stopped: enough")
    assert (recording.refresh(), recording.num_segments) == (150, 1)
    maker.open().samples(150, spiking(50)).close()
    assert recording.refresh() == 150


def test_a_file_that_is_just_being_closed_is_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its recorder has it open to write, and not yet, or no more, as one that grows."""
    maker = Maker(folder)
    maker.open().samples(0, spiking(100)).close()
    refusals = iter([StoreError("cannot open x: file is not already open for SWMR writing")] * 3)

    def refusing(place: Path) -> RecordingFile:
        if (error := next(refusals, None)) is not None:
            raise error
        return open_recording(place)

    monkeypatch.setattr("spikedaq.recording.sources.rolled.open_recording", refusing)
    assert opened(folder).num_frames == 100
    monkeypatch.setattr("spikedaq.recording.sources.rolled.PATIENCE_S", 0.0)
    refusals = iter([StoreError("cannot open x: file is not already open for SWMR writing")])
    with pytest.raises(StoreError, match="cannot open x"):
        opened(folder)


def test_a_file_whose_writer_was_killed_is_read_as_far_as_it_is_complete(folder: Path, tmp_path: Path) -> None:
    maker = Maker(folder)
    maker.open().samples(0, spiking(300)).gap(300, 40).samples(340, spiking(60)).writer.flush(force=True)
    maker.samples(400, spiking(50))
    copy = tmp_path / "copied" / "alpha" / maker.paths[0].name
    copy.parent.mkdir(parents=True)
    shutil.copy(maker.paths[0], copy)
    maker.close()
    recording = opened(copy)
    assert recording.is_live
    assert in_segments(recording) == [(0, 300, 7), (340, 60, 7)]
    assert "it is being written, or its writer was killed" in str(recording)


def test_a_missing_roll_is_said_and_what_is_there_is_read(folder: Path) -> None:
    maker = Maker(folder)
    for k in range(5):
        maker.open().samples(k * 100, spiking(100)).close()
    maker.paths[1].unlink()
    with pytest.warns(RecordingWarning, match=r"demo_alpha: file 1 is missing between .*_0000\.nwb and .*_0002\.nwb"):
        recording = opened(folder)
    assert in_segments(recording) == [(0, 100, 7), (200, 300, 7)]
    assert len(recording.flags) == 1
    maker.paths[2].unlink()
    with pytest.warns(RecordingWarning, match="2 files are missing between"):
        opened(folder)


def test_time_that_goes_back_is_said(folder: Path) -> None:
    """From a file to the next, as after a clock that was set back, and within one."""
    maker = Maker(folder)
    maker.open().samples(5000, spiking(100)).close()
    maker.open(device_info(boot_id=8)).samples(4000, spiking(100)).close()
    with pytest.warns(
        RecordingWarning, match=r"time goes back: .*_0001\.nwb begins 0\.1099\d* s before .*_0000\.nwb ends"
    ):
        recording = opened(folder)
    assert in_segments(recording.time_slice(0.39995, 0.40495)) == [(4000, 50, 8)]
    assert in_segments(recording.time_slice(0.40495)) == [(5000, 100, 7), (4050, 50, 8)]
    with h5py.File(maker.paths[0], "r+") as file:
        file["acquisition/vm/timestamps"][50] = 0.1
    damaged = opened(maker.paths[0])
    with pytest.warns(RecordingWarning, match=r"time goes back within .*_0000\.nwb, after 0\.50\d* s; check it with"):
        damaged.get_times()
    assert len(damaged.flags) == 1


def test_another_pace_is_left_out_and_said(folder: Path) -> None:
    maker = Maker(folder)
    maker.open().samples(0, spiking(100)).close()
    maker.open(replace(device_info(), step_us=2000)).samples(100, spiking(100)).close()
    with pytest.warns(
        RecordingWarning, match="1 of 2 files are left out, since they are of another pace: 2000 us between"
    ):
        recording = opened(folder)
    assert in_segments(recording) == [(0, 100, 7)]
    assert opened(maker.paths[1]).sampling_frequency == 500.0


def damage(path: Path, how: str) -> None:
    if how == "truncated":
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
    elif how == "magic":
        path.write_bytes(b"not HDF5" + path.read_bytes()[8:])
    elif how == "empty":
        path.write_bytes(b"")
    else:
        with h5py.File(path, "r+") as file:
            meta = json.loads(file["general/data_collection"].asstr()[()])
            if how == "later":
                meta["format_version"] = 99
                file["general/data_collection"][()] = json.dumps(meta)
            elif how == "foreign":
                del file["general/data_collection"]
            elif how == "short":
                file["acquisition/stimulus/data"].resize((40,))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("truncated", "see spikedaq recover"),
        ("magic", "see spikedaq recover"),
        ("empty", "see spikedaq recover"),
        ("later", "has layout version 99, this spikedaq knows up to 1; use a newer spikedaq"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(folder: Path, how: str, said: str) -> None:
    """It is an error, and one may go on without it."""
    maker = Maker(folder)
    for k in range(3):
        maker.open().samples(k * 100, spiking(100)).close()
    damage(maker.paths[1], how)
    with pytest.raises(StoreError, match=rf"_0001\.nwb.*{said}.*; or open the other files with skip_damaged=True"):
        opened(folder)
    with pytest.warns(RecordingWarning) as warned:
        recording = opened(folder, skip_damaged=True)
    assert len(warned) == 2
    assert in_segments(recording) == [(0, 100, 7), (200, 100, 7)]
    assert re.search(rf"^left out, since it cannot be read: .*_0001\.nwb.*{said}", recording.flags[0])
    assert "file 1 is missing" in recording.flags[1]


def test_a_file_of_others_among_ours_is_named(folder: Path) -> None:
    """Alone it may be a recording of another kind."""
    maker = Maker(folder)
    for k in range(2):
        maker.open().samples(k * 100, spiking(100)).close()
    damage(maker.paths[1], "foreign")
    with pytest.raises(StoreError, match=r"_0001\.nwb was not written by spikedaq: .*; or open the other files with"):
        opened(folder)


def test_a_series_that_ends_early_is_damage(folder: Path) -> None:
    maker = Maker(folder)
    maker.open().samples(0, spiking(100)).close()
    damage(maker.paths[0], "short")
    recording = opened(folder)
    assert len(recording.get_traces(channel_ids=["vm"])) == 100
    with pytest.raises(
        DamagedFileError, match=r"_0000\.nwb: /acquisition/stimulus/data ends before sample 100; rebuild it"
    ):
        recording.get_traces()


def test_a_pattern_and_a_device_choose(tmp_path: Path) -> None:
    for device in ("alpha", "beta"):
        maker = Maker(tmp_path / "demo", device=device)
        for k in range(2):
            maker.open().samples(k * 100, spiking(100)).close()
    assert opened(tmp_path / "demo" / "*" / "*beta*_0001.nwb").num_frames == 100
    assert opened(tmp_path / "demo", device="beta").name == "demo_beta"
    assert opened(tmp_path / "demo" / "alp*").num_frames == 200
    session = spikedaq.open(tmp_path / "demo")
    assert list(session.devices) == ["alpha", "beta"]
    assert list(session.devices["beta"].devices) == ["beta"]
    with pytest.raises(StoreError, match="there is no device gamma here, only alpha, beta"):
        spikedaq.open(tmp_path / "demo", device="gamma")
    with pytest.raises(StoreError, match=r"no recording is named by .*; check the pattern"):
        spikedaq.open(tmp_path / "demo" / "*.csv")


def test_csvs_are_recordings_of_their_own(tmp_path: Path) -> None:
    """A pattern that names one opens it; several, or a folder of them, are no session."""
    text = "Time (ms),Spikeling Vm (mV)\n" + "".join(f"{k / 10},-70.0\n" for k in range(20))
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text(text)
    with pytest.warns(RecordingWarning, match="counted in rows"):
        assert opened(tmp_path / "on*.csv").num_frames == 20
    for several in ([tmp_path / "*.csv"], [tmp_path / "one.csv", tmp_path / "two.csv"]):
        with pytest.raises(StoreError, match=r"one\.csv is a CSV, which is a recording of its own; open one at a time"):
            spikedaq.open(*several)
    with pytest.raises(StoreError, match=r"there is no recording in .*; its CSVs open one at a time"):
        spikedaq.open(tmp_path)


class Stamps:
    """A file that has nothing but times, and says how often it was asked."""

    is_live = False

    def __init__(self, times_s: Any) -> None:
        self.times_s = times_s
        self.n_read = 0

    def timestamps(self, start: int, stop: int) -> Any:
        self.n_read += 1
        return self.times_s[start:stop]

    def close(self) -> None:
        pass


def segment_of(files: list[Stamps]) -> FileSegment:
    pool = FilePool(lambda place: files[int(place)])  # type: ignore[arg-type, return-value]
    pieces = [Piece(str(k), 0, len(file.times_s), 0.0, ()) for k, file in enumerate(files)]
    return FileSegment(pool, pieces, boot_id=7, first_step=0, fs_hz=1e4, is_backwards=lambda place, time_s: None)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(1, 30_000), min_size=1, max_size=3),
    st.integers(0, 9),
    st.floats(-0.1, 1.1),
    st.sampled_from([0, 1e-6, 1]),
)
def test_a_time_is_found_as_numpy_finds_it(lengths: list[int], seed: int, at: float, off_s: float) -> None:
    """Whatever the device's clock did: even pace, drift, and jumps of up to a second."""
    rng = np.random.default_rng(seed)
    n = sum(lengths)
    pace_s = 1e-4 * (1 + rng.normal(0, 1e-4) + np.cumsum(rng.normal(0, 1e-5, n)))
    jumps = np.where(rng.random(n) < 3 / n, rng.uniform(0, 1, n), 0) if seed % 2 else 0
    times_s = 5 + np.cumsum(np.maximum(pace_s, 1e-5) + jumps)
    files = [Stamps(part) for part in np.split(times_s, np.cumsum(lengths)[:-1])]
    segment = segment_of(files)
    wanted_s = times_s[0] + at * (times_s[-1] - times_s[0]) + off_s
    assert segment.frame_at(wanted_s) == np.searchsorted(times_s, wanted_s)
    k = int(rng.integers(n))
    assert segment.frame_at(float(times_s[k])) == k


def test_a_time_in_an_hour_takes_few_reads() -> None:
    """36 million times at 30 ppm from the nominal rate."""
    times_s = np.arange(36_000_000) * 1e-4 * 1.00003
    file = Stamps(times_s)
    segment = segment_of([file])
    assert segment.frame_at(float(times_s[31_415_926])) == 31_415_926
    assert file.n_read <= 4
