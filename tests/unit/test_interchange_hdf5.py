"""HDF5 as SpikeLab writes and reads it: the real SpikeLab reads ours, and we read its files, also those it misreads."""

import warnings

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spikelab.data_loaders import data_exporters as lab_out
from spikelab.data_loaders import data_loaders as lab

from helpers.spike_trains import any_trains, assert_same, empties, quiet, some_trains
from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.interchange import (
    ContentError,
    FlaggedWarning,
    MissingContentError,
    MissingFileError,
    UnwrittenWarning,
    export_spikedata_to_hdf5,
    load_spikedata_from_hdf5,
    to_spikelab,
)
from spikedaq.model import ArgumentError, StoreError

NAMES = {
    "ragged": {"spike_times_dataset": "spike_times", "spike_times_index_dataset": "spike_times_index"},
    "group": {"group_per_unit": "units"},
    "paired": {"idces_dataset": "idces", "times_dataset": "times"},
}
UNIT = {"ragged": "spike_times_unit", "group": "group_time_unit", "paired": "times_unit"}
NS_IN_MS = 1e-6


def written(tmp_path, trains, **options):
    path = tmp_path / "spikes.h5"
    with quiet():
        export_spikedata_to_hdf5(trains, path, overwrite=True, **options)
    return path


def by_h5py(path, contents, attributes=None):
    with h5py.File(path, "w") as file:
        for name, values in contents.items():
            file[name] = values
        file.attrs.update(attributes or {})
    return path


# -- literal values


def test_a_ragged_file_holds_these_numbers(tmp_path):
    """Seconds, ends of the units, the window in ms: worked out by hand."""
    path = written(tmp_path, SpikeTrains([[100.0, 250.0], [], [40.5]], length=1000.0, start_time=0.0))
    with h5py.File(path) as file:
        assert file["spike_times"][()].tolist() == [0.1, 0.25, 0.0405]
        assert file["spike_times"].dtype == np.float64
        assert file["spike_times_index"][()].tolist() == [2, 2, 3]
        assert file["spike_times_index"].dtype == np.int64
        assert dict(file.attrs) == {"start_time": 0.0, "length_ms": 1000.0}


def test_the_other_layouts_hold_these_numbers(tmp_path):
    trains = SpikeTrains([[100.0, 250.0], [40.5]], length=300.0)
    with h5py.File(written(tmp_path, trains, style="paired", times_unit="samples", fs_Hz=20000.0)) as file:
        assert file["idces"][()].tolist() == [0, 0, 1]
        assert file["times"][()].tolist() == [2000, 5000, 810]
        assert file["times"].dtype == np.int64
    with h5py.File(written(tmp_path, trains, style="paired")) as file:
        assert file["times"][()].tolist() == [100.0, 250.0, 40.5], "ms is the default here, as in SpikeLab"
    with h5py.File(written(tmp_path, trains, style="group")) as file:
        assert {name: file["units"][name][()].tolist() for name in file["units"]} == {"0": [0.1, 0.25], "1": [0.0405]}
    with h5py.File(written(tmp_path, trains, style="raster", raster_bin_size_ms=100.0)) as file:
        assert file["raster"][()].tolist() == [[1, 0, 1], [1, 0, 0]], "a spike on an edge is in the earlier bin"
        assert dict(file["raster"].attrs) == {"bin_size_ms": 100.0, "time_origin_ms": 0.0}


# -- round trips


@pytest.mark.parametrize("unit", ["s", "ms", "samples"])
@pytest.mark.parametrize("style", list(NAMES))
def test_the_real_spikelab_reads_what_we_write(tmp_path, style, unit):
    """Times to 1 ns, the window, a start below 0."""
    trains = some_trains()
    path = written(tmp_path, trains, style=style, fs_Hz=10000.0, **{UNIT[style]: unit})
    found = lab.load_spikedata_from_hdf5(str(path), fs_Hz=10000.0, **NAMES[style], **{UNIT[style]: unit})
    assert_same(found, trains, atol_ms=NS_IN_MS)


@pytest.mark.parametrize("unit", ["s", "ms", "samples"])
@pytest.mark.parametrize("style", list(NAMES))
def test_we_read_what_the_real_spikelab_writes(tmp_path, style, unit):
    trains = some_trains()
    path = tmp_path / "lab.h5"
    lab_out.export_spikedata_to_hdf5(to_spikelab(trains), str(path), style=style, fs_Hz=1e4, **{UNIT[style]: unit})
    found = load_spikedata_from_hdf5(path, fs_Hz=1e4, **NAMES[style], **{UNIT[style]: unit})
    assert_same(found, trains, atol_ms=NS_IN_MS)


