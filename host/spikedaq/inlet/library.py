"""The client of a daemon's library: which recordings there are, their files, and folders to record in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from spikedaq.inlet.closing import Closing
from spikedaq.inlet.control import ControlClient
from spikedaq.model import RemoteProtocolError

PIECE_BYTES = 3 * 2**18
PAGE_SESSIONS, PAGE_FILES = 100, 500


@dataclass(frozen=True, slots=True)
class FilePiece:
    """Some bytes of a file.

    Attributes
    ----------
    data : bytes
    n_bytes : int
        Of the whole file.
    is_last : bool
        Nothing follows.
    sha256 : str or None
        Of the whole file, as its manifest says; None of one that may be written anew.
    """

    data: bytes
    n_bytes: int
    is_last: bool
    sha256: str | None


class LibraryClient(Closing):
    """Asks for recordings, one request under way at a time; docs/reference/library.md says what the maps hold.

    Parameters
    ----------
    client : ControlClient
        Connected to the history's endpoint, as the daemon's ``hello`` names it. Closed with this.
    """

    def __init__(self, client: ControlClient) -> None:
        self.client = client

    def page(
        self, *, limit: int = PAGE_SESSIONS, before: list[Any] | None = None, match: str | None = None
    ) -> dict[str, Any]:
        """Return sessions, newest first: ``{sessions, total, next, problems, utc_ns}``; ``before`` is a ``next``."""
        value: dict[str, Any] = self.client.call("recordings", limit=limit, before=before, match=match)
        return value

    def recordings(self, *, match: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield every session, newest first, asked for page by page as they are taken."""
        before: list[Any] | None = None
        while True:
            page = self.page(before=before, match=match)
            try:
                yield from page["sessions"]
                behind = page["next"]
            except (KeyError, TypeError) as error:
                raise self._odd("list of recordings", error) from error
            if behind is None:
                return
            if behind == before:
                raise self._odd("list of recordings", "it goes on where it began")
            before = behind

    def recording(self, session: str, *, folder: str | None = None) -> dict[str, Any]:
        """Return one session with all of its ``files``; ``folder`` says which where several have the name.

        Raises
        ------
        CommandRejected
            ``unknown_session``.
        """
        whole: dict[str, Any] = {}
        files: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None:
            value = self.client.call("recording", session=session, folder=folder, after=after, limit=PAGE_FILES)
            try:
                files += value["files"]
                whole, behind = value, value["next"]
                if behind is not None and behind <= after:
                    raise self._odd("recording", "it goes on where it began")
                after = behind
            except (KeyError, TypeError) as error:
                raise self._odd("recording", error) from error
        return {**whole, "files": files}

    def summary(self, session: str, *, folder: str | None = None) -> dict[str, Any]:
        """Return one session without its files; raises as `recording` does."""
        value: dict[str, Any] = self.client.call("recording", session=session, folder=folder, limit=1)
        return value

    def folders(self, folder: str | None = None, *, after: str = "") -> dict[str, Any]:
        """Return the folders below one, or the roots; raises `CommandRejected` where it may not be looked at."""
        value: dict[str, Any] = self.client.call("folders", folder=folder, after=after)
        return value

    def check_folder(self, folder: str, session: str | None = None) -> dict[str, Any]:
        """Return whether a recording, of this name, could begin in a folder: ``ok``, ``why_not``, ``free_bytes``."""
        value: dict[str, Any] = self.client.call("folder_check", folder=folder, session=session)
        return value

    def verify(self, session: str, *, folder: str | None = None) -> dict[str, Any]:
        """Have a session verified in the background; return it. Its ``verification`` tells how far that is."""
        value: dict[str, Any] = self.client.call("verify", session=session, folder=folder)
        return value

    def stop_verifying(self, session: str, *, folder: str | None = None) -> bool:
        """End the verification of a session; return whether there was one."""
        return bool(self.client.call("verify_stop", session=session, folder=folder)["stopped"])

    def piece(
        self, session: str, device: str | None, name: str, *, folder: str | None = None, offset: int = 0
    ) -> FilePiece:
        """Return some bytes of one closed file from ``offset`` on.

        Raises
        ------
        CommandRejected
            ``unknown_file``, or ``not_closed`` of one that is being recorded.
        RemoteProtocolError
            The daemon answers oddly.
        """
        value = self.client.call(
            "file", session=session, device=device, name=name, folder=folder, offset=offset, max_bytes=PIECE_BYTES
        )
        try:
            sha256 = value["sha256"]
            return FilePiece(
                bytes(value["data"]),
                int(value["n_bytes"]),
                is_last=bool(value["done"]),
                sha256=None if sha256 is None else str(sha256),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise self._odd("file", error) from error

    def pieces(
        self, session: str, device: str | None, name: str, *, folder: str | None = None, offset: int = 0
    ) -> Iterator[bytes]:
        """Yield the bytes of one closed file from ``offset`` on, fetched as they are taken.

        Raises
        ------
        CommandRejected
            ``unknown_file``, or ``not_closed`` of one that is being recorded.
        RemoteProtocolError
            The file was replaced by another meanwhile, or the daemon answers oddly.
        """
        size: int | None = None
        while True:
            piece = self.piece(session, device, name, folder=folder, offset=offset)
            if size not in (None, piece.n_bytes) or (not piece.data and not piece.is_last):
                raise RemoteProtocolError(f"{name} became another while it was fetched; fetch it again")
            size = piece.n_bytes
            if piece.data:
                yield piece.data
            offset += len(piece.data)
            if piece.is_last:
                return

    def _odd(self, what: str, error: Exception | str) -> RemoteProtocolError:
        return RemoteProtocolError(f"the history at {self.client.url} sent an odd {what}: {error}")

    def close(self) -> None:
        """Disconnect; may be called twice."""
        self.client.close()
