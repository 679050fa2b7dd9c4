"""The phase plane: derivatives of known curves, nullclines and fixed points by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spikedaq.analysis.phase import (
    dvm_dt_mv_per_ms,
    fixed_points,
    resting_dvm_dt_mv_per_ms,
    u_nullcline_u,
    v_nullcline_u,
)

NAN = float("nan")


def test_the_derivative_is_central_and_one_sided_at_ends():
    """Squares of 0, 1, 2, 3, 4 over 0.1 ms: differences 1, 3, 5, 7."""
    assert dvm_dt_mv_per_ms([0, 1, 4, 9, 16]) == pytest.approx([10, 20, 40, 60, 70])
    assert dvm_dt_mv_per_ms([0, 1, 4, 9, 16], step_ms=1) == pytest.approx([1, 2, 4, 6, 7])


def test_nothing_is_derived_across_a_gap():
    assert dvm_dt_mv_per_ms([0, 1, 4, 9, 16], step_ms=1, breaks=[2]) == pytest.approx([1, 1, 5, 6, 7])
    found = dvm_dt_mv_per_ms([0, NAN, 4, 9, 16], step_ms=1, breaks=[])
    assert found == pytest.approx([NAN, NAN, 5, 6, 7], nan_ok=True)
    assert dvm_dt_mv_per_ms([0, 5, 9], breaks=[1, 2]) == pytest.approx([NAN] * 3, nan_ok=True)
    assert np.isnan(dvm_dt_mv_per_ms([5])).all()
    assert len(dvm_dt_mv_per_ms([])) == 0


def test_nullclines_by_hand():
    """At v = -70: 0.04 x 4900 - 350 + 140 = -14, and b v = 0.2 x -70 = -14; at -50: -10 and -10, both plus I."""
    assert v_nullcline_u([-70, -50]) == pytest.approx([-14, -10])
    assert v_nullcline_u([-70, -50], current=4) == pytest.approx([-10, -6])
    assert u_nullcline_u([-70, -50], b=0.2) == pytest.approx([-14, -10])
    assert resting_dvm_dt_mv_per_ms([-70, -60, -50], b=0.2) == pytest.approx([0, -4, 0])


def test_a_tonic_neuron_rests_at_minus_70_and_has_its_threshold_at_minus_50():
    """0.04 v^2 + 4.8 v + 140 = 0.04 (v + 70)(v + 50)."""
    rest, threshold = fixed_points(a=0.02, b=0.2)
    assert (rest.v_mv, rest.u, rest.is_stable) == (pytest.approx(-70), pytest.approx(-14), True)
    assert (threshold.v_mv, threshold.u, threshold.is_stable) == (pytest.approx(-50), pytest.approx(-10), False)


def test_fixed_points_meet_at_the_rheobase_and_vanish_beyond():
    """(5 - b)^2 = 0.16 (140 + I): I = 4 for b = 0.2, where both are at -60."""
    below = fixed_points(a=0.02, b=0.2, current=4 - 1e-6)
    assert [point.v_mv for point in below] == pytest.approx([-60, -60], abs=0.01)
    assert fixed_points(a=0.02, b=0.2, current=4.001) == ()
    assert fixed_points(a=0.02, b=NAN) == ()


def test_a_resonator_rests_in_a_focus_only_while_its_trace_is_negative():
    """a 0.1, b 0.26, I 0: v = (-4.74 - sqrt(4.74^2 - 22.4)) / 0.08 = -62.6, where 0.08 v + 5 = -0.008 < a."""
    rest = fixed_points(a=0.1, b=0.26)[0]
    assert rest.v_mv == pytest.approx((-4.74 - math.sqrt(4.74**2 - 22.4)) / 0.08)
    assert rest.is_stable
    # With a slope of 0.0508 at I = 0.25, recovery that slow (a = 0.02) cannot hold it.
    unheld = fixed_points(a=0.02, b=0.26, current=0.25)[0]
    assert (0.08 * unheld.v_mv + 5 > 0.02, unheld.is_stable) == (True, False)
