"""A configuration that is read anew: what is answered, and what else goes on meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spikedaq.daemon import DaemonConfig, DeviceConfig
from spikedaq.daemon.bench import Bench
from spikedaq.daemon.commands import PortCommands
from spikedaq.daemon.commands.configuration import ConfigurationCommands
from spikedaq.daemon.config import JournalConfig
from spikedaq.daemon.journals import Journals
from spikedaq.daemon.leases import Leases
from spikedaq.daemon.live_config import LiveConfig
from spikedaq.daemon.reload import Reloader
from spikedaq.link import host_now_ns
from spikedaq.model import CommandRejected

ID = "aabbccdd"


class Rig:
    """A bench whose devices do not run, and a configuration to be read."""

    def __init__(self, folder: Path, before: DaemonConfig, after: DaemonConfig) -> None:
        self.live = LiveConfig(before)
        journals = Journals(folder, JournalConfig())
        bus: Any = SimpleNamespace(publish=lambda *_: True)
        self.bench = Bench(self.live, journals, bus, "e", leases=Leases(host_now_ns))
        self.reloader = Reloader(self.live, self.bench, journals, lambda: after)
        given: Any = SimpleNamespace(give=lambda *_: None)
        discovery: Any = SimpleNamespace(rescan=lambda: None)
        self.ports = PortCommands(self.bench, discovery, given).operations()


def test_a_name_is_not_taken_while_a_reload_gives_it(tmp_path: Path) -> None:
    """What a device needs for its end is time for others: they wait, and all of the configuration is taken up."""

    async def run() -> None:
        before = DaemonConfig(devices=(DeviceConfig("alpha", "pty:/a"),))
        rig = Rig(tmp_path, before, DaemonConfig(devices=(DeviceConfig("beta", "pty:/a"),)))
        rig.bench.add(DeviceConfig("found", unique_id=ID), is_configured=False)
        ending, ended = asyncio.Event(), asyncio.Event()

        async def finish() -> None:
            ending.set()
            await ended.wait()

        rig.bench.members["alpha"].device.finish = finish  # type: ignore[method-assign]
        reload = asyncio.create_task(rig.reloader.reload("me"))
        await ending.wait()
        rename = asyncio.create_task(rig.ports["name_device"].run("me", device="found", name="beta"))
        done, _ = await asyncio.wait([rename], timeout=0.1)
        assert not done
        ended.set()
        assert await reload == ["device alpha is called beta now"]
        with pytest.raises(CommandRejected, match="has a device 'beta' already"):
            await rename
        assert sorted(rig.bench.members) == ["beta", "found"]

    asyncio.run(run())


def test_a_parameter_that_is_not_taken_is_answered(tmp_path: Path) -> None:
    async def run() -> None:
        before = DaemonConfig(devices=(DeviceConfig("alpha", "pty:/a"),))
        rig = Rig(tmp_path, before, DaemonConfig(devices=(DeviceConfig("alpha", "pty:/a", parameters={"preset": 3}),)))

        async def refuse(*_: object, **__: object) -> None:
            raise CommandRejected("not now", code="x")

        commands = SimpleNamespace(check_settings=lambda _: None, set=refuse)
        device: Any = SimpleNamespace(info=SimpleNamespace(), settings={}, commands=commands)
        rig.bench.members["alpha"].device = device
        assert await rig.reloader.reload("me") == [
            "device alpha has other settings",
            "not set yet: alpha: not now; it is set when the device is connected next",
        ]

    asyncio.run(run())


def test_a_reload_asks_for_every_lease() -> None:
    """It changes devices: a lease of one of them is in its way (docs/reference/control.md, section 5)."""
    nothing: Any = None
    assert ConfigurationCommands(nothing).operations()["reload"].every_lease
