"""Spikes by threshold: against a reference that walks sample by sample, and against SpikeLab's own detection."""

from __future__ import annotations

import math
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spikelab import spikedata

from spikedaq.analysis import SpikeTrains
from spikedaq.analysis.crossings import CrossingFinder
from spikedaq.analysis.filters import filter_of
from spikedaq.analysis.spikes import find_spikes, spike_finder
from spikedaq.model import ArgumentError, ConfigError, MissingExtraError

NAN = float("nan")
VALUES = st.one_of(st.integers(-4, 4).map(float), st.just(NAN))


def walk(trace, level, direction, hysteresis, refractory, breaks):
    """One sample after another: what a spike is, as docs/reference/analysis.md says it, in the plainest words."""
    ways = {"up": [1], "down": [-1], "both": [1, -1]}[direction]
    armed = dict.fromkeys(ways, False)
    last, found = None, []
    for k, value in enumerate(trace):
        if k in breaks:
            armed, last = dict.fromkeys(ways, False), None
        if math.isnan(value):
            armed = dict.fromkeys(ways, False)
            continue
        for way in ways:
            if way * value >= way * level:
                if armed[way] and (last is None or k - last >= refractory):
                    found.append(k)
                    last = k
                armed[way] = False
            elif way * value < way * level - hysteresis:
                armed[way] = True
    return found


@given(
    pieces=st.lists(st.lists(VALUES, max_size=15), max_size=6),
    level=st.integers(-3, 3),
    direction=st.sampled_from(["up", "down", "both"]),
    hysteresis=st.sampled_from([0.0, 1.0, 2.5]),
    refractory=st.integers(0, 6),
    breaks=st.sets(st.integers(0, 40), max_size=4),
)
def test_however_a_trace_is_cut_its_spikes_are_those_of_a_walk(
    pieces, level, direction, hysteresis, refractory, breaks
) -> None:
    """Pieces of any length, empty ones too, with breaks within and between them."""
    finder = CrossingFinder(level, direction=direction, hysteresis=hysteresis, refractory=refractory)
    found, start = [], 0
    for piece in pieces:
        inside = [k - start for k in breaks if start <= k < start + len(piece)]
        found += finder.take(np.array(piece), inside).tolist()
        start += len(piece)
    trace = [value for piece in pieces for value in piece]
    assert found == walk(trace, level, direction, hysteresis, refractory, breaks)
    assert finder.n_taken == len(trace)


def test_after_a_reset_the_first_sample_is_no_spike() -> None:
    finder = CrossingFinder(0.0)
    assert finder.take(np.array([-1.0, -1.0])).tolist() == []
    finder.reset()
    assert finder.take(np.array([1.0, -1.0])).tolist() == []
    assert finder.take(np.array([1.0])).tolist() == [4]


def test_both_ways_through_a_level() -> None:
    """What only came up to the level was never above it, so it does not cross it on its way back."""
    assert find_spikes([-70, -19, -70, 30, -70], threshold_mv=-20, direction="both").tolist() == [1, 2, 3, 4]
    assert find_spikes([-70, -20, -20, -70, 30, -20], threshold_mv=-20, direction="both").tolist() == [1, 4, 5]
    assert spike_finder(threshold_mv=-20, direction="down").take(np.array([30.0, -20.0])).tolist() == [1]


@pytest.mark.parametrize("step_ms", [0, -1.0, NAN])
def test_a_step_that_cannot_be_is_named(step_ms: float) -> None:
    with pytest.raises(ConfigError, match="the step in ms"):
        find_spikes([1.0], threshold_mv=0, refractory_ms=1, step_ms=step_ms)


def noisy(seed: int, n_channels: int = 3, n: int = 4000) -> np.ndarray:
    """Noise of three sizes with large excursions of either sign."""
    random = np.random.default_rng(seed)
    data = random.normal(size=(n_channels, n)) * np.arange(1, n_channels + 1)[:, np.newaxis]
    for channel in range(n_channels):
        at = random.choice(np.arange(50, n - 50), 25, replace=False)
        data[channel, at] += random.choice([-1, 1], 25) * 12 * (channel + 1)
    return data


