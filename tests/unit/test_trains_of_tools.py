"""`SpikeTrains` out of real objects of Neo and SpikeInterface."""

from __future__ import annotations

import neo
import numpy as np
import pytest
import quantities
from spikeinterface import core
from spikelab import spikedata

from spikedaq.analysis import SpikeTrains
from spikedaq.model import ArgumentError, ArgumentTypeError


def test_neo_spike_trains_keep_their_window_and_annotations() -> None:
    """In any unit of time, with times before zero, which SpikeLab refuses; an empty train keeps its place."""
    trains = SpikeTrains.from_neo_spiketrains(
        [
            neo.SpikeTrain([-0.01, 0.25], units="s", t_start=-0.05, t_stop=1.0, name="vm", source_index=3),
            neo.SpikeTrain([], units="ms", t_stop=2000.0),
            neo.SpikeTrain([5000.0, 400.0], units="us", t_stop=6000.0),
        ]
    )
    assert [train.tolist() for train in trains.trains] == [[-10.0, 250.0], [], [0.4, 5.0]]
    assert (trains.start_time, trains.length) == (-50.0, 2050.0)
    assert trains.neuron_attributes == [{"name": "vm", "source_index": 3}, {}, {}]


def test_what_the_caller_says_goes_before_what_neo_says() -> None:
    train = neo.SpikeTrain([1.0], units="ms", t_stop=2.0)
    trains = SpikeTrains.from_neo_spiketrains([train], length=10.0, neuron_attributes=[{"unit_id": "a"}], N=1)
    assert (trains.length, trains.neuron_attributes) == (10.0, [{"unit_id": "a"}])
    empty = SpikeTrains.from_neo_spiketrains([], N=2)
    assert (empty.N, empty.length, empty.neuron_attributes) == (2, 0.0, [{}, {}])


@pytest.mark.parametrize("train", [[1.0, 2.0], np.array([1.0]), None])
def test_what_is_no_neo_spike_train_is_named(train: object) -> None:
    with pytest.raises(TypeError, match="spike train 0 is"):
        SpikeTrains.from_neo_spiketrains([train])


def test_a_neo_train_in_mv_is_named() -> None:

    class Fake:
        t_start = t_stop = quantities.Quantity(1, "mV")

        def rescale(self, unit: str) -> object:
            return quantities.Quantity([1.0], "mV").rescale(unit)

    with pytest.raises(ArgumentTypeError, match="in units of time"):
        SpikeTrains.from_neo_spiketrains([Fake()])


@pytest.fixture
def sorting():
    """Two segments, units named by texts; unit b has no spike in the first, and c in none."""
    made = core.NumpySorting.from_unit_dict(
        [
            {"a": np.array([10, 20]), "b": np.array([], int), "c": np.array([], int)},
            {"a": np.array([5]), "b": np.array([7, 8]), "c": np.array([], int)},
        ],
        20_000.0,
    )
    made.set_property("channel", [4, 5, 6])
    made.set_property("location", [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    made.set_property("quality", ["good", "mua", "noise"])
    return made


def test_a_sorting_with_empty_units_and_its_properties(sorting) -> None:
    trains = SpikeTrains.from_sorting(sorting)
    assert [train.tolist() for train in trains.trains] == [[0.5, 1.0], [], []]
    assert trains.neuron_attributes is not None
    assert trains.neuron_attributes[1] == {
        "unit_id": "b",
        "electrode": 5,
        "location": [3.0, 4.0],
        "quality": "mua",
    }
    assert trains.metadata == {"source_format": "SpikeInterface", "unit_ids": ["a", "b", "c"], "fs_Hz": 20000.0}
    assert (trains.start_time, trains.length) == (0.0, 1.0)


def test_properties_are_those_of_the_units_that_were_asked_for(sorting) -> None:
    """SpikeLab gives the first of them to whichever unit is first: c would have channel 4."""
    trains = SpikeTrains.from_sorting(sorting, unit_ids=["c", "a"], segment_index=1)
    assert trains.electrodes is not None
    assert trains.electrodes.tolist() == [6, 4]
    assert [train.tolist() for train in trains.trains] == [[], [0.25]]


def test_a_recording_says_when_a_sorting_began_and_how_long_it_is(sorting) -> None:
    recording = core.NumpyRecording([np.zeros((100, 1)), np.zeros((40, 1))], 20_000.0, t_starts=[1.5, 3.0])
    sorting.register_recording(recording)
    trains = SpikeTrains.from_sorting(sorting)
    np.testing.assert_allclose(trains.trains[0], [1500.5, 1501.0], rtol=0, atol=1e-6)
    assert (trains.start_time, trains.length) == (1500.0, pytest.approx(5.0))


def test_another_sampling_frequency(sorting) -> None:
    trains = SpikeTrains.from_sorting(sorting, sampling_frequency=10_000)
    assert trains.trains[0].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"unit_ids": ["a", "z"]}, "no unit 'z'; it has"),
        ({"segment_index": 2}, "segment_index is 2, and the sorting has 2 segments"),
        ({"sampling_frequency": 0.0}, "sampling frequency is 0.0 Hz"),
    ],
)
def test_what_a_sorting_does_not_have(sorting, arguments: dict[str, object], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        SpikeTrains.from_sorting(sorting, **arguments)


def test_what_is_no_sorting_is_named() -> None:
    with pytest.raises(TypeError, match="list is no SpikeInterface sorting: it has no get_unit_ids"):
        SpikeTrains.from_sorting([1, 2])


@pytest.mark.parametrize("seed", range(5))
def test_rates_intervals_and_rasters_are_those_of_spikelab(seed: int) -> None:
    """Times that lie on no edge; a window that begins before zero."""
    random = np.random.default_rng(seed)
    trains = [random.uniform(-50, 950, random.integers(0, 60)) for _ in range(4)]
    ours = SpikeTrains(trains, N=6, start_time=-50, length=1000)
    theirs = spikedata.SpikeData(trains, N=6, start_time=-50, length=1000)
    for bin_ms in (1.0, 0.37, 13.0):
        np.testing.assert_array_equal(ours.raster(bin_ms), theirs.raster(bin_ms))
        np.testing.assert_array_equal(ours.raster(bin_ms, 5.5), theirs.raster(bin_ms, 5.5))
    np.testing.assert_allclose(ours.rates(), theirs.rates())
    np.testing.assert_allclose(ours.rates("Hz"), theirs.rates("Hz"))
    for mine, his in zip(ours.intervals(), theirs.interspike_intervals(), strict=True):
        np.testing.assert_array_equal(mine, his)
    counts = random.integers(0, 4, (3, 20))
    placed = SpikeTrains.from_raster(counts, 2.5, start_time=7.0)
    his_placed = spikedata.SpikeData.from_raster(counts, 2.5, start_time=7.0)
    assert placed.length == his_placed.length
    for mine, his in zip(placed.trains, his_placed.train, strict=True):
        np.testing.assert_allclose(mine, his, rtol=0, atol=1e-9)
