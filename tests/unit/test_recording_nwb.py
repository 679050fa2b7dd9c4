"""Recordings saved as NWB: valid, as the inspector wants them, and the same again; and NWB files of others."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

import h5py
import neo
import numpy as np
import nwbinspector
import pynwb
import pytest

import spikedaq
from helpers.formats_recordings import Maker, device_info, spiking
from spikedaq.model import ConfigError, StoreError
from spikedaq.recording import Channel, Recording
from spikedaq.store import SeriesFile


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    folder = tmp_path_factory.mktemp("session") / "demo"
    maker = Maker(folder)
    maker.open().samples(0, spiking(3000)).gap(3000, 100).samples(3100, spiking(900)).close()
    maker.open(device_info(boot_id=8)).samples(90_000, spiking(500)).close()
    found = spikedaq.open(folder)
    found.annotate(mood="schön")
    found.set_property("grp", ["a"] * 4 + ["ü"] * 4)
    return found


@pytest.fixture(scope="module")
def saved(recording, tmp_path_factory):
    return recording.save(tmp_path_factory.mktemp("nwb") / "a.nwb", format="nwb")


def messages(path):
    return sorted(message.check_function_name for message in nwbinspector.inspect_nwbfile(nwbfile_path=path))


def test_it_is_valid_and_the_inspector_finds_what_is_known(saved):
    """Keywords are left out on purpose, since Neo's reader fails on files that have them."""
    path = str(saved.paths[0])
    assert not pynwb.validate(path=path)
    assert messages(path) == ["check_keywords"]


def test_it_reads_as_it_was(recording, saved):
    """Raw numbers, times, segments, units, properties, and the instant that times count from."""
    assert saved.channels == recording.channels
    assert (saved.channel_ids, saved.dtype, saved.num_segments) == (recording.channel_ids, recording.dtype, 3)
    for k in range(3):
        assert np.array_equal(saved.get_traces(k), recording.get_traces(k))
        assert np.array_equal(saved.get_times(k), recording.get_times(k))
        assert saved.segments[k].boot_id == recording.segments[k].boot_id
    assert saved.reference_utc_ns == recording.reference_utc_ns
    assert saved.annotations == {"mood": "schön"}
    assert saved.get_property("grp").tolist() == ["a"] * 4 + ["ü"] * 4
    part = saved.get_traces(1, 5, 8, channel_ids=["trigger", "vm"])
    assert np.array_equal(part, recording.get_traces(1, 5, 8)[:, [7, 0]])


def test_pynwb_reads_volts_seconds_and_gaps(recording, saved):
    """vm is in microvolts, as Neo wants it; gaps are invalid times with their cause."""
    with pynwb.NWBHDF5IO(str(saved.paths[0]), "r") as io:
        file = io.read()
        vm = file.acquisition["vm"]
        assert (vm.unit, vm.conversion, vm.data.dtype) == ("volts", 1e-6, np.int32)
        assert type(vm).__name__ == "CurrentClampSeries"
        expected = np.concatenate([recording.get_traces(k)[:, 0] for k in range(3)]) * 1e-5
        assert vm.data[:] * vm.conversion == pytest.approx(expected)
        assert vm.timestamps[:].tolist() == np.concatenate([recording.get_times(k) for k in range(3)]).tolist()
        assert file.acquisition["i_total"].conversion == 1e-3
        assert file.acquisition["trigger"].data.dtype == np.int16
        table = file.invalid_times.to_dataframe()
        assert table["start_time"].tolist() == pytest.approx([0.3, 0.4], abs=2e-6)
        assert table["stop_time"].tolist() == pytest.approx([0.31, 9.0], abs=2e-6)
        assert list(table["tags"].iloc[0]) == ["lost"]
        assert file.session_start_time == datetime.fromtimestamp(recording.reference_utc_ns / 1e9, UTC)


def test_neo_reads_it(recording, saved):
    (block,) = neo.io.NWBIO(str(saved.paths[0]), mode="r").read_all_blocks()
    signals = {signal.name: signal for signal in block.segments[0].irregularlysampledsignals}
    assert signals["vm"].rescale("mV").magnitude[:3, 0] == pytest.approx(recording.get_traces(0)[:3, 0] * 0.01)


def test_arrays_become_a_series_with_a_rate(tmp_path):
    """Even times need no row; floats, an offset and odd names are kept."""
    made = Recording.from_numpy(
        np.array([[1.5, 2], [np.nan, 4]]),
        250.0,
        channels=[Channel("a/b: ü", "V", 2.0, 1.0), Channel("x", "")],
        t_starts_s=[-1.5],
    )
    made.save(tmp_path / "a.nwb", format="nwb")
    assert not pynwb.validate(path=str(tmp_path / "a.nwb"))
    found = spikedaq.open(tmp_path / "a.nwb")
    assert found.channel_ids == ("a/b: ü", "x")
    assert found.channels == made.channels
    assert np.array_equal(found.get_traces(), made.get_traces(), equal_nan=True)
    assert found.get_times().tolist() == made.get_times().tolist()
    assert found.reference_utc_ns is None
    with pynwb.NWBHDF5IO(str(tmp_path / "a.nwb"), "r") as io:
        assert io.read().acquisition["x"].rate == 250.0


