"""Downloads that are streamed: never whole in memory, and never silently short.

A download whose source fails ends with its connection: the browser has been told how many bytes to expect, and says
that it failed.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from spikedaq.inlet import FilePiece
from spikedaq.model import RemoteProtocolError, SpikedaqError
from spikedaq.scope.libraries import Libraries
from spikedaq.scope.zip_stream import Entry, ZipWriter, zip_length

MAX_DOWNLOADS = 16
"""At a time; each holds a connection to a bench and a piece of a file in memory."""
STALLED_S = 120.0
"""A browser that takes nothing for so long is given up; it can go on with a range later."""
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_log = logging.getLogger(__name__)


class RangeError(Exception):
    """A range that lies outside of the file."""


class Streamed(Response):
    """Bytes from an iterator, as many as were promised, or a broken connection.

    Parameters
    ----------
    what : str
        For the log.
    pieces : async iterator of bytes
    n_bytes : int
        How many there are to be.
    """

    def __init__(
        self,
        what: str,
        pieces: AsyncIterator[bytes],
        n_bytes: int,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        media_type: str = "application/octet-stream",
    ) -> None:
        super().__init__(None, status, {**(headers or {}), "content-length": str(n_bytes)}, media_type)
        self._what = what
        self._pieces = pieces
        self._n_bytes = n_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        left = asyncio.create_task(_disconnected(receive), name="download")
        sent = 0
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if scope.get("method") == "HEAD":  # nothing is to be fetched for it
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return
            async for piece in self._pieces:
                if left.done():
                    return
                async with asyncio.timeout(STALLED_S):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                sent += len(piece)
            if sent != self._n_bytes:
                raise RemoteProtocolError(f"{sent} bytes came of {self._n_bytes}")
        except (SpikedaqError, OSError, ValueError, TimeoutError) as error:
            # Without a last message the server ends the connection, which is how a browser learns of it.
            _log.warning("the download of %s ended after %d of %d bytes: %s", self._what, sent, self._n_bytes, error)
            return
        finally:
            left.cancel()
            close = getattr(self._pieces, "aclose", None)
            if close is not None:
                await close()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@dataclass(frozen=True, slots=True)
class Source:
    """A file of a session at a bench; ``device`` None for those of the session itself."""

    bench: str
    session: str
    folder: str
    device: str | None
    name: str

    @property
    def path(self) -> str:
        """Where it is in the session's archive."""
        return "/".join(part for part in (self.session, self.device, self.name) if part)


async def first_piece(libraries: Libraries, source: Source, offset: int = 0) -> FilePiece:
    """Return the first bytes of a file, its size and checksum; raises as `LibraryClient.piece`."""
    return await libraries.ask(
        source.bench,
        lambda library: library.piece(
            source.session, source.device, source.name, folder=source.folder, offset=offset
        ),
    )  # fmt: skip


async def file_pieces(
    libraries: Libraries, source: Source, first: FilePiece, *, begin: int = 0, stop: int | None = None
) -> AsyncIterator[bytes]:
    """Yield the bytes of a file from ``begin`` up to ``stop``.

    Of a whole file the last ones come once its SHA-256 was found to be that of the manifest.

    Parameters
    ----------
    first : FilePiece
        What is at ``begin``.

    Raises
    ------
    SpikedaqError
        The bench has gone, the file has, or it is another now.
    """
    stop = first.n_bytes if stop is None else stop
    is_whole = begin == 0 and stop == first.n_bytes
    digest = hashlib.sha256()
    offset, piece = begin, first
    while True:
        data = piece.data[: stop - offset]
        offset += len(data)
        digest.update(data)
        if offset >= stop:
            if is_whole and first.sha256 is not None and digest.hexdigest() != first.sha256:
                raise RemoteProtocolError(f"{source.path} does not have the SHA-256 of its manifest")
            yield data
            return
        if not data:
            raise RemoteProtocolError(f"{source.path} ended early")
        yield data
        piece = await first_piece(libraries, source, offset)
        if (piece.n_bytes, piece.sha256) != (first.n_bytes, first.sha256):
            raise RemoteProtocolError(f"{source.path} became another while it was fetched")


def byte_range(header: str | None, n_bytes: int) -> tuple[int, int] | None:
    """Return what a header ``Range`` asks for, first byte and the one behind the last; None for all of it.

    Several ranges, and what is no range of bytes, are answered with the whole file, as RFC 9110, section 14.2, allows.

    Raises
    ------
    RangeError
        Nothing of it is in the file.
    """
    found = _RANGE.fullmatch((header or "").strip())
    if found is None or found.group(1) == found.group(2) == "":
        return None
    first, last = found.groups()
    if max(len(first), len(last)) > 18:
        raise RangeError
    if not first:
        begin, stop = max(0, n_bytes - int(last)), n_bytes
    else:
        begin, stop = int(first), min(n_bytes, int(last) + 1) if last else n_bytes
        if last and int(last) < begin:
            return None
    if begin >= stop:
        raise RangeError
    return begin, stop


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive: its size, and its bytes where they are few and may be written anew meanwhile."""

    source: Source
    n_bytes: int
    data: bytes | None = None


def archive(libraries: Libraries, members: Sequence[Member], utc_ns: int) -> tuple[AsyncIterator[bytes], int]:
    """Return the bytes of a ZIP archive of files, and how many there will be.

    Parameters
    ----------
    members : sequence of Member
    utc_ns : int
        Time that all of them have in the archive.
    """
    entries = [Entry(member.source.path, member.n_bytes, utc_ns) for member in members]

    async def pieces() -> AsyncIterator[bytes]:
        writer = ZipWriter()
        for member, entry in zip(members, entries, strict=True):
            yield writer.begin(entry)
            if member.data is not None:
                yield writer.feed(member.data)
            else:
                first = await first_piece(libraries, member.source)
                if first.n_bytes != member.n_bytes:
                    raise RemoteProtocolError(f"{member.source.path} became another while it was fetched")
                async for data in file_pieces(libraries, member.source, first):
                    yield writer.feed(data)
            yield writer.end()
        yield writer.finish()

    return pieces(), zip_length(entries)