@pytest.mark.parametrize("style", list(NAMES))
def test_we_read_what_we_write_with_names_and_all(tmp_path, style):
    """Without a unit: the file says it. Attributes and metadata come back, too."""
    trains = some_trains()
    found = load_spikedata_from_hdf5(written(tmp_path, trains, style=style), **NAMES[style])
    assert_same(found, trains, atol_ms=NS_IN_MS)
    assert found.neuron_attributes == trains.neuron_attributes
    assert found.metadata == {**trains.metadata, "source_file": str(tmp_path / "spikes.h5")}


@pytest.mark.parametrize("where", list(empties()))
@pytest.mark.parametrize("style", list(NAMES))
def test_units_without_spikes_stay_for_the_real_spikelab(tmp_path, style, where):
    """But in a list of pairs, which has no place for the last ones: that is said."""
    trains = SpikeTrains(empties()[where], length=10.0)
    path = tmp_path / "spikes.h5"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        export_spikedata_to_hdf5(trains, path, style=style, times_unit="s")
    with quiet():
        theirs = lab.load_spikedata_from_hdf5(str(path), **NAMES[style])
    lost = 0
    if style == "paired":
        lost = next((n for n, t in enumerate(reversed(trains.trains)) if len(t)), trains.N)
        assert bool(lost) == any(w.category is UnwrittenWarning for w in caught)
    assert [len(t) for t in theirs.train] == [len(t) for t in trains.trains[: trains.N - lost]]
    assert_same(load_spikedata_from_hdf5(path, **NAMES[style]), trains, atol_ms=NS_IN_MS)


@pytest.mark.parametrize("where", list(empties()))
def test_units_without_spikes_that_spikelab_wrote_and_misreads(tmp_path, where):
    """Its own round trip loses an empty first unit; the file has it, and we read it."""
    trains = SpikeTrains(empties()[where], length=10.0)
    path = tmp_path / "lab.h5"
    lab_out.export_spikedata_to_hdf5(to_spikelab(trains), str(path))
    assert_same(load_spikedata_from_hdf5(path, **NAMES["ragged"]), trains, atol_ms=NS_IN_MS)
    if where == "first":
        assert lab.load_spikedata_from_hdf5(str(path), **NAMES["ragged"]).N == 2, "if not, SpikeLab is mended"
    path = tmp_path / "pairs.h5"
    lab_out.export_spikedata_to_hdf5(to_spikelab(trains), str(path), style="paired")
    found = load_spikedata_from_hdf5(path, **NAMES["paired"], times_unit="ms", n_units=trains.N)
    assert_same(found, trains)


@given(trains=any_trains, style=st.sampled_from(list(NAMES)), unit=st.sampled_from(["s", "ms"]))
@settings(max_examples=20, deadline=None)
def test_any_trains_survive_and_the_real_spikelab_takes_them(tmp_path_factory, trains, style, unit):
    path = written(tmp_path_factory.mktemp("any"), trains, style=style, **{UNIT[style]: unit})
    assert_same(load_spikedata_from_hdf5(path, **NAMES[style]), trains, atol_ms=NS_IN_MS)
    if style != "paired":
        with quiet():
            theirs = lab.load_spikedata_from_hdf5(str(path), **NAMES[style], **{UNIT[style]: unit})
        assert_same(theirs, trains, atol_ms=NS_IN_MS)


@pytest.mark.parametrize("times", [[-5.3, 17.1], [-5.3, 1234.5678], [0.1, 0.3], [-7.7, -0.7]])
def test_spikes_on_both_edges_of_the_window_are_taken_by_spikelab(tmp_path, times):
    """In s and back they are beyond the edge by a rounding, or by half a sample; SpikeLab would refuse the file."""
    trains = SpikeTrains([times], start_time=times[0])
    for options in ({"spike_times_unit": "s"}, {"spike_times_unit": "samples", "fs_Hz": 3333.0}):
        path = written(tmp_path, trains, **options)
        found = lab.load_spikedata_from_hdf5(str(path), **NAMES["ragged"], **options)
        assert np.abs(found.train[0] - times).max() <= (NS_IN_MS if len(options) == 1 else 0.5 / 3.333)


# -- raster


