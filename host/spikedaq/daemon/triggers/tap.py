"""Looks at what one device sends, for every trigger that is armed on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from spikedaq.daemon.member import Member
from spikedaq.daemon.triggers.trigger import Trigger
from spikedaq.device import DeviceState
from spikedaq.model import Block, ChannelInfo, ClampMode, ClockMap, ConfigError, DeviceInfo, Event, Gap
from spikedaq.trigger import Firing, Watch
from spikedaq.wire import Log

Channels = dict[ClampMode, tuple[ChannelInfo, ...]]
OnFired = Callable[[Trigger, Member, Firing, ClockMap | None], None]
OnProblem = Callable[[Trigger, str, str], None]
"""Told a trigger, a device, and why it cannot look there; "" where it can."""

log = structlog.get_logger(__name__)


class Tap:
    """A `DeviceListener`: called after a block is in the journal and published. Nothing here raises or waits.

    The channels of a board are known once it is described; until then, and between a reboot and the new description,
    nothing is looked for.
    """

    def __init__(self, member: Member, fired: OnFired, problem: OnProblem) -> None:
        self.member = member
        self._fired = fired
        self._problem = problem
        self._triggers: Sequence[Trigger] = ()
        self._watches: dict[Trigger, Watch] = {}
        self._channels: Channels = {}
        self._on_blocks: list[tuple[Trigger, Watch]] = []
        self._on_events: list[tuple[Trigger, Watch]] = []
        self._boot_id = -1
        self._is_resolved = False

    def use(self, triggers: Sequence[Trigger]) -> None:
        """Look for these from now on; what was looked for before goes on undisturbed."""
        for trigger in self._triggers:
            if trigger not in triggers:
                self._forget(trigger)
        self._triggers = triggers
        self._resolve()

    def suppressed(self, trigger: Trigger) -> int:
        """How many firings of a trigger its hold-off has left out."""
        watch = self._watches.get(trigger)
        return watch.suppressed if watch is not None else 0

    def block(self, block: Block, clock_map: ClockMap | None) -> None:
        """Look at a block."""
        if block.boot_id != self._boot_id or not self._is_resolved:
            self._boot_id = block.boot_id
            self._resolve()
        for trigger, watch in self._on_blocks:
            try:
                for firing in watch.block(block):
                    self._fired(trigger, self.member, firing, clock_map)
            except Exception:  # noqa: BLE001  a defect in one trigger must not end the others, nor the acquisition
                self._fail(trigger)

    def event(self, event: Event, clock_map: ClockMap | None) -> None:
        """Look at an event."""
        if event.boot_id != self._boot_id or not self._is_resolved:
            self._boot_id = event.boot_id
            self._resolve()
        for trigger, watch in self._on_events:
            try:
                for firing in watch.event(event):
                    self._fired(trigger, self.member, firing, clock_map)
            except Exception:  # noqa: BLE001  a defect in one trigger must not end the others, nor the acquisition
                self._fail(trigger)

    def gap(self, gap: Gap, clock_map: ClockMap | None) -> None:
        """Pass over it: the block after a gap shows it."""

    def log(self, log: Log) -> None:
        """Pass over it."""

    def state(self, state: DeviceState, detail: str) -> None:
        """Pass over it."""

    def _resolve(self) -> None:
        """Find the channels of every trigger, once they are known."""
        info = self.member.device.info if self._triggers else None
        self._is_resolved = not self._triggers
        self._on_blocks, self._on_events = [], []
        if info is None or (self._boot_id not in (-1, info.boot_id)):
            return
        self._is_resolved = True
        channels = channels_of(info)
        if channels != self._channels:
            for trigger in list(self._watches):
                self._forget(trigger)
            self._channels = channels
        for trigger in self._triggers:
            watch = self._watches.get(trigger)
            if watch is None:
                watch = self._watch(trigger, channels)
            if watch is not None:
                (self._on_events if watch.on_events else self._on_blocks).append((trigger, watch))

    def _watch(self, trigger: Trigger, channels: Channels) -> Watch | None:
        try:
            watch = watch_of(trigger, channels)
        except ConfigError as error:
            self._problem(trigger, self.member.name, f"{self.member.name}: {error}")
            return None
        self._problem(trigger, self.member.name, "")
        if watch is not None:
            self._watches[trigger] = watch
        return watch

    def _forget(self, trigger: Trigger) -> None:
        watch = self._watches.pop(trigger, None)
        if watch is not None:
            trigger.suppressed += watch.suppressed

    def _fail(self, trigger: Trigger) -> None:
        """Leave a trigger alone that cannot be looked for because of a defect: the others, and the samples, go on."""
        log.exception("internal error, the trigger is not looked for any more", trigger=trigger.name)
        self._on_blocks = [entry for entry in self._on_blocks if entry[0] is not trigger]
        self._on_events = [entry for entry in self._on_events if entry[0] is not trigger]
        self._problem(trigger, self.member.name, f"{self.member.name}: an internal error, see the log; disarm it")


def channels_of(info: DeviceInfo) -> Channels:
    """Return a device's channels by clamp mode."""
    return {mode: info.channels_in(mode) for mode in ClampMode}


def watch_of(trigger: Trigger, channels: Channels) -> Watch | None:
    """Return what looks for a trigger on a device with these channels; None where it fires by hand only.

    Raises
    ------
    ConfigError
        There is no channel that the trigger is about.
    """
    if trigger.condition is None:
        return None
    return Watch(trigger.condition, channels, holdoff_us=round(trigger.config.holdoff_s * 1e6))
