"""Recordings as SpikeInterface has them: the same samples and times, dumped, pickled, and read by several processes."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import spikeinterface.core as si
from probeinterface import generate_linear_probe
from spikeinterface.core.testing import check_recordings_equal

from helpers.formats_recordings import Maker, spiking
from spikedaq.model import StoreError
from spikedaq.objects import read_spikedaq, to_spikeinterface
from spikedaq.objects.spikeinterface_recording import SpikedaqRecording
from spikedaq.recording import Channel, Recording, open_recordings

NEAR_S = 2**-19
VOLTS = ["vm", "syn1_vm", "syn2_vm"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two devices; of alpha two segments, the second over two files."""
    folder = tmp_path_factory.mktemp("si") / "demo"
    maker = Maker(folder)
    maker.open().samples(0, spiking(2000)).gap(2000, 100).samples(2100, spiking(500, start=2100)).close()
    maker.open().samples(2600, spiking(700, start=2600)).close()
    Maker(folder, device="beta").open().samples(0, spiking(100)).close()
    return folder


@pytest.fixture
def ours(folder: Path) -> SpikedaqRecording:
    return read_spikedaq(folder, device="alpha")


@pytest.fixture
def numpys(ours: SpikedaqRecording) -> si.NumpyRecording:
    """The same, of arrays that were never in a file."""
    made = si.NumpyRecording(
        [spiking(2000), spiking(1200, start=2100)], 10_000.0, channel_ids=np.array([c.name for c in channels()])
    )
    scales = np.array([c.scale for c in channels()])
    made.set_property("gain_to_uV", np.where([c.unit == "mV" for c in channels()], scales * 1000, np.nan))
    made.set_property("offset_to_uV", np.where([c.unit == "mV" for c in channels()], 0, np.nan))
    return made


def channels() -> list[Channel]:
    mv, au = ("mV", 0.01), ("a.u.", 0.01)
    rows = [("vm", *mv), ("stimulus", "%", 1), ("i_total", *au), ("syn1_vm", *mv), ("syn1_i", *au), ("syn2_vm", *mv),
            ("syn2_i", *au), ("trigger", "1", 1)]  # fmt: skip
    return [Channel(*row) for row in rows]


def test_it_is_what_numpy_says(ours: SpikedaqRecording, numpys: si.NumpyRecording) -> None:
    """Raw of every channel, and in microvolts of those that are voltages."""
    assert isinstance(ours, si.BaseRecording)
    check_recordings_equal(ours, numpys, return_in_uV=False)
    check_recordings_equal(ours.select_channels(VOLTS), numpys.select_channels(VOLTS))
    assert ours.get_dtype() == np.int16
    assert ours.get_property("physical_unit").tolist() == [c.unit for c in channels()]
    np.testing.assert_allclose(ours.get_property("gain_to_physical_unit"), [c.scale for c in channels()])
    assert np.isnan(ours.get_channel_gains()[1])
    microvolts = ours.get_traces(1, 0, 5, channel_ids=["vm"], return_in_uV=True)
    np.testing.assert_allclose(microvolts[:, 0], spiking(5, start=2100)[:, 0] * 10.0)


@pytest.mark.parametrize(("start", "stop"), [(None, None), (0, 7), (1990, 2500), (3, None), (7, 7), (2000, 2000)])
def test_parts_are_numpys(ours: SpikedaqRecording, start: int | None, stop: int | None) -> None:
    traces = ours.get_traces(0, start, stop, channel_ids=["trigger", "vm"])
    np.testing.assert_array_equal(traces, spiking(2000)[start:stop][:, [7, 0]])


def test_it_knows_when_every_sample_was(ours: SpikedaqRecording) -> None:
    """All segments have times; nobody has to hold all of them."""
    assert [ours.has_time_vector(k) for k in (0, 1)] == [True, True]
    assert (ours.get_start_time(1), ours.get_end_time(1)) == pytest.approx((0.21, 0.3299), abs=NEAR_S)
    np.testing.assert_allclose(ours.get_times(1), 0.21 + np.arange(1200) / 10_000, atol=NEAR_S)
    np.testing.assert_array_equal(ours.get_times(1, 10, 20), ours.get_times(1)[10:20])
    assert ours.time_to_sample_index(0.25005, 1) == 400
    assert ours.sample_index_to_time(400, 1) == pytest.approx(0.25, abs=NEAR_S)
    assert not isinstance(ours.segments[1]._time_vector, np.ndarray)
    times = ours.segments[1]._time_vector
    assert (times.shape, times.size, times.ndim) == ((1200,), 1200, 1)
    np.testing.assert_array_equal(times[[0, -1]], [times[0], times[-1]])
    np.testing.assert_array_equal(times[::100], np.asarray(times)[::100])
    with pytest.raises(IndexError, match="there is no sample 1200; there are 1200"):
        times[1200]
    part = ours.select_segments([1]).time_slice(0.22, 0.23)
    assert part.get_num_samples() == pytest.approx(100, abs=1)
    ours.shift_times(1.0, 1)
    assert ours.get_start_time(1) == pytest.approx(1.21, abs=NEAR_S)
    assert ours.get_times(1, 0, 1)[0] == pytest.approx(1.21, abs=NEAR_S)


