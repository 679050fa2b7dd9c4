"""Rates and intervals: values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedaq.analysis.intervals import cv, cv2, describe_spikes, inter_spike_intervals_ms, local_variation
from spikedaq.analysis.rates import bin_edges_ms, binned_rate_hz, held_rate_hz, kernel_rate_hz
from spikedaq.model import ConfigError

NAN = float("nan")


def test_intervals_are_times_between_spikes_and_unknown_across_a_gap():
    times_ms = np.arange(10) * 0.1
    assert inter_spike_intervals_ms([1, 4, 9], times_ms) == pytest.approx([0.3, 0.5])
    assert inter_spike_intervals_ms([1, 4, 9], times_ms, breaks=[2]) == pytest.approx([NAN, 0.5], nan_ok=True)
    assert inter_spike_intervals_ms([1, 4, 9], times_ms, breaks=[4]) == pytest.approx([NAN, 0.5], nan_ok=True)
    assert inter_spike_intervals_ms([1, 4, 9], times_ms, breaks=[1]) == pytest.approx([0.3, 0.5])
    assert inter_spike_intervals_ms([3], times_ms).tolist() == []
    assert inter_spike_intervals_ms([], times_ms).tolist() == []


def test_the_held_rate_is_that_of_the_stock_software():
    """10000 / rows between spikes, from one spike up to the next; 0 outside."""
    held = held_rate_hz([2, 4, 9], 12)
    assert held.tolist() == [0, 0, 5000, 5000, 2000, 2000, 2000, 2000, 2000, 0, 0, 0]
    assert held_rate_hz([2], 4).tolist() == [0, 0, 0, 0]
    assert held_rate_hz([], 0).tolist() == []
    assert held_rate_hz([0, 1], 2, step_ms=2.0).tolist() == [500, 0]


def test_no_rate_is_held_across_a_gap():
    assert held_rate_hz([1, 3, 6], 8, breaks=[4]).tolist() == [0, 5000, 5000, 0, 0, 0, 0, 0]


def test_bins_count_what_lies_in_them_over_what_was_recorded():
    """Bins of 10 ms; 40..50 ms was not recorded, of 20..30 ms only the half."""
    edges = bin_edges_ms(0, 50, 10)
    assert edges.tolist() == [0, 10, 20, 30, 40, 50]
    times = [0, 5, 10, 22, 24, 50, -1]
    assert binned_rate_hz(times, edges).tolist() == [200, 100, 200, 0, 0]
    rate = binned_rate_hz(times, edges, observed_ms=[(0, 25), (30, 40)])
    assert rate == pytest.approx([200, 100, 400, 0, NAN], nan_ok=True)
    assert np.isnan(binned_rate_hz([], edges, observed_ms=np.empty((0, 2)))).all()


def test_a_rest_that_is_no_bin_is_left_out():
    assert bin_edges_ms(0, 0.95, 0.3) == pytest.approx([0, 0.3, 0.6, 0.9])
    assert bin_edges_ms(0, 0.9, 0.3) == pytest.approx([0, 0.3, 0.6, 0.9])
    with pytest.raises(ConfigError, match=r"0 bins of 10 ms fit into 0 \.\. 9 ms"):
        bin_edges_ms(0, 9, 10)
    with pytest.raises(ConfigError, match="choose another bin"):
        bin_edges_ms(0, 1e9, 0.001)


def test_a_kernel_has_the_area_of_one_spike():
    """The integral of the rate over seconds is the number of spikes; the height is 1/(sigma sqrt(2 pi))."""
    at_ms = np.arange(0, 1000, 0.5)
    rate = kernel_rate_hz([300.0, 500.0, 510.0], at_ms, sigma_ms=10)
    assert rate.sum() * 0.5 / 1000 == pytest.approx(3, rel=1e-5)
    assert rate[600] == pytest.approx(1000 / (10 * 2.5066282746), rel=1e-6)
    assert rate[702] == 0
    with pytest.raises(ConfigError, match="must rise"):
        kernel_rate_hz([1.0], [2.0, 1.0], sigma_ms=1)


def test_measures_of_irregularity_by_hand():
    """Intervals 10, 20, 10: mean 40/3, variance 200/9; every neighbouring pair has the ratio 1/3."""
    intervals = [10.0, 20.0, 10.0]
    assert cv(intervals) == pytest.approx(math.sqrt(200 / 9) / (40 / 3))
    assert cv2(intervals) == pytest.approx(2 / 3)
    assert local_variation(intervals) == pytest.approx(1 / 3)
    assert (cv([5.0, 5.0]), cv2([5.0, 5.0]), local_variation([5.0, 5.0])) == (0, 0, 0)
    assert all(math.isnan(f([5.0])) for f in (cv, cv2, local_variation))
    assert all(math.isnan(f([])) for f in (cv, cv2, local_variation))


def test_an_unknown_interval_makes_no_neighbours():
    """10, ?, 20: nothing is known of pairs, although 10 and 20 would be one if the gap were cut out."""
    assert math.isnan(cv2([10.0, NAN, 20.0]))
    assert math.isnan(local_variation([10.0, NAN, 20.0]))
    assert cv([10.0, NAN, 30.0]) == pytest.approx(0.5)


def test_poisson_spikes_have_a_variation_of_one():
    """By definition; 200000 intervals, so within 0.02."""
    intervals = np.random.default_rng(5).exponential(10, 200_000)
    assert cv(intervals) == pytest.approx(1, abs=0.02)
    assert cv2(intervals) == pytest.approx(1, abs=0.02)
    assert local_variation(intervals) == pytest.approx(1, abs=0.02)


def test_spikes_in_sum():
    """4 spikes in 100 samples of 0.1 ms, a gap before the last."""
    train = describe_spikes([10, 20, 40, 90], 100, breaks=[50])
    assert (train.n_spikes, train.recorded_ms) == (4, pytest.approx(10))
    assert train.rate_hz == pytest.approx(400)
    assert (train.mean_interval_ms, train.median_interval_ms) == (pytest.approx(1.5), pytest.approx(1.5))
    assert train.shortest_interval_ms == pytest.approx(1)
    assert train.cv2 == pytest.approx(2 / 3)
    empty = describe_spikes([], 0)
    assert empty.n_spikes == 0
    assert math.isnan(empty.rate_hz)
    assert math.isnan(empty.mean_interval_ms)


@given(st.sets(st.integers(0, 199)), st.sets(st.integers(1, 199), max_size=5))
def test_the_held_rate_agrees_with_the_intervals_everywhere(spikes, breaks):
    """Any spikes and gaps: each sample shows 1000 / the interval around it, or 0."""
    at = sorted(spikes)
    held = held_rate_hz(at, 200, breaks=sorted(breaks))
    for k in range(200):
        before = [s for s in at if s <= k]
        after = [s for s in at if s > k]
        known = before and after and not any(before[-1] < b <= after[0] for b in breaks)
        assert held[k] == pytest.approx(10_000 / (after[0] - before[-1]) if known else 0)


@pytest.mark.parametrize("spikes", [[3, 3], [5, 4], [-1], [10], [0.5], [[1, 2]]])
def test_spikes_are_rising_indices(spikes):
    with pytest.raises(ConfigError, match="spikes must"):
        held_rate_hz(spikes, 10)


def test_an_interval_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="0 or less"):
        cv([1.0, 0.0])
