"""One recording that pages have open to analyse: how far it is, who has it open, and which windows of it are read."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spikedaq.model import ConfigError
from spikedaq.scope.analysis_loaded import Loaded
from spikedaq.scope.analysis_reader import MAX_SAMPLES

MAX_WINDOWS = 4
"""Of one recording that are kept as arrays: several pages may look at several parts of it."""
_ROW_BYTES = 9 * 8
_LEAST_LINE_BYTES = 18
"""Nine digits, eight commas and a line feed."""
_IN_USE_S = 60.0

Window = tuple[str | None, float | None, float | None]
"""Part, and first and last second."""


@dataclass(eq=False)
class Reading:
    """One window that is read into a folder of its own, or was."""

    folder: Path
    task: asyncio.Task[Loaded]

    @property
    def has_failed(self) -> bool:
        """Whether it ended without samples."""
        return self.task.done() and (self.task.cancelled() or self.task.exception() is not None)


@dataclass(eq=False)
class Source:
    """One recording on its way into the cache, or there. Pages that open the same share it.

    ``state`` is ``waiting``, ``fetching``, ``reading``, ``ready`` or ``failed``, with the reason in ``text``.
    ``looking`` says which window each handle looks at; a page looks at one.
    """

    key: str
    folder: Path
    name: str
    path: Path
    is_foreign: bool = False
    state: str = "waiting"
    text: str = ""
    done: int = 0
    total: int = 0
    parts: list[dict[str, Any]] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    used_s: float = 0.0
    handles: set[str] = field(default_factory=set)
    looking: dict[str, Window] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None
    windows: dict[Window, Reading] = field(default_factory=dict)

    @property
    def is_csv(self) -> bool:
        """Whether it is a nine-column CSV, which has no parts."""
        return self.path.suffix.lower() == ".csv"

    @property
    def tasks(self) -> list[asyncio.Task[Any]]:
        """Return what brings and reads it, under way or done."""
        return [*(reading.task for reading in self.windows.values()), *([self.task] if self.task else [])]

    @property
    def is_busy(self) -> bool:
        """Whether something is under way, or somebody has just looked at it."""
        if any(not task.done() for task in self.tasks):
            return True
        return bool(self.handles) and time.monotonic() - self.used_s < _IN_USE_S

    def check_part(self, part: str | None) -> None:
        """Raise ConfigError where it has no part of that name."""
        if not self.is_csv and part not in [one["name"] for one in self.parts]:
            raise ConfigError("'part' names a part of this recording")

    def window_bytes(self, part: str | None) -> int:
        """Return how much room a window can take: all channels as 64-bit numbers."""
        if self.is_csv:
            return self.path.stat().st_size // _LEAST_LINE_BYTES * _ROW_BYTES
        known = [int(one["n_samples"]) for one in self.parts if one["name"] == part]
        return min(sum(known), MAX_SAMPLES) * _ROW_BYTES

    def take_unwanted(self) -> list[Reading]:
        """Take out what is under way and nobody looks at any more."""
        wanted = set(self.looking.values())
        return [self.windows.pop(w) for w, r in list(self.windows.items()) if w not in wanted and not r.task.done()]

    def take_old(self) -> list[Reading]:
        """Take out the windows that have to go before another one is read; those used longest ago come first."""
        keep = MAX_WINDOWS if len(self.handles) > 1 else 1
        done = [window for window, reading in self.windows.items() if reading.task.done()]
        return [self.windows.pop(window) for window in done[: max(len(done) - keep + 1, 0)]]

    def show(self, done: int, total: int) -> None:
        """Keep how far it is."""
        self.done, self.total = done, total

    def words(self, error: Exception) -> str:
        """Return an error's text with the file's name as people know it, and not where it lies here."""
        return str(error).replace(str(self.path), self.name).replace(f"{self.folder}/", "")

    def to_map(self) -> dict[str, Any]:
        """Return what a page is told."""
        return {
            "state": self.state,
            "text": self.text,
            "done": self.done,
            "total": self.total,
            "name": self.name,
            "is_csv": self.is_csv,
            "parts": self.parts,
            "left_out": self.left_out,
            "max_samples": MAX_SAMPLES,
        }
