"""When rows were made, for boards that do not say: from when they arrived.

A row cannot have been made after it arrived, and between making and arrival lies a latency that varies. Rows come
evenly, so the earliest arrivals of the last second (each brought forward by the rows between) say where all others
belong: what they are late is jitter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_BUCKET_NS: Final = 50_000_000
_BUCKETS: Final = 200  # ten seconds, over which the period and the jitter are measured
_ENVELOPE: Final = 20  # one second, in which a loss of rows, which nobody announces, is taken into account
_CHANGE_BUCKETS: Final = 60  # three seconds: a change of the period that lasts
_CHANGE: Final = 0.1
_SNAP: Final = 0.02


@dataclass(slots=True)
class _Bucket:
    """The least late arrival of 50 ms, and how late the latest was."""

    start_ns: int
    row: int
    t_ns: int
    late_ns: float


class ArrivalClock:
    """Times of rows on the host's clock.

    Parameters
    ----------
    period_us : float
        First guess of the time between rows.
    """

    def __init__(self, period_us: float) -> None:
        self.period_ns = period_us * 1000
        self._buckets: deque[_Bucket] = deque(maxlen=_BUCKETS)

    def came(self, row: int, t_ns: int) -> None:
        """Take the number of a row, counted from 0, that was complete when the link was read at ``t_ns``."""
        late_ns = t_ns - self.time_ns(row) if self._buckets else 0.0
        newest = self._buckets[-1] if self._buckets else None
        if newest is None or t_ns - newest.start_ns >= _BUCKET_NS:
            self._buckets.append(_Bucket(t_ns, row, t_ns, max(0.0, late_ns)))
            self._measure()
            return
        newest.late_ns = max(newest.late_ns, late_ns)
        if t_ns - newest.t_ns <= (row - newest.row) * self.period_ns:
            newest.row, newest.t_ns = row, t_ns

    def time_ns(self, row: int) -> float:
        """Host time at which a row would have arrived with the least latency of the last second."""
        recent = list(self._buckets)[-_ENVELOPE:]
        if not recent:
            return 0.0
        # Relative to the newest, so that floats of nanoseconds keep their last digits.
        newest = recent[-1]
        least = min(b.t_ns - newest.t_ns - (b.row - newest.row) * self.period_ns for b in recent)
        return newest.t_ns + (row - newest.row) * self.period_ns + least

    @property
    def jitter_ns(self) -> float:
        """How late the latest arrival of the last ten seconds was."""
        return max((bucket.late_ns for bucket in self._buckets), default=0.0)

    def sped(self, period_us: float) -> None:
        """Take a new period that the host has set; what was measured before says nothing any more."""
        self.period_ns = period_us * 1000
        newest = self._buckets[-1] if self._buckets else None
        self._buckets.clear()
        if newest is not None:
            newest.late_ns = 0.0
            self._buckets.append(newest)

    def lasting_period_us(self, nominal_us: float) -> float | None:
        """Return the period that has held for three seconds, if it is another than the nominal one; else None."""
        recent = list(self._buckets)[-_CHANGE_BUCKETS:]
        if len(recent) < _CHANGE_BUCKETS:
            return None
        # The median of short stretches: losses lengthen a few of them, and count for nothing.
        stretches = sorted(
            (b.t_ns - a.t_ns) / (b.row - a.row) for a, b in zip(recent, recent[4:], strict=False) if b.row > a.row
        )
        if not stretches:
            return None
        quarter, median, three_quarters = (stretches[len(stretches) * k // 4] for k in (1, 2, 3))
        if three_quarters - quarter > _CHANGE * median:
            return None  # in the middle of a change
        return median / 1000 if abs(median / 1000 - nominal_us) > _CHANGE * nominal_us else None

    def _measure(self) -> None:
        first, last = self._buckets[0], self._buckets[-1]
        if last.row > first.row and last.t_ns - first.t_ns >= 20 * _BUCKET_NS:
            self.period_ns = (last.t_ns - first.t_ns) / (last.row - first.row)


def nominal_period_us(measured_us: float, usual_us: Iterable[int]) -> int:
    """Return the usual period that a measured one is, within 2 %, or the measured one with three digits."""
    for usual in usual_us:
        if abs(measured_us - usual) <= _SNAP * usual:
            return int(usual)
    grain: int = max(1, 10 ** (len(str(int(measured_us))) - 3))
    return max(1, round(measured_us / grain) * grain)


USUAL_PERIODS_US: Final = (2000, 3000, 20000, 10000, 4000, 1000, 400, 200)
"""Loop periods of the stock firmwares and of their GUI's speed slider."""
