"""Units in NWB: valid by the validator, read by the real PyNWB and SpikeLab; theirs read by us."""

import sys
from datetime import UTC, datetime

import h5py
import numpy as np
import nwbinspector
import pynwb
import pytest
from spikelab.data_loaders import data_exporters as lab_out
from spikelab.data_loaders import data_loaders as lab

from helpers.spike_trains import assert_same, empties, quiet, some_trains
from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.interchange import (
    ContentError,
    FlaggedWarning,
    MissingContentError,
    UnwrittenWarning,
    export_spikedata_to_nwb,
    load_spikedata_from_nwb,
    to_spikelab,
)
from spikedaq.model import ArgumentError

NS_IN_MS = 1e-6
START = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
# What NWB asks about an experiment and nobody told us: who, where, which animal.
UNTOLD = {
    "check_experimenter_exists",
    "check_experiment_description",
    "check_institution",
    "check_keywords",
    "check_subject_exists",
}


def written(tmp_path, trains, **options):
    path = tmp_path / "spikes.nwb"
    export_spikedata_to_nwb(trains, path, session_start_time=START, overwrite=True, **options)
    return path


def complaints(path):
    return {m.check_function_name for m in nwbinspector.inspect_nwbfile(nwbfile_path=str(path))} - UNTOLD


@pytest.mark.parametrize("where", [None, "first", "all", "none"])
def test_it_is_valid_nwb(tmp_path, where):
    """By the validator, and of the inspector's checks only those remain that ask who and where."""
    trains = SpikeTrains(empties()[where], length=10.0) if where else some_trains(start_time=-50.0)
    path = written(tmp_path, trains, fs_Hz=10000.0)
    assert pynwb.validate(path=str(path)) == []
    if where in (None, "first"):
        # The inspector itself fails on tables without a spike.
        assert complaints(path) == ({"check_negative_spike_times"} if where is None else set())


def test_the_real_pynwb_reads_these_values(tmp_path):
    """Seconds, electrodes by number, places, names, the window: written out by hand."""
    with pynwb.NWBHDF5IO(written(tmp_path, some_trains()), "r") as io:
        nwb = io.read()
        units = nwb.units.to_dataframe()
        assert [np.round(t, 9).tolist() for t in units.spike_times] == [[-0.0499, 0.0001, 0.1003], [0.0333],
                                                                       [0.0001, 0.1997]]  # fmt: skip
        assert units.unit_name.tolist() == ["näh 1", "神経", "нейрон"]
        assert [e.index.tolist() for e in units.electrodes] == [[4], [4], [7]]
        places = nwb.electrodes.to_dataframe()[["x", "y", "z"]].to_numpy()
        assert places.tolist() == [[1.5, -2.25, 0.0], [30.0, 40.0, 0.5]]
        assert [i.tolist() for i in units.obs_intervals] == [[[-0.05, 0.2]]] * 3
        assert nwb.session_start_time == START
        assert nwb.units.resolution == 1e-4, "of the metadata's fs_Hz"


@pytest.mark.parametrize("prefer_pynwb", [True, False])
def test_we_read_what_we_write(tmp_path, prefer_pynwb):
    trains = some_trains()
    found = load_spikedata_from_nwb(written(tmp_path, trains), prefer_pynwb=prefer_pynwb)
    assert_same(found, trains, atol_ms=NS_IN_MS)
    for got, wanted in zip(found.neuron_attributes, trains.neuron_attributes, strict=True):
        assert got.items() >= wanted.items()
    assert [a["unit_id"] for a in found.neuron_attributes] == [0, 1, 2]
    assert found.metadata.items() >= trains.metadata.items()
    if prefer_pynwb:
        assert found.metadata["session_start_time"] == START.isoformat()


@pytest.mark.parametrize("prefer_pynwb", [True, False])
@pytest.mark.parametrize("where", list(empties()))
def test_units_without_spikes_stay(tmp_path, where, prefer_pynwb):
    """For us and for the real SpikeLab, by PyNWB and by h5py."""
    trains = SpikeTrains(empties()[where], length=10.0, start_time=-1.5)
    path = written(tmp_path, trains)
    assert_same(load_spikedata_from_nwb(path, prefer_pynwb=prefer_pynwb), trains, atol_ms=NS_IN_MS)
    with quiet():
        assert_same(lab.load_spikedata_from_nwb(str(path), prefer_pynwb=prefer_pynwb), trains, atol_ms=NS_IN_MS)


