"""The map from a device's clock to the host's, as it is journalled and applied."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClockMap:
    """One piece of the continuous, monotone map from device ticks to host time.

    It holds from ``tick0`` on, until the next piece of the same boot. Where two pieces meet they agree.

    Attributes
    ----------
    boot_id : int
        Boot of the device; ticks of different boots have nothing in common.
    tick0 : int
        Device tick (64 bit, microseconds) at which this piece starts.
    t_host0_ns : int
        CLOCK_BOOTTIME nanoseconds of the host at ``tick0``.
    ns_per_tick : float
        Slope; 1000.0 for a device clock that agrees with the host's, less for a replay that is faster than life.
    uncertainty_ns : int
        Half-width of the interval that holds the true host time, as measured from ping round trips.
    """

    boot_id: int
    tick0: int
    t_host0_ns: int
    ns_per_tick: float
    uncertainty_ns: int

    def host_ns(self, tick: int) -> int:
        """Host time (CLOCK_BOOTTIME nanoseconds) of a widened tick."""
        return self.t_host0_ns + round((tick - self.tick0) * self.ns_per_tick)

    def tick(self, t_host_ns: int) -> int:
        """Device tick at a host time, by this piece."""
        return self.tick0 + round((t_host_ns - self.t_host0_ns) / self.ns_per_tick)
