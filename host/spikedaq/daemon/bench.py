"""The devices of a daemon: they come and go while it runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import structlog

from spikedaq.daemon.config import DeviceConfig
from spikedaq.daemon.journals import Journals
from spikedaq.daemon.leases import BENCH, Lease, Leases
from spikedaq.daemon.live_config import LiveConfig
from spikedaq.daemon.member import Member, Opener
from spikedaq.daemon.publish import Bus
from spikedaq.device import DeviceState, nearest
from spikedaq.link import host_now_ns, open_link
from spikedaq.model import CommandRejected

log = structlog.get_logger(__name__)


class Bench:
    """All devices of the daemon, by name; they come and go while it runs.

    Parameters
    ----------
    opener : callable, optional
        Opens links.

    Attributes
    ----------
    members : dict
        Never changed in place but replaced: whoever goes through it may take its time.
    changing : asyncio.Lock
        Held by whoever adds or removes devices, from looking at what there is until it is done.
    comings, goings : list of callable
        Called with a member as it is added, before it runs, and as it is removed. They must not raise or wait.
    """

    def __init__(
        self,
        config: LiveConfig,
        journals: Journals,
        bus: Bus,
        epoch: str,
        *,
        leases: Leases,
        opener: Opener = open_link,
    ) -> None:
        self.name = config.now.bench
        self._journals = journals
        self._make = partial(
            Member, bench=self.name, epoch=epoch, bus=bus, journals=journals, leases=leases, opener=opener
        )
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self.changing = asyncio.Lock()
        self.comings: list[Callable[[Member], None]] = []
        self.goings: list[Callable[[Member], None]] = []
        self.members = {device.name: self._make(device) for device in config.now.devices}
        leases.listeners.append(self._tell_lease)

    def _tell_lease(self, what: str, lease: Lease) -> None:
        told = lease.to_map(host_now_ns(), time.time_ns())
        for member in self.members.values():
            if lease.device in (member.name, BENCH):
                member.outlet.lease(what, told)

    def tell_derived(self, device: str, what: str, stream: dict[str, Any]) -> None:
        """Publish what became of a derived stream of a device."""
        member = self.members.get(device)
        if member is not None:
            member.outlet.derived(what, stream)

    async def run(self) -> None:
        """Run every device until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for member in self.members.values():
                self._launch(member)
            await asyncio.Event().wait()

    def _launch(self, member: Member) -> None:
        if self._group is not None:
            self._tasks[member.name] = self._group.create_task(member.run(), name=f"device {member.name}")

    def add(self, config: DeviceConfig, *, is_configured: bool = True) -> Member:
        """Begin to serve a device.

        Raises
        ------
        CommandRejected
            Its name is taken.
        """
        if config.name in self.members:
            raise CommandRejected(f"the bench has a device {config.name!r} already", code="exists")
        member = self._make(config, is_configured=is_configured)
        self.members = {**self.members, member.name: member}
        for tell in self.comings:
            tell(member)
        self._launch(member)
        log.info("device added", device=member.name, link=member.device.url)
        return member

    def check_idle(self, names: Sequence[str], *, what: str) -> None:
        """Raise `CommandRejected` if one of these devices is being recorded; ``what`` is about to be done to them."""
        recorded = [name for name in names if name in self._journals.pinned]
        if recorded:
            raise CommandRejected(
                f"{', '.join(recorded)} cannot be {what}: it is being recorded; stop the recording first", code="busy"
            )

    async def remove(self, names: Sequence[str]) -> None:
        """Stop serving devices; from the first moment on nobody finds them any more.

        Raises
        ------
        CommandRejected
            One is being recorded; then nothing is done.
        """
        self.check_idle(names, what="removed")
        gone = [self.members[name] for name in names if name in self.members]
        self.members = {name: member for name, member in self.members.items() if name not in names}
        for member in gone:
            for tell in self.goings:
                tell(member)
        for member in gone:
            await member.device.finish()
            task = self._tasks.pop(member.name, None)
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
            member.device.retire()
            await self._journals.release(member.name)
            log.info("device removed", device=member.name)

    def member(self, name: str) -> Member:
        """Return a device by name.

        Raises
        ------
        CommandRejected
            Unknown; the text names the nearest one.
        """
        try:
            return self.members[name]
        except (KeyError, TypeError):
            message = f"the bench {self.name!r} has no device {name!r}; {nearest(str(name), self.members)}"
            raise CommandRejected(message, code="unknown_device") from None

    def check_recordable(self, names: Sequence[str] | None) -> list[str]:
        """Return the names to record (all where none are given), each of a running device.

        Raises
        ------
        CommandRejected
            Unknown, absent or stopped ones, all named.
        """
        chosen = list(dict.fromkeys(names)) if names is not None else self._recorded_by_default()
        if not chosen:
            message = "there is no device to record; plug a board in, or give spikedaqd one with --device NAME=URL"
            raise CommandRejected(message, code="unknown_device")
        members = [self.member(name) for name in chosen]
        wrong = []
        for member in members:
            state, detail = member.device.state, member.device.detail
            if state is DeviceState.STOPPED:
                wrong.append(f"{member.name} is stopped (start it: spikedaq device start {member.name})")
            elif state is not DeviceState.RUNNING:
                wrong.append(f"{member.name} is {state}" + (f" ({detail})" if detail else ""))
        if wrong:
            hint = "" if names is not None else "; or name the devices to record"
            raise CommandRejected(f"cannot record: {'; '.join(wrong)}{hint}", code="not_running")
        return chosen

    def _recorded_by_default(self) -> list[str]:
        """Every device that is to be recorded; one that nobody named only while it is here."""
        members = self.members.values()
        return [m.name for m in members if m.config.record and (m.is_configured or m.device.port is not None)]