def test_the_real_spikelab_reads_a_file_with_electrodes(tmp_path):
    """By h5py; by PyNWB its release 0.1.2 fails on any valid file with electrodes."""
    electrodes = [{"electrode": 0, "location": [1.0, 2.0, 3.0]}, {"electrode": 1, "location": [4.0, 5.0, 6.0]}]
    trains = SpikeTrains([[0.1], [0.2]], length=9.0, neuron_attributes=electrodes)
    path = written(tmp_path, trains)
    found = lab.load_spikedata_from_nwb(str(path), prefer_pynwb=False)
    assert_same(found, trains, atol_ms=NS_IN_MS)
    assert found.neuron_attributes == [{"unit_id": n, **one} for n, one in enumerate(electrodes)]
    with quiet(), pytest.raises(ValueError, match="instead of"):  # if not, SpikeLab is mended: say so in the reference
        lab.load_spikedata_from_nwb(str(path))


def test_a_file_of_spikelabs_own_is_read(tmp_path):
    """It is no valid NWB: PyNWB fails, h5py reads it, and its electrodes are numbers, not rows."""
    trains = some_trains()
    path = tmp_path / "lab.nwb"
    lab_out.export_spikedata_to_nwb(to_spikelab(trains), str(path))
    with pytest.warns(FlaggedWarning, match="PyNWB cannot read"):
        found = load_spikedata_from_nwb(path)
    assert_same(found, trains, atol_ms=NS_IN_MS)
    assert "PyNWB cannot read it" in found.metadata["flags"][0]
    assert [a["electrode"] for a in found.neuron_attributes] == [4, 4, 7]
    assert found.neuron_attributes[2]["location"] == [30.0, 40.0, 0.5]
    places = [{"location": [1.0, 2.0]}, {"location": [3.0, 4.0]}]
    without = SpikeTrains([[1.0], [2.0]], neuron_attributes=places)
    lab_out.export_spikedata_to_nwb(to_spikelab(without), str(path))
    found = load_spikedata_from_nwb(path, prefer_pynwb=False)
    assert [a["location"] for a in found.neuron_attributes] == [[1.0, 2.0], [3.0, 4.0]]


def made_by_pynwb(path, rows=((7, [0.1, 0.2], [1]), (9, [], []), (11, [1.5], [0, 1]))):
    """Write a file as other labs do: electrodes by row, a column of words, an animal."""
    nwb = pynwb.NWBFile("words", "id-1", START)
    nwb.subject = pynwb.file.Subject(subject_id="m1", species="Mus musculus", sex="F", age="P90D")
    group = nwb.create_electrode_group("shank", "d", "CA1", nwb.create_device("probe"))
    for number in (20, 31):
        nwb.add_electrode(id=number, x=1.0 * number, y=0.5, location="CA1", group=group)
    nwb.add_unit_column("quality", "q")
    for unit, times, electrodes in rows:
        nwb.add_unit(id=unit, spike_times=np.array(times, float), electrodes=electrodes, quality="good")
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(nwb)


def test_a_file_of_another_lab_is_read(tmp_path):
    """Electrodes by their ids, where SpikeLab's release fails; all columns; what the file says of itself."""
    path = tmp_path / "other.nwb"
    made_by_pynwb(path)
    found = load_spikedata_from_nwb(path)
    assert [t.round(9).tolist() for t in found.trains] == [[100.0, 200.0], [], [1500.0]]
    assert (found.start_time, found.length) == (0.0, 1500.0)
    assert found.neuron_attributes == [
        {"unit_id": 7, "electrode": 31, "location": [31.0, 0.5], "location_label": "CA1", "group_name": "shank",
         "quality": "good"},
        {"unit_id": 9, "quality": "good"},
        {"unit_id": 11, "electrode": 20, "location": [20.0, 0.5], "location_label": "CA1", "group_name": "shank",
         "quality": "good"},
    ]  # fmt: skip
    assert found.metadata.items() >= {"identifier": "id-1", "subject_id": "m1", "sex": "F", "unit_count": 3,
                                      "device_names": ["probe"]}.items()  # fmt: skip
    plain = load_spikedata_from_nwb(path, prefer_pynwb=False)
    assert_same(plain, found, atol_ms=NS_IN_MS)
    assert [a.get("electrode") for a in plain.neuron_attributes] == [31, None, 20]
    assert [a.get("location") for a in plain.neuron_attributes] == [[31.0, 0.5], None, [20.0, 0.5]]
    with pytest.warns(FlaggedWarning, match="1 spikes after"):
        assert load_spikedata_from_nwb(path, length_ms=200.0).length == 200.0
    assert load_spikedata_from_nwb(path, start_time_ms=-10.0).start_time == -10.0


