"""Discovery on made-up ports: which are opened, and what the board behind them becomes."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from spikedaq.daemon import DaemonConfig, DeviceConfig, discovery
from spikedaq.daemon.discovery import Discovery, PortState
from spikedaq.daemon.held_links import HeldLinks
from spikedaq.daemon.live_config import LiveConfig
from spikedaq.device import DeviceState
from spikedaq.link import AssignedPort, FoundPort


class Held:
    """What a probe gives back."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.hello = SimpleNamespace(unique_id=url.encode(), board="native")

    async def close(self) -> None:
        pass


class Bench:
    """Devices that are only a name and a place."""

    def __init__(self) -> None:
        self.members: dict[str, Any] = {}
        self.changing = asyncio.Lock()

    def add(self, config: DeviceConfig, *, is_configured: bool) -> Any:
        assert self.changing.locked()
        device = SimpleNamespace(info=None, port=None, state=DeviceState.RUNNING, detail="")
        member = SimpleNamespace(
            name=config.name, config=config, is_configured=is_configured, device=device,
            assigned=AssignedPort(config.unique_id or ""),
        )  # fmt: skip
        self.members[config.name] = member
        return member


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ports that were opened, each of which resets the board behind it."""
    urls: list[str] = []

    async def open_link(url: str) -> str:
        urls.append(url)
        return url

    async def probe(url: str, _: object) -> Held:
        return Held(url)

    monkeypatch.setattr(discovery, "open_link", open_link)
    monkeypatch.setattr(discovery, "probe", probe)
    monkeypatch.setattr(discovery, "MAX_ADOPTED", 2)
    return urls


def test_a_board_too_many_is_opened_once(opened: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so, and is taken up when there is room."""

    async def run() -> None:
        bench: Any = Bench()
        names: Any = SimpleNamespace(of=lambda unique_id, _: f"board-{unique_id}")
        scanner: Any = SimpleNamespace(scan=lambda *_: [FoundPort(f"pty:/{n}", f"{n}") for n in range(3)])
        found = Discovery(LiveConfig(DaemonConfig()), bench, names, HeldLinks(), scanner=scanner, now_s=lambda: 0.0)

        async def look() -> None:
            await found.look()
            await asyncio.gather(*(port.task for port in found.ports if port.task))

        for _ in range(4):
            await look()
        assert sorted(opened) == ["pty:/0", "pty:/1", "pty:/2"]
        (last,) = [port for port in found.ports if port.state is PortState.UNNAMED]
        assert "2 boards without a name are in use, which is as many as there may be" in last.detail
        monkeypatch.setattr(discovery, "MAX_ADOPTED", 3)
        await look()
        assert last.state is PortState.USED

    asyncio.run(run())
