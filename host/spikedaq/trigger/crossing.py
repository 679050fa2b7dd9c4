"""Where the samples of one channel cross a threshold, with hysteresis, block after block."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from spikedaq.model import ChannelInfo, ConfigError

Column = npt.NDArray[np.int16]
_NOWHERE: list[int] = []


class Crossing:
    """Finds the first sample at or beyond ``fire`` after one at or beyond ``arm`` on the other side.

    Parameters
    ----------
    fire, arm : int
        Raw values; ``arm < fire`` where ``upward``, ``arm > fire`` otherwise.
    """

    def __init__(self, fire: int, arm: int, *, upward: bool) -> None:
        self._fire = fire
        self._arm = arm
        self._upward = upward
        self._armed = False

    def reset(self) -> None:
        """Forget what came before: the next sample cannot fire."""
        self._armed = False

    def find(self, column: Column) -> list[int]:
        """Return where in these samples, which follow the last ones, it fires.

        One pass over the column decides whether there is anything to look for; nearly always there is not.
        """
        if self._upward:
            if self._armed:
                if np.maximum.reduce(column) < self._fire:
                    return _NOWHERE
            elif np.minimum.reduce(column) > self._arm:
                return _NOWHERE
            beyond, back = column >= self._fire, column <= self._arm
        else:
            if self._armed:
                if np.minimum.reduce(column) > self._fire:
                    return _NOWHERE
            elif np.maximum.reduce(column) < self._arm:
                return _NOWHERE
            beyond, back = column <= self._fire, column >= self._arm
        decided = np.flatnonzero(beyond | back)
        fires = beyond[decided]
        armed = np.empty_like(fires)
        armed[0] = self._armed
        np.logical_not(fires[:-1], out=armed[1:])
        self._armed = not fires[-1]
        found: list[int] = decided[fires & armed].tolist()
        return found


def crossing(channel: ChannelInfo, level: float, *, rising: bool, hysteresis: float = 0.0) -> Crossing:
    """Return what finds the crossings of a level in a channel's unit, exact for every raw value.

    Raises
    ------
    ConfigError
        The channel has a scale of 0, or the level is no number.
    """
    if not channel.scale_mantissa:
        raise ConfigError(f"channel {channel.name!r} has the scale 0, so no level of it can be passed; use another")
    if not (math.isfinite(level) and math.isfinite(hysteresis)):
        raise ConfigError(f"the level {level} with hysteresis {hysteresis} is no number; give one in {channel.unit}")
    fire = _raw(channel, Fraction(str(level)))
    away = Fraction(str(hysteresis))
    arm = _raw(channel, Fraction(str(level)) + (-away if rising else away))
    # With a negative scale raw values fall where the quantity rises.
    if rising == (channel.scale_mantissa > 0):
        return Crossing(math.ceil(fire), math.ceil(arm) - 1, upward=True)
    return Crossing(math.floor(fire), math.floor(arm) + 1, upward=False)


def _raw(channel: ChannelInfo, value: Fraction) -> Fraction:
    """Raw value, not rounded, of a value in the channel's unit: the inverse of what `ChannelInfo` says."""
    return (value / Fraction(10) ** channel.scale_exponent - channel.offset_mantissa) / channel.scale_mantissa