def test_a_raster_goes_both_ways_with_its_counts(tmp_path):
    """Times within a bin are not kept, counts are, for the real SpikeLab and for us; a start below 0, too."""
    trains = some_trains()
    counts = trains.raster(7.0)
    path = written(tmp_path, trains, style="raster", raster_bin_size_ms=7.0)
    theirs = lab.load_spikedata_from_hdf5(str(path), raster_dataset="raster", raster_bin_size_ms=7.0)
    assert theirs.start_time == -50.0
    assert [len(t) for t in theirs.train] == counts.sum(axis=1).tolist()
    ours = load_spikedata_from_hdf5(path, raster_dataset="raster")
    assert ours.raster(7.0).tolist() == counts.tolist()
    lab_out.export_spikedata_to_hdf5(
        to_spikelab(trains), str(tmp_path / "l.h5"), style="raster", raster_bin_size_ms=7.0
    )
    found = load_spikedata_from_hdf5(tmp_path / "l.h5", raster_dataset="raster", raster_bin_size_ms=7.0)
    assert found.raster(7.0).tolist() == counts.tolist()
    assert found.start_time == -50.0


def test_the_length_of_a_raster_is_the_windows_own(tmp_path):
    """25 ms in bins of 10 ms are three bins: the window is 25 ms unless a spread spike would be beyond it."""
    path = written(tmp_path, SpikeTrains([[1.0, 12.0]], length=25.0), style="raster", raster_bin_size_ms=10.0)
    assert load_spikedata_from_hdf5(path, raster_dataset="raster").length == 25.0
    path = written(tmp_path, SpikeTrains([[24.0] * 3], length=25.0), style="raster", raster_bin_size_ms=10.0)
    assert load_spikedata_from_hdf5(path, raster_dataset="raster").length == 30.0
    with pytest.warns(FlaggedWarning, match="2 spikes after length_ms=24"):
        cut = load_spikedata_from_hdf5(path, raster_dataset="raster", length_ms=24)
    assert (cut.length, len(cut.trains[0]), cut.metadata["n_after_length"]) == (24.0, 1, 2)


# -- raw traces


def test_raw_traces_go_both_ways(tmp_path):
    trains = some_trains(raw_data=np.arange(8, dtype=np.int16).reshape(2, 4), raw_time=[0.0, 0.1, 0.2, 0.3])
    raw = {"raw_dataset": "raw", "raw_time_dataset": "raw_time"}
    path = written(tmp_path, trains, **raw)
    for found in (
        load_spikedata_from_hdf5(path, **NAMES["ragged"], **raw),
        lab.load_spikedata_from_hdf5(str(path), **NAMES["ragged"], **raw, raw_time_unit="ms"),
    ):
        assert found.raw_data.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
        assert np.abs(found.raw_time - [0.0, 0.1, 0.2, 0.3]).max() < NS_IN_MS
    lab_out.export_spikedata_to_hdf5(to_spikelab(trains), str(tmp_path / "lab.h5"), **raw)
    found = load_spikedata_from_hdf5(tmp_path / "lab.h5", **NAMES["ragged"], **raw, raw_time_unit="ms")
    assert found.raw_time.tolist() == [0.0, 0.1, 0.2, 0.3]
    counted = load_spikedata_from_hdf5(path, **NAMES["ragged"], raw_dataset="raw", fs_Hz=20000.0)
    assert counted.raw_time.tolist() == [0.0, 0.05, 0.1, 0.15], "without times they are counted by the rate"
    with pytest.raises(ArgumentError, match="or fs_Hz"):
        load_spikedata_from_hdf5(path, **NAMES["ragged"], raw_dataset="raw")
    with pytest.warns(UnwrittenWarning, match="no raw traces"):
        export_spikedata_to_hdf5(some_trains(), tmp_path / "without.h5", **raw)


# -- refusals


@pytest.mark.parametrize(
    "options",
    [
        {"style": "raged"},
        {"spike_times_unit": "us"},
        {"spike_times_unit": "samples"},
        {"spike_times_unit": "samples", "fs_Hz": 0.0},
        {"style": "raster"},
        {"style": "raster", "raster_bin_size_ms": -1.0},
        {"raw_dataset": "raw"},
        {"spike_times_dataset": "a", "spike_times_index_dataset": "a/b"},
        {"style": "group", "group_per_unit": ""},
        {"style": "group", "group_per_unit": "spikedaq"},
    ],
)
def test_what_cannot_be_exported_leaves_the_old_file(tmp_path, options):
    """SpikeLab has overwritten it by then."""
    path = tmp_path / "good.h5"
    path.write_bytes(b"good")
    with pytest.raises(ArgumentError) as caught:
        export_spikedata_to_hdf5(some_trains(), path, overwrite=True, **options)
    assert isinstance(caught.value, ValueError)
    assert path.read_bytes() == b"good"
    assert [entry.name for entry in tmp_path.iterdir()] == ["good.h5"]


