"""Two devices that sent the same, journalled, in a session that goes on: one of them for a test to harm."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fake_stream import FakeDevice, check_files, record_plan

from spikedaq.journal import JournalWriter, SessionStart, SessionStop

N_BLOCKS = 450
"""Of 100 samples at 10 kHz: some chunks of a file, and some segments of a journal."""
WAIT_S = 120.0


@dataclass
class TwoDevices:
    """Their session's folder, and what they sent; ``beta`` comes first.

    So that nothing of ``alpha`` is recorded because its turn comes sooner.
    """

    folder: Path
    device: FakeDevice
    writers: dict[str, JournalWriter]

    def stop(self) -> None:
        """End the session."""
        for writer in self.writers.values():
            writer.append(SessionStop(self.device.t_host_ns, "s", "asked"))

    def check(self, *names: str) -> None:
        """Compare files with what was sent."""
        for name in names:
            check_files(self.folder, self.device.produced, name)

    def second_segment(self, device: str) -> Path:
        """Return a part of a journal that is no longer written."""
        return sorted(self.writers[device].segment.parent.glob("*.spj"))[1]


def two_devices(path: Path) -> TwoDevices:
    """Make them in a folder."""
    device, writers = FakeDevice(), {}
    for name in ("beta", "alpha"):
        device = FakeDevice()
        writers[name] = writer = JournalWriter(
            path / "journal" / name, device=name, unique_id="01", segment_bytes=100_000, host_boot_id="b"
        )
        device.introduce(writer)
        writer.append(SessionStart(device.t_host_ns, "s", 0, "{}"))
        for frame in device.frames(N_BLOCKS):
            writer.append_frames(device.t_host_ns, [frame])
    record_plan(path / "s", "s", {name: writer.segment.parent for name, writer in writers.items()})
    return TwoDevices(path / "s", device, writers)


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that has no event."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)
