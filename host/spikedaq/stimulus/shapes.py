"""The shapes themselves: float64 arrays in per cent, one value per row. Not bounded: see `quantised`.

Row k is at the time t = k / 10000 s of model time.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Percent = npt.NDArray[np.float64]
ROWS_PER_S = 10_000
"""Rows in a second of model time (protocol/README.md, section 5: 0.1 ms per step)."""


def constant(n_rows: int, level: float) -> Percent:
    """Return ``level`` in every row."""
    return np.full(n_rows, level, np.float64)


def steps(count: int, *, first: float, increment: float, on_rows: int, off_rows: int, off_level: float) -> Percent:
    """Return ``count`` steps: step i is ``first + i * increment`` for ``on_rows``, then ``off_level`` for ``off_rows``.

    Returns
    -------
    float64 array, shape (count * (on_rows + off_rows),)
    """
    out = np.full((count, on_rows + off_rows), off_level, np.float64)
    out[:, :on_rows] = (first + increment * np.arange(count))[:, np.newaxis]
    return out.reshape(-1)


def ramp(n_rows: int, start: float, end: float) -> Percent:
    """Return a straight line whose first row is ``start`` and whose last is ``end``."""
    return np.linspace(start, end, n_rows, dtype=np.float64)


def sine(cycles: Percent, amplitude: float | Percent, mean: float) -> Percent:
    """Return ``mean + amplitude * sin(2 pi cycles)``."""
    # The whole cycles are taken out first: sin() of a large argument loses digits.
    return np.asarray(mean + amplitude * np.sin(2 * np.pi * (cycles % 1.0)), np.float64)


def triangle(cycles: Percent, amplitude: float, mean: float) -> Percent:
    """Return a triangle that rises through ``mean`` at 0 cycles, as a sine does; peaks at ``mean +- amplitude``."""
    return np.asarray(mean + amplitude * (4 * np.abs((cycles - 0.25) % 1.0 - 0.5) - 1), np.float64)


def constant_cycles(n_rows: int, frequency_hz: float, phase_deg: float = 0.0) -> Percent:
    """Return the phase, in cycles, of a constant frequency."""
    return np.asarray(np.arange(n_rows) * (frequency_hz / ROWS_PER_S) + phase_deg / 360, np.float64)


def linear_cycles(n_rows: int, start_hz: float, end_hz: float) -> Percent:
    """Return the phase, in cycles, of a frequency that changes linearly: f0 at the first row, f1 after the last.

    Notes
    -----
    f(t) = f0 + (f1 - f0) t / T, and the phase is its integral, f0 t + (f1 - f0) t^2 / (2 T). The stock generator takes
    t f(t), whose rate ends at 2 f1 - f0.
    """
    t_s = np.arange(n_rows) / ROWS_PER_S
    duration_s = n_rows / ROWS_PER_S
    return np.asarray(start_hz * t_s + (end_hz - start_hz) * t_s**2 / (2 * duration_s), np.float64)


def exponential_cycles(n_rows: int, start_hz: float, end_hz: float) -> Percent:
    """Return the phase, in cycles, of a frequency that changes by the same factor in equal times.

    Notes
    -----
    f(t) = f0 k^(t / T) with k = f1 / f0; the phase is its integral, f0 T (k^(t / T) - 1) / ln k, and f0 t where k is 1.
    """
    share = np.arange(n_rows) / n_rows
    duration_s = n_rows / ROWS_PER_S
    log_k = np.log(end_hz / start_hz)
    if log_k == 0:
        return np.asarray(start_hz * duration_s * share, np.float64)
    return np.asarray(start_hz * duration_s * np.expm1(log_k * share) / log_k, np.float64)


def pulses(count: int, width_rows: int, period_rows: int, amplitude: float, level: float) -> Percent:
    """Return ``count`` periods, each ``amplitude`` for ``width_rows`` and then ``level``."""
    out = np.full((count, period_rows), level, np.float64)
    out[:, :width_rows] = amplitude
    return out.reshape(-1)


def held(draws: Percent, hold_rows: int, n_rows: int) -> Percent:
    """Return each draw for ``hold_rows`` rows, cut at ``n_rows``: sample and hold."""
    return np.repeat(draws, hold_rows)[:n_rows]
