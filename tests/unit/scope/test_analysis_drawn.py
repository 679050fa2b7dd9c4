"""What is drawn of many samples: nothing is hidden, gaps stay gaps."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedaq.analysis import Average, breaks_of_steps
from spikedaq.formats.samples import Samples
from spikedaq.model import ClampMode
from spikedaq.scope.analysis_drawn import drawn_average, envelope, nice_step, phase_plane


def samples_of(vm_mv: list[float] | np.ndarray, steps: list[int] | np.ndarray | None = None) -> Samples:
    vm = np.asarray(vm_mv, float)
    at = np.arange(len(vm)) if steps is None else np.asarray(steps)
    return Samples("a", "a", Path("a"), ClampMode.CURRENT, at, {"vm": vm}, {"vm": 0.01})


def test_few_samples_are_drawn_as_they_are() -> None:
    """A gap is a NaN at its end, over which nothing is drawn."""
    drawn = envelope(samples_of([-65, -64, 30], [100, 101, 105]), "vm")
    assert drawn["is_exact"]
    assert drawn["times_ms"] == [0.0, 0.1, 0.5, 0.5]
    assert drawn["low"][:2] == [-65, -64]
    assert math.isnan(drawn["low"][2])
    assert drawn["high"][3] == 30


def test_one_sample_in_a_million_is_seen() -> None:
    vm = np.full(1_000_000, -65.0)
    vm[777_777] = 30.0
    drawn = envelope(samples_of(vm), "vm", columns=1000)
    assert not drawn["is_exact"]
    assert len(drawn["high"]) == 1000
    assert [k for k, high in enumerate(drawn["high"]) if high == 30.0] == [777]
    assert set(drawn["low"]) == {-65.0}
    assert drawn["times_ms"][:2] == [50.0, 150.0]


def test_columns_without_samples_are_empty() -> None:
    """Half of the time is missing: half of the columns are."""
    steps = np.concatenate([np.arange(5000), np.arange(15_000, 20_000)])
    drawn = envelope(samples_of(np.zeros(10_000), steps), "vm", columns=100)
    empty = [k for k, low in enumerate(drawn["low"]) if math.isnan(low)]
    assert empty == list(range(25, 75))


def test_a_part_of_the_time() -> None:
    drawn = envelope(samples_of(np.arange(1000.0)), "vm", first_ms=10.0, last_ms=10.3)
    assert drawn["times_ms"] == [10.0, 10.1, 10.2, 10.3]
    assert drawn["low"] == [100, 101, 102, 103]
    assert envelope(samples_of([1.0, 2.0]), "vm", first_ms=50.0)["times_ms"] == []


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=400), st.integers(1, 30))
def test_least_and_greatest_are_kept(values: list[float], columns: int) -> None:
    drawn = envelope(samples_of(values), "vm", columns=columns)
    assert np.nanmin(drawn["low"]) == min(values)
    assert np.nanmax(drawn["high"]) == max(values)
    assert len(drawn["low"]) == len(drawn["high"]) == len(drawn["times_ms"]) <= max(2 * columns, columns)


def test_an_average_keeps_its_peak_and_its_spread() -> None:
    mean = np.zeros(10_000)
    mean[4321] = 9.0
    sd = np.full(10_000, 0.5)
    average = Average(mean, sd, sd, np.full(10_000, 3))
    drawn = drawn_average(average, np.arange(10_000) * 0.1, spread=sd, columns=100)
    assert (max(drawn["mean_high"]), max(drawn["high"]), min(drawn["low"])) == (9.0, 9.5, -0.5)
    assert drawn["times_ms"][1] == 10.0


def test_every_sample_is_in_a_cell_of_the_phase_plane() -> None:
    vm = np.array([-65.0, -65.0, -64.0, 30.0, -65.0, -65.0])
    samples = samples_of(vm, [0, 1, 2, 3, 4, 9])
    breaks = breaks_of_steps(samples.steps)
    whole = phase_plane(samples, "vm", breaks, shape=None, near_mv_per_ms=None)
    # The last sample has no neighbour in its stretch, so no derivative.
    assert (sum(whole["n"]), whole["n_left_out"], whole["nullcline"]) == (5, 0, None)
    near = phase_plane(samples, "vm", breaks, shape=None, near_mv_per_ms=20)
    # (0, 5, 475, -5, -950) mV/ms
    assert (sum(near["n"]), near["n_left_out"]) == (3, 2)


def test_the_nullcline_is_zero_at_the_fixed_points() -> None:
    """Tonic spiking at rest: 0.04 v^2 + 4.8 v + 140 = 0 at -70 and -50 mV."""
    shape = {"a": 0.02, "b": 0.2, "changed": False}
    line = phase_plane(samples_of([-71.0, -70.0, -69.0]), "vm", np.empty(0, np.int64), shape=shape, near_mv_per_ms=None)
    points = line["nullcline"]["fixed_points"]
    assert [(pytest.approx(p["v_mv"]), p["is_stable"]) for p in points] == [(-70.0, True), (-50.0, False)]


@pytest.mark.parametrize(("least", "step"), [(0.3, 0.5), (1, 1), (1.2, 2), (4.9, 5), (51, 100), (0.1, 0.1), (0, 1)])
def test_round_steps(least: float, step: float) -> None:
    assert nice_step(least) == pytest.approx(step)
