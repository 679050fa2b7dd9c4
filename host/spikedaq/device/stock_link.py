"""The link to a translated board: what the rest of a device uses in place of the board's own."""

from __future__ import annotations

import asyncio

from spikedaq.device.translate import Translator
from spikedaq.link import Link, host_now_ns
from spikedaq.link.base import OnBytes, OnLost


class StockLink:
    """A `Link` whose bytes are frames of our protocol, on a link whose bytes are a stock board's."""

    def __init__(self, link: Link, translator: Translator) -> None:
        self.url = link.url
        self.detail = f"{link.detail}: {translator.about}"
        self.translator = translator
        self._link = link
        self._on_bytes: OnBytes | None = None
        self._delivering = False

    def start(self, on_bytes: OnBytes, on_lost: OnLost) -> None:
        """Begin to deliver; takes the board's bytes over from whoever had them."""
        self._on_bytes = on_bytes
        self._link.start(self._board_bytes, on_lost)

    def write(self, data: bytes) -> None:
        """Take frames for the board."""
        self.translator.host_bytes(data, host_now_ns())
        commands = self.translator.commands()
        if commands:
            self._link.write(commands)
        if not self._delivering:
            # Never within the caller's own call: an answer comes after its request.
            self._delivering = True
            asyncio.get_running_loop().call_soon(self._deliver, host_now_ns())

    async def close(self) -> None:
        """End it."""
        self._on_bytes = None
        await self._link.close()

    def _board_bytes(self, data: bytes, t_host_ns: int) -> None:
        self.translator.board_bytes(data, t_host_ns)
        self._deliver(t_host_ns)

    def _deliver(self, t_host_ns: int) -> None:
        self._delivering = False
        frames = self.translator.frames()
        if frames and self._on_bytes is not None:
            self._on_bytes(frames, t_host_ns)
