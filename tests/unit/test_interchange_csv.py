"""Spike events and averaged traces in CSV, and spikes of raw traces in HDF5."""

import h5py
import numpy as np
import pytest
from spikelab.data_loaders import data_loaders as lab

from helpers.spike_trains import quiet, some_trains
from spikedaq.analysis import average, find_loops, find_spikes
from spikedaq.analysis.loops import aligned
from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.analysis.tables import average_table, spike_table, stock_means_table, stock_spike_table
from spikedaq.interchange import (
    ContentError,
    FlaggedWarning,
    MissingContentError,
    UnwrittenWarning,
    export_spikes_to_csv,
    load_averages_from_csv,
    load_spikedata_from_hdf5_raw_thresholded,
    load_spikes_from_csv,
)
from spikedaq.model import ArgumentError, StoreError


def put(path, table):
    path.write_text("".join(table.lines()))
    return path


def test_spike_events_as_the_stock_software_writes_them(tmp_path):
    """Rows, a row per 0.1 ms; each file is a unit with the neuron's name."""
    first = tmp_path / "Spikeling_spike.csv"
    first.write_bytes(b"Spikeling Spike Events (timepoints)\r\n15\r\n2300\r\n")
    second = put(tmp_path / "AuxNeuron1_spike.csv", stock_spike_table(np.array([], np.int64), neuron="Aux Neuron 1"))
    found = load_spikes_from_csv(first, second)
    assert [t.tolist() for t in found.trains] == [[1.5, 230.0], []]
    assert [a["name"] for a in found.neuron_attributes] == ["Spikeling", "Aux Neuron 1"]
    assert load_spikes_from_csv(first, fs_Hz=1000.0).trains[0].tolist() == [15.0, 2300.0]
    with pytest.warns(FlaggedWarning, match="1 spikes after"):
        assert load_spikes_from_csv(first, length_ms=100.0).length == 100.0


def test_our_own_table_of_spikes_is_read_back(tmp_path):
    vm_mv = np.full(500, -70.0)
    vm_mv[[100, 101, 400]] = 30.0
    spikes = find_spikes(vm_mv, threshold_mv=-20.0)
    table = spike_table(spikes, steps=spikes, times_ms=spikes * 0.1, intervals_ms=np.array([30.0]), step_ms=0.1)
    found = load_spikes_from_csv(put(tmp_path / "spikes.csv", table))
    assert found.trains[0].round(9).tolist() == [10.0, 40.0]


def test_spike_trains_as_rows_and_back(tmp_path):
    """Times to the last digit; what a CSV has no place for is said."""
    trains = SpikeTrains([[], [0.1, 100.3], [33.3]])
    export_spikes_to_csv(trains, tmp_path / "s.csv")
    assert (tmp_path / "s.csv").read_text() == "unit,time (ms)\n1,0.1\n1,100.3\n2,33.3\n"
    assert [t.tolist() for t in load_spikes_from_csv(tmp_path / "s.csv").trains] == [[], [0.1, 100.3], [33.3]]
    with pytest.warns(UnwrittenWarning, match="no place for attributes of units"):
        export_spikes_to_csv(some_trains(), tmp_path / "t.csv")
    with pytest.warns(UnwrittenWarning, match="units without spikes at the end"):
        export_spikes_to_csv(SpikeTrains([[1.0], []]), tmp_path / "u.csv")
    with pytest.raises(StoreError, match="exists"):
        export_spikes_to_csv(trains, tmp_path / "s.csv")


