"""What timed pings leave open of how a device's clock stands to the host's."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

NOMINAL_NS_PER_TICK: Final = 1000.0
MAX_SLOPE_ERROR: Final = 0.01
"""Ceramic resonators, as on an Arduino Nano, are up to 0.5 % off; beyond 1 % a UART would not work either."""
# How fast a clock may change its speed, in ns per s²: 20 ppm per hour, a crystal warming by some 20 degrees.
_MAX_BEND: Final = 20e3 / 3600

_GRID: Final = np.linspace(-1.0, 1.0, 17)
_LEVELS: Final = 7  # each narrows the slope 8-fold: 1 % / 8**7 is 0.005 ppm
_UNIT_GRID: Final = np.linspace(0.0, 1.0, 33)
# Distances from a slope, as shares of it, at which its neighbours are tried: 0.01 ppm to 1 %, each twice the last.
_OUTWARD: Final = np.concatenate(([0.0], 1e-8 * 2.0 ** np.arange(21)))
_REACH_NS: Final = 1e9

FloatArray = npt.NDArray[np.float64]
Ping = tuple[int, int, int]
"""t_send_ns, t_receive_ns, tick."""


class Corridor:
    """What some pings leave open, relative to the newest of them and to the slope that the clock should have.

    Parameters
    ----------
    pings : list of Ping
    nominal : float
        That slope, in nanoseconds per tick.
    """

    def __init__(self, pings: list[Ping], nominal: float = NOMINAL_NS_PER_TICK) -> None:
        t0, _, tick0 = pings[-1]
        self._nominal = nominal
        self._ticks: FloatArray = np.array([p[2] - tick0 for p in pings], np.float64)
        base = self._ticks * nominal
        # The line is the clock's tangent at the newest ping; a clock whose speed changes parts from it with age.
        bend = 0.5 * _MAX_BEND * (base / 1e9) ** 2
        # A tick is read as a whole number, rounded down.
        self._sent: FloatArray = np.array([p[0] - t0 - nominal for p in pings], np.float64) - base - bend
        self._received: FloatArray = np.array([p[1] - t0 for p in pings], np.float64) - base + bend

    def bounds(self, slopes: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest offset at each slope; both arrays of shape (n_slopes,)."""
        run = slopes[:, None] * self._ticks
        return (self._sent - run).max(axis=1), (self._received - run).min(axis=1)

    def widest(self) -> tuple[float, float]:
        """Slope that leaves the widest corridor, and that width, which is a concave function of the slope."""
        centre, radius, width = 0.0, MAX_SLOPE_ERROR * self._nominal, 0.0
        for _ in range(_LEVELS):
            slopes = centre + radius * _GRID
            low, high = self.bounds(slopes)
            best = int((high - low).argmax())
            centre, width = float(slopes[best]), float(high[best] - low[best])
            radius /= 8
        return centre, width

    def nearest(self, preferred: float, best: float, least_width: float) -> float:
        """Slope nearest to the preferred one whose corridor is wide enough: a short window must not make it wild."""
        slopes = preferred + (best - preferred) * _UNIT_GRID
        low, high = self.bounds(slopes)
        enough = high - low >= least_width
        return float(slopes[int(enough.argmax())]) if enough.any() else best

    def offset(self, slope: float, best: float) -> tuple[float, float]:
        """Middle of the corridor at a slope, and how far the truth may be from it at the newest ping and a second on.

        The truth may have any slope that leaves the corridor open; its bounds are searched outwards from the best.
        """
        outward = _OUTWARD * self._nominal
        slopes = np.concatenate((best - outward, best + outward, [slope]))
        low, high = self.bounds(slopes)
        middle = float(low[-1] + high[-1]) / 2
        possible = high >= low
        possible[-1] = True
        aside = np.maximum(np.abs(high - middle), np.abs(low - middle)) + np.abs(slopes - slope) * (
            _REACH_NS / self._nominal
        )
        return middle, float(aside[possible].max())
