"""Loops: whole ones are used, others are reported; averages and rasters by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedaq.analysis.averages import average, spike_triggered_average
from spikedaq.analysis.loops import (
    LoopFault,
    aligned,
    find_loops,
    raster,
    trigger_rises,
)
from spikedaq.model import ConfigError

NAN = float("nan")
WHOLE, MISSED, RAGGED, GAP, INCOMPLETE = None, *LoopFault


def test_a_loop_begins_where_the_trigger_rises_also_on_the_first_row():
    """The stock software takes every high row for a trigger, and knows none on the last row."""
    assert trigger_rises([1, 0, 0, 1, 1, 0, 1]).tolist() == [0, 3, 6]
    assert trigger_rises([0, 0]).tolist() == []
    assert trigger_rises([]).tolist() == []
    assert trigger_rises([0, NAN, 1.0, NAN, 1.0]).tolist() == [2, 4]


def test_the_last_loop_counts_when_it_is_complete():
    loops = find_loops([0, 10, 20], 30)
    assert (loops.length, loops.starts.tolist(), loops.faults) == (10, [0, 10, 20], {})
    loops = find_loops([0, 10, 20], 29)
    assert [loop.fault for loop in loops.every] == [WHOLE, WHOLE, INCOMPLETE]
    assert loops.every[2].n_samples == 9
    loops = find_loops([5, 15, 25], 99)
    assert (loops.starts.tolist(), loops.every[2].n_samples) == ([5, 15, 25], 10)


def test_a_missed_trigger_is_reported_and_not_averaged():
    """Triggers of 10-sample loops at 0, 10, (20 missed), 30, 40, (50, 60 missed), 70."""
    loops = find_loops([0, 10, 30, 40, 70], 80)
    assert [loop.fault for loop in loops.every] == [WHOLE, MISSED, WHOLE, MISSED, WHOLE]
    assert loops.faults == {MISSED: 2}
    assert loops.starts.tolist() == [0, 30, 70]
    assert loops.numbers.tolist() == [0, 2, 4]


def test_ragged_loops_are_reported_and_not_averaged():
    loops = find_loops([0, 10, 23, 33, 40], 50)
    assert [loop.fault for loop in loops.every] == [WHOLE, RAGGED, WHOLE, RAGGED, WHOLE]


def test_a_tolerance_lets_loops_differ_and_cuts_them_to_one_length():
    loops = find_loops([0, 10, 21, 30, 45], 55, tolerance=1)
    assert [loop.fault for loop in loops.every] == [WHOLE, WHOLE, WHOLE, RAGGED, WHOLE]
    assert loops.length == 9


def test_the_usual_length_is_that_of_most_loops_not_that_of_the_first_two():
    """The stock software takes the distance of the first two triggers, here one with a trigger missed between."""
    assert find_loops([0, 20, 30, 40], 50).length == 10
    assert find_loops([0, 20, 30], 40).length == 10


def test_one_trigger_gives_no_length_unless_it_is_told():
    loops = find_loops([3], 30)
    assert (loops.length, loops.faults) == (0, {INCOMPLETE: 1})
    assert aligned(np.zeros(30), loops).shape == (0, 0)
    assert find_loops([3], 30, length=20).starts.tolist() == [3]
    assert find_loops([], 30).every == ()
    assert find_loops([], 0).every == ()


def test_a_gap_makes_a_loop_unusable_wherever_it_lies_in_it():
    """Loops of 10 steps at rows 0, 10 (4 samples missing in it), 16, 26 (its end missing), 31, 41 (a gap after it)."""
    steps = [*range(15), *range(19, 35), *range(40, 60), *range(90, 100)]
    rises = [0, 10, 16, 26, 31, 41, 51]
    loops = find_loops(rises, len(steps), steps=steps)
    assert loops.length == 10
    assert [loop.fault for loop in loops.every] == [WHOLE, GAP, WHOLE, GAP, WHOLE, WHOLE, WHOLE]


def test_a_reboot_is_no_length():
    """Steps begin again between the third and the fourth trigger."""
    steps = [*range(25), *range(20)]
    loops = find_loops([0, 10, 20, 25, 35], 45, steps=steps)
    assert [loop.fault for loop in loops.every] == [WHOLE, WHOLE, GAP, WHOLE, WHOLE]


def test_loops_lie_under_one_another_and_are_averaged_with_their_spread():
    """Columns 1, 3 and 2, 8: means 2 and 5, sd sqrt(2) and sqrt(18), sem sd / sqrt(2)."""
    rows = aligned([9, 1, 2, 3, 8], find_loops([1, 3], 5))
    assert rows.tolist() == [[1, 2], [3, 8]]
    of = average(rows)
    assert of.mean.tolist() == [2, 5]
    assert of.sd == pytest.approx([math.sqrt(2), math.sqrt(18)])
    assert of.sem == pytest.approx([1, 3])
    assert of.n.tolist() == [2, 2]


def test_missing_values_do_not_count_in_an_average():
    of = average([[1, NAN, NAN], [3, 4, NAN]])
    assert of.n.tolist() == [2, 1, 0]
    assert of.mean == pytest.approx([2, 4, NAN], nan_ok=True)
    assert of.sd == pytest.approx([math.sqrt(2), NAN, NAN], nan_ok=True)
    assert len(average(np.empty((0, 3))).mean) == 3


def test_a_raster_has_the_spike_on_the_first_row_and_none_outside_whole_loops():
    """Whole loops at 2 and 20, one with a missed trigger between them."""
    loops = find_loops([2, 8, 20], 26, length=6)
    assert loops.numbers.tolist() == [0, 2]
    found = raster([0, 2, 5, 8, 19, 20, 25], loops, 26)
    assert found.numbers.tolist() == [0, 0, 2, 2]
    assert found.offsets.tolist() == [0, 3, 0, 5]
    assert raster([1], find_loops([], 5), 5).offsets.tolist() == []


def test_the_average_around_spikes():
    """Of 0, 1, 4, 9, 16, 25 around samples 2 and 4: one before 1 and 9, at 4 and 16; sample 0 has nothing before."""
    squares = [0, 1, 4, 9, 16, 25]
    found = spike_triggered_average(squares, [0, 2, 4], n_before=1)
    assert found.lags.tolist() == [-1, 0]
    assert found.average.mean.tolist() == [5, 10]
    assert (found.n_used, found.n_left_out) == (2, 1)
    found = spike_triggered_average(squares, [0, 2, 4], n_before=1, n_after=1, breaks=[5])
    assert (found.average.mean.tolist(), found.n_left_out) == ([1, 4, 9], 2)
    assert np.isnan(spike_triggered_average(squares, [], n_before=1).average.mean).all()


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=12),
    st.integers(0, 15),
    st.integers(0, 5),
    st.sets(st.integers(1, 120), max_size=4),
)
def test_whole_loops_are_of_one_length_apart_and_without_gaps(distances, rest, tolerance, jumps):
    """Any distances of triggers, any gaps."""
    rises = np.cumsum([0, *distances])
    n = int(rises[-1]) + rest + 1
    steps = np.arange(n) + np.searchsorted(sorted(jumps), np.arange(n), side="right") * 7
    loops = find_loops(rises, n, steps=steps, tolerance=tolerance)
    rows = aligned(np.arange(n), loops).astype(int)
    assert all(np.diff(row).tolist() == [1] * (loops.length - 1) for row in rows)
    assert all(np.diff(steps[row]).tolist() == [1] * (loops.length - 1) for row in rows)
    assert len(set(rows.ravel().tolist())) == rows.size
    assert set(loops.starts.tolist()) <= set(rises.tolist())
    assert len(loops.every) == len(rises)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (([3, 2], 9), "must rise"),
        (([9], 9), "must lie in 0 .. 8"),
    ],
)
def test_loops_that_cannot_be_are_refused(arguments, says):
    with pytest.raises(ConfigError, match=says):
        find_loops(*arguments)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"length": 0}, "the length of a loop is 0"),
        ({"tolerance": -1}, "the tolerance is -1"),
        ({"steps": [1, 2]}, "2 steps for 9 samples"),
    ],
)
def test_options_that_cannot_be_are_refused(options, says):
    with pytest.raises(ConfigError, match=says):
        find_loops([0], 9, **options)