def test_names_of_your_own_make_plain_hdf5_and_say_so(tmp_path):
    """With these names nothing but their own loader reads it; they are given to it."""
    names = {"spike_times_dataset": "t", "spike_times_index_dataset": "t_index", "group": "cells"}
    with pytest.warns(UnwrittenWarning, match="no valid NWB"):
        path = written(tmp_path, some_trains(), **names)
    with h5py.File(path) as file:
        assert file.attrs["note"].endswith("not a valid NWB file")
        assert file["cells/t_index"][()].tolist() == [3, 4, 6]
        assert file["cells/id"][()].tolist() == [0, 1, 2]
    found = load_spikedata_from_nwb(path, **names)
    assert_same(found, some_trains(), atol_ms=NS_IN_MS)
    assert [a["electrode"] for a in found.neuron_attributes] == [4, 4, 7]
    with pytest.raises(ContentError, match="has no units"):
        load_spikedata_from_nwb(path)
    with pytest.warns(UnwrittenWarning):
        path = written(tmp_path, some_trains(), spike_times_dataset="my_spike_times",
                       spike_times_index_dataset="my_spike_times_index")  # fmt: skip
    assert_same(lab.load_spikedata_from_nwb(str(path), prefer_pynwb=False), some_trains(), atol_ms=NS_IN_MS)
    assert_same(load_spikedata_from_nwb(path, prefer_pynwb=False), some_trains(), atol_ms=NS_IN_MS)


def test_without_pynwb_it_is_plain_hdf5_and_read_back(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynwb", None)
    with pytest.warns(UnwrittenWarning, match=r"pip install 'spikedaq\[nwb\]'"):
        path = written(tmp_path, some_trains())
    assert_same(load_spikedata_from_nwb(path), some_trains(), atol_ms=NS_IN_MS)
    assert_same(lab.load_spikedata_from_nwb(str(path), prefer_pynwb=False), some_trains(), atol_ms=NS_IN_MS)


def test_where_pynwb_fails_h5py_writes(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise TypeError("no such thing")

    monkeypatch.setattr(pynwb, "NWBHDF5IO", fail)
    with pytest.warns(UnwrittenWarning, match="TypeError: no such thing"):
        path = written(tmp_path, some_trains())
    with pytest.warns(FlaggedWarning, match="so it is read by h5py"):
        assert_same(load_spikedata_from_nwb(path), some_trains(), atol_ms=NS_IN_MS)


def test_files_without_units(tmp_path):
    path = tmp_path / "empty.nwb"
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(pynwb.NWBFile("words", "id-1", START))
    with pytest.raises(ValueError, match=r"empty\.nwb has no units"):
        load_spikedata_from_nwb(path)
    assert load_spikedata_from_nwb(path, allow_no_units=True).N == 0
    with h5py.File(tmp_path / "bare.nwb", "w") as file:
        file["units/id"] = [0]
    with quiet(), pytest.raises(MissingContentError, match="no spike_times"):
        load_spikedata_from_nwb(tmp_path / "bare.nwb")


def test_locations_that_are_none_are_refused_before_the_file_is_touched(tmp_path):
    path = tmp_path / "spikes.nwb"
    path.write_bytes(b"good")
    for bad in ([1.0, 2.0, 3.0, 4.0], "left"):
        trains = SpikeTrains([[1.0]], neuron_attributes=[{"location": bad}])
        with pytest.raises(ArgumentError, match="location of unit 0"):
            export_spikedata_to_nwb(trains, path, overwrite=True)
    assert path.read_bytes() == b"good"


def test_units_at_electrodes_of_all_kinds(tmp_path):
    """Some with names, some with places only, some with neither: it is valid, and each comes back."""
    kinds = [{"electrode": "A1", "location": [1.0, 2.0]}, {}, {"location": [5.0, 6.0]}, {"location": [5.0, 6.0]},
             {"channel": np.int64(3)}]  # fmt: skip
    trains = SpikeTrains([[1.0]] * 5, neuron_attributes=kinds)
    path = written(tmp_path, trains)
    assert pynwb.validate(path=str(path)) == []
    found = load_spikedata_from_nwb(path)
    assert [a.get("location") for a in found.neuron_attributes] == [[1.0, 2.0], None, [5.0, 6.0], [5.0, 6.0], None]
    assert found.neuron_attributes[0]["electrode"] == "A1"
