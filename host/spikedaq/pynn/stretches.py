"""Consecutive samples of one device, wherever they are."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from spikedaq.pynn.runs import Hole
from spikedaq.recording import Channel

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Samples without a gap.

    Attributes
    ----------
    boot_id : int or None
    first_step : int
        The model's step of its first sample; steps of other boots have nothing in common with it.
    n : int
    step_us : float
        Time from sample to sample by the device's own clock, in microseconds.
    channels : tuple of Channel
    times_s : callable
        ``times_s(start, stop)``: times of samples on the clock of the handle, float64, in seconds.
    values : callable
        ``values(start, stop, columns)``: samples in units, float64, shape (stop - start, n_columns).
    """

    boot_id: int | None
    first_step: int
    n: int
    step_us: float
    channels: tuple[Channel, ...]
    times_s: Callable[[int, int], FloatArray]
    values: Callable[[int, int, Sequence[int]], FloatArray]

    @property
    def first_s(self) -> float:
        """Time of its first sample."""
        return float(self.times_s(0, 1)[0])

    @property
    def last_s(self) -> float:
        """Time of its last sample."""
        return float(self.times_s(self.n - 1, self.n)[0])

    @property
    def next_step(self) -> int:
        """The step after its last."""
        return self.first_step + self.n

    def within(self, start_s: float, stop_s: float) -> Stretch | None:
        """Return the part with ``start_s <= t < stop_s``, None where there is none."""
        first_s, last_s = self.first_s, self.last_s
        if start_s <= first_s and last_s < stop_s:
            return self
        first, after = (
            bisect_left(range(self.n), t_s, key=lambda k: float(self.times_s(k, k + 1)[0])) for t_s in (start_s, stop_s)
        )
        if first >= after:
            return None
        return replace(
            self,
            first_step=self.first_step + first,
            n=after - first,
            times_s=lambda start, stop: self.times_s(first + start, first + stop),
            values=lambda start, stop, columns: self.values(first + start, first + stop, columns),
        )


def holes_of(stretches: Iterable[Stretch], fill_s: float) -> list[Hole]:
    """Return what no run goes across: longer gaps than ``fill_s``, boots, changes of pace or channels."""
    found = []
    last: Stretch | None = None
    for one in stretches:
        if last is not None:
            start_s, stop_s = last.last_s + last.step_us * 1e-6, one.first_s
            why = ""
            if one.boot_id != last.boot_id or one.first_step < last.next_step:
                why = "boot"
            elif one.step_us != last.step_us:
                why = "pace"
            elif one.channels != last.channels:
                why = "clamp"
            elif stop_s - start_s > fill_s:
                why = "gap"
            if why:
                found.append(Hole(min(start_s, stop_s), stop_s, why))
        last = one
    return found
