"""Bins of every level hold the smallest and the largest value of exactly their samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedaq.scope.pyramid import EMPTY_HIGH, EMPTY_LOW, Pyramid


def naive(samples: dict[int, list[int]], level: int, first: int, n: int, channel: int) -> list[tuple[int, int]]:
    bins = []
    for b in range(first, first + n):
        values = [samples[k][channel] for k in range(b << level, (b + 1) << level) if k in samples]
        bins.append((min(values), max(values)) if values else (EMPTY_LOW, EMPTY_HIGH))
    return bins


def test_a_single_high_sample_shows_at_every_level() -> None:
    """One spike of one sample is the largest value of its bin, at every zoom."""
    pyramid = Pyramid(2, capacity=1024)
    samples = np.full((600, 2), -6500, np.int16)
    samples[417, 0] = 3000
    pyramid.append(1000, samples)
    for level in range(pyramid.n_levels):
        bins = pyramid.bins(level, 0)
        hit = (1417 >> level) - bins.first
        assert bins.high[0, hit] == 3000
        assert np.count_nonzero(bins.high[0] == 3000) == 1
        assert (bins.high[1] == -6500).all()


def test_late_samples_are_left_out_and_counted() -> None:
    """What comes behind newer samples changes nothing."""
    pyramid = Pyramid(1, capacity=64)
    pyramid.append(100, np.full((20, 1), 5, np.int16))
    pyramid.append(110, np.arange(20, dtype=np.int16)[:, None])
    assert pyramid.late == 10
    assert pyramid.bins(0, 110, 122).low[0].tolist() == [5] * 10 + [10, 11]


def test_capacity_must_be_a_power_of_two() -> None:
    """Another size would put bins in wrong places."""
    with pytest.raises(ValueError, match="power of two"):
        Pyramid(1, capacity=100)


@given(st.data())
def test_like_the_definition(data: st.DataObject) -> None:
    """Whatever comes in whatever pieces, with whatever gaps, and whenever it is asked for."""
    capacity = 64
    pyramid = Pyramid(1, capacity=capacity, n_levels=7)
    step = start = data.draw(st.integers(0, 1 << 20))
    known: dict[int, list[int]] = {}
    for _ in range(data.draw(st.integers(1, 25))):
        step += data.draw(st.sampled_from([0, 0, 0, 1, 5, 40, 63, 64, 65, 200, 1000]))
        n = data.draw(st.integers(1, 70))
        values = data.draw(st.lists(st.integers(-100, 100), min_size=n, max_size=n))
        if not known:
            start = step
        pyramid.append(step, np.array(values, np.int16)[:, None])
        known |= {step + k: [value] for k, value in enumerate(values)}
        step += n
        if data.draw(st.booleans()):
            level = data.draw(st.integers(0, 6))
            bins = pyramid.bins(level, data.draw(st.integers(0, (step >> level) + 2)))
            assert bins.first + bins.low.shape[1] in (bins.first, ((step - 1) >> level) + 1)
            found = list(zip(bins.low[0].tolist(), bins.high[0].tolist(), strict=True))
            assert found == naive(known, level, bins.first, len(found), 0)
    assert pyramid.begin == start
    assert pyramid.end == step
    for level in range(7):
        bins = pyramid.bins(level, 0)
        assert bins.low.shape[1] == min(capacity, ((step - 1) >> level) - (start >> level) + 1)
        found = list(zip(bins.low[0].tolist(), bins.high[0].tolist(), strict=True))
        assert found == naive(known, level, bins.first, len(found), 0)
