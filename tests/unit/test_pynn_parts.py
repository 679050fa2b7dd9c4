"""The pure parts of PyNN-style handling: boundaries of runs, common times, bounded memory, resets as notes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import quantities as pq
from hypothesis import given
from hypothesis import strategies as st

from spikedaq.model import ClampMode, ConfigError
from spikedaq.pynn.grid import grid_of_one, grid_of_several
from spikedaq.pynn.memory import HeldBlock, Memory
from spikedaq.pynn.resets import note_text, reset_of
from spikedaq.pynn.runs import Boundary, Hole, boundaries
from spikedaq.pynn.stretches import Stretch, holes_of
from spikedaq.recording import Channel
from spikedaq.store import StoredNote

V = (Channel("vm", "mV", 0.01),)


def stretch(first_step: int, n: int, *, boot: int = 1, skew: float = 0.0, late_s: float = 0.0) -> Stretch:
    """Sample k of a device whose clock is ``skew`` fast: its value is its step, in mV."""

    def times_s(start: int, stop: int) -> Any:
        return late_s + np.arange(first_step + start, first_step + stop) * 1e-4 * (1 + skew)

    def values(start: int, stop: int, columns: Any) -> Any:
        return np.repeat(np.arange(first_step + start, first_step + stop, dtype=float)[:, None], len(columns), axis=1)

    return Stretch(boot, first_step, n, 100, V, times_s, values)


# -- boundaries


@pytest.mark.parametrize(
    ("holes", "cuts"),
    [
        ([], []),
        ([(1, 2)], [2]),
        ([(1, 2), (1.1, 1.9)], [1.9]),  # two windows that pause together
        ([(1, 2), (1.5, 3)], [2]),
        ([(1, 2), (2, 3)], [2]),  # one ends as the other begins
        ([(1, 2), (2.1, 3)], [2, 3]),
        ([(0, 9), (1, 2), (3, 4)], [2, 4]),
        ([(5, 5)], [5]),  # a boot without a pause
    ],
)
def test_every_hole_has_a_boundary_and_none_is_superfluous(holes: list[Any], cuts: list[float]) -> None:
    found = boundaries([Hole(a, b, "gap") for a, b in holes], [])
    assert [(one.ended_s, one.began_s, one.why) for one in found] == [(cut, cut, "gap") for cut in cuts]


def test_a_reset_serves_the_holes_around_it_and_keeps_its_annotations() -> None:
    reset = Boundary(2.0, 2.1, {"dose": 1})
    found = boundaries([Hole(1.9, 2.05, "gap"), Hole(5, 6, "boot")], [reset, Boundary(2.0, 2.1)])
    assert found == [reset, Boundary(6, 6, {}, "boot")]
    assert found[0].annotations == {"dose": 1}


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 10)), max_size=8))
def test_as_few_boundaries_as_can_be(spans: list[tuple[int, int]]) -> None:
    """Against trying out every set of cuts."""
    holes = [Hole(start, start + n, "gap") for start, n in spans]
    found = [one.began_s for one in boundaries(holes, [])]
    assert all(any(h.start_s <= cut <= h.stop_s for cut in found) for h in holes)
    # Holes of which no two overlap need a cut each: their number is the least there can be.
    apart, last = 0, -math.inf
    for hole in sorted(holes, key=lambda h: h.stop_s):
        if hole.start_s > last:
            apart, last = apart + 1, hole.stop_s
    assert len(found) == apart


def test_what_no_run_goes_across() -> None:
    """A boot, steps that go back, another pace, a long gap; a short gap is filled."""
    pieces = [stretch(0, 10), stretch(20, 10), stretch(20_000, 10)]
    pieces += [stretch(0, 5, boot=2, late_s=9), stretch(2, 5, boot=2, late_s=10)]
    assert [hole.why for hole in holes_of(pieces, 1.0)] == ["gap", "boot", "boot"]
    assert holes_of(pieces, 1.0)[0].start_s == pytest.approx(0.003)


# -- a part of a stretch


@given(st.integers(0, 30), st.integers(1, 30), st.integers(-5, 70), st.integers(-5, 70))
def test_a_part_by_time_is_exact(first: int, n: int, a: int, b: int) -> None:
    """start <= t < stop, with values and steps that stay with their times."""
    whole = stretch(first, n)
    part = whole.within((a - 0.5) * 1e-4, (b - 0.5) * 1e-4)
    wanted = [k for k in range(first, first + n) if a <= k < b]
    if part is None:
        assert not wanted
        return
    assert (part.first_step, part.n) == (wanted[0], len(wanted))
    assert part.values(0, part.n, [0])[:, 0].tolist() == wanted
    np.testing.assert_allclose(part.times_s(0, part.n), np.array(wanted) * 1e-4)


# -- grids


def test_one_device_has_every_sample_at_its_step() -> None:
    grid = grid_of_one([stretch(100, 50, skew=1e-4), stretch(160, 40, skew=1e-4)])
    values = grid.values(0, "v")
    assert (grid.n, np.flatnonzero(np.isnan(values)).tolist()) == (100, list(range(50, 60)))
    assert values[~np.isnan(values)].tolist() == [*range(100, 150), *range(160, 200)]
    assert np.isnan(grid.values(0, "stimulus")).all()


@given(st.lists(st.tuples(st.floats(-2e-4, 2e-4), st.floats(0, 0.01)), min_size=2, max_size=3), st.integers(1, 30_000))
def test_several_devices_stand_at_most_half_a_sample_beside_their_times(
    clocks: list[tuple[float, float]], n: int
) -> None:
    """Whatever their clocks do; and everything that is repeated or left out is counted."""
    devices = [[stretch(0, n, skew=skew, late_s=late_s)] for skew, late_s in clocks]
    grid = grid_of_several(devices, 100)
    repeated = left_out = 0
    for k, (skew, late_s) in enumerate(clocks):
        steps = grid.values(k, "v")
        at = np.flatnonzero(~np.isnan(steps))
        true_s = late_s + steps[at] * 1e-4 * (1 + skew)
        assert np.abs(grid.start_s + at * 1e-4 - true_s).max() <= 0.5e-4 * (1 + 3e-4) + 1e-9
        jumps = np.diff(steps[at])
        repeated += int((jumps == 0).sum())
        left_out += int((jumps[jumps > 1] - 1).sum())
        assert np.diff(at).max(initial=1) == 1
    assert (grid.repeated, grid.left_out) == (repeated, left_out)


def test_a_fast_clock_has_one_sample_left_out_in_ten_thousand() -> None:
    grid = grid_of_several([[stretch(0, 100_000)], [stretch(0, 100_000, skew=-1e-4)]], 100)
    assert (grid.repeated, grid.left_out) == (0, 10)


# -- memory


def held(
    first_step: int, n: int = 10, *, boot: int = 1, mode: ClampMode = ClampMode.CURRENT, late_s: float = 0
) -> HeldBlock:
    samples = np.arange(first_step, first_step + n, dtype=np.int16)[:, None]
    return HeldBlock(boot, first_step, 100, mode, late_s + first_step * 1e-4, samples)


def test_blocks_are_joined_where_nothing_is_missing() -> None:
    memory = Memory()
    for block in (held(0), held(10, 5), held(20), held(30, boot=2), held(40, boot=2, mode=ClampMode.VOLTAGE)):
        memory.add(block)
    found = memory.stretches({ClampMode.CURRENT: V, ClampMode.VOLTAGE: (Channel("v_command", "mV", 0.01, 3.0),)})
    assert [(one.boot_id, one.first_step, one.n) for one in found] == [
        (1, 0, 15),
        (1, 20, 10),
        (2, 30, 10),
        (2, 40, 10),
    ]
    np.testing.assert_allclose(found[0].values(8, 13, [0])[:, 0], np.arange(8, 13) / 100)
    np.testing.assert_allclose(found[0].times_s(8, 13), np.arange(8, 13) * 1e-4)
    np.testing.assert_allclose(found[3].values(0, 2, [0])[:, 0], [3.4, 3.41])


@given(st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=40), st.integers(0, 3000))
def test_memory_never_holds_more_and_counts_all_that_went(rows: list[tuple[int, bool]], max_bytes: int) -> None:
    """Kept and dropped are what came, and the kept are the newest."""
    memory, step, spikes = Memory(max_bytes), 0, 0
    for n, is_spike in rows:
        memory.add(held(step, n))
        step += n
        if is_spike:
            memory.add_spike((step - 1) * 1e-4)
            spikes += 1
        assert memory.n_bytes <= max(max_bytes, 100 * spikes)
    kept = memory.stretches({ClampMode.CURRENT: V})
    n_kept = sum(one.n for one in kept)
    assert n_kept + memory.dropped_samples == step
    assert len(memory.spikes_s) + memory.dropped_spikes == spikes
    if kept:
        assert (len(kept), kept[0].next_step) == (1, step)
        assert all(time_s >= kept[0].first_s - 1e-9 for time_s in memory.spikes_s) or not memory.dropped_spikes
    memory.clear()
    assert (memory.n_bytes, memory.stretches({}), memory.dropped_samples) == (0, [], step - n_kept)


# -- resets as notes


def note(text: str, time_s: float = 12.5, t_host_ns: int = 7_000_000_000) -> StoredNote:
    return StoredNote(time_s, t_host_ns, text, "cli", 0)


def test_a_note_tells_of_a_reset_with_its_quantities() -> None:
    text = note_text(6_900_000_000, 6_904_000_000, {"temperature": 32 * pq.degC, "who": "Änna", "n": [1, 2]})
    found = reset_of(note(text))
    assert found is not None
    assert (found.ended_s, found.began_s) == pytest.approx((12.4, 12.404))
    assert found.annotations["temperature"] == 32 * pq.degC
    assert (found.annotations["who"], found.annotations["n"]) == ("Änna", [1, 2])


@pytest.mark.parametrize(
    "text",
    [
        "", "run ends", "run ends soon, says Anna", "run ends {", "run ends []", "run ends 7",
        'run ends {"ended_ns": 1}',
        'run ends {"ended_ns": 2, "began_ns": 1, "annotations": {}}',
        'run ends {"ended_ns": 1, "began_ns": 2, "annotations": 7}',
        'run ends {"ended_ns": "1", "began_ns": 2, "annotations": {}}',
        'run ends {"ended_ns": 1, "began_ns": 2, "annotations": {"x": {"__quantity__": 1, "unit": "os.abort()"}}}',
    ],
)  # fmt: skip
def test_a_note_of_somebody_is_none(text: str) -> None:
    assert reset_of(note(text)) is None


@given(st.text(max_size=200))
def test_no_note_breaks_anything(text: str) -> None:
    assert reset_of(note("run ends " + text)) is None


def test_annotations_that_no_note_holds_are_refused() -> None:
    with pytest.raises(ConfigError, match="it has at most 10000; annotate less"):
        note_text(1, 2, {"text": "x" * 10_000})
