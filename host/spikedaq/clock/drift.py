"""How one computer's clock has moved against another's within a session, and times that are free of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

MAX_SKEW = 1e-3
"""Two clocks that part faster than this do not drift: one was set anew, or its computer was started anew. A quartz is
within 100 ppm, and NTP changes a clock's rate by 500 ppm at most."""
_WRITTEN = re.compile(r"\[clock start_s=(-?\d+\.\d+) stop_s=(-?\d+\.\d+) drift_ns=(-?\d+) uncertainty_ns=(\d+)\]")

_Times = TypeVar("_Times", float, npt.NDArray[np.float64])


@dataclass(frozen=True, slots=True)
class ClockDrift:
    """A clock against that of the computer which began the session, read at the session's start and at its stop.

    Attributes
    ----------
    start_s, stop_s : float
        The two readings, on the clock that drifts, in seconds since the session's reference time.
    drift_ns : int
        How far it went ahead from the one to the other.
    uncertainty_ns : int
        How wrong that may be.
    """

    start_s: float
    stop_s: float
    drift_ns: int
    uncertainty_ns: int

    @property
    def is_plausible(self) -> bool:
        """Whether this is what clocks do by themselves."""
        span_s = self.stop_s - self.start_s
        return span_s > 0 and abs(self.drift_ns) <= MAX_SKEW * span_s * 1e9 + self.uncertainty_ns

    @property
    def is_known(self) -> bool:
        """Whether it can be told from none: taking out what may be an error of the readings makes no time better."""
        return abs(self.drift_ns) > self.uncertainty_ns

    def corrected(self, times_s: _Times) -> _Times:
        """Return times without the drift, which is taken as even: exact at both readings, and linear beyond them."""
        return times_s - (times_s - self.start_s) * self._rate

    def uncorrected(self, time_s: float) -> float:
        """Return the time, as the clock told it, that is corrected to this one."""
        return (time_s - self.start_s * self._rate) / (1 - self._rate)

    def moved(self, by_s: float) -> ClockDrift:
        """Return it for times that count from another instant."""
        return replace(self, start_s=self.start_s + by_s, stop_s=self.stop_s + by_s)

    def to_note(self) -> str:
        """Return what a note in a file says of it, for `from_note`."""
        return (
            f"[clock start_s={self.start_s:.9f} stop_s={self.stop_s:.9f} drift_ns={self.drift_ns} "
            f"uncertainty_ns={self.uncertainty_ns}]"
        )

    @classmethod
    def from_note(cls, text: str) -> ClockDrift | None:
        """Return what a note says of it; None where it says nothing, or what no clock does by itself."""
        match = _WRITTEN.search(text)
        if match is None:
            return None
        found = cls(float(match[1]), float(match[2]), int(match[3]), int(match[4]))
        return found if found.is_plausible else None

    def to_map(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def _rate(self) -> float:
        return self.drift_ns / 1e9 / (self.stop_s - self.start_s)
