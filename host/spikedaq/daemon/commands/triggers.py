"""Operations on triggers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from spikedaq.daemon.bench import Bench
from spikedaq.daemon.commands.operation import Operation, flag, shown, text
from spikedaq.daemon.config_file import trigger_from
from spikedaq.daemon.leases import Leases
from spikedaq.daemon.trigger_config import EVERY, TriggerConfig
from spikedaq.daemon.triggers import SavedTriggers, Trigger, TriggerEngine
from spikedaq.daemon.triggers.saved import save
from spikedaq.daemon.triggers.tap import channels_of, watch_of
from spikedaq.device import nearest
from spikedaq.device.parameters import checked_pairs
from spikedaq.model import CommandRejected, ConfigError
from spikedaq.outlet import Peer

MAX_TRIGGERS = 100
"""Each costs a few microseconds per block of each device that it looks at."""


class TriggerCommands:
    """Arms, disarms, fires and lists triggers. What arming and disarming change outlasts a restart of the daemon.

    Parameters
    ----------
    folder : Path
        The data folder.
    """

    def __init__(self, bench: Bench, engine: TriggerEngine, leases: Leases, folder: Path) -> None:
        self._bench = bench
        self._engine = engine
        self._leases = leases
        self._folder = folder
        self._turn = asyncio.Lock()

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        return {
            "trigger_arm": Operation(self._arm, (), ("name", "trigger"), changes=True, wants_peer=True),
            "trigger_disarm": Operation(self._disarm, ("name",), ("forget",), changes=True),
            "trigger_fire": Operation(self._fire, ("name",), changes=True, wants_peer=True),
            "trigger_list": Operation(self._list),
        }

    async def _arm(self, peer: Peer, name: Any = None, trigger: Any = None) -> dict[str, Any]:
        if (name is None) is (trigger is None):
            raise CommandRejected(
                "'trigger_arm' needs the 'name' of a trigger that is defined, or a 'trigger' with its definition",
                code="bad_arguments",
            )
        async with self._turn:
            if trigger is None:
                found = self._trigger(name)
                self._check_leases(found, peer, by_hand=found.condition is None)
                if not found.armed:
                    await self._change({**self._engine.triggers, found.name: found}, armed=found.name)
                    found.armed = True
                    self._engine.refresh()
                found.armed_by = peer.holder
                return self._map(found)
            return self._map(await self._define(trigger, peer))

    async def _define(self, values: Any, peer: Peer) -> Trigger:
        if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
            raise CommandRejected("'trigger' must be a map, as a table [[trigger]] would be", code="bad_arguments")
        config = trigger_from(values, source="the trigger")
        new = Trigger(config, is_configured=False, armed_by=peer.holder)
        self._check(new)
        self._check_leases(new, peer, by_hand=new.condition is None)
        old = self._engine.triggers.get(config.name)
        if old is not None and old.config == config and old.armed:
            old.armed_by = peer.holder
            return old
        if old is not None and old.is_configured:
            raise CommandRejected(
                f"the trigger {config.name!r} stands in the configuration; change it there, or give this one another "
                "name",
                code="exists",
            )
        if old is not None and old.armed:
            raise CommandRejected(
                f"a trigger {config.name!r} is armed already; disarm it first, or give this one another name",
                code="exists",
            )
        if old is None and len(self._engine.triggers) >= MAX_TRIGGERS:
            raise CommandRejected(
                f"there are {MAX_TRIGGERS} triggers, which is as many as there may be; forget some: spikedaq trigger "
                "disarm NAME --forget",
                code="too_many",
            )
        after = {**self._engine.triggers, config.name: new}
        await self._change(after, armed=config.name)
        self._engine.use(list(after.values()))
        return new

    def _check(self, trigger: Trigger) -> None:
        """Refuse what names a device, channel or parameter that is not there, as far as it is known by now."""
        config = trigger.config
        for name in (*config.devices, *config.targets):
            if name != EVERY:
                self._bench.member(name)
        for name in trigger.devices:
            self._check_device(trigger, name)
        for command in config.commands:
            if command.device:
                self._bench.member(command.device)
            for name in [command.device] if command.device else trigger.devices:
                info = self._bench.member(name).device.info
                if command.do == "set" and info is not None:
                    checked_pairs(name, info, command.values or {})

    def _check_device(self, trigger: Trigger, name: str) -> None:
        info = self._bench.member(name).device.info
        if info is not None:
            try:
                watch_of(trigger, channels_of(info))
            except ConfigError as error:
                raise ConfigError(f"trigger {trigger.name!r} on {name}: {error}") from None

    def _check_leases(self, trigger: Trigger, peer: Peer, *, by_hand: bool) -> None:
        """Refuse commands to a device that somebody else has the lease of."""
        for name in sorted(trigger.commanded(list(self._bench.members), by_hand=by_hand)):
            self._leases.check(name, peer.holder)

    async def _disarm(self, _: str, name: str, forget: Any = False) -> dict[str, Any]:
        forgets = flag(forget, "forget")
        async with self._turn:
            trigger = self._trigger(name)
            if forgets and trigger.is_configured:
                raise CommandRejected(
                    f"the trigger {name!r} stands in the configuration; take it out there", code="bad_arguments"
                )
            after = {key: value for key, value in self._engine.triggers.items() if not forgets or value is not trigger}
            await self._change(after, disarmed=trigger.name)
            trigger.armed = False
            self._engine.use(list(after.values()))
            return self._map(trigger)

    async def _fire(self, peer: Peer, name: str) -> dict[str, Any]:
        trigger = self._trigger(name)
        if not trigger.armed:
            raise CommandRejected(
                f"the trigger {name!r} is disarmed; arm it first: spikedaq trigger arm {name}", code="wrong_state"
            )
        self._check_leases(trigger, peer, by_hand=True)
        return self._engine.fire(trigger, by=peer.holder)

    async def _list(self, _: str) -> list[dict[str, Any]]:
        return [self._map(trigger) for trigger in self._engine.triggers.values()]

    def _map(self, trigger: Trigger) -> dict[str, Any]:
        return {**trigger.to_map(), "suppressed": self._engine.suppressed(trigger)}

    def _trigger(self, name: Any) -> Trigger:
        found = self._engine.triggers.get(text(name, "name"))
        if found is None:
            message = f"there is no trigger {shown(name)}; {nearest(name[:80], self._engine.triggers)}"
            raise CommandRejected(message, code="unknown_trigger")
        return found

    async def _change(self, after: dict[str, Trigger], *, armed: str = "", disarmed: str = "") -> None:
        """Keep what is about to be changed; nothing is where it cannot be kept."""
        defined: list[TriggerConfig] = [t.config for t in after.values() if not t.is_configured]
        idle = [t.name for t in after.values() if (not t.armed and t.name != armed) or t.name == disarmed]
        await asyncio.to_thread(save, self._folder, SavedTriggers(defined, idle))
        self._engine.kept()
