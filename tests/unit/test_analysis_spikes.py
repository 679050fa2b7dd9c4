"""Spikes: against hand-made traces, and against an oracle that walks sample by sample."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedaq.analysis.spikes import find_spikes, suggest_threshold, threshold_sweep
from spikedaq.analysis.stretches import breaks_of_steps, stretches
from spikedaq.model import ConfigError

NAN = float("nan")


def walk(vm, threshold, *, up=True, hysteresis=0.0, dead_steps=0, breaks=()):
    """One sample after another, as one would by hand."""
    armed, last, found = False, None, []
    for k, value in enumerate(vm):
        if k in breaks or math.isnan(value):
            armed, last = False, last if k not in breaks else None
        if math.isnan(value):
            continue
        v = value if up else -value
        level = threshold if up else -threshold
        if v >= level:
            if armed and (last is None or k - last >= dead_steps):
                found.append(k)
                last = k
            armed = False
        elif v < level - hysteresis:
            armed = True
    return found


# Whole numbers, so that many samples are exactly at a threshold.
POTENTIALS = st.lists(st.one_of(st.integers(-4, 4).map(float), st.just(NAN)), max_size=60)
BREAKS = st.sets(st.integers(0, 60), max_size=4)


@pytest.mark.parametrize(
    ("vm", "expected"),
    [
        ([-70, -20, 30, -70], [1]),  # the stock software finds nothing: a row is exactly at the threshold
        ([-70, -20, -20, -21, -20], [1, 4]),
        ([-70, -20.01, -19.99], [2]),
        ([30, 30, -70, 30], [3]),  # the first rows have nothing below before them
        ([-70, 30], [1]),  # the last row counts
        ([-70], []),
        ([], []),
        ([NAN, 30], []),
        ([-70, NAN, 30], []),
        ([-70, NAN, -70, 30], [3]),
        ([-math.inf, math.inf], [1]),
    ],
)
def test_a_crossing_is_the_first_sample_at_or_above_after_one_below(vm, expected):
    """Threshold -20 mV, as by hand."""
    assert find_spikes(vm, threshold_mv=-20).tolist() == expected
    assert find_spikes(np.negative(vm), threshold_mv=20, direction="down").tolist() == expected


def test_a_raw_value_at_the_threshold_is_at_it_whatever_its_last_bit():
    """-2903 x 0.01 is not -29.03 in binary; every raw value of int16 is found at its own decimal threshold."""
    for raw in range(-11000, 3001, 7):
        decimal = float(f"{raw // 100 if raw >= 0 else -(-raw // 100)}") if raw % 100 == 0 else float(f"{raw}e-2")
        assert find_spikes([-200.0, raw * 0.01], threshold_mv=decimal).tolist() == [1], raw
        assert find_spikes([raw * 0.01, 200.0], threshold_mv=decimal).tolist() == [], raw


def test_hysteresis_asks_for_the_way_back():
    vm = [-70, -20, -25, -20, -30.5, -20, -30, -20]
    assert find_spikes(vm, threshold_mv=-20).tolist() == [1, 3, 5, 7]
    assert find_spikes(vm, threshold_mv=-20, hysteresis_mv=10).tolist() == [1, 5]


def test_the_refractory_time_is_counted_from_the_last_spike_that_was_kept():
    """Spikes at 1, 3, 5, 7 with 0.4 ms of dead time and 0.1 ms per sample: 3 and 7 are too early after 1 and 5."""
    vm = [-70, 0, -70, 0, -70, 0, -70, 0]
    assert find_spikes(vm, threshold_mv=-20, refractory_ms=0.4).tolist() == [1, 5]
    assert find_spikes(vm, threshold_mv=-20, refractory_ms=0.2).tolist() == [1, 3, 5, 7]
    assert find_spikes(vm, threshold_mv=-20, refractory_ms=0.2, step_ms=0.05).tolist() == [1, 5]
    # 0.3 / 0.1 is 2.9999999999999996 in binary.
    assert find_spikes([-70, 0, -70, -70, 0], threshold_mv=-20, refractory_ms=0.3).tolist() == [1, 4]
    assert find_spikes(vm, threshold_mv=-20, refractory_ms=10, breaks=[4]).tolist() == [1, 5]


def test_no_spike_is_found_across_a_gap():
    vm = [-70, -70, 30, 30, -70, 30]
    assert find_spikes(vm, threshold_mv=-20).tolist() == [2, 5]
    assert find_spikes(vm, threshold_mv=-20, breaks=[2]).tolist() == [5]
    assert find_spikes(vm, threshold_mv=-20, hysteresis_mv=1, breaks=[2]).tolist() == [5]
    assert threshold_sweep(vm, [-20], breaks=[2]).tolist() == [1]


@given(POTENTIALS, st.integers(-4, 4), st.booleans(), st.integers(0, 3), st.integers(0, 9), BREAKS)
def test_the_same_as_one_sample_after_another(vm, threshold, up, hysteresis, dead_steps, breaks):
    """Any trace, any gaps, any hysteresis and refractory time."""
    breaks = {k for k in breaks if k <= len(vm)}
    found = find_spikes(
        vm,
        threshold_mv=threshold,
        direction="up" if up else "down",
        hysteresis_mv=hysteresis,
        refractory_ms=dead_steps * 0.1,
        breaks=sorted(breaks),
    )
    expected = walk(vm, threshold, up=up, hysteresis=hysteresis, dead_steps=dead_steps, breaks=breaks)
    assert found.tolist() == expected


@given(POTENTIALS, st.lists(st.integers(-10, 10).map(lambda k: k / 2), max_size=9), st.booleans(), BREAKS)
def test_a_sweep_counts_what_each_threshold_alone_would_find(vm, thresholds, up, breaks):
    """Thresholds in any order and twice, samples at them, NaN and gaps."""
    breaks = {k for k in breaks if k <= len(vm)}
    counts = threshold_sweep(vm, thresholds, direction="up" if up else "down", breaks=list(breaks))
    assert counts.tolist() == [len(walk(vm, t, up=up, breaks=breaks)) for t in thresholds]


def test_a_sweep_of_a_long_trace_is_seamless_where_it_was_cut(monkeypatch):
    """A trace longer than a chunk, with a crossing and a gap on every possible seam."""
    monkeypatch.setattr("spikedaq.analysis.spikes._CHUNK", 7)
    vm = np.random.default_rng(3).integers(-3, 4, 500).astype(float)
    breaks = [7, 14, 15, 91, 200]
    expected = [len(walk(vm, t, breaks=breaks)) for t in (-2, 0, 1.5)]
    assert threshold_sweep(vm, [-2, 0, 1.5], breaks=breaks).tolist() == expected


def test_a_threshold_is_suggested_in_the_middle_of_what_gives_one_count():
    """Rest at -70 with bumps to -50, three spikes to 30: every threshold in (-50, 30] gives three."""
    vm = np.full(1000, -70.0)
    vm[[50, 150, 250, 350, 450, 550]] = -50.0
    vm[[100, 300, 500]] = 30.0
    found = suggest_threshold(vm)
    assert found is not None
    assert found.n_spikes == 3
    assert found.low_mv == pytest.approx(-49.5, abs=0.51)
    assert found.high_mv == pytest.approx(30)
    assert found.threshold_mv == pytest.approx(-10, abs=0.5)
    assert len(find_spikes(vm, threshold_mv=found.threshold_mv)) == 3


@pytest.mark.parametrize("vm", [[], [NAN, NAN], [-70.0] * 50, [-70.0, -40.0] * 50, [-70.0, -69.0] * 50])
def test_nothing_is_suggested_where_nothing_spikes(vm):
    assert suggest_threshold(vm) is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"threshold_mv": NAN}, "the threshold is nan"),
        ({"threshold_mv": 0, "direction": "left"}, "'left' is unknown; it is one of up, down"),
        ({"threshold_mv": 0, "hysteresis_mv": -1}, "the hysteresis in mV is -1"),
        ({"threshold_mv": 0, "refractory_ms": math.inf}, "the refractory time in ms is inf"),
        ({"threshold_mv": 0, "step_ms": 0}, "the step in ms is 0"),
        ({"threshold_mv": 0, "breaks": [4]}, "breaks must be indices of samples, 0 .. 3"),
        ({"threshold_mv": 0, "breaks": [0.5]}, "breaks must be indices"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, says):
    with pytest.raises(ConfigError, match=says):
        find_spikes([1.0, 2.0, 3.0], **arguments)


def test_a_trace_is_numbers_in_one_dimension():
    with pytest.raises(ConfigError, match=r"the shape \(2, 2\); give the values of one channel"):
        find_spikes([[1, 2], [3, 4]], threshold_mv=0)
    with pytest.raises(ConfigError, match="no numbers"):
        find_spikes(["a"], threshold_mv=0)
    with pytest.raises(ConfigError, match="no finite number"):
        threshold_sweep([1.0, 2.0], [NAN])


def test_steps_that_jump_or_fall_part_a_recording():
    """A gap before index 3, a reboot before index 5."""
    breaks = breaks_of_steps([10, 11, 12, 20, 21, 0, 1])
    assert breaks.tolist() == [3, 5]
    assert stretches(7, breaks).tolist() == [[0, 3], [3, 5], [5, 7]]
    assert stretches(0).tolist() == []
    assert stretches(3, [0, 3]).tolist() == [[0, 3]]
