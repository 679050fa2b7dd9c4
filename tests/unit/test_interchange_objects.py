"""Spike trains from the objects of SpikeLab, SpikeInterface and Neo, and to them: all of them the real ones."""

import neo
import numpy as np
import pytest
import quantities as pq
import spikelab
from hypothesis import given, settings
from neo.rawio.nixrawio import NIXRawIO
from spikeinterface.core import NumpyRecording, NumpySorting

from helpers.spike_trains import any_trains, assert_same, empties, quiet, some_trains
from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.interchange import (
    ContentError,
    UntrustedError,
    UnwrittenWarning,
    export_spikedata_to_neo,
    from_spikelab,
    load_spikedata_from_neo,
    load_spikedata_from_spikeinterface,
    load_spikedata_from_spikeinterface_recording,
    to_neo_block,
    to_spikeinterface_sorting,
    to_spikelab,
)
from spikedaq.model import ArgumentError

# -- SpikeLab


def test_a_spikedata_and_ours_are_made_of_each_other():
    trains = some_trains(raw_data=np.arange(6).reshape(2, 3), raw_time=[0.0, 0.5, 1.0])
    theirs = to_spikelab(trains)
    assert isinstance(theirs, spikelab.SpikeData)
    assert_same(theirs, trains)
    assert theirs.neuron_attributes == trains.neuron_attributes
    assert theirs.electrodes.tolist() == trains.electrodes.tolist() == [4, 4, 7]
    assert theirs.raster(10.0).tolist() == trains.raster(10.0).tolist()
    back = from_spikelab(theirs)
    assert_same(back, trains)
    assert (back.metadata, back.neuron_attributes) == (trains.metadata, trains.neuron_attributes)
    assert back.raw_data.tolist() == trains.raw_data.tolist()
    assert back.raw_time.tolist() == trains.raw_time.tolist()


@given(any_trains)
@settings(max_examples=20, deadline=None)
def test_any_trains_are_taken_by_spikelab_and_back(trains):
    assert_same(from_spikelab(to_spikelab(trains)), trains)


def test_something_else_is_no_spikedata():
    with pytest.raises(TypeError, match="dict is no SpikeData"):
        from_spikelab({})


# -- SpikeInterface


@pytest.mark.parametrize("where", [w for w in empties() if w != "none"])
def test_a_sorting_keeps_units_without_spikes(where):
    trains = SpikeTrains(empties()[where], length=100.0)
    sorting = to_spikeinterface_sorting(trains, fs_Hz=10000.0)
    assert [len(sorting.get_unit_spike_train(u)) for u in sorting.unit_ids] == [len(t) for t in trains.trains]
    assert_same(load_spikedata_from_spikeinterface(sorting), trains, atol_ms=1e-9, window=False)


def test_a_sorting_has_these_samples_and_properties(tmp_path):
    attributes = [{"unit_id": 5, "electrode": 1, "name": "näh", "location": [1.0, 2.0], "t": np.zeros(2)},
                  {"unit_id": 2, "electrode": 0, "name": "神経", "location": [3.0, 4.0], "t": np.zeros(3)}]  # fmt: skip
    sorting = to_spikeinterface_sorting(SpikeTrains([[0.1, 5.04], [7.0]], neuron_attributes=attributes), fs_Hz=10000.0)
    assert sorting.unit_ids.tolist() == [5, 2]
    assert sorting.get_unit_spike_train(5).tolist() == [1, 50]
    assert sorting.get_property("name").tolist() == ["näh", "神経"]
    saved = sorting.save(folder=tmp_path / "sorting")
    found = load_spikedata_from_spikeinterface(saved, unit_ids=[2])
    assert [t.tolist() for t in found.trains] == [[7.0]]
    only = found.neuron_attributes[0]
    assert (only["electrode"], list(only["location"]), only["name"]) == (0, [3.0, 4.0], "神経"), (
        "its own, not the first's"
    )
    with pytest.warns(UnwrittenWarning, match="count from there"):
        early = to_spikeinterface_sorting(some_trains(), fs_Hz=10000.0)
    assert early.get_unit_spike_train(0).tolist() == [1, 501, 1503]


def test_sortings_that_are_refused():
    sorting = NumpySorting.from_unit_dict([{1: np.array([1])}], 1000.0)
    with pytest.raises(TypeError, match="no SpikeInterface sorting"):
        load_spikedata_from_spikeinterface([[1.0]])
    with pytest.raises(ValueError, match="no unit 9"):
        load_spikedata_from_spikeinterface(sorting, unit_ids=[9])
    with pytest.raises(ValueError, match="segment"):
        load_spikedata_from_spikeinterface(sorting, segment_index=1)


