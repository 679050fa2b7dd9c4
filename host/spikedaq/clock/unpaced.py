"""The map of a device whose ticks keep no pace with the host's clock: a replay as fast as the host takes it."""

from __future__ import annotations

from typing import Final

from spikedaq.clock.corridor import NOMINAL_NS_PER_TICK
from spikedaq.model import ClockMap

NOTHING_KNOWN_NS: Final = 365 * 86_400 * 10**9
"""Stated as the uncertainty, for a time is needed where samples are stored: a year, more than a replay can be off."""


class UnpacedClock:
    """Times one boot of a device by its own clock, from the moment of its first pong on.

    Samples are as far apart as on the device. When they came is not told by that: they came faster, so that their times
    lie ahead of the host's clock. They are never behind it, as times before a recording's start would be.
    """

    def __init__(self, boot_id: int) -> None:
        self.boot_id = boot_id
        self._map: ClockMap | None = None
        self._pong: tuple[int, int] | None = None

    def add(self, t_send_ns: int, t_receive_ns: int, tick: int) -> None:
        """Take one ping; of the three only when its pong came, and with which tick, say anything."""
        self._pong = t_receive_ns, tick

    def estimate(self) -> None:
        """There is no fit."""
        return

    def next_map(self, newest_tick: int) -> ClockMap | None:
        """Give the map that is to hold from ``newest_tick`` on, or None where the present one will do."""
        if self._pong is None:
            return None
        t_ns, tick = self._pong
        if self._map is None:
            start_ns = t_ns + round((newest_tick - tick) * NOMINAL_NS_PER_TICK)
        elif newest_tick > self._map.tick0 and self._map.host_ns(newest_tick) < t_ns:
            start_ns = t_ns  # it was stopped, or the host is slower than the device was
        else:
            return None
        self._map = ClockMap(self.boot_id, newest_tick, start_ns, NOMINAL_NS_PER_TICK, NOTHING_KNOWN_NS)
        return self._map
