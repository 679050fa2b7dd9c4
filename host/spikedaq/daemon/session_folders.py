"""Folders of sessions: made, pointed at while they are written, and found again by the next daemon."""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass
from pathlib import Path

from spikedaq.daemon.data_folder import DataFolder, check_writable, write_json
from spikedaq.daemon.session import SESSION_FILE
from spikedaq.durable import sync_folder
from spikedaq.library.places import MAX_SHELVES, used_folders
from spikedaq.model import StoreError
from spikedaq.recorder import UNFINISHED

_POINTER_FILE = "active-session.json"


@dataclass(frozen=True, slots=True)
class Pointer:
    """What is known of a session that is under way without its folder, whose disk may be away.

    Attributes
    ----------
    folder : Path
    start_offsets : dict of str to int
        Journal offset by device from which on it is recorded.
    """

    folder: Path
    start_offsets: dict[str, int]

    def needed_from(self) -> dict[str, int]:
        """Journal offset by device before which nothing is needed."""
        return self.start_offsets


class Pointers:
    """The list, in the data folder, of the sessions under way: their folders may be anywhere. For threads."""

    def __init__(self, data: DataFolder) -> None:
        self._path = data.path / _POINTER_FILE
        self._lock = threading.Lock()

    def all(self) -> list[Pointer]:
        """Return them.

        Raises
        ------
        StoreError
            The list cannot be read.
        """
        try:
            raw = json.loads(self._path.read_text("utf-8"))
            return [Pointer(Path(one["folder"]), dict(one["start_offsets"])) for one in raw["sessions"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"a session was under way, and {self._path}, which names it, cannot be read ({error})"
            ) from error

    def add(self, pointer: Pointer) -> None:
        """Note that a session is under way.

        Raises
        ------
        StoreError
        """
        with self._lock:
            self._write([*self._others(pointer.folder), pointer])

    def remove(self, folder: Path) -> None:
        """Note that a session is not under way any more.

        Raises
        ------
        StoreError
        """
        with self._lock:
            self._write(self._others(folder))

    def _others(self, folder: Path) -> list[Pointer]:
        with contextlib.suppress(StoreError):  # said at the start; what cannot be read names nothing
            return [pointer for pointer in self.all() if pointer.folder != folder]
        return []

    def _write(self, pointers: list[Pointer]) -> None:
        if pointers:
            sessions = [{"folder": str(one.folder), "start_offsets": one.start_offsets} for one in pointers]
            write_json(self._path, {"sessions": sessions})
            return
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{self._path} cannot be deleted ({error.strerror}); check the disk") from error


def note_used(data: DataFolder, parent: Path) -> None:
    """Remember a folder that was recorded in, so that its sessions are told of later; for a thread.

    Raises
    ------
    StoreError
    """
    if parent == data.recordings:
        return
    known = used_folders(data.used_folders)
    if known[:1] != [parent]:
        folders = [parent, *(folder for folder in known if folder != parent)][:MAX_SHELVES]
        write_json(data.used_folders, {"folders": [str(folder) for folder in folders]})


def make_session_folder(parent: Path, target: Path, name: str, needed_bytes: int) -> None:
    """Make the folder of a session that does not exist yet, where there is room for it.

    Raises
    ------
    StoreError
        It exists, or its disk is full or cannot be written.
    """
    check_writable(parent, needed_bytes)
    try:
        target.mkdir()
        sync_folder(parent)
    except FileExistsError as error:
        raise StoreError(f"session {name!r} exists already in {parent}; choose another name") from error
    except OSError as error:
        raise StoreError(f"the session folder {target} cannot be made ({error.strerror})") from error


def state_of(folder: Path) -> str:
    """Return the state of a session that is under way as far as is known, "" where it was never begun; for a thread.

    Raises
    ------
    StoreError
        It cannot be read: its disk may be away.
    """
    try:
        return str(json.loads((folder / SESSION_FILE).read_text("utf-8"))["state"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        with contextlib.suppress(OSError):
            if isinstance(error, FileNotFoundError) and folder.is_dir() and not any(folder.iterdir()):
                return ""  # the daemon was ended before it had begun
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise StoreError(f"{folder / SESSION_FILE} cannot be read ({reason})") from error


def unfinished(data: DataFolder) -> list[Path]:
    """Folders of sessions in the data folder that an earlier daemon did not complete."""
    found = []
    for path in sorted(data.recordings.glob(f"*/{SESSION_FILE}")):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if json.loads(path.read_text("utf-8")).get("state") in UNFINISHED:
                found.append(path.parent)
    return found