def test_spikes_of_a_recording_with_more_channels_than_samples():
    """SpikeLab takes the shorter axis for channels, and reads such a piece transposed. The segment's start counts."""
    traces = np.zeros((5, 64), np.float32)
    traces[2, 40] = 100.0
    recording = NumpyRecording([traces], 1000.0, t_starts=[2.0], channel_ids=[f"c{n}" for n in range(64)])
    recording.set_channel_gains(1.0)
    recording.set_channel_offsets(0.0)
    found = load_spikedata_from_spikeinterface_recording(recording, threshold_sigma=2.0, direction="up")
    assert found.N == 64
    assert [n for n, train in enumerate(found.trains) if len(train)] == [40]
    assert found.trains[40].tolist() == [2002.5], "the middle of its sample"
    assert (found.start_time, found.length) == (2000.0, 5.0)
    assert found.neuron_attributes[40] == {"electrode": "c40"}
    with pytest.raises(TypeError, match="no SpikeInterface recording"):
        load_spikedata_from_spikeinterface_recording(traces)
    with pytest.raises(ArgumentError, match="1 segments"):
        load_spikedata_from_spikeinterface_recording(recording, segment_index=1)


# -- Neo


@pytest.mark.parametrize("suffix", [".nix", ".h5", ".mat"])
def test_neos_files_come_back(tmp_path, suffix):
    """Written and read by the real Neo: times to 1 ns, the window, names in three scripts, units without spikes."""
    trains = some_trains(start_time=-50.0)
    trains = SpikeTrains([*trains.trains, []], start_time=-50.0, length=250.0,
                         neuron_attributes=[*trains.neuron_attributes, {"name": "still"}])  # fmt: skip
    path = tmp_path / f"spikes{suffix}"
    export_spikedata_to_neo(trains, path)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    found = load_spikedata_from_neo(path)
    assert_same(found, trains, atol_ms=1e-6)
    assert [a["name"] for a in found.neuron_attributes] == ["näh 1", "神経", "нейрон", "still"]
    assert found.neuron_attributes[0]["electrode"] == 4


def test_neos_own_objects_are_read():
    """In seconds, with a start below 0; SpikeLab raises on such trains."""
    one = neo.SpikeTrain([-0.5, 0.25] * pq.s, t_start=-1 * pq.s, t_stop=2 * pq.s, name="a", cell=7)
    two = neo.SpikeTrain([] * pq.ms, t_start=-1000 * pq.ms, t_stop=2000 * pq.ms)
    segment = neo.Segment()
    segment.spiketrains.extend([one, two])
    block = neo.Block()
    block.segments.append(segment)
    for source in (block, segment, [one, two]):
        found = load_spikedata_from_neo(source)
        assert [t.tolist() for t in found.trains] == [[-500.0, 250.0], []]
        assert (found.start_time, found.length) == (-1000.0, 3000.0)
        assert found.neuron_attributes[0] == {"name": "a", "cell": 7}
    with quiet():
        cut = load_spikedata_from_neo(block, length_ms=600.0)
    assert ([t.tolist() for t in cut.trains], cut.metadata["n_after_length"]) == ([[-500.0], []], 1)
    with pytest.raises(ContentError, match="1 segments"):
        load_spikedata_from_neo(block, segment_index=1)
    with pytest.raises(TypeError):
        load_spikedata_from_neo(7)


def test_neos_raw_reader_of_nix_sees_the_same_seconds(tmp_path):
    """It takes whatever unit times are in for seconds: ours are."""
    export_spikedata_to_neo(some_trains(), tmp_path / "spikes.nix")
    reader = NIXRawIO(str(tmp_path / "spikes.nix"))
    reader.parse_header()
    raw = reader.get_spike_timestamps(spike_channel_index=0)
    assert np.round(reader.rescale_spike_timestamp(raw), 9).tolist() == [-0.0499, 0.0001, 0.1003]


def test_files_that_neo_does_not_read_or_must_not(tmp_path):
    with pytest.raises(ArgumentError, match=r"\.nix, \.h5, \.mat"):
        export_spikedata_to_neo(some_trains(), tmp_path / "spikes.txt")
    neo.PickleIO(str(tmp_path / "x.pkl")).write_block(to_neo_block(some_trains(start_time=-50.0)))
    with pytest.raises(UntrustedError, match="trust=True"):
        load_spikedata_from_neo(tmp_path / "x.pkl")
    assert_same(load_spikedata_from_neo(tmp_path / "x.pkl", trust=True), some_trains(), atol_ms=1e-6)
    (tmp_path / "bad.nix").write_bytes(b"no NIX")
    with quiet(), pytest.raises(ContentError, match=r"Neo cannot read .*bad\.nix"):
        load_spikedata_from_neo(tmp_path / "bad.nix")
