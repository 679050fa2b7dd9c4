"""A library behind real sockets in a thread: history and control endpoint in one, as far as its clients need."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from formats_recordings import Maker
from session_folders import T0_UTC_NS, entry, make_session, write_manifest

from helpers.control_thread import ControlThread
from spikedaq.history.requests import Requests
from spikedaq.library import LibraryConfig
from spikedaq.store import describe_closed


class LibraryServer(ControlThread):
    """Serves a shelf until left. ``asked`` counts requests by operation."""

    def __init__(self, shelf: Path) -> None:
        self.config = LibraryConfig(shelf, journals=shelf.parent / "journal", used=shelf.parent / "used.json")
        self.asked: dict[str, int] = {}
        journals = shelf.parent / "journal"
        journals.mkdir(parents=True, exist_ok=True)
        self._requests = Requests(journals, "bench", self.config)

    async def answer(self, op: str, args: dict[str, Any], who: Any) -> Any:
        self.asked[op] = self.asked.get(op, 0) + 1
        if op == "hello":
            return {"bench": "bench", "epoch": "e", "publish": self.url, "history": self.url}
        return await self._requests.handle(op, args, who)

    async def beside(self) -> None:
        await super().beside()
        await self._requests.close()

    def __enter__(self) -> LibraryServer:
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def make_real_session(shelf: Path, name: str, samples: Any, *, n_files: int = 2) -> Path:
    """Make a session whose files are recordings; ``samples`` (n, 8) is divided among them."""
    folder = make_session(shelf, name, n_files=0)
    maker = Maker(folder, session=name)
    size = len(samples) // n_files
    for number in range(n_files):
        first = number * size
        maker.open().samples(first, samples[first : first + size])
        maker.note(0.01, "a note of somebody").note(0.02, "x" * 700, "anna@here").note(0.03, "link up", "link")
        maker.note(0.04, '{"request": "start"}').close()
    entries = []
    for number, path in enumerate(maker.paths):
        facts = asdict(describe_closed(path))
        facts["closed_reason"], facts["last_step"] = facts.pop("reason"), facts.pop("next_step") - 1
        del facts["path"]
        entries.append({**entry(name, "alpha", number, b"", T0_UTC_NS), **facts, "name": path.name})
        assert facts["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    write_manifest(folder, "alpha", entries)
    return folder
