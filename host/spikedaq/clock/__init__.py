"""From device ticks to host time: widening, fit with uncertainty, and the map that samples are timed with. Pure."""

from spikedaq.clock.drift import ClockDrift
from spikedaq.clock.fit import ClockFit, Estimate
from spikedaq.clock.unwrap import unwrap_tick, unwrap_ticks

__all__ = ["ClockDrift", "ClockFit", "Estimate", "unwrap_tick", "unwrap_ticks"]