@pytest.mark.parametrize("name", ["dump.json", "dump.pkl"])
def test_a_dump_opens_again(ours: SpikedaqRecording, tmp_path: Path, name: str) -> None:
    """By SpikeInterface itself, which finds the class by its name."""
    ours.set_property("group", np.array([0, 1, 1, 0, 1, 0, 1, 2]))
    ours.dump(tmp_path / name)
    back = si.load(tmp_path / name)
    assert type(back) is SpikedaqRecording
    check_recordings_equal(ours, back, return_in_uV=False)
    assert back.get_property("group").tolist() == [0, 1, 1, 0, 1, 0, 1, 2]
    check_recordings_equal(pickle.loads(pickle.dumps(ours)), back, return_in_uV=False)
    check_recordings_equal(ours.clone(), back, return_in_uV=False)


def test_cuts_and_what_was_attached_are_kept(folder: Path, tmp_path: Path) -> None:
    recording = open_recordings(folder, device="alpha").channel_slice(["syn1_vm", "vm", "stimulus"])
    probe = generate_linear_probe(3)
    probe.set_device_channel_indices([1, 2, 0])
    recording.set_probe(probe)
    recording = recording.channel_slice(["syn1_vm", "vm"]).time_slice(0.05, 0.25)
    recording.set_property("group", [4, 5])
    recording.annotate(who="Änna")
    made = to_spikeinterface(recording)
    made.dump(tmp_path / "dump.json")
    for one in (made, si.load(tmp_path / "dump.json")):
        assert one.channel_ids.tolist() == ["syn1_vm", "vm"]
        assert [one.get_num_samples(k) for k in range(2)] == [1500, 400]
        np.testing.assert_array_equal(one.get_traces(1)[:3], spiking(3, start=2100)[:, [3, 0]])
        assert one.get_property("group").tolist() == [4, 5]
        assert one.get_annotation("who") == "Änna"
        assert one.has_probe()
        np.testing.assert_array_equal(one.get_channel_locations(), probe.contact_positions[[2, 0]])


@pytest.mark.parametrize("kind", ["binary", "zarr"])
def test_two_processes_save_it(ours: SpikedaqRecording, tmp_path: Path, kind: str) -> None:
    """Samples, times and scales; each process opens the files by itself."""
    jobs = {"n_jobs": 2, "mp_context": "spawn"} if kind == "binary" else {}  # a start of processes takes seconds
    saved = ours.save(format=kind, folder=tmp_path / "saved", chunk_size=700, progress_bar=False, **jobs)
    check_recordings_equal(saved, ours, return_in_uV=False)
    check_recordings_equal(saved.select_channels(VOLTS), ours.select_channels(VOLTS))
    for k in (0, 1):
        np.testing.assert_array_equal(saved.get_times(k), ours.get_times(k))


def test_a_dump_moves_with_its_files(tmp_path: Path) -> None:
    """Paths relative to the dump, as SpikeInterface offers it."""
    Maker(tmp_path / "here" / "demo").open().samples(0, spiking(100)).close()
    read_spikedaq(tmp_path / "here" / "demo").dump(tmp_path / "here" / "dump.json", relative_to=True)
    (tmp_path / "here").rename(tmp_path / "there")
    assert si.load(tmp_path / "there" / "dump.json", base_folder=True).get_num_samples() == 100


def test_a_dump_whose_files_are_gone_says_which(tmp_path: Path) -> None:
    maker = Maker(tmp_path / "demo")
    maker.open().samples(0, spiking(100)).close()
    read_spikedaq(tmp_path / "demo").dump(tmp_path / "dump.json")
    maker.paths[0].rename(tmp_path / "elsewhere.nwb")
    with pytest.raises(StoreError, match=r"0000\.nwb"):
        si.load(tmp_path / "dump.json")


def test_a_growing_recording_stands_still(tmp_path: Path) -> None:
    """What SpikeInterface knows of it does not change under its hands, and a dump is of as much."""
    maker = Maker(tmp_path / "demo")
    maker.open().samples(0, spiking(20_000))
    maker.writer.flush()
    opened = open_recordings(tmp_path / "demo")
    made = to_spikeinterface(opened)
    n = made.get_num_samples()
    maker.samples(20_000, spiking(20_000, start=20_000))
    maker.writer.flush()
    assert opened.refresh() > n
    made.dump(tmp_path / "dump.json")
    assert (made.get_num_samples(), si.load(tmp_path / "dump.json").get_num_samples()) == (n, n)
    opened.close()


def test_arrays_and_odd_recordings() -> None:
    """Of arrays there is nothing to dump, as with SpikeInterface's own; whole numbers are ids, too."""
    made = to_spikeinterface(Recording.from_numpy([np.ones((5, 2)), np.zeros((0, 2)), np.ones((3, 2))], 1000.0))
    assert (made.get_num_segments(), made.channel_ids.tolist()) == (2, [0, 1])
    assert made.get_dtype() == np.float64
    assert not made.check_serializability("json")
    with pytest.raises(StoreError, match="numpy has no samples; SpikeInterface has no recordings without any"):
        to_spikeinterface(Recording.from_numpy(np.zeros((0, 2), np.int16), 1000.0))


def test_several_devices_are_asked_for(folder: Path) -> None:
    with pytest.raises(StoreError, match="has several devices; name one: device='alpha'"):
        read_spikedaq(folder)
    assert read_spikedaq(folder, device="beta").get_num_samples() == 100
