"""Open links on their way from the probe to the device they were opened for."""

from __future__ import annotations

from spikedaq.device import HeldLink
from spikedaq.link import Link, open_link


class HeldLinks:
    """Opens links, or gives out the one that is open already."""

    def __init__(self) -> None:
        self._links: dict[str, HeldLink] = {}

    def __contains__(self, url: str) -> bool:
        return url in self._links

    def put(self, link: HeldLink) -> None:
        """Keep an open link until it is asked for."""
        self._links[link.url] = link

    async def open(self, url: str) -> Link:
        """Open a link; raises as `open_link` does."""
        held = self._links.pop(url, None)
        return held if held is not None else await open_link(url)

    async def drop(self, url: str) -> None:
        """Close a link that nobody has asked for."""
        held = self._links.pop(url, None)
        if held is not None:
            await held.close()

    async def close(self) -> None:
        """Close them all."""
        for url in list(self._links):
            await self.drop(url)
