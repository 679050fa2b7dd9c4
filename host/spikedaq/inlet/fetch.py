"""Brings a recorded session to this computer: whole, checked, and gone on with where it was interrupted."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spikedaq.inlet.library import LibraryClient
from spikedaq.model import CommandRejected, RemoteProtocolError, StoreError, check_session_name

PLAN_FILE, MANIFEST_FILE = "session.json", "manifest.json"
_HASH_BYTES = 2**20
_STAMP_CHARS = 12
"""Of the SHA-256 in the name of a part: enough to tell the files of one name apart."""
_LOST = ("missing", "not_closed")

Progress = Callable[[str, int, int], None]
"""Called with the file's name, bytes done and bytes in all."""


@dataclass
class Fetched:
    """What was brought.

    Attributes
    ----------
    folder : Path
        The session's own folder here.
    files : list of Path
        Recording files that are here, whole and with the SHA-256 of the manifest.
    n_bytes : int
        Brought over the network by this call; what was here before is not counted.
    left_out : dict of str to str
        By file, why it is not here: it is being recorded, it was deleted.
    lost : list of str
        Those of them that should be there: gone without anybody having deleted them, or left open by a kill.
    """

    folder: Path
    files: list[Path] = field(default_factory=list)
    n_bytes: int = 0
    left_out: dict[str, str] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)


def fetch_session(
    library: LibraryClient,
    session: str,
    out: Path,
    *,
    folder: str | None = None,
    devices: list[str] | None = None,
    names: list[str] | None = None,
    progress: Progress = lambda name, done, total: None,
) -> Fetched:
    """Bring the closed files of a session into ``out/session``, with its plan and manifests.

    A file that is here already, with the right SHA-256, is not brought again. One that was interrupted is
    ``.NAME.STAMP.part`` and is gone on with by the next call; it gets its name once it is whole and checked.

    Parameters
    ----------
    folder : str, optional
        Which session, where several folders of the daemon have one of this name.
    devices, names : list of str, optional
        Only these devices; only files of these names.

    Raises
    ------
    CommandRejected
        ``unknown_session``, ``unknown_device``.
    StoreError
        It cannot be written here, or another file is in the way.
    RemoteProtocolError
        What came is not what the manifest says, also at a second attempt.
    """
    told = library.recording(session, folder=folder)
    where = folder if folder is not None else str(told["folder"])
    unknown = sorted(set(devices or ()) - set(told["devices"]))
    if unknown:
        has = ", ".join(told["devices"])
        raise CommandRejected(f"session {session!r} has no device {unknown[0]!r}; it has {has}", code="unknown_device")
    target = out / check_session_name(session)
    fetched = Fetched(target)
    wanted = [f for f in told["files"] if devices is None or f["device"] in devices]
    wanted = [f for f in wanted if names is None or f["name"] in names]
    closed = [f for f in wanted if f["state"] == "closed"]
    for file in wanted:
        if file["state"] != "closed":
            name = f"{file['device']}/{file['name']}"
            fetched.left_out[name] = _why(file)
            if file["state"] in _LOST:
                fetched.lost.append(name)
    total = sum(int(file["n_bytes"]) for file in closed)
    done = 0
    try:
        for file in closed:
            own = target / check_session_name(file["device"], "device name")
            own.mkdir(parents=True, exist_ok=True)
            goal = own / _file_name(file["name"])
            one = _One(library, session, where, file, goal)
            base = done
            fetched.n_bytes += one.bring(lambda n, f=file, b=base: progress(f["name"], b + n, total))  # type: ignore[misc]
            done += int(file["n_bytes"])
            progress(file["name"], done, total)
            fetched.files.append(goal)
        target.mkdir(parents=True, exist_ok=True)
        for device in sorted({str(file["device"]) for file in closed}):
            _small(library, session, where, device, target / device / MANIFEST_FILE)
        _small(library, session, where, None, target / PLAN_FILE)
    except OSError as error:
        where_to = error.filename or target
        text = f"{where_to} cannot be written ({error.strerror}); choose another place with --out, or make room"
        raise StoreError(text) from error
    return fetched


class _One:
    """One file on its way."""

    def __init__(self, library: LibraryClient, session: str, folder: str, file: dict[str, Any], goal: Path) -> None:
        self._library = library
        self._asked = session, str(file["device"]), str(file["name"])
        self._folder = folder
        self._sha256, self._n_bytes = str(file["sha256"]), int(file["n_bytes"])
        self._goal = goal
        self._part = goal.with_name(f".{goal.name}.{self._sha256[:_STAMP_CHARS]}.part")

    def bring(self, show: Callable[[int], None]) -> int:
        """Have the file here; return how many bytes that took."""
        if self._goal.exists():
            if self._goal.stat().st_size == self._n_bytes and _sha256(self._goal) == self._sha256:
                return 0
            text = (
                f"{self._goal} is here and is not the file that the daemon has; move it away, or choose another --out"
            )
            raise StoreError(text)
        n_bytes = self._download(show)
        if _sha256(self._part) != self._sha256:
            # A part of another attempt may have been damaged here: once more, from the beginning.
            self._part.unlink()
            n_bytes += self._download(show)
            if _sha256(self._part) != self._sha256:
                self._part.unlink()
                raise RemoteProtocolError(
                    f"{self._goal.name} does not have the SHA-256 of its manifest, so it is not kept; on the daemon's "
                    "computer: spikedaq verify"
                )
        self._part.replace(self._goal)
        return n_bytes

    def _download(self, show: Callable[[int], None]) -> int:
        n_brought = 0
        with self._part.open("ab") as out:
            if out.tell() > self._n_bytes:
                out.truncate(0)
            begin = out.tell()
            show(begin)
            session, device, name = self._asked
            if begin < self._n_bytes:
                for data in self._library.pieces(session, device, name, folder=self._folder, offset=begin):
                    if begin + n_brought + len(data) > self._n_bytes:
                        raise RemoteProtocolError(f"{name} became another while it was fetched; fetch it again")
                    out.write(data)
                    n_brought += len(data)
                    show(begin + n_brought)
            out.flush()
            os.fsync(out.fileno())
        return n_brought


def _small(library: LibraryClient, session: str, folder: str, device: str | None, goal: Path) -> None:
    """Bring a file that may change: always the newest."""
    data = b"".join(library.pieces(session, device, goal.name, folder=folder))
    temporary = goal.with_name(f".{goal.name}.part")
    temporary.write_bytes(data)
    temporary.replace(goal)


def _file_name(name: Any) -> str:
    """Return the name of a file as it may be used here, whatever the other side says."""
    text = str(name)
    if not text.endswith(".nwb") or text.startswith(".") or Path(text).name != text or "\\" in text or ":" in text:
        raise RemoteProtocolError(f"the daemon names a file {text[:200]!r}, which is no name of a recording")
    return text


def _why(file: dict[str, Any]) -> str:
    texts = {
        "open": "it is being recorded; fetch it once it is closed",
        "not_closed": "a kill left it open; on the daemon's computer: spikedaq recover",
        "missing": "it is gone on the daemon's computer; there: spikedaq recover",
        "deleted": f"it was deleted on the daemon's computer: {file.get('deleted_why')}",
    }
    return texts.get(str(file["state"]), f"it is {file['state']}")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_HASH_BYTES):
            digest.update(block)
    return digest.hexdigest()
