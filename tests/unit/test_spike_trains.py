"""`SpikeTrains`: what it takes, what it refuses and how it says so, rates, intervals, rasters."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedaq.analysis import SpikeTrains
from spikedaq.model import ArgumentError, ConfigError


def test_trains_are_sorted_copies_and_the_window_ends_with_the_last_spike() -> None:
    """What the caller does to its arrays afterwards changes nothing here."""
    given_ms = np.array([30.0, 10.0, 20.0])
    trains = SpikeTrains([given_ms, []], N=4)
    given_ms[:] = -1
    assert [train.tolist() for train in trains.trains] == [[10, 20, 30], [], [], []]
    assert all(train.dtype == np.float64 for train in trains.trains)
    assert (trains.N, trains.start_time, trains.length) == (4, 0.0, 30.0)
    assert (trains.neuron_attributes, trains.metadata) == (None, {})
    assert (trains.raw_data.shape, trains.raw_time.shape) == ((0, 0), (0,))


def test_a_window_that_begins_before_zero() -> None:
    trains = SpikeTrains([[-40.0, 5.5]], start_time=-50)
    assert (trains.start_time, trains.length, trains.end_time) == (-50.0, 55.5, 5.5)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"trains": [[1.0], [2.0, math.nan]]}, "spike 1 of unit 1 is at nan ms"),
        ({"trains": [[math.inf]]}, "spike 0 of unit 0 is at inf ms"),
        ({"trains": [[-1.0]]}, "unit 0 has a spike at -1.0 ms, before the window of 0.0 .. 0.0 ms"),
        (
            {"trains": [[1.0], [11.0]], "length": 10},
            "unit 1 has a spike at 11.0 ms, after the window of 0.0 .. 10.0 ms",
        ),
        ({"trains": [], "length": math.nan}, "length is nan"),
        ({"trains": [], "length": math.inf}, "length is inf"),
        ({"trains": [], "length": -1}, "length is -1.0"),
        ({"trains": [], "start_time": math.nan}, "start_time is nan"),
        ({"trains": [[1.0]], "neuron_attributes": [{}, {}]}, "neuron_attributes has 2 items for 1 units"),
        ({"trains": [[1.0]], "neuron_attributes": ["a"]}, "neuron_attributes of unit 0 is str"),
        ({"trains": [[1.0], [2.0]], "N": 1}, "N is 1, and there are 2 trains"),
        ({"trains": [[[1.0], [2.0]]]}, r"unit 0 have the shape \(2, 1\)"),
        ({"trains": [["a"]]}, "unit 0 are no numbers"),
        ({"trains": {"a": [1.0]}}, "the trains are a mapping"),
        ({"trains": [], "raw_data": [[1, 2]]}, "raw_data without raw_time"),
        ({"trains": [], "raw_time": 10.0}, "raw_time without raw_data"),
        ({"trains": [], "raw_data": [[1, 2]], "raw_time": [0, 1, 2]}, "2 samples on its last axis"),
        ({"trains": [], "raw_data": [[1, 2]], "raw_time": 0.0}, "rate in kHz must be above 0"),
        ({"trains": [], "gaps_ms": [[5, 4]]}, "gaps_ms must be pairs"),
        ({"trains": [], "gaps_ms": [4, 5]}, "gaps_ms must be pairs"),
    ],
)
def test_what_is_refused(arguments: dict[str, object], said: str) -> None:
    """As ValueError, which callers of SpikeLab catch, and as our ConfigError; it names the unit and the value."""
    trains = arguments.pop("trains")
    with pytest.raises(ValueError, match=said) as caught:
        SpikeTrains(trains, **arguments)
    assert isinstance(caught.value, ArgumentError)
    assert isinstance(caught.value, ConfigError)


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_the_default_window_holds_its_last_spike(start: float, after: float) -> None:
    """Start + length is a sum of floats, which may be less than the last spike by rounding."""
    trains = SpikeTrains([[start + after]], start_time=start)
    assert trains.trains[0][0] == start + after
    assert trains.start_time + trains.length >= trains.trains[0][0]


def test_spikes_beyond_the_window_by_rounding_are_kept() -> None:
    """0.3 s is 299.99999999999994 or 300 ms, as it was computed; a nanosecond outside is outside."""
    beyond = math.nextafter(300.0, math.inf)
    trains = SpikeTrains([[beyond]], length=300.0)
    assert trains.trains[0][-1] <= trains.end_time
    before = SpikeTrains([[math.nextafter(100.0, 0)]], start_time=100.0, length=1)
    assert before.trains[0].tolist() == [100.0]
    with pytest.raises(ArgumentError):
        SpikeTrains([[300.000001]], length=300.0)


def test_raw_time_may_be_a_rate_in_khz() -> None:
    trains = SpikeTrains([], raw_data=np.zeros((2, 4)), raw_time=10.0)
    assert trains.raw_time.tolist() == [0.0, 0.1, 0.2, 0.3]


def test_electrodes_and_locations_by_any_of_their_names() -> None:
    """None as soon as one unit has none."""
    trains = SpikeTrains(
        [[], [], []],
        neuron_attributes=[
            {"electrode": 4, "location": [1, 2]},
            {"channel": 5, "x": 3, "y": 4},
            {"ch": 6, "position": (5, 6)},
        ],
    )
    assert trains.electrodes is not None
    assert trains.electrodes.tolist() == [4, 5, 6]
    assert trains.unit_locations is not None
    assert trains.unit_locations.tolist() == [[1, 2], [3, 4], [5, 6]]
    some = SpikeTrains([[], []], neuron_attributes=[{"ch": 1, "x": 2, "y": 3}, {}])
    assert (some.electrodes, some.unit_locations, SpikeTrains([[]]).electrodes) == (None, None, None)


def test_rates_are_over_what_was_recorded() -> None:
    """3 spikes in 100 ms are 0.03 kHz; with 40 ms missing, of which 10 outside the window, they are 3 in 70 ms."""
    train = [10.0, 20.0, 90.0]
    assert SpikeTrains([train, []], length=100).rates().tolist() == [0.03, 0.0]
    assert SpikeTrains([train], length=100).rates("Hz").tolist() == [30.0]
    with_gaps = SpikeTrains([train], length=100, gaps_ms=[[30, 60], [100, 110]])
    assert with_gaps.rates().tolist() == [3 / 70]
    assert SpikeTrains([[]]).rates().tolist() == [0.0]
    with pytest.raises(ArgumentError, match="kHz or Hz"):
        SpikeTrains([]).rates("bpm")  # type: ignore[arg-type]


def test_intervals_are_unknown_across_a_gap() -> None:
    trains = SpikeTrains([[10, 20, 50, 55], [30], []], gaps_ms=[[21, 49]])
    assert [train.tolist() for train in trains.intervals()][1:] == [[], []]
    np.testing.assert_array_equal(trains.intervals()[0], [10, np.nan, 5])


def test_a_spike_on_an_edge_is_in_the_earlier_bin() -> None:
    """Bins (start, stop]; one at the very start is in the first. 1.1 / 0.1 is above 11, and 0.3 / 0.1 below 3."""
    trains = SpikeTrains([[0, 1, 1.0001, 2, 5], []], length=5)
    assert trains.raster(1.0).tolist() == [[2, 2, 0, 0, 1], [0] * 5]
    edges = SpikeTrains([[0.3, 1.1]], length=1.2)
    assert np.flatnonzero(edges.raster(0.1)[0]).tolist() == [2, 10]
    assert edges.raster(0.1).shape == (1, 12)


def test_a_spike_is_counted_where_the_window_has_no_length() -> None:
    assert SpikeTrains([[5.0, 5.0], []], start_time=5.0).raster(1.0).tolist() == [[2], [0]]
    assert SpikeTrains([[], []]).raster(1.0).shape == (2, 0)


def test_bins_of_a_window_that_does_not_begin_at_zero() -> None:
    trains = SpikeTrains([[-10, -9.5, -7]], start_time=-10, length=3.5)
    assert trains.raster(1.0).tolist() == [[2, 0, 1, 0]]
    assert trains.raster(1.0, 2.0).tolist() == [[0, 1, 1, 0, 1, 0]]


@pytest.mark.parametrize("bin_ms", [0, -1, math.nan, math.inf])
def test_bins_that_cannot_be(bin_ms: float) -> None:
    with pytest.raises(ArgumentError, match="bin_size_ms"):
        SpikeTrains([[1]]).raster(bin_ms)
    with pytest.raises(ArgumentError, match="bin_size_ms"):
        SpikeTrains.from_raster([[1]], bin_ms)


def test_a_raster_too_large_for_any_memory_is_refused() -> None:
    with pytest.raises(ArgumentError, match="choose wider bins"):
        SpikeTrains([[1.0]], length=1e300).raster(1e-3)


def test_spikes_of_a_bin_lie_evenly_inside_it() -> None:
    trains = SpikeTrains.from_raster([[0, 3, 1], [0, 0, 0]], 4.0, start_time=100.0)
    assert [train.tolist() for train in trains.trains] == [[105, 106, 107, 110], []]
    assert (trains.start_time, trains.length) == (100.0, 12.0)


@given(
    st.lists(st.lists(st.integers(0, 5), min_size=4, max_size=4), min_size=1, max_size=4),
    st.sampled_from([0.05, 0.1, 1.0, 7.3]),
    st.sampled_from([0.0, -1234.5, 1e5]),
)
def test_a_raster_comes_back_as_it_was(counts: list[list[int]], bin_ms: float, start_ms: float) -> None:
    trains = SpikeTrains.from_raster(counts, bin_ms, start_time=start_ms)
    assert trains.raster(bin_ms).tolist() == counts


@pytest.mark.parametrize(
    ("raster", "said"),
    [
        ([1, 2], "shape"),
        ([[0, -1]], "bin 1 of unit 0 has -1 spikes"),
        ([[0.5]], "bin 0 of unit 0 has 0.5 spikes"),
        ([[math.nan]], "has nan spikes"),
        ([["a"]], "numbers of spikes"),
    ],
)
def test_rasters_that_are_none(raster: object, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        SpikeTrains.from_raster(raster, 1.0)  # type: ignore[arg-type]
