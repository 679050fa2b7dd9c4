"""A journal that is written, with the history that it is copied from."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from fake_stream import T0_NS, FakeDevice

from spikedaq.history.requests import Requests
from spikedaq.journal import CopiedPiece, JournalCopy, JournalWriter


class Original:
    """A journal that is written, with its history."""

    def __init__(self, folder: Path, **more: object) -> None:
        self.folder = folder
        self.requests = Requests(folder, "bench")
        self.device = FakeDevice()
        self.open(**more)
        self.device.introduce(self.writer)

    def open(self, host_boot_id: str = "b", **more: object) -> None:
        given = {"segment_bytes": 60_000, "ring_bytes": 1, **more}
        self.writer = JournalWriter(
            self.folder / "alpha",
            device="alpha",
            unique_id="01",
            host_boot_id=host_boot_id,
            boottime_ns=lambda: self.device.t_host_ns,
            utc_ns=lambda: 1_800_000_000_000_000_000 + self.device.t_host_ns - T0_NS,
            **given,  # type: ignore[arg-type]
        )

    def blocks(self, n: int) -> None:
        for _ in range(n):
            self.writer.append_frames(self.device.t_host_ns, [self.device.block()])

    def ask(self, op: str, **args: object) -> dict[str, Any]:
        return asyncio.run(self.requests.handle(op, args, ""))

    def begin(self, copy: JournalCopy) -> None:
        head = self.ask("head", device="alpha")
        copy.begin(head["offset"], head["head"], T0_NS)

    def piece(self, offset: int) -> CopiedPiece:
        (piece,) = self.ask("journal", offsets={"alpha": offset})["pieces"]
        del piece["device"]
        return CopiedPiece(**piece)

    def copy_all(self, copy: JournalCopy) -> int:
        """Fetch everything that is there; return the bytes that were missing."""
        lost = 0
        while True:
            piece = self.piece(copy.next_offset or 0)
            lost += copy.take(piece, self.device.t_host_ns)
            if not piece.data:
                return lost
