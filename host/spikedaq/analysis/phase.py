"""The phase plane: membrane potential against its derivative, and the nullclines of the model.

Model (Izhikevich, IEEE Trans Neural Netw 14:1569, 2003): dv/dt = 0.04 v^2 + 5 v + 140 - u + I, du/dt = a (b v - u),
with v in mV and t in ms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spikedaq.analysis.stretches import Breaks, FloatArray, as_breaks, as_trace, positive
from spikedaq.model import MODEL_STEP_MS

_SQUARE, _LINEAR, _CONSTANT = 0.04, 5.0, 140.0


def dvm_dt_mv_per_ms(vm_mv: npt.ArrayLike, *, step_ms: float = MODEL_STEP_MS, breaks: Breaks = None) -> FloatArray:
    """Return the derivative of a potential, central in a stretch and one-sided at its ends.

    Parameters
    ----------
    vm_mv : float array, shape (n,)
        In mV.
    step_ms : float
        Time between samples, in ms.
    breaks : int array, optional
        Samples before which others are missing; nothing is taken across one.

    Returns
    -------
    float64 array, shape (n,)
        In mV/ms. NaN for a sample without a neighbour in its stretch.
    """
    vm = as_trace(vm_mv, "the potential")
    step_ms = positive(step_ms, "the step in ms")
    forward = np.full(len(vm), np.nan)
    forward[:-1] = np.diff(vm) / step_ms
    parted = as_breaks(breaks, len(vm))
    forward[parted - 1] = np.nan
    backward = np.full(len(vm), np.nan)
    backward[1:] = forward[:-1]
    both = (forward + backward) / 2
    return np.where(np.isnan(both), np.where(np.isnan(forward), backward, forward), both)


def v_nullcline_u(v_mv: npt.ArrayLike, *, current: float = 0.0) -> FloatArray:
    """Return u where v does not change: 0.04 v^2 + 5 v + 140 + I; ``v_mv`` shape (n,), ``current`` in a.u."""
    v = as_trace(v_mv, "the potential")
    u: FloatArray = _SQUARE * v * v + _LINEAR * v + _CONSTANT + current
    return u


def u_nullcline_u(v_mv: npt.ArrayLike, *, b: float) -> FloatArray:
    """Return u where u does not change: b v; ``v_mv`` shape (n,)."""
    u: FloatArray = b * as_trace(v_mv, "the potential")
    return u


def resting_dvm_dt_mv_per_ms(v_mv: npt.ArrayLike, *, b: float, current: float = 0.0) -> FloatArray:
    """Return dv/dt at each v with u = b v, the recovery it tends to.

    The nullclines as a curve for the (v, dv/dt) plane, 0 at the fixed points. ``v_mv`` in mV, shape (n,),
    ``current`` in a.u., result in mV/ms.
    """
    return v_nullcline_u(v_mv, current=current) - u_nullcline_u(v_mv, b=b)


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """Where neither v nor u changes, and whether a neuron near it stays near."""

    v_mv: float
    u: float
    is_stable: bool


def fixed_points(*, a: float, b: float, current: float = 0.0) -> tuple[FixedPoint, ...]:
    """Return the fixed points of the model, by rising v: none, one or two.

    Parameters
    ----------
    a, b : float
        Of the model.
    current : float
        In a.u.

    Notes
    -----
    v solves 0.04 v^2 + (5 - b) v + 140 + I = 0. Stable where the Jacobian [[0.08 v + 5, -1], [a b, -a]] has a negative
    trace and a positive determinant; that is of the equations, not of the 0.1 ms steps in which a board takes them.
    """
    linear = _LINEAR - b
    discriminant = linear * linear - 4 * _SQUARE * (_CONSTANT + current)
    if not math.isfinite(discriminant) or discriminant < 0:
        return ()
    root = math.sqrt(discriminant)
    potentials = sorted({(-linear - root) / (2 * _SQUARE), (-linear + root) / (2 * _SQUARE)})

    def stable(v: float) -> bool:
        slope = 2 * _SQUARE * v + _LINEAR
        return slope - a < 0 and a * (b - slope) > 0

    return tuple(FixedPoint(v, b * v, stable(v)) for v in potentials)
