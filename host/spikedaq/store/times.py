"""From device ticks to seconds in the file."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt

from spikedaq.model import ClockMap
from spikedaq.store.layout import SECONDS_GRID


def seconds(t_host_ns: int, reference_host_ns: int) -> float:
    """Return a host time as seconds since the reference time, on the grid."""
    return round((t_host_ns - reference_host_ns) * SECONDS_GRID / 1e9) / SECONDS_GRID


def sample_seconds(
    first_tick: npt.NDArray[np.int64],
    step_us: npt.NDArray[np.int64],
    n_samples: npt.NDArray[np.int64],
    clocks: Sequence[ClockMap],
    reference_host_ns: int,
) -> npt.NDArray[np.float64]:
    """Return the times of all samples of some blocks.

    Parameters
    ----------
    first_tick, step_us, n_samples : int64 arrays, shape (n_blocks,)
        First tick and pitch in microseconds of the device's clock.
    clocks : sequence of ClockMap, length n_blocks
    reference_host_ns : int
        CLOCK_BOOTTIME of the reference time.

    Returns
    -------
    float64 array, shape (sum of n_samples,)
        Seconds since the reference time, rounded to the grid. They depend on block and map only, never on which blocks
        were written together.
    """
    start_ns = np.empty(len(clocks), np.float64)
    pitch_ns = np.empty(len(clocks), np.float64)
    at = 0
    for _, run in groupby(clocks, key=id):
        used, *others = run
        piece = slice(at, at + 1 + len(others))
        at = piece.stop
        # As ClockMap.host_ns: the product is rounded to whole nanoseconds.
        since_map = np.rint((first_tick[piece] - used.tick0) * used.ns_per_tick)
        start_ns[piece] = since_map + float(used.t_host0_ns - reference_host_ns)
        pitch_ns[piece] = step_us[piece] * used.ns_per_tick
    first = np.repeat(np.cumsum(n_samples) - n_samples, n_samples)
    k = np.arange(len(first)) - first
    ns = np.repeat(start_ns, n_samples) + k * np.repeat(pitch_ns, n_samples)
    times: npt.NDArray[np.float64] = np.rint(ns * (SECONDS_GRID / 1e9)) / SECONDS_GRID
    return times
