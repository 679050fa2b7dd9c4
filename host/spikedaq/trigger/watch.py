"""A condition on one device: blocks and events in, firings out. However the stream is cut, the firings are the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from spikedaq.model import Block, ChannelInfo, ClampMode, ConfigError, Event
from spikedaq.trigger.conditions import Condition, Firing, Level, OnEvent, SpikeCount
from spikedaq.trigger.detectors import Detector, LevelDetector, SpikeDetector, StimulusDetector

MIN_HOLDOFF_US = 1000
"""At most a thousand firings a second: each is a record and a message, and noise about a level fires often."""
VM = "vm"
LOOP_START = "trigger"
_CLAMPED = 8
_NONE: Sequence[Firing] = ()


class Watch:
    """Looks for one condition in what one device sends.

    What a condition over samples remembers lasts for a *stretch*: samples without a gap, of one boot, one step period
    and one clamp mode. After the end of one nothing fires before the new stretch has shown the other side of the level,
    and no spike of the old one counts. The hold-off goes on over the stretches of a boot.

    Parameters
    ----------
    channels : map
        Channels by clamp mode; an empty sequence for a mode that the device does not have.
    holdoff_us : int
        A firing less than this after the last one is left out; in microseconds of the device's clock.

    Attributes
    ----------
    suppressed : int
        Firings left out.

    Raises
    ------
    ConfigError
        The device has no such channel in any mode.
    """

    def __init__(
        self,
        condition: Condition,
        channels: Mapping[ClampMode, Sequence[ChannelInfo]],
        *,
        holdoff_us: int = MIN_HOLDOFF_US,
    ) -> None:
        self.suppressed = 0
        self._on = condition if isinstance(condition, OnEvent) else None
        self._holdoff_us = max(holdoff_us, MIN_HOLDOFF_US)
        self._detectors = {bool(mode is ClampMode.VOLTAGE): _detector(condition, mode, channels) for mode in ClampMode}
        if self._on is None and not any(self._detectors.values()):
            name = condition.channel if isinstance(condition, Level) else VM
            name = name if isinstance(condition, Level | SpikeCount) else LOOP_START
            known = ", ".join(dict.fromkeys(c.name for mode in ClampMode for c in channels.get(mode, ())))
            raise ConfigError(f"there is no channel {name!r}; there are: {known}")
        self._detector: Detector | None = None
        self._boot_id = -1
        self._next_step = -1
        self._step_us = 0
        self._clamped = False
        self._last_tick: int | None = None

    @property
    def on_events(self) -> bool:
        """Whether it looks at events, else at blocks."""
        return self._on is not None

    def block(self, block: Block) -> Sequence[Firing]:
        """Take the next block; return the firings in it, in order."""
        if block.stream:
            return _NONE
        first_step, samples = block.first_step, block.samples
        clamped = bool(int(block.flags) & _CLAMPED)
        if (
            first_step != self._next_step
            or block.boot_id != self._boot_id
            or block.step_us != self._step_us
            or clamped is not self._clamped
        ):
            self._begin(block, clamped)
        self._next_step = first_step + len(samples)
        if self._detector is None:
            return _NONE
        found = self._detector.find(samples, first_step)
        if not found:
            return _NONE
        first_tick, step_us, boot_id = block.first_tick, block.step_us, block.boot_id
        return [
            Firing(boot_id, first_step + k, tick, value)
            for k, value in found
            if self._passes(tick := first_tick + k * step_us)
        ]

    def event(self, event: Event) -> Sequence[Firing]:
        """Take an event; return the firing, if it is one."""
        on = self._on
        if on is None or on.kind not in (None, event.kind) or on.index not in (None, event.index):
            return _NONE
        if event.boot_id != self._boot_id:
            self._boot_id, self._last_tick = event.boot_id, None
        if not self._passes(event.tick):
            return _NONE
        return [Firing(event.boot_id, event.step, event.tick, event.value)]

    def _begin(self, block: Block, clamped: bool) -> None:
        if block.boot_id != self._boot_id:
            self._boot_id, self._last_tick = block.boot_id, None
        self._step_us, self._clamped = block.step_us, clamped
        self._detector = self._detectors[clamped]
        if self._detector is not None:
            self._detector.reset(block.step_us)

    def _passes(self, tick: int) -> bool:
        last_tick = self._last_tick
        if last_tick is not None and tick - last_tick < self._holdoff_us:
            self.suppressed += 1
            return False
        self._last_tick = tick
        return True


def _detector(
    condition: Condition, mode: ClampMode, channels: Mapping[ClampMode, Sequence[ChannelInfo]]
) -> Detector | None:
    """Return what looks for the condition in a clamp mode, or None where it has no meaning there."""
    by_name = {channel.name: (channel, index) for index, channel in enumerate(channels.get(mode, ()))}
    if isinstance(condition, Level):
        found = by_name.get(condition.channel)
        return LevelDetector(condition, *found) if found else None
    if isinstance(condition, SpikeCount):
        # In voltage clamp v is held, and there are no spikes (protocol/README.md, section 4.4).
        found = by_name.get(VM) if mode is ClampMode.CURRENT else None
        return SpikeDetector(condition, *found) if found else None
    if isinstance(condition, OnEvent):
        return None
    found = by_name.get(LOOP_START)
    return StimulusDetector(found[1]) if found else None
