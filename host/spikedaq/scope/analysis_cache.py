"""Recordings that pages have open to analyse: a bounded folder of files and arrays, gone when the server ends."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spikedaq.model import ConfigError, SpikedaqError, StoreError
from spikedaq.scope.analysis_child import read_in_child
from spikedaq.scope.analysis_figures import Loaded
from spikedaq.scope.analysis_reader import MAX_SAMPLES, loaded

MAX_CACHE_BYTES = 4 * 10**9
"""Fetched files and arrays together. Ten minutes at 10 kHz take 0.6 GB; a class that opens one recording shares it."""
MIN_FREE_BYTES = 10**9
"""Of the disk, which is the journals', too, where the page server runs on the daemon's computer."""
MAX_OPEN = 256
"""Handles; more than pages can be open."""
MAX_READERS = 2
_ROW_BYTES = 9 * 8
_LEAST_LINE_BYTES = 18
"""Nine digits, eight commas and a line feed."""
MAX_WINDOWS = 4
"""Of one recording that are kept as arrays: several pages may look at several parts of it."""
_IN_USE_S = 60.0

Fill = Callable[["Source"], Awaitable[None]]
Window = tuple[str | None, float | None, float | None]


@dataclass(eq=False)
class Source:
    """One recording on its way into the cache, or there. Pages that open the same share it.

    ``state`` is ``waiting``, ``fetching``, ``reading``, ``ready`` or ``failed``, with the reason in ``text``.
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
    wanted_bytes: int = 0
    used_s: float = 0.0
    handles: set[str] = field(default_factory=set)
    task: asyncio.Task[None] | None = None
    windows: dict[Window, asyncio.Task[Loaded]] = field(default_factory=dict)

    @property
    def is_csv(self) -> bool:
        """Whether it is a nine-column CSV, which has no parts."""
        return self.path.suffix.lower() == ".csv"

    @property
    def is_busy(self) -> bool:
        """Whether something is under way, or somebody has just looked at it."""
        tasks = [*self.windows.values(), *([self.task] if self.task else [])]
        return any(not task.done() for task in tasks) or (
            bool(self.handles) and time.monotonic() - self.used_s < _IN_USE_S
        )

    def check_part(self, part: str | None) -> None:
        """Raise ConfigError where it has no part of that name."""
        if not self.is_csv and part not in [one["name"] for one in self.parts]:
            raise ConfigError("'part' names a part of this recording")

    def window_folder(self, window: Window) -> Path:
        """Return where the arrays of a window are."""
        return self.folder / f"window-{hashlib.sha256(repr(window).encode()).hexdigest()[:16]}"

    def window_bytes(self, part: str | None) -> int:
        """Return how much room a window can take: all channels as 64-bit numbers."""
        if self.is_csv:
            return self.path.stat().st_size // _LEAST_LINE_BYTES * _ROW_BYTES
        known = [int(one["n_samples"]) for one in self.parts if one["name"] == part]
        return min(sum(known), MAX_SAMPLES) * _ROW_BYTES

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


