"""Steps of a stimulus and the F-I curve: clean, quantised and noisy traces whose steps are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedaq.analysis.fi import fi_curve, step_response
from spikedaq.analysis.steps import StimulusStep, StimulusSteps, find_steps, noise_sd
from spikedaq.model import ConfigError

NAN = float("nan")


def trace(*parts):
    """Levels with their numbers of samples, one after another."""
    return np.concatenate([np.full(n, float(level)) for level, n in parts])


def spans(found):
    return [(s.onset, s.offset, s.level) for s in found.steps]


def test_steps_are_found_to_the_sample():
    found = find_steps(trace((0, 100), (10, 200), (0, 150), (20, 200), (0, 100)))
    assert spans(found) == [(100, 300, 10), (450, 650, 20)]
    assert (found.baseline, found.n_sloping) == (0, 0)
    assert all(step.is_whole for step in found.steps)


def test_negative_steps_and_a_baseline_that_is_not_zero():
    found = find_steps(trace((5, 300), (-15, 100), (5, 300), (-5.01, 100), (5, 50)))
    assert (spans(found), found.baseline) == ([(300, 400, -15), (700, 800, -5.01)], 5)


def test_a_staircase_has_no_baseline_between():
    found = find_steps(trace((0, 100), (10, 100), (20, 100), (30, 100)))
    assert spans(found) == [(100, 200, 10), (200, 300, 20), (300, 400, 30)]
    assert [step.is_whole for step in found.steps] == [True, True, False]


def test_a_square_wave_is_steps_from_zero():
    """A square wave, half on, half off, that begins with on."""
    found = find_steps(trace((37, 250), (0, 250), (37, 250), (0, 250)))
    assert found.baseline == 0
    assert [(s.onset, s.has_onset, s.has_offset) for s in found.steps] == [(0, False, True), (500, True, True)]
    assert find_steps(trace((37, 250), (0, 250)), baseline=37).steps[0].level == 0


def test_the_baseline_is_the_level_nearest_zero_that_lasts_long_enough():
    """On for 250 ms and off for 100 ms; a test step to 0 for a tenth of the time does not make a baseline."""
    assert find_steps(trace((0, 1000), (20, 2500), (0, 1000), (20, 2500))).baseline == 0
    assert find_steps(trace((5, 900), (0, 200), (5, 900))).baseline == 5


def test_the_resolution_of_a_channel_makes_no_steps():
    """A stimulus of 20 % that flickers to 21 %, as an int16 of whole per cent does."""
    flicker = trace((0, 100), (20, 200), (0, 100))
    flicker[150:250:3] = 21
    assert spans(find_steps(flicker, resolution=1)) == [(100, 300, 20)]


def test_a_pulse_shorter_than_asked_for_is_no_step():
    found = find_steps(trace((0, 300), (50, 10), (0, 300)))
    assert (spans(found), found.n_sloping) == ([], 1)
    assert spans(find_steps(trace((0, 300), (50, 10), (0, 300)), min_ms=1)) == [(300, 310, 50)]


@pytest.mark.parametrize("amplitude", [1.0, 100.0])
def test_a_sine_and_a_ramp_are_no_steps(amplitude):
    k = np.arange(4000)
    for curve in (np.sin(k / 200), k / 4000, np.abs(k - 2000) / 2000):
        assert find_steps(amplitude * curve).steps == ()
        assert find_steps(np.round(100 * curve), resolution=1).steps == ()


def test_steps_in_noise_are_found_within_a_millisecond():
    """Steps of 5, 10, 15, 20 a.u. for 50 ms in noise of 2 a.u.; seeds 0 to 9."""
    clean = trace(*[part for level in (5, 10, 15, 20) for part in ((0, 500), (level, 500))], (0, 500))
    for seed in range(10):
        noisy = clean + np.random.default_rng(seed).normal(0, 2, len(clean))
        found = find_steps(np.round(noisy, 2), min_ms=20, resolution=0.01)
        assert [s.onset for s in found.steps] == pytest.approx([500, 1500, 2500, 3500], abs=10)
        assert [s.offset for s in found.steps] == pytest.approx([1000, 2000, 3000, 4000], abs=10)
        assert [s.level for s in found.steps] == pytest.approx([5, 10, 15, 20], abs=0.5)
        assert found.baseline == pytest.approx(0, abs=0.5)


def test_levels_of_long_steps_are_told_apart_below_the_noise():
    """Levels 3, 4 and 5, twice each for 200 ms in noise of 1.5: three points of two steps."""
    levels = [3, 4, 5] * 2
    clean = trace(*[part for level in levels for part in ((0, 2000), (level, 2000))], (0, 2000))
    found = find_steps(clean + np.random.default_rng(7).normal(0, 1.5, len(clean)), min_ms=20)
    curve = fi_curve([], found)
    assert [point.level for point in curve.points] == pytest.approx([3, 4, 5], abs=0.2)
    assert [point.n_steps for point in curve.points] == [2, 2, 2]


def test_noise_alone_has_no_steps():
    for seed in range(20):
        found = find_steps(np.random.default_rng(seed).normal(3, 1, 20_000))
        assert (found.steps, found.n_sloping) == ((), 0)


def test_a_slow_ramp_in_noise_is_no_level():
    """It rises by 10 in 500 ms, in noise of 2: its spread hides in the noise, its drift does not."""
    ramp = np.arange(5000) / 500 + np.random.default_rng(2).normal(0, 2, 5000)
    found = find_steps(ramp, baseline=0.0)
    assert (found.steps, found.n_sloping) == ((), 1)


def test_noise_is_measured_beside_leaps():
    noisy = trace((0, 500), (100, 500)) + np.random.default_rng(1).normal(0, 2, 1000)
    assert noise_sd(noisy) == pytest.approx(2, rel=0.1)
    assert noise_sd([1.0, 1.0, 5.0, 5.0]) == 0
    assert math.isnan(noise_sd([1.0]))


def test_a_gap_cuts_a_step():
    """Missing samples within the first step, NaN within the second."""
    values = trace((0, 200), (10, 200), (0, 200), (20, 200), (0, 200))
    values[700:703] = NAN
    found = find_steps(values, breaks=[300])
    assert spans(found) == [(200, 300, 10), (300, 400, 10), (600, 700, 20), (703, 800, 20)]
    assert [(s.has_onset, s.has_offset) for s in found.steps] == [(True, False), (False, True)] * 2
    curve = fi_curve([], found)
    assert (curve.points, curve.n_left_out) == ((), 4)


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(60, 200)), min_size=1, max_size=8), st.integers(1, 100))
def test_any_clean_steps_come_back_as_they_were(parts, scale):
    """Levels in hundredths of a unit, longer than the shortest step."""
    merged = [parts[0]]
    for level, n in parts[1:]:
        merged = [*merged[:-1], (level, merged[-1][1] + n)] if level == merged[-1][0] else [*merged, (level, n)]
    found = find_steps(trace(*[(level * scale / 100, n) for level, n in merged]), tolerance=0.004)
    edges = np.cumsum([0, *[n for _, n in merged]])
    expected = [(int(a), int(a) + n, level * scale / 100) for a, (level, n) in zip(edges, merged, strict=False)]
    assert spans(found) == [e for e in expected if abs(e[2] - found.baseline) > 0.004]
    assert found.n_sloping == 0


def test_the_response_to_a_step_by_hand():
    """100 ms from sample 100; spikes 5, 15, 35, 65, 85 ms after the onset: intervals of 30 and 20 ms end late."""
    step = StimulusStep(100, 1100, 10.0)
    found = step_response([99, 150, 250, 450, 750, 950, 1100], step)
    assert found.n_spikes == 5
    assert found.rate_hz == pytest.approx(50)
    assert found.first_interval_hz == pytest.approx(100)
    assert found.steady_hz == pytest.approx(1000 / 25)
    assert found.latency_ms == pytest.approx(5)


def test_responses_with_few_spikes():
    step = StimulusStep(0, 1000, 10.0)
    silent, early, late = (step_response(spikes, step) for spikes in ([], [10], [900]))
    assert (silent.rate_hz, silent.steady_hz, early.steady_hz, late.steady_hz) == (0, 0, 0, pytest.approx(20))
    assert math.isnan(silent.latency_ms)
    assert math.isnan(early.first_interval_hz)


def loop_of_steps(levels, n_loops):
    values = trace(*[part for level in levels for part in ((0, 1000), (level, 1000))], (0, 1000))
    return np.tile(values, n_loops)


def test_the_curve_over_repeated_loops():
    """Levels -10, 10, 20, 30 with 0, 0, 2 then 4, and 6 spikes in 100 ms: gain (60 - 30) / 10 Hz per unit."""
    found = find_steps(loop_of_steps((-10, 10, 20, 30), 2))
    spikes = []
    for loop, n_of_20 in enumerate((2, 4)):
        start = loop * 9000
        spikes += [start + 5000 + 100 * k for k in range(n_of_20)] + [start + 7000 + 100 * k for k in range(6)]
    curve = fi_curve(spikes, found)
    assert [(p.level, p.n_steps, p.rate_hz) for p in curve.points] == [
        (-10, 2, 0),
        (10, 2, 0),
        (20, 2, pytest.approx(30)),
        (30, 2, pytest.approx(60)),
    ]
    assert curve.points[2].rate_sd_hz == pytest.approx(math.sqrt(200))
    assert (curve.rheobase, curve.silent_below) == (20, 10)
    assert curve.gain_hz_per_unit == pytest.approx(3)
    assert curve.n_left_out == 0
    assert len(curve.responses) == 8


def test_a_neuron_that_falls_silent_again_has_its_rheobase_above():
    """It fires at 10, not at 20, and at 30: only from 30 on does every level fire."""
    curve = fi_curve([1500, 5500], find_steps(loop_of_steps((10, 20, 30), 1)))
    assert (curve.rheobase, curve.silent_below) == (30, 20)
    assert math.isnan(curve.gain_hz_per_unit)


def test_a_silent_neuron_has_no_rheobase():
    curve = fi_curve([], find_steps(loop_of_steps((10, 20), 1)))
    assert math.isnan(curve.rheobase)
    assert math.isnan(curve.silent_below)
    assert fi_curve([], StimulusSteps(0.0, 0.1, ())).points == ()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"min_ms": 0}, "the shortest step in ms is 0"),
        ({"tolerance": -1}, "the tolerance is -1"),
        ({"resolution": NAN}, "the resolution is nan"),
        ({"step_ms": -1}, "the step in ms is -1"),
    ],
)
def test_options_that_cannot_be_are_refused(options, says):
    with pytest.raises(ConfigError, match=says):
        find_steps([0.0, 1.0], **options)


def test_a_stimulus_without_a_value_is_refused():
    for values in ([], [NAN, NAN]):
        with pytest.raises(ConfigError, match="the stimulus has no value"):
            find_steps(values)


@pytest.mark.timeout(60)
def test_noise_that_is_held_has_steps_without_number() -> None:
    """Minutes of two levels, each for 5 ms or more, take seconds: a page that asks for it stops no others."""
    rng = np.random.default_rng(3)
    lengths = 50 * rng.integers(1, 3, 40_000)
    levels = np.tile([0.0, 50.0], 20_000)
    found = find_steps(np.repeat(levels, lengths), resolution=1.0)
    assert (found.baseline, len(found.steps)) == (0.0, 20_000)
    assert {step.level for step in found.steps} == {50.0}