@pytest.mark.parametrize("direction", ["both", "up", "down"])
@pytest.mark.parametrize("hysteresis", [True, False])
@pytest.mark.parametrize("wanted", [False, True, {"lowcut": 500.0, "order": 2}, {"highcut": 2000.0}])
def test_the_same_spikes_as_spikelab(direction: str, hysteresis: bool, wanted: object) -> None:
    """Counts exactly, times to a nanosecond, filtered traces to rounding."""
    data = noisy(3)
    arguments = {"threshold_sigma": 3.0, "filter": wanted, "hysteresis": hysteresis, "direction": direction}
    ours = SpikeTrains.from_thresholding(data, 20e3, **arguments)
    theirs = spikedata.SpikeData.from_thresholding(data, 20e3, **arguments)
    assert ours.N == theirs.N == 3
    assert sum(len(train) for train in ours.trains) > 20
    for mine, his in zip(ours.trains, theirs.train, strict=True):
        np.testing.assert_allclose(mine, his, rtol=0, atol=1e-6)
    np.testing.assert_allclose(ours.raw_data, theirs.raw_data, rtol=0, atol=1e-9)
    np.testing.assert_allclose(ours.raw_time, theirs.raw_time)
    assert ours.length == pytest.approx(theirs.length)


def test_a_spike_is_in_the_middle_of_its_sample() -> None:
    trains = SpikeTrains.from_thresholding([[0, 0, 9, 0]], 1000.0, 1.5, filter=False, start_time=100.0)
    assert trains.trains[0].tolist() == [102.5]
    assert (trains.start_time, trains.length) == (100.0, 4.0)


def test_a_level_and_how_far_the_trace_must_go_back() -> None:
    """At the level is beyond it; with a hysteresis of 3 the dip to 8 does not count as back."""
    data = [[0, 10, 8, 10, 0, 10]]
    spikes = {
        h: (SpikeTrains.from_thresholding(data, 1000, filter=False, threshold=10, direction="up", hysteresis=h))
        for h in (True, 3.0, False)
    }
    assert {h: one.trains[0].tolist() for h, one in spikes.items()} == {
        True: [1.5, 3.5, 5.5],
        3.0: [1.5, 5.5],
        False: [1.5, 3.5, 5.5],
    }
    both = SpikeTrains.from_thresholding(data, 1000, filter=False, threshold=9)
    assert both.trains[0].tolist() == [1.5, 2.5, 3.5, 4.5, 5.5]


def test_a_level_is_met_in_spite_of_rounding() -> None:
    """3 * 0.1 is more than 0.3, so downward it would be missed."""
    trains = SpikeTrains.from_thresholding(
        np.array([[5, 3, 5]]) * 0.1, 1000, filter=False, threshold=0.3, direction="down"
    )
    assert trains.trains[0].tolist() == [1.5]


