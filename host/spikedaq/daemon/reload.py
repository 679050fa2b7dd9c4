"""Taking up a changed configuration while everything runs: all of it, or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from spikedaq.daemon.bench import Bench
from spikedaq.daemon.config import DaemonConfig
from spikedaq.daemon.config_changes import DeviceChanges, device_changes, key_changes
from spikedaq.daemon.discovery import Discovery
from spikedaq.daemon.health import Health
from spikedaq.daemon.journals import Journals
from spikedaq.daemon.live_config import LiveConfig
from spikedaq.daemon.triggers import TriggerEngine
from spikedaq.link import host_now_ns
from spikedaq.model import CommandError, CommandRejected, ConfigError, RemoteProtocolError, SpikedaqError

log = structlog.get_logger(__name__)

Loader = Callable[[], DaemonConfig]
"""Reads the configuration anew, as the daemon's start did; raises `ConfigError`. For a thread."""


def tell_changes(
    live: LiveConfig, *, journals: Journals, discovery: Discovery, triggers: TriggerEngine, health: Health
) -> None:
    """Have everybody told of another configuration who does not look at it each time."""
    live.listeners += [
        lambda _, now: journals.set_ring(now.journal.ring_bytes),
        lambda _before, _now: discovery.look_soon(),
        triggers.configure,
        lambda _, now: health.configure(now.alarms),
    ]


class Reloader:
    """Reads the configuration again and does what changed in it.

    Parameters
    ----------
    loader : callable or None
        None where the daemon was started without a file.
    """

    def __init__(self, live: LiveConfig, bench: Bench, journals: Journals, loader: Loader | None) -> None:
        self._live = live
        self._bench = bench
        self._journals = journals
        self._loader = loader
        self._turn = asyncio.Lock()

    async def reload(self, who: str) -> list[str]:
        """Take up the configuration as it is on disk; return what changed, one line each.

        Raises
        ------
        ConfigError, CommandRejected
            It cannot be read, or something in it cannot be taken up now. Nothing was changed.
        """
        async with self._turn:
            if self._loader is None:
                raise CommandRejected(
                    "there is nothing to reload: spikedaqd was started without a configuration file; start it with "
                    "--config FILE",
                    code="no_file",
                )
            config = await asyncio.to_thread(self._loader)
            async with self._bench.changing:
                lines, devices = self._checked(config)
                lines += await self._change(config, devices)
            for line in lines:
                log.info("configuration reloaded", change=line, origin=who)
            if not lines:
                log.info("configuration reloaded, nothing has changed", origin=who)
            self._note(lines, who)
            return lines

    async def reload_logged(self) -> str | None:
        """Reload as SIGHUP asks for it: nobody waits for the answer, so that it goes to the log.

        Returns
        -------
        str or None
            Why nothing was changed.
        """
        try:
            await self.reload("SIGHUP")
        except SpikedaqError as error:
            log.error("configuration not reloaded, nothing was changed", reason=str(error))  # noqa: TRY400  a wrong file, no defect of ours
            return str(error)
        return None

    def _checked(self, config: DaemonConfig) -> tuple[list[str], DeviceChanges]:
        before = self._live.now
        keys = key_changes(before, config)
        fixed = [change for change in keys if not change.reloaded]
        if fixed:
            raise ConfigError(
                f"these keys cannot be changed while spikedaqd runs: {'; '.join(map(str, fixed))}. Restart it, or take "
                "the change back; nothing was changed"
            )
        devices = device_changes(before, config)
        members = self._bench.members
        self._bench.check_idle([name for name in devices.ended if name in members], what="changed")
        self._bench.check_idle(self._superseded(devices), what="given another name")
        taken = [d.name for d in devices.begun if d.name in members and d.name not in devices.ended]
        for name in taken:
            if members[name].is_configured or name not in self._superseded(devices):
                raise ConfigError(f"the bench has a device {name!r} already, which nobody named; choose another name")
        for device in devices.adjusted:
            if device.name in members:
                members[device.name].device.commands.check_settings(device.parameters)
        return [*map(str, keys), *devices.lines()], devices

    def _superseded(self, devices: DeviceChanges) -> list[str]:
        """Boards in use under names of ours that have got one now."""
        named = {device.unique_id for device in devices.begun if device.unique_id}
        return [m.name for m in self._bench.members.values() if not m.is_configured and m.config.unique_id in named]

    async def _change(self, config: DaemonConfig, devices: DeviceChanges) -> list[str]:
        """Do it; return what could not be set yet."""
        not_set = []
        await self._bench.remove([*devices.ended, *self._superseded(devices)])
        # From here on nothing can fail.
        self._live.change(config)
        for device in devices.begun:
            self._bench.add(device)
        for device in devices.adjusted:
            member = self._bench.members[device.name]
            added = dict(device.parameters.items() - member.config.parameters.items())
            member.config, member.device.settings = device, device.parameters
            if added and member.device.info is not None:
                try:
                    await member.device.commands.set(added, origin="configuration")
                except (CommandError, RemoteProtocolError) as error:
                    log.warning("not set yet", device=device.name, reason=str(error))
                    not_set.append(f"not set yet: {device.name}: {error}; it is set when the device is connected next")
        return not_set

    def _note(self, lines: list[str], who: str) -> None:
        """Put the change into the journals, and so into the files that are being written."""
        text = f"configuration reloaded: {'; '.join(lines)}"
        for member in self._bench.members.values() if lines else ():
            journal = self._journals.get(member.name)
            if journal is not None:
                journal.note(host_now_ns(), text, who)
                member.outlet.note(text, who)

    def to_map(self) -> dict[str, Any]:
        """Return the effective configuration as JSON values."""
        return self._live.now.to_json()
