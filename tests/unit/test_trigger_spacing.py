"""Loops of unequal length: how many rows a stock recording lost, as far as anybody can tell."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedaq.analysis.trigger_spacing import trigger_spacing


def test_marks_at_233_times_1_2_and_5():
    """Five of eight loops have no mark: 5/8 were lost, and Wilson's bounds of that are 31 and 86 %."""
    found = trigger_spacing(np.array([280, 513, 979, 2143]))
    assert (found.shortest_rows, found.longest_rows, found.n_loops, found.n_marked) == (233, 1164, 8, 3)
    assert found.loss == 0.625
    assert (round(found.loss_low, 3), round(found.loss_high, 3)) == (0.306, 0.863)


def test_one_mark_and_pulses_of_unequal_length():
    """The stimulus tells of loops whose mark was lost."""
    found = trigger_spacing(np.array([390]), np.array([390, 856, 1319, 1794, 2266, 2742]))
    assert (found.shortest_rows, found.longest_rows, found.n_loops, found.n_marked) == (463, 476, 6, 1)
    assert found.loss == pytest.approx(5 / 6)


def test_a_loop_that_is_shorter():
    """70 of 2000 rows are missing in one loop; every mark is there."""
    found = trigger_spacing(np.array([0, 500, 1000, 1430, 1930]))
    assert (found.n_loops, found.n_marked, found.loss) == (4, 4, 0.035)
    assert found.loss_low == found.loss_high == 0.035


@pytest.mark.parametrize(
    ("marks", "pulses"),
    [
        ([], None),
        ([5], None),
        ([5, 9], None),
        ([0, 333, 667, 1000], None),  # 333.3 rows a loop
        ([10, 510, 1010], [10, 50, 100, 510, 550]),  # marks say it all
        ([10], [10, 510, 1010]),
        ([10], [10, 60, 510, 560]),  # two pulses a loop
        ([], [10, 20]),
    ],
)
def test_nothing_is_said_where_nothing_is_unequal(marks, pulses):
    assert trigger_spacing(np.array(marks, int), None if pulses is None else np.array(pulses)) is None


@settings(max_examples=30)
@given(st.floats(0.05, 0.8), st.integers(0, 2**32 - 1))
def test_the_bounds_hold_the_loss_of_random_rows(loss, seed):
    """400 loops of 500 rows, of which each row is lost by itself: the estimate is near, whatever the loss."""
    kept = np.random.default_rng(seed).random(200_000) >= loss
    is_mark = np.zeros(200_000, bool)
    is_mark[::500] = True
    found = trigger_spacing(np.flatnonzero(is_mark[kept]))
    assert found is not None
    assert abs(found.loss - loss) < 0.15