def test_segments_that_overlap_are_refused(tmp_path):
    made = Recording.from_numpy([np.zeros((5, 1)), np.zeros((5, 1))], 10.0)
    with pytest.raises(ConfigError, match="segment 1 begins before segment 0 ends"):
        made.save(tmp_path / "a.nwb", format="nwb")
    with pytest.raises(ConfigError, match=r"does not end in \.nwb"):
        made.select_segments([0]).save(tmp_path / "a.h5", format="nwb")
    assert os.listdir(tmp_path) == []


def test_an_interrupt_leaves_the_old(recording, tmp_path):
    Recording.from_numpy(np.zeros((5, 1)), 10.0).save(tmp_path / "a.nwb", format="nwb")

    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(StoreError, match="exists"):
        recording.save(tmp_path / "a.nwb", format="nwb")
    with pytest.raises(KeyboardInterrupt):
        recording.save(tmp_path / "a.nwb", format="nwb", overwrite=True, progress=interrupt)
    assert spikedaq.open(tmp_path / "a.nwb").num_frames == 5
    assert os.listdir(tmp_path) == ["a.nwb"]


def foreign(path, **series):
    file = pynwb.NWBFile(session_description="a", identifier="b", session_start_time=datetime(2026, 5, 1, tzinfo=UTC))
    device = file.create_device(name="d")
    group = file.create_electrode_group("g", description="a", location="b", device=device)
    for _ in range(2):
        file.add_electrode(group=group, location="b")
    region = file.create_electrode_table_region([0, 1], "all")
    times = np.array([0.0, 0.001, 0.002, 0.01, 0.011])
    data = np.arange(10, dtype=np.int16).reshape(5, 2)
    file.add_acquisition(
        pynwb.ecephys.ElectricalSeries(
            name="wide",
            data=data,
            electrodes=region,
            timestamps=times,
            conversion=1e-6,
            channel_conversion=[1.0, 2.0],
            **series,
        )
    )
    file.add_acquisition(pynwb.TimeSeries(name="slow", data=[1.0, 2.0], unit="m", rate=2.0))
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(file)


def test_a_file_of_somebody_else(tmp_path):
    """Columns are channels, gaps part segments, another clock is left out and named."""
    foreign(tmp_path / "a.nwb")
    found = spikedaq.open(tmp_path / "a.nwb")
    assert found.channel_ids == ("wide:0", "wide:1")
    assert [segment.n_frames for segment in found.segments] == [3, 2]
    assert found.sampling_frequency == pytest.approx(1000)
    assert found.get_traces(1, return_in_units=True).tolist() == [
        pytest.approx([0.006, 0.014]),
        pytest.approx([0.008, 0.018]),
    ]
    assert found.get_times(1).tolist() == [0.01, 0.011]
    assert found.flags == ("left out, since their times are others: slow",)
    assert found.reference_utc_ns == 1_777_593_600_000_000_000
    part = found.channel_slice(["wide:1"]).frame_slice(1, 4)
    part.dump(tmp_path / "a.json")
    assert Recording.load(tmp_path / "a.json").get_traces(0).tolist() == [[3], [5]]


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("factors", [1], "factors cannot be"),
        ("factors", [1, {}], "factors cannot be"),
        ("factors", [1, 0], "factors cannot be"),
        ("series", ["a"], "cannot be"),
        ("fs_hz", float("nan"), "cannot be nan Hz"),
        ("fs_hz", 0, "cannot be 0.0 Hz"),
        ("segments", [{"n_frames": 4}], "has 5 samples and should have 4: it was cut off"),
        ("segments", [{"n_frames": 5, "boot_id": "x"}], "the boot_id of a segment cannot be 'x'"),
        ("format_version", 99, "later version of spikedaq"),
        ("channels", None, "its channels cannot be"),
    ],
)
def test_a_description_that_cannot_be_is_told_with_the_file(tmp_path, key, value, says):
    path = tmp_path / "a.nwb"
    Recording.from_numpy(np.zeros((5, 2), np.int16), 10.0).save(path, format="nwb")
    with h5py.File(path, "r+") as file:
        known = json.loads(file["general/data_collection"].asstr()[()])
        del file["general/data_collection"]
        text = json.dumps({**known, key: value})
        file["general"].create_dataset("data_collection", data=text, dtype=h5py.string_dtype())
    with pytest.raises(StoreError, match=says) as caught:
        spikedaq.open(path)
    assert str(path) in str(caught.value)


def test_files_that_hold_no_series(tmp_path):
    """No samples; cut off; no HDF5; HDF5 without NWB."""
    file = pynwb.NWBFile(session_description="a", identifier="b", session_start_time=datetime(2026, 5, 1, tzinfo=UTC))
    with pynwb.NWBHDF5IO(str(tmp_path / "a.nwb"), "w") as io:
        io.write(file)
    with pytest.raises(StoreError, match="has no series of samples"):
        spikedaq.open(tmp_path / "a.nwb")
    foreign(tmp_path / "b.nwb")
    os.truncate(tmp_path / "b.nwb", 4000)
    (tmp_path / "c.nwb").write_bytes(b"nonsense")
    for name in ("b.nwb", "c.nwb"):
        with pytest.raises(StoreError, match=name):
            spikedaq.open(tmp_path / name)
        with pytest.raises(StoreError, match=name):
            SeriesFile(tmp_path / name)
