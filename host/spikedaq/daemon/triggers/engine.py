"""The triggers of a bench: looked for on every device, written into the journals, told, and acted upon."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import structlog

from spikedaq.daemon.alarms import AlarmKind, Alarms
from spikedaq.daemon.bench import Bench
from spikedaq.daemon.config import DaemonConfig
from spikedaq.daemon.journals import Journals
from spikedaq.daemon.leases import Leases
from spikedaq.daemon.member import Member
from spikedaq.daemon.trigger_config import EVERY, TriggerConfig
from spikedaq.daemon.triggers.orders import Order, OrderQueue
from spikedaq.daemon.triggers.saved import SavedTriggers
from spikedaq.daemon.triggers.tap import Tap
from spikedaq.daemon.triggers.trigger import Trigger
from spikedaq.device import nearest
from spikedaq.journal import TriggerRecord
from spikedaq.model import ClockMap
from spikedaq.trigger import Firing

log = structlog.get_logger(__name__)


class TriggerEngine:
    """Holds the triggers, and does what they say when they fire.

    Firing happens in the read callback of a device: records and messages are written at once, commands go to a queue
    for each device, so that nothing here waits.

    Parameters
    ----------
    saved : SavedTriggers
        What requests changed before the last end of the daemon.
    now_ns : callable
        CLOCK_BOOTTIME.

    Attributes
    ----------
    triggers : dict
        By name, armed or not. Never changed in place but replaced.
    """

    def __init__(
        self,
        config: DaemonConfig,
        bench: Bench,
        journals: Journals,
        alarms: Alarms,
        *,
        saved: SavedTriggers,
        leases: Leases,
        now_ns: Callable[[], int],
    ) -> None:
        self._bench = bench
        self._journals = journals
        self._alarms = alarms
        self._leases = leases
        self._now_ns = now_ns
        self._taps: dict[str, Tap] = {}
        self._orders: dict[str, OrderQueue] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self.triggers: Mapping[str, Trigger] = {}
        configured = {trigger.name for trigger in config.triggers}
        self.use(
            [Trigger(c, is_configured=True, armed=c.name not in saved.disarmed) for c in config.triggers]
            + [
                Trigger(c, is_configured=False, armed=c.name not in saved.disarmed)
                for c in saved.defined
                if c.name not in configured
            ]
        )
        bench.comings.append(self._came)
        bench.goings.append(self._went)
        for member in bench.members.values():
            self._came(member)

    async def run(self) -> None:
        """Carry out commands until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for name in self._orders:
                self._launch(name)
            await asyncio.Event().wait()

    # ---- which triggers there are ----

    def use(self, triggers: list[Trigger]) -> None:
        """Have these triggers from now on, armed or not."""
        for name, trigger in self.triggers.items():
            if trigger not in triggers:
                trigger.armed = False
                self._alarms.clear(AlarmKind.TRIGGER_UNUSABLE, name)
        self.triggers = {trigger.name: trigger for trigger in triggers}
        self.refresh()

    def refresh(self) -> None:
        """Take up which triggers are armed, and which devices there are."""
        members = self._bench.members
        for trigger in self.triggers.values():
            config = trigger.config
            named = dict.fromkeys((*config.devices, *config.targets, *(c.device for c in config.commands)))
            missing = [name for name in named if name not in ("", EVERY) and name not in members and trigger.armed]
            trigger.absent = [f"the bench has no device {name!r}; {nearest(name, members)}" for name in missing]
            if not trigger.armed:
                trigger.problems.clear()
            self._tell(trigger)
        self._end_alarms()
        for name, tap in self._taps.items():
            tap.use([trigger for trigger in self.triggers.values() if trigger.looks_at(name)])

    def configure(self, _: DaemonConfig, now: DaemonConfig) -> None:
        """Take up another configuration; triggers that are the same go on undisturbed."""
        new = [self._configured(config) for config in now.triggers]
        names = {trigger.name for trigger in new}
        requested = [t for t in self.triggers.values() if not t.is_configured]
        for trigger in requested:
            if trigger.name in names:
                log.warning(
                    "a trigger of the configuration takes the place of one that was armed", trigger=trigger.name
                )
        self.use([*new, *(trigger for trigger in requested if trigger.name not in names)])

    def _configured(self, config: TriggerConfig) -> Trigger:
        """Return a trigger of the configuration: as it is, or as it is now, armed as the one of its name was."""
        old = self.triggers.get(config.name)
        if old is None:
            return Trigger(config, is_configured=True)
        if old.is_configured and old.config == config:
            return old
        return Trigger(config, is_configured=True, armed=old.armed, armed_by=old.armed_by)

    def kept(self) -> None:
        """Take it that triggers.json could be written: it can be read again."""
        self._alarms.clear(AlarmKind.TRIGGER_UNUSABLE, "")

    def suppressed(self, trigger: Trigger) -> int:
        """How many firings of a trigger its hold-off has left out."""
        return trigger.suppressed + sum(tap.suppressed(trigger) for tap in self._taps.values())

    def _came(self, member: Member) -> None:
        self._taps[member.name] = tap = Tap(member, self.fired, self._problem)
        self._orders[member.name] = OrderQueue(member, self._alarms, self._leases, self._now_ns)
        member.tee.listeners += (tap,)
        self._launch(member.name)
        self.refresh()

    def _went(self, member: Member) -> None:
        tap = self._taps.pop(member.name)
        tap.use([])
        self._orders.pop(member.name).close()
        task = self._tasks.pop(member.name, None)
        if task is not None:
            task.cancel()
        self._alarms.clear(AlarmKind.TRIGGER_COMMAND, member.name)
        for trigger in self.triggers.values():
            trigger.problems.pop(member.name, None)
        self.refresh()

    def _launch(self, name: str) -> None:
        if self._group is not None:
            self._tasks[name] = self._group.create_task(self._orders[name].run(), name=f"trigger commands {name}")

    def _end_alarms(self) -> None:
        """End the alarms about commands to devices that no armed trigger has any for."""
        bench = list(self._bench.members)
        armed = [trigger for trigger in self.triggers.values() if trigger.armed]
        commanded = {name for t in armed for by_hand in (False, True) for name in t.commanded(bench, by_hand=by_hand)}
        for name in set(bench) - commanded:
            self._alarms.clear(AlarmKind.TRIGGER_COMMAND, name)

    def _problem(self, trigger: Trigger, device: str, text: str) -> None:
        if text:
            trigger.problems[device] = text
        else:
            trigger.problems.pop(device, None)
        self._tell(trigger)

    def _tell(self, trigger: Trigger) -> None:
        problems = [*trigger.absent, *trigger.problems.values()]
        if problems:
            text = f"trigger {trigger.name!r} cannot do all that it should: {'; '.join(problems)}"
            self._alarms.put(AlarmKind.TRIGGER_UNUSABLE, trigger.name, text)
        else:
            self._alarms.clear(AlarmKind.TRIGGER_UNUSABLE, trigger.name)

    # ---- firing ----

    def fired(self, trigger: Trigger, member: Member, firing: Firing, clock_map: ClockMap | None) -> None:
        """Do what a trigger says that came true on a device."""
        now_ns = self._now_ns()
        t_ns, u_ns = now_ns, None
        if clock_map is not None and clock_map.boot_id == firing.boot_id:
            t_ns, u_ns = clock_map.host_ns(firing.tick), clock_map.uncertainty_ns
        at = (member.name, firing.boot_id, firing.step, firing.tick, t_ns, firing.value)
        record = TriggerRecord(now_ns, trigger.name, *at, *trigger.config.window_us)
        self._act(trigger, record, u_ns, by=trigger.armed_by)

    def fire(self, trigger: Trigger, *, by: str | None) -> dict[str, Any]:
        """Fire a trigger by hand, now, in the name of ``by`` (`Peer.holder`); return what was done."""
        now_ns = self._now_ns()
        at = ("", 0, 0, 0, now_ns, math.nan)  # docs/reference/journal.md, record 77: no device's boot, step or tick
        return self._act(trigger, TriggerRecord(now_ns, trigger.name, *at, *trigger.config.window_us), 0, by=by)

    def _act(self, trigger: Trigger, record: TriggerRecord, u_ns: int | None, *, by: str | None) -> dict[str, Any]:
        trigger.firings += 1
        device, members = record.device, self._bench.members
        targets = trigger.targets(device, list(members))
        written = self._write(record, targets, trigger.firings, u_ns)
        if device and device not in targets:
            # Marked where it happened, even if only others are recorded.
            written += self._write(replace(record, pre_us=0, post_us=0), [device], trigger.firings, u_ns)
        for command in trigger.config.commands:
            # By hand it fires nowhere: a command that names no device then goes to all that it is about.
            for name in [command.device or device] if command.device or device else targets:
                orders = self._orders.get(name)
                if orders is not None:
                    orders.put(Order(trigger, command, record.t_trigger_ns, by))
                else:
                    trigger.commands["failed"] += 1
        trigger.last = {
            "device": device,
            "boot": record.boot_id,
            "step": record.step,
            "tick": record.tick,
            "t_ns": record.t_trigger_ns,
            "value": None if math.isnan(record.value) else record.value,
            "written": written,
        }
        return {"trigger": trigger.name, "firings": trigger.firings, **trigger.last}

    def _write(self, record: TriggerRecord, devices: list[str], number: int, u_ns: int | None) -> list[str]:
        """Put a record into the journals of these devices, and tell who listens; return where there was a journal."""
        written = []
        for name in devices:
            journal, member = self._journals.get(name), self._bench.members.get(name)
            if member is None:
                continue
            if journal is not None:
                journal.trigger(record)
                written.append(name)
            member.outlet.fired(record, number, u_ns)
        return written
