"""Samples and averages made small enough to be drawn: least and greatest of each column, so that nothing is hidden."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.analysis import Average, dvm_dt_mv_per_ms, fixed_points, resting_dvm_dt_mv_per_ms
from spikedaq.formats.samples import Samples
from spikedaq.model import MODEL_STEP_MS

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]

COLUMNS = 1200
PHASE_CELLS = (240, 200)
_NULLCLINE_POINTS = 200


def nice_step(least: float) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that is no less than ``least``."""
    power = 10.0 ** math.floor(math.log10(least)) if least > 0 else 1.0
    return next(round(factor * power, 12) for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def envelope(
    samples: Samples, channel: str, *, first_ms: float = -math.inf, last_ms: float = math.inf, columns: int = COLUMNS
) -> dict[str, Any]:
    """Return a trace as least and greatest values of columns of equal time.

    Parameters
    ----------
    first_ms, last_ms : float
        Of which model time since the first sample.

    Returns
    -------
    map
        ``times_ms`` (middle of each column), ``low``, ``high``; NaN where nothing was recorded. With few samples
        one entry for each of them, ``low`` and ``high`` alike, and ``is_exact``.
    """
    values, steps = samples.channels[channel], samples.steps
    origin = int(steps[0])

    def step_at(time_ms: float) -> float:
        return origin + time_ms / MODEL_STEP_MS if math.isfinite(time_ms) else time_ms

    a = int(np.searchsorted(steps, step_at(first_ms) - 0.5))
    b = int(np.searchsorted(steps, step_at(last_ms) + 0.5))
    part = steps[a:b]
    if not len(part):
        return {"times_ms": [], "low": [], "high": [], "is_exact": True}
    if len(part) <= 2 * columns:
        times, shown = (part - origin) * MODEL_STEP_MS, np.asarray(values[a:b])
        gaps = np.flatnonzero(np.diff(part) != 1) + 1
        times, shown = np.insert(times, gaps, times[gaps]), np.insert(shown, gaps, np.nan)
        return {
            "times_ms": np.round(times, 6).tolist(),
            "low": shown.tolist(),
            "high": shown.tolist(),
            "is_exact": True,
        }
    edges = np.linspace(float(part[0]), float(part[-1]) + 1, columns + 1)
    low, high = _extremes(np.asarray(values[a:b]), np.searchsorted(part, edges - 1e-6))
    middle = (edges[:-1] + edges[1:]) / 2 - origin
    return {
        "times_ms": np.round(middle * MODEL_STEP_MS, 6).tolist(),
        "low": low.tolist(),
        "high": high.tolist(),
        "is_exact": False,
    }


def drawn_average(
    average: Average, times_ms: FloatArray, *, spread: FloatArray, columns: int = COLUMNS
) -> dict[str, Any]:
    """Return mean and spread (arrays of one length) by columns; ``low``, ``high`` around them, NaN where unknown."""
    mean = average.mean
    known = np.where(np.isnan(spread), 0.0, spread)
    n = len(mean)
    edges = np.linspace(0, n, min(columns, n) + 1).astype(np.int64) if n else np.zeros(1, np.int64)
    mean_low, mean_high = _extremes(mean, edges)
    low, _ = _extremes(mean - known, edges)
    _, high = _extremes(mean + known, edges)
    return {
        "times_ms": np.round(times_ms[edges[:-1]], 6).tolist(),
        "mean_low": mean_low.tolist(),
        "mean_high": mean_high.tolist(),
        "low": low.tolist(),
        "high": high.tolist(),
    }


def _extremes(values: FloatArray, edges: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return least and greatest of ``values[edges[k]:edges[k + 1]]``, NaN where that is empty or all of it is NaN."""
    filled = np.flatnonzero(edges[1:] > edges[:-1])
    low, high = np.full(len(edges) - 1, np.nan), np.full(len(edges) - 1, np.nan)
    if len(filled):
        # fmin and fmax pass over NaN.
        used = values[: edges[-1]]
        low[filled] = np.fmin.reduceat(used, edges[:-1][filled])
        high[filled] = np.fmax.reduceat(used, edges[:-1][filled])
    return low, high


def phase_plane(
    samples: Samples, channel: str, breaks: IntArray, *, shape: dict[str, Any] | None, near_mv_per_ms: float | None
) -> dict[str, Any]:
    """Return the phase plane as cells that the trajectory was in, with how often.

    Parameters
    ----------
    shape : map or None
        The model's ``a`` and ``b``; without them there are no nullclines.
    near_mv_per_ms : float or None
        Leave out what lies beyond this derivative; None leaves out nothing.
    """
    vm_mv = np.asarray(samples.channels[channel])
    slope = dvm_dt_mv_per_ms(vm_mv, breaks=breaks)
    known = np.isfinite(slope) & np.isfinite(vm_mv)
    inside = known if near_mv_per_ms is None else known & (np.abs(slope) <= near_mv_per_ms)
    v, dv = vm_mv[inside], slope[inside]
    found: dict[str, Any] = {
        "n_left_out": int(known.sum() - inside.sum()),
        "v_mv": [],
        "dv_mv_per_ms": [],
        "n": [],
        "nullcline": None,
    }
    if not len(v):
        return found
    (x, x_low, x_width), (y, y_low, y_width) = _cells(v, PHASE_CELLS[0]), _cells(dv, PHASE_CELLS[1])
    counts = np.bincount(x * PHASE_CELLS[1] + y)
    cells = np.flatnonzero(counts)
    found["v_mv"] = np.round(x_low + (cells // PHASE_CELLS[1] + 0.5) * x_width, 4).tolist()
    found["dv_mv_per_ms"] = np.round(y_low + (cells % PHASE_CELLS[1] + 0.5) * y_width, 4).tolist()
    found["n"] = counts[cells].tolist()
    found["cell"] = [x_width, y_width]
    if shape is not None and channel == "vm":
        found["nullcline"] = _nullcline(samples, shape, float(v.min()), float(v.max()), near_mv_per_ms)
    return found


def _cells(values: FloatArray, n: int) -> tuple[IntArray, float, float]:
    low, high = float(values.min()), float(values.max())
    width = (high - low) / n if high > low else 1.0
    return np.minimum((values - low) / width, n - 1).astype(np.int64), low, width


def _nullcline(
    samples: Samples, shape: dict[str, Any], low_mv: float, high_mv: float, near_mv_per_ms: float | None
) -> dict[str, Any]:
    a, b = float(shape["a"]), float(shape["b"])
    current = float(np.nanmedian(samples.channels["i_total"])) if "i_total" in samples.channels else 0.0
    v = np.linspace(low_mv, high_mv, _NULLCLINE_POINTS)
    dv = resting_dvm_dt_mv_per_ms(v, b=b, current=current)
    if near_mv_per_ms is not None:
        dv = np.where(np.abs(dv) <= near_mv_per_ms, dv, np.nan)
    points = fixed_points(a=a, b=b, current=current)
    return {
        "a": a,
        "b": b,
        "changed": shape["changed"],
        "current": current,
        "v_mv": v.tolist(),
        "dv_mv_per_ms": dv.tolist(),
        "fixed_points": [{"v_mv": p.v_mv, "is_stable": p.is_stable} for p in points],
    }
