"""Operations on the configuration."""

from __future__ import annotations

from typing import Any

from spikedaq.daemon.commands.operation import Operation
from spikedaq.daemon.reload import Reloader


class ConfigurationCommands:
    """Shows the effective configuration, and reads it anew."""

    def __init__(self, reloader: Reloader) -> None:
        self._reloader = reloader

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        return {
            "configuration": Operation(self._show),
            "reload": Operation(self._reload, changes=True, every_lease=True),
        }

    async def _show(self, _: str) -> dict[str, Any]:
        return self._reloader.to_map()

    async def _reload(self, who: str) -> dict[str, Any]:
        return {"changes": await self._reloader.reload(who)}