def test_an_existing_file_needs_overwrite(tmp_path):
    path = tmp_path / "good.h5"
    path.write_bytes(b"good")
    with pytest.raises(StoreError, match="exists"):
        export_spikedata_to_hdf5(some_trains(), path)
    assert path.read_bytes() == b"good"


def test_exactly_one_layout_is_asked_for(tmp_path):
    path = written(tmp_path, some_trains())
    for names in ({}, {"spike_times_dataset": "spike_times"}, {**NAMES["ragged"], **NAMES["group"]},
                  {**NAMES["ragged"], "idces_dataset": "idces"}):  # fmt: skip
        with pytest.raises(ValueError, match="name exactly one layout"):
            load_spikedata_from_hdf5(path, **names)


def test_what_is_not_there_is_named_with_what_is(tmp_path):
    path = written(tmp_path, some_trains())
    with pytest.raises(KeyError, match=r"spikes\.h5 has no dataset 'rastr'; it has .*spike_times"):
        load_spikedata_from_hdf5(path, raster_dataset="rastr", raster_bin_size_ms=1.0)
    with pytest.raises(MissingContentError, match="no group 'units'"):
        load_spikedata_from_hdf5(path, group_per_unit="units")
    with pytest.raises(FileNotFoundError):
        load_spikedata_from_hdf5(tmp_path / "none.h5", **NAMES["ragged"])
    with pytest.raises(MissingFileError, match=r"none\.h5"):
        load_spikedata_from_hdf5(tmp_path / "none.h5", **NAMES["ragged"])


@pytest.mark.parametrize(
    ("index", "complaint"),
    [
        ([2.0, 4.0], "row of integers"),
        ([-1, 4], "falls to -1"),
        ([3, 2, 4], "falls to 2 at unit 1"),
        ([2, 5], "ends at 5, and there are 4 spikes"),
        ([[1, 2], [3, 4]], "row of integers"),
    ],
)
def test_an_index_that_cannot_be(tmp_path, index, complaint):
    path = by_h5py(tmp_path / "bad.h5", {"spike_times": [0.1, 0.2, 0.3, 0.4], "spike_times_index": np.array(index)})
    with pytest.raises(ContentError, match=rf"bad\.h5, 'spike_times_index'.*{complaint}"):
        load_spikedata_from_hdf5(path, **NAMES["ragged"])


def test_an_index_with_a_leading_zero(tmp_path):
    """Without a word of how many units there are, such an index has a 0 before the ends; leading_zero=False says no."""
    path = by_h5py(tmp_path / "zero.h5", {"spike_times": [0.1, 0.2, 0.3], "spike_times_index": np.array([0, 2, 3])})
    found = load_spikedata_from_hdf5(path, **NAMES["ragged"])
    assert [t.round(9).tolist() for t in found.trains] == [[100.0, 200.0], [300.0]]
    found = load_spikedata_from_hdf5(path, **NAMES["ragged"], leading_zero=False)
    assert [len(t) for t in found.trains] == [0, 2, 1]


def test_groups_are_read_in_the_order_of_their_numbers(tmp_path):
    path = by_h5py(tmp_path / "g.h5", {f"units/{name}": [float(name)] for name in ("10", "2", "0", "1")})
    found = load_spikedata_from_hdf5(path, **NAMES["group"], group_time_unit="ms")
    assert [t.tolist() for t in found.trains] == [[0.0], [1.0], [2.0], [10.0]]
    assert [a["unit_id"] for a in found.neuron_attributes] == [0, 1, 2, 10]


def test_pairs_in_the_wrong_unit_are_refused_with_the_remedy(tmp_path):
    """SpikeLab writes ms and reads s by default."""
    path = tmp_path / "lab.h5"
    lab_out.export_spikedata_to_hdf5(to_spikelab(some_trains()), str(path), style="paired")
    with pytest.raises(ContentError, match="times_unit='ms'"):
        load_spikedata_from_hdf5(path, **NAMES["paired"])
    short = to_spikelab(SpikeTrains([[0.05]], length=100.0))
    lab_out.export_spikedata_to_hdf5(short, str(tmp_path / "short.h5"), style="paired")
    with pytest.warns(FlaggedWarning, match="taken to be in s"):
        found = load_spikedata_from_hdf5(tmp_path / "short.h5", **NAMES["paired"])
    assert "taken to be in s" in found.metadata["flags"][0]
    with pytest.raises(ArgumentError, match="leave it out"):
        load_spikedata_from_hdf5(written(tmp_path, some_trains()), **NAMES["ragged"], spike_times_unit="ms")


