"""What clients may ask of the library: arguments checked, the work done in threads, replies of bounded size."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import msgpack

from spikedaq.library.catalogue import Catalogue, Found, Key
from spikedaq.library.checks import Checks
from spikedaq.library.contents import MAX_PIECE_BYTES, read_contents
from spikedaq.library.folders import MAX_FOLDERS, check_folder, list_folders
from spikedaq.library.places import LibraryConfig, Places, plain_name
from spikedaq.model import CommandRejected, StoreError
from spikedaq.outlet import check_arguments

LIBRARY_OPERATIONS = {
    "recordings": False, "recording": False, "folders": False, "folder_check": False, "file": False,
    "verify": True, "verify_stop": True,
}  # fmt: skip
"""By name, whether it changes something: what is kept of a session, and how busy its disk is."""
MAX_SESSIONS_TOLD, MAX_FILES_TOLD = 200, 500
MAX_TOLD_BYTES = 2**19
"""A reply of more ends before its limit; a control message has at most a mebibyte."""
ANSWER_S = 15.0
"""A network disk that hangs keeps a thread for good; who asked is told."""
_THREADS = 4
_MAX_MATCH_CHARS = 80


class Asker(Protocol):
    """Who asks, as far as it matters here."""

    @property
    def may_change(self) -> bool:
        """Whether it may do more than watch and ask."""

    @property
    def who(self) -> str:
        """Return it for people."""


class Library:
    """Answers about recordings; close it."""

    def __init__(self, config: LibraryConfig) -> None:
        self._places = Places(config)
        self._catalogue = Catalogue(self._places)
        self._checks = Checks()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="library")
        self._operations: dict[str, Callable[..., Awaitable[dict[str, Any]]]] = {
            "recordings": self._recordings,
            "recording": self._recording,
            "folders": self._folders,
            "folder_check": self._folder_check,
            "file": self._file,
            "verify": self._verify,
            "verify_stop": self._verify_stop,
        }

    async def handle(self, op: str, args: dict[str, Any], who: Asker) -> dict[str, Any]:
        """Do one of `LIBRARY_OPERATIONS`; return its value.

        Raises
        ------
        CommandRejected, StoreError
        """
        operation = self._operations[op]
        if LIBRARY_OPERATIONS[op] and not who.may_change:
            text = f"the key of {who.who} is for watching, and {op!r} changes something; ask for a controller's key"
            raise CommandRejected(text, code="not_allowed")
        check_arguments(op, operation, args)
        return await operation(**args)

    async def close(self) -> None:
        """End what is under way; a disk that hangs is not waited for."""
        await self._checks.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, work: Callable[..., Any], *args: Any) -> Any:
        loop = asyncio.get_running_loop()
        try:
            return await asyncio.wait_for(loop.run_in_executor(self._threads, work, *args), ANSWER_S)
        except TimeoutError as error:
            text = f"the disks of the recordings did not answer within {ANSWER_S:g} s; does a network disk hang?"
            raise StoreError(text) from error

    async def _recordings(self, *, limit: int = 50, before: Any = None, match: str | None = None) -> dict[str, Any]:
        n, key = _count(limit, "limit", MAX_SESSIONS_TOLD), _key(before)
        if match is not None and (not isinstance(match, str) or len(match) > _MAX_MATCH_CHARS):
            raise _bad(f"'match' is part of a name, at most {_MAX_MATCH_CHARS} characters")
        value: dict[str, Any] = await self._in_thread(self._tell_many, n, key, match)
        return value

    def _tell_many(self, limit: int, before: Key | None, match: str | None) -> dict[str, Any]:
        look = self._catalogue.look()
        wanted = [s for s in look.sessions if match is None or match.lower() in s.name.lower()]
        after = [s for s in wanted if before is None or s.key < before]
        told: list[dict[str, Any]] = []
        n_bytes = 0
        for session in after[:limit]:
            entry = self._tell(session)
            n_bytes += len(msgpack.packb(entry))
            if told and n_bytes > MAX_TOLD_BYTES:
                break
            told.append(entry)
        more = len(told) < len(after)
        return {
            "sessions": told,
            "total": len(wanted),
            "next": list(after[len(told) - 1].key) if more else None,
            "problems": list(look.problems),
            "utc_ns": time.time_ns(),
        }

    def _tell(self, session: Found) -> dict[str, Any]:
        entry = self._catalogue.tell(session)
        return {**entry, "verification": self._checks.tell(session.path, self._catalogue.devices(session))}

    async def _recording(
        self, *, session: str, folder: str | None = None, limit: int = 200, after: int = 0
    ) -> dict[str, Any]:
        n, begin = _count(limit, "limit", MAX_FILES_TOLD), _whole(after, "after")
        name, shelf = self._named(session, folder)
        value: dict[str, Any] = await self._in_thread(self._tell_one, name, shelf, n, begin)
        return value

    def _tell_one(self, name: str, shelf: Path | None, limit: int, begin: int) -> dict[str, Any]:
        session = self._catalogue.find(name, shelf)
        running = self._catalogue.is_running(session)
        devices = self._catalogue.devices(session)
        files = [file for device in devices for file in device.file_maps(is_running=running)]
        shown = files[begin : begin + limit]
        end = begin + len(shown)
        return {
            **self._tell(session),
            "files": shown,
            "n_files": len(files),
            "next": end if end < len(files) else None,
        }

    async def _folders(self, *, folder: str | None = None, after: str = "", limit: int = MAX_FOLDERS) -> dict[str, Any]:
        n = _count(limit, "limit", MAX_FOLDERS)
        if not isinstance(after, str):
            raise _bad("'after' is the name that the reply before gave as 'next'")
        value: dict[str, Any] = await self._in_thread(_list_folders, self._places, folder, after, n)
        return value

    async def _folder_check(self, *, folder: str, session: str | None = None) -> dict[str, Any]:
        name = None if session is None else plain_name(session, "session")
        value: dict[str, Any] = await self._in_thread(check_folder, self._places, folder, name)
        return value

    async def _file(
        self,
        *,
        session: str,
        name: str,
        device: str | None = None,
        folder: str | None = None,
        offset: int = 0,
        max_bytes: int = MAX_PIECE_BYTES,
    ) -> dict[str, Any]:
        own = None if device is None else plain_name(device, "device")
        where = self._named(session, folder)
        bounds = _whole(offset, "offset"), min(_count(max_bytes, "max_bytes", 2**62), MAX_PIECE_BYTES)
        value: dict[str, Any] = await self._in_thread(self._read, where, own, plain_name(name, "file"), bounds)
        return value

    def _read(
        self, where: tuple[str, Path | None], device: str | None, name: str, bounds: tuple[int, int]
    ) -> dict[str, Any]:
        session = self._catalogue.find(*where)
        return read_contents(self._catalogue, session, device, name, offset=bounds[0], max_bytes=bounds[1])

    async def _verify(self, *, session: str, folder: str | None = None) -> dict[str, Any]:
        found: Found = await self._in_thread(self._catalogue.find, *self._named(session, folder))
        if self._catalogue.is_running(found):
            text = f"session {found.name!r} is being recorded; verify it once it has ended"
            raise CommandRejected(text, code="busy")
        self._checks.begin(found.path)
        value: dict[str, Any] = await self._in_thread(self._tell, found)
        return value

    async def _verify_stop(self, *, session: str, folder: str | None = None) -> dict[str, Any]:
        found: Found = await self._in_thread(self._catalogue.find, *self._named(session, folder))
        return {"stopped": self._checks.stop(found.path)}

    def _named(self, session: Any, folder: Any) -> tuple[str, Path | None]:
        return plain_name(session, "session"), None if folder is None else self._places.shelf(folder)


def _list_folders(places: Places, folder: str | None, after: str, limit: int) -> dict[str, Any]:
    return list_folders(places, folder, after=after, limit=limit)


def _key(value: Any) -> Key | None:
    if value is None:
        return None
    if isinstance(value, list) and len(value) == 3:
        started, name, folder = value
        if type(started) is int and isinstance(name, str) and isinstance(folder, str):
            return started, name, folder
    raise _bad("'before' is what the reply before gave as 'next'")


def _whole(value: Any, name: str) -> int:
    if type(value) is not int or not 0 <= value <= 2**62:
        raise _bad(f"{name!r} must be an integer from 0 to 2**62")
    return value


def _count(value: Any, name: str, most: int) -> int:
    if type(value) is not int or not 1 <= value <= most:
        raise _bad(f"{name!r} must be an integer from 1 to {most}")
    return value


def _bad(text: str) -> CommandRejected:
    return CommandRejected(text, code="bad_arguments")
