"""Averages while samples come: the same loops and numbers as of the whole trace, however it comes in pieces."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedaq.analysis import aligned, average, breaks_of_steps, find_loops, held_rate_hz, trigger_rises
from spikedaq.analysis import live_loops as live
from spikedaq.analysis.live_loops import LiveLoops, held_rate_average


def fed(steps: np.ndarray, trigger: np.ndarray, vm: np.ndarray, cuts: Sequence[int]) -> LiveLoops:
    """Give it pieces that end at the cuts and at the breaks."""
    loops = LiveLoops(["vm"])
    breaks = breaks_of_steps(steps).tolist()
    edges = sorted({0, len(steps), *breaks, *(cut for cut in cuts if cut < len(steps))})
    for start, stop in pairwise(edges):
        loops.take(int(steps[start]), trigger[start:stop], {"vm": vm[start:stop]}, is_break=start in breaks)
    return loops


@settings(max_examples=150)
@given(
    triggers=st.lists(st.sampled_from([0, 0, 0, 1]), min_size=1, max_size=80),
    gaps=st.dictionaries(st.integers(1, 79), st.sampled_from([1, 3, -500]), max_size=3),
    cuts=st.lists(st.integers(1, 79), max_size=6),
    length=st.one_of(st.none(), st.integers(2, 8)),
    tolerance=st.integers(0, 1),
)
def test_the_same_as_of_the_whole_trace(
    triggers: list[int], gaps: dict[int, int], cuts: list[int], length: int | None, tolerance: int
) -> None:
    """With gaps and reboots anywhere, the trigger high over them, loops of any length, cut anywhere."""
    n = len(triggers)
    jumps = np.array([gaps.get(k, 0) for k in range(n)])
    steps = np.arange(n) + np.cumsum(jumps)
    trigger = np.array(triggers, float)
    vm = np.random.default_rng(n).normal(size=n)
    whole = find_loops(trigger_rises(trigger), n, steps=steps, length=length, tolerance=tolerance)
    pieces = fed(steps, trigger, vm, cuts)
    found = pieces.loops(length=length, tolerance=tolerance)
    assert (found.length, found.every) == (whole.length, whole.every)
    if whole.length > tolerance + 1:
        expected = average(aligned(vm, whole)) if len(whole.starts) else None
        mean = pieces.averages(found, tolerance=tolerance)["vm"]
        assert mean.n.tolist() == ([0] * whole.length if expected is None else expected.n.tolist())
        if expected is not None:
            np.testing.assert_allclose(mean.mean, expected.mean, rtol=0, atol=1e-12)
            np.testing.assert_allclose(mean.sd, expected.sd, rtol=0, atol=1e-12)
            np.testing.assert_allclose(mean.sem, expected.sem, rtol=0, atol=1e-12)


def test_a_gap_right_after_a_loop_took_nothing_of_it() -> None:
    """Loops of 4 at steps 0, 4 and 20; the second ends where samples are missing, and a trigger follows."""
    steps = np.array([*range(8), *range(20, 24)])
    trigger = np.array([1.0, 0, 0, 0] * 3)
    vm = np.arange(12.0)
    pieces = fed(steps, trigger, vm, [3])
    found = pieces.loops(length=4)
    assert found.starts.tolist() == find_loops(trigger_rises(trigger), 12, steps=steps, length=4).starts.tolist()
    assert found.starts.tolist() == [0, 4, 8]
    assert pieces.averages(found)["vm"].n.tolist() == [3] * 4


@settings(max_examples=80)
@given(
    spikes=st.sets(st.integers(0, 59), max_size=12),
    breaks=st.sets(st.integers(1, 59), max_size=3),
    rises=st.sets(st.integers(0, 59), min_size=2, max_size=6),
)
def test_rates_without_one_value_for_each_sample(spikes: set[int], breaks: set[int], rises: set[int]) -> None:
    """What `held_rate_hz` says of each sample, averaged; held over no break, 0 outside the spikes of a stretch."""
    at, parted = np.array(sorted(spikes), dtype=np.int64), np.array(sorted(breaks), dtype=np.int64)
    loops = find_loops(sorted(rises), 60)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live, "_CELLS", 7)
        found = held_rate_average(at, loops, step_ms=0.1, breaks=parted)
    expected = average(aligned(held_rate_hz(at, 60, breaks=parted), loops))
    np.testing.assert_allclose(found.mean, expected.mean, atol=1e-9)
    np.testing.assert_allclose(found.sd, expected.sd, atol=1e-9)
    assert found.n.tolist() == expected.n.tolist()


def test_a_loop_without_end_takes_no_memory_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stimulus that was switched off: its last loop is as long as it is, and the first samples of it are enough."""
    monkeypatch.setattr(live, "MAX_LOOP", 50)
    loops = LiveLoops(["vm"])
    trigger = np.zeros(10)
    trigger[0] = 1
    for k in range(100):
        loops.take(10 * k, trigger if k in (0, 1, 2) else np.zeros(10), {"vm": np.arange(10.0)}, is_break=False)
    assert sum(piece.shape[1] for piece in loops._pieces) == 50
    found = loops.loops()
    assert (found.length, len(found.starts)) == (10, 3)
    assert loops.averages(found)["vm"].mean.tolist() == list(range(10))
    assert loops.averages(found)["vm"].n.tolist() == [3] * 10


def test_a_stimulus_that_changes_all_the_time_takes_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rare lengths go; the usual one stays."""
    monkeypatch.setattr(live, "MAX_LENGTHS", 3)
    loops, step = LiveLoops(["vm"]), 0
    for length in (5, 5, 6, 7, 5, 8, 9, 10, 11, 5, 5, 1):
        trigger = np.zeros(length)
        trigger[0] = length > 1 or 1
        loops.take(step, trigger, {"vm": np.full(length, float(length))}, is_break=False)
        step += length
    found = loops.loops()
    assert (found.length, len(found.starts)) == (5, 5)
    assert loops.averages(found)["vm"].n.tolist() == [5] * 5
    assert len(loops._by_length) == 3
