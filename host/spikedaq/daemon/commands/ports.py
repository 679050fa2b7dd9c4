"""Operations on the ports of this computer and the boards found there."""

from __future__ import annotations

import asyncio
from typing import Any

from spikedaq.daemon.bench import Bench
from spikedaq.daemon.board_names import BoardNames
from spikedaq.daemon.commands.operation import Operation, text
from spikedaq.daemon.config import DeviceConfig
from spikedaq.daemon.discovery import Discovery
from spikedaq.model import CommandRejected, check_session_name


class PortCommands:
    """Shows what was found, looks again, names boards."""

    def __init__(self, bench: Bench, discovery: Discovery, names: BoardNames) -> None:
        self._bench = bench
        self._discovery = discovery
        self._names = names

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        return {
            "ports": Operation(self._ports),
            "rescan": Operation(self._rescan, changes=True),
            "name_device": Operation(self._name, ("device", "name"), changes=True),
        }

    async def _ports(self, _: str) -> list[dict[str, Any]]:
        return [port.to_map() for port in self._discovery.ports]

    async def _rescan(self, _: str) -> None:
        self._discovery.rescan()

    async def _name(self, _: str, device: str, name: str) -> dict[str, Any]:
        check_session_name(text(name, "name"), "device name")
        async with self._bench.changing:
            unique_id = await self._rename(device, name)
        self._discovery.rescan()
        return {"unique_id": unique_id, "name": name}

    async def _rename(self, device: str, name: str) -> str:
        member = self._bench.member(device)
        unique_id = member.config.unique_id
        if member.is_configured or unique_id is None:
            message = f"{device!r} has its name from the configuration; change it there, then: spikedaq reload"
            raise CommandRejected(message, code="configured")
        if name in self._bench.members:
            raise CommandRejected(f"the bench has a device {name!r} already; choose another name", code="exists")
        self._bench.check_idle([device], what="given another name")
        await asyncio.to_thread(self._names.give, unique_id, name)
        await self._bench.remove([device])
        self._bench.add(DeviceConfig(name, unique_id=unique_id), is_configured=False)
        return unique_id