class AnalysisCache:
    """What is open. Made without touching the disk; the folder is made with the first recording."""

    def __init__(self, *, max_bytes: int = MAX_CACHE_BYTES, parent: Path | None = None) -> None:
        self.max_bytes = max_bytes
        self.turn = asyncio.Semaphore(1)
        self._parent = parent
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._sources: dict[str, Source] = {}
        self._handles: dict[str, Source] = {}
        self._readers = asyncio.Semaphore(MAX_READERS)

    @property
    def folder(self) -> Path:
        """Where it is."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(
                prefix="spikedaq-analysis-", dir=self._parent, ignore_cleanup_errors=True
            )
        return Path(self._folder.name)

    def new_folder(self) -> Path:
        """Return a folder for something that comes."""
        folder = self.folder / secrets.token_hex(8)
        folder.mkdir()
        return folder

    async def make_room(self, n_bytes: int) -> None:
        """Put away what was used longest ago and nobody waits for, until there is room.

        Raises
        ------
        StoreError
            There is none.
        """
        while True:
            used = await asyncio.to_thread(_size, self.folder)
            free = shutil.disk_usage(self.folder).free
            if used + n_bytes <= self.max_bytes and free - n_bytes >= MIN_FREE_BYTES:
                return
            idle = [s for s in self._sources.values() if s.state in ("ready", "failed") and not s.is_busy]
            if not idle:
                raise StoreError(
                    f"{n_bytes / 1e6:.0f} MB are needed, and there is no room for them in the page server's temporary "
                    f"folder ({used / 1e6:.0f} of {self.max_bytes / 1e6:.0f} MB are used, {free / 1e6:.0f} MB of the "
                    "disk are free); choose fewer files, or try again when others are done"
                )
            await self._put_away(min(idle, key=lambda source: source.used_s))

    def open(self, what: list[Any], name: str, path: Path, fill: Fill) -> str:
        """Open a recording, which ``fill`` brings into its folder; return the handle under which it is asked for.

        Parameters
        ----------
        what : list
            What it is, as JSON: two pages that open the same share it.
        path : Path
            Where it is going to be, relative to the source's folder.
        """
        key = hashlib.sha256(repr(what).encode()).hexdigest()
        source = self._sources.get(key)
        if source is not None and source.state == "failed":
            self._sources.pop(key)
            source = None
        if source is None:
            folder = self.new_folder()
            source = self._sources[key] = Source(key, folder, name, folder / path)
            source.task = asyncio.create_task(self._fill(source, fill), name=f"open {name}")
        return self._handle(source)

    def take(self, folder: Path, name: str, path: Path) -> str:
        """Take in a file that was uploaded into ``folder``; return its handle."""
        source = Source(secrets.token_hex(16), folder, name, path, is_foreign=True)
        self._sources[source.key] = source
        source.task = asyncio.create_task(self._fill(source, _nothing), name=f"open {name}")
        return self._handle(source)

    def _handle(self, source: Source) -> str:
        handle = secrets.token_urlsafe(12)
        source.handles.add(handle)
        source.used_s = time.monotonic()
        self._handles[handle] = source
        while len(self._handles) > MAX_OPEN:
            self.close_one(next(iter(self._handles)))
        return handle

    def get(self, handle: str) -> Source | None:
        """Return what is open under a handle; None where it was closed or put away."""
        source = self._handles.get(handle)
        if source is not None:
            source.used_s = time.monotonic()
        return source

    def close_one(self, handle: str) -> None:
        """Close a handle. What nobody has open any more and is not there yet is given up."""
        source = self._handles.pop(handle, None)
        if source is None:
            return
        source.handles.discard(handle)
        if not source.handles:
            for window, task in list(source.windows.items()):
                if not task.done():
                    task.cancel()
                    del source.windows[window]
            if source.state != "ready" and source.task is not None:
                source.task.cancel()
                self._sources.pop(source.key, None)

    async def _fill(self, source: Source, fill: Fill) -> None:
        try:
            source.state = "fetching"
            await fill(source)
            source.state = "reading"
            source.show(0, 0)
            if not source.is_csv:
                request = {"do": "inspect", "path": str(source.path), "is_foreign": source.is_foreign}
                async with self._readers:
                    source.parts = (await read_in_child(request, name=source.name))["parts"]
            source.state = "ready"
        except (SpikedaqError, OSError) as error:
            source.state, source.text = "failed", source.words(error)
        except asyncio.CancelledError:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, source.folder, ignore_errors=True))
            raise

    async def load(self, source: Source, window: Window) -> Loaded:
        """Return the samples of a window, read where they were not yet.

        Raises
        ------
        StoreError
            They cannot be read, are too many, or none.
        """
        task = source.windows.pop(window, None)
        if task is None or task.cancelled() or (task.done() and task.exception() is not None):
            # A page looks at one window: what it is no longer waiting for is given up, what it had is put away in time.
            keep = MAX_WINDOWS if len(source.handles) > 1 else 1
            under_way = [w for w, t in source.windows.items() if not t.done()] if len(source.handles) == 1 else []
            done = [w for w, t in source.windows.items() if t.done()]
            await self._forget(source, under_way + done[: max(len(done) - keep + 1, 0)])
            task = asyncio.create_task(self._load(source, window), name=f"read {source.name}")
        source.windows[window] = task
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise StoreError(f"{source.name} is not read any more: something else was chosen") from None
            raise

    async def _load(self, source: Source, window: Window) -> Loaded:
        part, start_s, stop_s = window
        out = source.window_folder(window)
        request = {"do": "load", "path": str(source.path), "out": str(out), "part": part}
        try:
            await self.make_room(source.window_bytes(part))
            async with self._readers:
                source.show(0, 0)
                await read_in_child(
                    {**request, "start_s": start_s, "stop_s": stop_s}, show=source.show, name=source.name
                )
            samples, shape = await asyncio.to_thread(loaded, out)
        except BaseException as error:
            shutil.rmtree(out, ignore_errors=True)
            if isinstance(error, (SpikedaqError, OSError, ValueError)):
                raise StoreError(source.words(error)) from error
            raise
        return Loaded(samples, shape)

    async def _forget(self, source: Source, windows: list[Window]) -> None:
        tasks = {window: task for window in windows if (task := source.windows.pop(window, None)) is not None}
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        for window in tasks:
            await asyncio.to_thread(shutil.rmtree, source.window_folder(window), ignore_errors=True)

    async def _put_away(self, source: Source) -> None:
        self._sources.pop(source.key, None)
        for handle in source.handles:
            self._handles.pop(handle, None)
        source.handles.clear()
        await self._forget(source, list(source.windows))
        await asyncio.to_thread(shutil.rmtree, source.folder, ignore_errors=True)

    async def close(self) -> None:
        """End what is under way, and remove everything."""
        tasks = [task for s in self._sources.values() for task in (s.task, *s.windows.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._sources.clear()
        self._handles.clear()
        if self._folder is not None:
            with contextlib.suppress(OSError):
                self._folder.cleanup()
            self._folder = None


async def _nothing(_: Source) -> None:
    """Bring nothing: it is there."""


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total