def test_tables_that_are_none(tmp_path):
    (tmp_path / "x.csv").write_text("Time (ms),Stim\n0.0,1.0\n")
    with pytest.raises(ContentError, match=r"x\.csv has the columns Time \(ms\), Stim, no spikes"):
        load_spikes_from_csv(tmp_path / "x.csv")
    (tmp_path / "z.csv").write_text("Time (ms),Trigger\n0.0,1.0\n")
    with pytest.raises(ContentError, match=r"z\.csv is a recording; find its spikes: spikedaq export"):
        load_spikes_from_csv(tmp_path / "z.csv")
    (tmp_path / "y.csv").write_text("unit,time (ms)\n-1,2.0\n")
    with pytest.raises(ContentError, match="whole numbers from 0"):
        load_spikes_from_csv(tmp_path / "y.csv")
    (tmp_path / "Spikeling_means.csv").write_text('""\n')
    with pytest.raises(StoreError, match=r"Spikeling_means\.csv"):
        load_averages_from_csv(tmp_path / "Spikeling_means.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(StoreError, match="is empty"):
        load_averages_from_csv(tmp_path / "empty.csv")


def test_averages_are_read_back(tmp_path):
    """Of spikedaq average, with every column; of the stock format, whose time is a row per 0.1 ms."""
    trigger = np.zeros(30)
    trigger[[0, 10, 20]] = 1
    loops = find_loops(np.flatnonzero(trigger), 30, steps=np.arange(30))
    means = average(aligned(np.arange(30.0), loops))
    table = average_table({"vm (mV)": means}, step_ms=0.1)
    found = load_averages_from_csv(put(tmp_path / "averages.csv", table))
    assert found.times_ms.tolist() == table.columns[0].tolist()
    assert list(found.traces) == ["vm (mV) mean", "vm (mV) sd", "vm (mV) sem", "vm (mV) n"]
    assert found.traces["vm (mV) mean"].tolist() == means.mean.tolist()
    stock = stock_means_table(np.array([1.0, 2.0]), np.array([-70.0, -60.0]))
    found = load_averages_from_csv(put(tmp_path / "Spikeling_means.csv", stock))
    assert found.times_ms.tolist() == [0.0, 0.1]
    assert found.traces["Spikeling Vm Average"].tolist() == [-70.0, -60.0]


# -- raw traces


def raw_file(path, data, **attributes):
    with h5py.File(path, "w") as file:
        file["raw"] = data
        file.attrs.update(attributes)
    return path


def test_spikes_of_raw_traces_as_spikelab_finds_them(tmp_path):
    """The same spikes as the real SpikeLab, in a window that starts before 0."""
    rng = np.random.default_rng(3)
    data = rng.normal(0, 1, (3, 4000))
    data[0, [500, 1500]] += 40.0
    data[2, 3000] -= 40.0
    path = raw_file(tmp_path / "raw.h5", data, start_time=-50.0, length_ms=400.0)
    for options in ({"filter": False}, {"filter": False, "direction": "up"}, {"filter": True}):
        ours = load_spikedata_from_hdf5_raw_thresholded(path, "raw", fs_Hz=20000.0, **options)
        with quiet():
            theirs = lab.load_spikedata_from_hdf5_raw_thresholded(str(path), "raw", fs_Hz=20000.0, **options)
        assert sum(map(len, ours.trains)) >= 2
        assert [t.round(6).tolist() for t in ours.trains] == [t.round(6).tolist() for t in theirs.train]
        assert (ours.start_time, ours.length) == (theirs.start_time, theirs.length) == (-50.0, 400.0)
    assert ours.raw_time[0] == -50.0


def test_raw_traces_that_cannot_be(tmp_path):
    path = raw_file(tmp_path / "raw.h5", np.zeros(100))
    with pytest.raises(ContentError, match=r"\(channels, samples\)"):
        load_spikedata_from_hdf5_raw_thresholded(path, "raw", fs_Hz=1000.0)
    with pytest.raises(MissingContentError, match="no dataset 'rw'; it has raw"):
        load_spikedata_from_hdf5_raw_thresholded(path, "rw", fs_Hz=1000.0)
    with pytest.raises(ArgumentError, match="fs_Hz"):
        load_spikedata_from_hdf5_raw_thresholded(path, "raw", fs_Hz=0.0)
    short = raw_file(tmp_path / "short.h5", np.eye(2, 1000), length_ms=1.0)
    found = load_spikedata_from_hdf5_raw_thresholded(short, "raw", fs_Hz=1000.0, filter=False)
    assert found.length == 1000.0, "never shorter than the traces"