def test_missing_samples_are_no_spikes_and_do_not_spoil_the_rest() -> None:
    """Neither on them nor right after them, and the deviation is of the others; SpikeLab finds nothing at all."""
    data = noisy(1, n_channels=1)[0]
    plain = SpikeTrains.from_thresholding([data], 10e3, threshold=8.0, direction="up", filter=False)
    holed = data.copy()
    at = int(plain.trains[0][3] * 10 - 0.5)
    holed[at - 1] = NAN
    found = SpikeTrains.from_thresholding([holed], 10e3, threshold=8.0, direction="up", filter=False)
    assert np.setdiff1d(plain.trains[0], found.trains[0]).tolist() == [plain.trains[0][3]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        filtered = SpikeTrains.from_thresholding([holed], 10e3, 3.0)
    assert np.flatnonzero(np.isnan(filtered.raw_data[0])).tolist() == [at - 1]
    assert len(filtered.trains[0]) > 10


def test_an_edge_above_what_the_rate_allows_is_cut_with_a_warning() -> None:
    with pytest.warns(UserWarning, match=r"6000 Hz is too high for 10000 samples per second, and was cut to 4500 Hz"):
        wanted = filter_of(True, 10e3)
    assert wanted is not None
    assert (wanted.low_hz, wanted.high_hz, wanted.order) == (300.0, 4500.0, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert filter_of(True, 20e3) is not None
        assert filter_of({}, 20e3) is None


def test_what_the_filter_lets_through() -> None:
    """Half the power is left at either edge of a Butterworth; passed twice, it is a half of the amplitude."""
    wanted = filter_of({"lowcut": 300.0, "highcut": 3000.0, "order": 3}, 20e3)
    assert wanted is not None
    t_s = np.arange(40_000) / 20e3
    for frequency_hz, share in ((30, 0.0), (300, 0.5), (950, 1.0), (3000, 0.5), (9000, 0.0)):
        left = wanted.apply(np.sin(2 * np.pi * frequency_hz * t_s))[10_000:30_000]
        assert np.abs(left).max() == pytest.approx(share, abs=2e-3)


def test_a_piece_with_its_margin_is_filtered_as_the_whole() -> None:
    wanted = filter_of({"lowcut": 300.0, "highcut": 3000.0, "order": 3}, 10e3)
    assert wanted is not None
    trace = noisy(5, n_channels=1, n=20_000)[0]
    whole = wanted.apply(trace)
    piece = wanted.apply(trace[5000 - wanted.margin : 7000 + wanted.margin])[wanted.margin : -wanted.margin]
    np.testing.assert_allclose(piece, whole[5000:7000], rtol=0, atol=1e-10)
    assert wanted.margin < 2000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"data": [1.0, 2.0]}, "shape"),
        ({"data": [["a"]]}, "no numbers"),
        ({"direction": "sideways"}, "direction is 'sideways'"),
        ({"threshold": NAN}, "threshold is nan"),
        ({"threshold_sigma": 0}, "threshold_sigma is 0"),
        ({"hysteresis": -1.0}, "hysteresis is -1.0"),
        ({"fs_Hz": 0}, "sampling rate in Hz is 0"),
        ({"filter": {"lowcut": 300, "heightcut": 1}}, "filter has heightcut"),
        ({"filter": {"order": 3}}, "no edge"),
        ({"filter": {"lowcut": -1}}, "lowcut is -1"),
        ({"filter": {"lowcut": 3000, "highcut": 300}}, "lower edge of 3000 Hz is not below its upper one"),
        ({"filter": {"lowcut": 300, "order": 0}}, "order is 0"),
        ({"filter": 5}, "filter has 5"),
        ({"data": [[0.0] * 10]}, "this filter needs"),
        ({"filter": False, "threshold": 1, "hysteresis": False}, "choose up or down"),
    ],
)
def test_what_makes_no_sense(arguments: dict[str, object], said: str) -> None:
    whole: dict[str, object] = {"data": np.zeros((1, 100)), "fs_Hz": 20e3} | arguments
    with pytest.raises(ValueError if "sampling" not in said else ConfigError, match=said):
        SpikeTrains.from_thresholding(**whole)


def test_slow_motion_has_no_room_for_the_band_of_spikes() -> None:
    """At 500 samples per second the upper edge comes down to 225 Hz, below the lower one."""
    with pytest.raises(ArgumentError, match="filter=False"), pytest.warns(UserWarning, match="225 Hz"):
        SpikeTrains.from_thresholding(np.zeros((1, 100)), 500)


def test_nothing_found_is_said() -> None:
    with pytest.warns(UserWarning, match="no spike was found with threshold_sigma"):
        trains = SpikeTrains.from_thresholding(np.zeros((2, 100)), 20e3)
    assert [len(train) for train in trains.trains] == [0, 0]


def test_a_potential_that_is_not_around_zero_is_said() -> None:
    """-65 mV lies far beyond 5 deviations of a quiet trace: SpikeLab says nothing, and finds nothing."""
    data = noisy(1, n_channels=2) + np.array([[0.0], [-65.0]])
    with pytest.warns(UserWarning, match="the mean of channel 1 lies beyond the threshold"):
        SpikeTrains.from_thresholding(data, 20e3, 5.0, filter=False)


def test_without_scipy_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.signal", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'spikedaq\[analysis\]'"):
        SpikeTrains.from_thresholding(np.zeros((1, 100)))
    assert SpikeTrains.from_thresholding([[0, 0, 9, 0]], 1000.0, 1.5, filter=False).N == 1
