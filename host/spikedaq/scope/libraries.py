"""Libraries of the benches for many pages at once: connections that are kept, and threads of their own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from spikedaq.inlet import Bench, LibraryClient, connect
from spikedaq.keys import ClientKey
from spikedaq.model import CommandRejected

MAX_THREADS = 24
"""A disk that hangs holds an answer for 15 s; what is beyond waits its turn, and nothing else of the page does."""
MAX_KEPT = 4
"""Idle connections to one bench."""

T = TypeVar("T")


class _Connected:
    """A bench with its library; the history may be started again elsewhere, which is noticed."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self._library: LibraryClient | None = None
        self._endpoint: object = None

    def library(self) -> LibraryClient:
        endpoint = self.bench.client.call("hello").get("history")
        if self._library is None or endpoint != self._endpoint:
            if self._library is not None:
                self._library.close()
            self._library, self._endpoint = self.bench.library(), endpoint
        return self._library

    def close(self) -> None:
        if self._library is not None:
            self._library.close()
        self.bench.close()


class Libraries:
    """Asks the libraries of all benches.

    Parameters
    ----------
    urls : map of str to str
        Control endpoint by name of the bench; may change.
    key : ClientKey or path, optional
        As for `spikedaq.connect`.
    """

    def __init__(self, urls: Mapping[str, str], key: ClientKey | str | None = None) -> None:
        self._urls = urls
        self._key = key
        self._idle: dict[str, list[_Connected]] = {}
        self._is_closed = False
        self._threads = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="library")

    async def ask(self, bench: str, work: Callable[[LibraryClient], T]) -> T:
        """Return what ``work`` makes of a bench's library, in a thread.

        Raises
        ------
        SpikedaqError
            What the bench answered, ``unknown_bench``, or that nobody answers.
        """

        def run() -> T:
            with self.opened(bench) as (_, library):
                return work(library)

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)

    async def ask_bench(self, bench: str, work: Callable[[Bench], T]) -> T:
        """Return what ``work`` makes of a bench, in a thread; errors as of `ask`."""

        def run() -> T:
            with self._taken(bench) as connected:
                return work(connected.bench)

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)

    @contextlib.contextmanager
    def opened(self, bench: str) -> Iterator[tuple[Bench, LibraryClient]]:
        """Give a bench and its library to one thread for a while."""
        with self._taken(bench) as connected:
            yield connected.bench, connected.library()

    @contextlib.contextmanager
    def _taken(self, bench: str) -> Iterator[_Connected]:
        url = self._urls.get(bench)
        if url is None:
            raise CommandRejected(f"there is no bench {bench!r} here", code="unknown_bench")
        idle = self._idle.setdefault(url, [])
        try:
            connected = idle.pop()
        except IndexError:  # another thread may have taken the last one just now
            connected = _Connected(connect(url, key=self._key, name="scope"))
        is_usable = False
        try:
            yield connected
            is_usable = True
        except CommandRejected:
            is_usable = True
            raise
        finally:
            if is_usable and len(idle) < MAX_KEPT and not self._is_closed:
                idle.append(connected)
            else:
                connected.close()

    async def close(self) -> None:
        """Disconnect; what is under way ends by its own time limits."""
        self._is_closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for idle in self._idle.values():
            while idle:
                await asyncio.to_thread(idle.pop().close)
