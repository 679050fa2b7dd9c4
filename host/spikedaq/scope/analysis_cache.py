"""Recordings that pages have open to analyse: a bounded folder of files and arrays, gone when the server ends."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from spikedaq.model import SpikedaqError, StoreError
from spikedaq.scope.analysis_child import read_in_child
from spikedaq.scope.analysis_loaded import Loaded
from spikedaq.scope.analysis_reader import loaded
from spikedaq.scope.analysis_room import Room
from spikedaq.scope.analysis_source import Reading, Source, Window

MAX_CACHE_BYTES = 4 * 10**9
"""Fetched files and arrays together. Ten minutes at 10 kHz take 0.6 GB; a class that opens one recording shares it."""
MAX_OPEN = 256
"""Handles; more than pages can be open."""
MAX_READERS = 2

Fill = Callable[[Source], Awaitable[None]]


class AnalysisCache:
    """What is open. Made without touching the disk; the folder is made with the first recording."""

    def __init__(self, *, max_bytes: int = MAX_CACHE_BYTES, parent: Path | None = None) -> None:
        self.turn = asyncio.Semaphore(1)
        self._room = Room(max_bytes)
        self._parent = parent
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._sources: dict[str, Source] = {}
        self._handles: dict[str, Source] = {}
        self._readers = asyncio.Semaphore(MAX_READERS)
        self._numbers = itertools.count()
        self._removals: set[asyncio.Task[None]] = set()

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

    @contextlib.asynccontextmanager
    async def room(self, where: Path, n_bytes: int) -> AsyncIterator[None]:
        """Keep room for what the block writes at ``where``; what was used longest ago is put away for it.

        Raises
        ------
        StoreError
            There is none, as everything is in use.
        """
        while True:
            sizes = await asyncio.to_thread(self._room.measure, self.folder)
            try:
                self._room.promise(self.folder, sizes, where, n_bytes)
                break
            except StoreError:
                idle = [s for s in self._sources.values() if s.state == "ready" and not s.is_busy]
                if not idle:
                    raise
                await self._remove(self._taken_out(min(idle, key=lambda source: source.used_s)))
        try:
            yield
        finally:
            self._room.release(where)

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
        if source is None or source.state == "failed":
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
        source = self._handles.pop(handle, None)
        if source is not None:
            self._handles[handle] = source  # where there are too many, that used longest ago is closed
            source.used_s = time.monotonic()
        return source

    def close_one(self, handle: str) -> None:
        """Close a handle. What nobody has open any more is given up, but for what others may open again."""
        source = self._handles.pop(handle, None)
        if source is None:
            return
        source.handles.discard(handle)
        source.looking.pop(handle, None)
        if not source.handles and (source.is_foreign or source.state != "ready"):
            self._later(self._remove(self._taken_out(source)))
        else:
            self._later(_forget(source.take_unwanted()))

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
            await asyncio.to_thread(shutil.rmtree, source.folder, ignore_errors=True)

    async def load(self, source: Source, handle: str, window: Window) -> Loaded:
        """Return the samples of the window that a page now looks at, read where they were not yet.

        Raises
        ------
        StoreError
            They cannot be read, are too many, or none; or the page looks at something else by now.
        """
        source.looking[handle] = window
        reading = source.windows.pop(window, None)
        if reading is None or reading.has_failed:
            # What nobody waits for any more is given up; what there was is put away in time.
            forgotten = self._later(_forget([*source.take_unwanted(), *source.take_old()]))
            folder = source.folder / f"window-{next(self._numbers)}"
            task = asyncio.create_task(self._load(source, window, folder, forgotten), name=f"read {source.name}")
            reading = Reading(folder, task)
        source.windows[window] = reading
        try:
            return await asyncio.shield(reading.task)
        except asyncio.CancelledError:
            if reading.task.cancelled():
                raise StoreError(f"{source.name} is not read any more: something else was chosen") from None
            raise

    async def _load(self, source: Source, window: Window, out: Path, forgotten: asyncio.Task[None]) -> Loaded:
        part, start_s, stop_s = window
        request = {"do": "load", "path": str(source.path), "out": str(out), "part": part}
        try:
            await asyncio.shield(forgotten)
            async with self.room(out, source.window_bytes(part)), self._readers:
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

    def _later(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Have something removed; `close` waits for it."""
        task = asyncio.create_task(work, name="remove what was analysed")
        self._removals.add(task)
        task.add_done_callback(self._removals.discard)
        return task

    def _taken_out(self, source: Source) -> Source:
        """Take a source out of what can be asked for. Its key may be another's by now, where it had failed."""
        if self._sources.get(source.key) is source:
            del self._sources[source.key]
        for handle in source.handles:
            self._handles.pop(handle, None)
        source.handles.clear()
        return source

    async def _remove(self, source: Source) -> None:
        tasks = source.tasks
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(shutil.rmtree, source.folder, ignore_errors=True)

    async def close(self) -> None:
        """End what is under way, and remove everything."""
        for source in list(self._sources.values()):
            self._later(self._remove(self._taken_out(source)))
        await asyncio.gather(*self._removals, return_exceptions=True)
        self._handles.clear()
        if self._folder is not None:
            with contextlib.suppress(OSError):
                self._folder.cleanup()
            self._folder = None


async def _forget(readings: list[Reading]) -> None:
    for reading in readings:
        reading.task.cancel()
    await asyncio.gather(*(reading.task for reading in readings), return_exceptions=True)
    for reading in readings:
        await asyncio.to_thread(shutil.rmtree, reading.folder, ignore_errors=True)


async def _nothing(_: Source) -> None:
    """Bring nothing: it is there."""
