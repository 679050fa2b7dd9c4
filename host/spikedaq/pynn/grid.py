"""Samples of one device, or of several, on evenly spaced times: what an AnalogSignal wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spikedaq.objects.rates import sampling_rate_hz
from spikedaq.pynn.stretches import FloatArray, Stretch
from spikedaq.pynn.variables import canonical


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Evenly spaced times, and of each device which of its samples stands at each.

    Attributes
    ----------
    start_s, rate_hz : float
    n : int
    repeated, left_out : int
        Samples that stand at two times of the grid, and at none: the devices' clocks are not alike.
    """

    start_s: float
    rate_hz: float
    n: int
    places: list[list[tuple[Stretch, int, np.ndarray | None]]]
    repeated: int = 0
    left_out: int = 0

    def values(self, device: int, variable: str) -> FloatArray:
        """Return a variable of one of the devices, shape (n,), NaN where it has no sample."""
        found = np.full(self.n, np.nan)
        for stretch, at, index in self.places[device]:
            names = [canonical(channel.name) for channel in stretch.channels]
            if canonical(variable) not in names:
                continue
            column = [names.index(canonical(variable))]
            if index is None:
                found[at : at + stretch.n] = stretch.values(0, stretch.n, column)[:, 0]
            else:
                first, last = int(index[0]), int(index[-1])
                found[at : at + len(index)] = stretch.values(first, last + 1, column)[index - first, 0]
        return found


def grid_of_one(stretches: Sequence[Stretch]) -> Grid:
    """Return every sample of one device at its place, by its steps, at the rate by which the last comes at its time."""
    first, last = stretches[0], stretches[-1]
    n = last.next_step - first.first_step
    rate_hz = sampling_rate_hz(1e6 / first.step_us, n, first.first_s, last.last_s)
    return Grid(first.first_s, rate_hz, n, [[(one, one.first_step - first.first_step, None) for one in stretches]])


def grid_of_several(devices: Sequence[Sequence[Stretch]], step_us: float) -> Grid:
    """Return the samples of several devices that lie nearest to common times, each at most half a period away.

    The devices' clocks are not alike: one that is 100 ppm fast has a sample left out every 10 000.
    """
    every = [stretch for stretches in devices for stretch in stretches]
    pitch_s = step_us * 1e-6
    start_s = min(one.first_s for one in every)
    n = round((max(one.last_s for one in every) - start_s) / pitch_s) + 1
    places: list[list[tuple[Stretch, int, np.ndarray | None]]] = []
    repeated = left_out = 0
    for stretches in devices:
        mine: list[tuple[Stretch, int, np.ndarray | None]] = []
        for stretch in stretches:
            times_s = stretch.times_s(0, stretch.n)
            at = max(0, round((times_s[0] - start_s) / pitch_s))
            after = min(n, round((times_s[-1] - start_s) / pitch_s) + 1)
            if mine:  # two stretches must not meet on one time
                at = max(at, mine[-1][1] + len(mine[-1][2]))  # type: ignore[arg-type]
            wanted = start_s + np.arange(at, after) * pitch_s
            if not len(wanted):
                left_out += stretch.n
                continue
            index = _nearest(times_s, wanted)
            jumps = np.diff(index)
            repeated += int(np.count_nonzero(jumps == 0))
            left_out += int(np.sum(jumps[jumps > 1] - 1))
            mine.append((stretch, at, index))
        places.append(mine)
    return Grid(start_s, 1e6 / step_us, n, places, repeated, left_out)


def _nearest(times_s: FloatArray, wanted_s: FloatArray) -> np.ndarray:
    after = np.clip(np.searchsorted(times_s, wanted_s), 1, max(1, len(times_s) - 1))
    if len(times_s) == 1:
        return np.zeros(len(wanted_s), np.int64)
    before = after - 1
    return np.where(wanted_s - times_s[before] <= times_s[after] - wanted_s, before, after)