def test_times_that_are_no_numbers_are_named_by_place(tmp_path):
    path = by_h5py(tmp_path / "nan.h5", {"units/0": [0.1], "units/1": [0.2, np.nan]})
    with pytest.raises(ContentError, match=r"nan\.h5, 'units': spike 1 of unit 1"):
        load_spikedata_from_hdf5(path, **NAMES["group"])
    with h5py.File(tmp_path / "text.h5", "w") as file:
        file["units/0"] = ["a", "b"]
    with pytest.raises(ContentError, match="not numbers"):
        load_spikedata_from_hdf5(tmp_path / "text.h5", **NAMES["group"])


def test_a_start_that_nobody_gave_is_flagged(tmp_path):
    path = by_h5py(tmp_path / "early.h5", {"units/0": [-0.005, 0.2]})
    with pytest.warns(FlaggedWarning, match="begin at -5 ms"):
        found = load_spikedata_from_hdf5(path, **NAMES["group"])
    assert (found.start_time, found.length) == (-5.0, 205.0)
    assert found.metadata["flags"]


def test_a_file_that_is_none_or_cut_short(tmp_path):
    (tmp_path / "text.h5").write_text("not HDF5")
    whole = written(tmp_path, some_trains(raw_data=np.zeros((2, 9999)), raw_time=10.0), raw_dataset="r",
                    raw_time_dataset="t").read_bytes()  # fmt: skip
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    for name in ("text.h5", "cut.h5"):
        with pytest.raises(ContentError, match=rf"cannot read .*{name}"):
            load_spikedata_from_hdf5(tmp_path / name, **NAMES["ragged"])


def test_a_length_given_drops_later_spikes_and_counts_them(tmp_path):
    path = written(tmp_path, some_trains())
    with pytest.warns(FlaggedWarning, match="2 spikes after length_ms=100"):
        found = load_spikedata_from_hdf5(path, **NAMES["ragged"], length_ms=100.0, metadata={"mine": 1})
    assert [len(t) for t in found.trains] == [2, 1, 1]
    assert found.end_time == 50.0
    assert (found.metadata["n_after_length"], found.metadata["mine"]) == (2, 1)


@pytest.mark.parametrize(
    ("contents", "options", "complaint"),
    [
        ({"u/0": np.ones((2, 2))}, NAMES["group"], r"unit 0 have the shape \(2, 2\)"),
        ({"u/0": [1j]}, NAMES["group"], "not numbers"),
        ({"a": [0, 2**40], "b": [0.1, 0.2]}, NAMES["paired"], "must count from 0"),
        ({"a": [0.0, 1.0], "b": [0.1, 0.2]}, NAMES["paired"], "must be integers"),
        ({"a": [0], "b": [0.1, 0.2]}, NAMES["paired"], "1 unit numbers for 2 times"),
        ({"a": [-1], "b": [0.1]}, NAMES["paired"], "is -1"),
        ({"r": [[0.5, 1.0]]}, {"raster_dataset": "r", "raster_bin_size_ms": 1.0}, "whole numbers"),
        ({"r": [1, 2]}, {"raster_dataset": "r", "raster_bin_size_ms": 1.0}, r"\(units, bins\)"),
        ({"u/0": [0.1], "spikedaq/neuron_attributes": "{no"}, NAMES["group"], "export it again"),
        ({"u/0": [0.1], "spikedaq/neuron_attributes": "[{}, {}]"}, NAMES["group"], "attributes of 2 units for 1"),
        ({"u/0": [0.1], "spikedaq/neuron_attributes": "[7]"}, NAMES["group"], "not what it should be"),
        ({"u/0": [0.1], "spikedaq/metadata": "[1]"}, NAMES["group"], "not what it should be"),
        ({"u/0": [0.1], "spikedaq/gaps_ms": [1.0]}, NAMES["group"], "not pairs"),
    ],
)
def test_contents_that_cannot_be(tmp_path, contents, options, complaint):
    path = by_h5py(tmp_path / "odd.h5", contents)
    named = {"units": "u", "idces": "a", "times": "b"}
    with pytest.raises(ContentError, match=complaint) as caught:
        load_spikedata_from_hdf5(path, **{key: named.get(name, name) for key, name in options.items()})
    assert "odd.h5" in str(caught.value)


@pytest.mark.parametrize("attributes", [{"start_time": np.nan}, {"length_ms": -5.0}, {"length_ms": "long"}])
def test_a_window_that_cannot_be(tmp_path, attributes):
    path = by_h5py(tmp_path / "odd.h5", {"units/0": [0.1]}, attributes)
    with pytest.raises(ContentError, match=r"odd\.h5.*mend"):
        load_spikedata_from_hdf5(path, **NAMES["group"])
