"""One device told to several listeners."""

from __future__ import annotations

from spikedaq.device import DeviceListener, DeviceState
from spikedaq.model import Block, ClockMap, Event, Gap
from spikedaq.wire import Log


class Tee:
    """Passes what a device says to each listener in turn; what the first has published the next may refer to."""

    def __init__(self, *listeners: DeviceListener) -> None:
        self.listeners = listeners

    def block(self, block: Block, clock_map: ClockMap | None) -> None:
        """Pass a block on."""
        for listener in self.listeners:
            listener.block(block, clock_map)

    def event(self, event: Event, clock_map: ClockMap | None) -> None:
        """Pass an event on."""
        for listener in self.listeners:
            listener.event(event, clock_map)

    def gap(self, gap: Gap, clock_map: ClockMap | None) -> None:
        """Pass a gap on."""
        for listener in self.listeners:
            listener.gap(gap, clock_map)

    def log(self, log: Log) -> None:
        """Pass a device's line on."""
        for listener in self.listeners:
            listener.log(log)

    def state(self, state: DeviceState, detail: str) -> None:
        """Pass a change of state on."""
        for listener in self.listeners:
            listener.state(state, detail)
