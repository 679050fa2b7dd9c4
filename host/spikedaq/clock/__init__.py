"""From device ticks to host time: widening, fit with uncertainty, and the map that samples are timed with. Pure."""

from spikedaq.clock.corridor import NOMINAL_NS_PER_TICK
from spikedaq.clock.drift import ClockDrift
from spikedaq.clock.fit import ClockFit, Estimate
from spikedaq.clock.unpaced import UnpacedClock
from spikedaq.clock.unwrap import unwrap_tick, unwrap_ticks

__all__ = ["NOMINAL_NS_PER_TICK", "ClockDrift", "ClockFit", "Estimate", "UnpacedClock", "unwrap_tick", "unwrap_ticks"]
