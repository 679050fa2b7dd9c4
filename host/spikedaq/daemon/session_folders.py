"""Folders of sessions: made, pointed at while they are written, and found again by the next daemon."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from spikedaq.daemon.data_folder import DataFolder, check_writable, write_json
from spikedaq.daemon.session import SESSION_FILE
from spikedaq.journal import sync_folder
from spikedaq.model import StoreError
from spikedaq.recorder import UNFINISHED

_POINTER_FILE = "active-session.json"


def point_at(data: DataFolder, folder: Path) -> None:
    """Write down which session is under way: its folder may be anywhere."""
    write_json(data.path / _POINTER_FILE, {"folder": str(folder)})


def point_at_none(data: DataFolder) -> None:
    """Write down that no session is under way."""
    (data.path / _POINTER_FILE).unlink(missing_ok=True)


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


def unreadable(data: DataFolder) -> tuple[str, str] | None:
    """Name the session that was under way when the last daemon ended, and why nobody can read what it was."""
    pointer = data.path / _POINTER_FILE
    try:
        folder = Path(json.loads(pointer.read_text("utf-8"))["folder"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        return "unknown", f"a session was under way, and {pointer}, which names it, cannot be read ({error})"
    try:
        json.loads((folder / SESSION_FILE).read_text("utf-8"))["state"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, FileNotFoundError) and folder.is_dir() and not any(folder.iterdir()):
            return None  # the daemon was ended before it had begun
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        text = f"session {folder.name} was under way, and {folder / SESSION_FILE} cannot be read ({reason})"
        return (
            folder.name,
            f"{text}: it is not recorded. Mount its disk, or put the file back, and start spikedaqd again",
        )
    return None


def unfinished(data: DataFolder) -> list[Path]:
    """Folders of sessions that an earlier daemon did not complete, also outside the data folder."""
    folders = [path.parent for path in sorted(data.recordings.glob(f"*/{SESSION_FILE}"))]
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        pointed = Path(json.loads((data.path / _POINTER_FILE).read_text("utf-8"))["folder"])
        if pointed not in folders:
            folders.append(pointed)
    found = []
    for folder in folders:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if json.loads((folder / SESSION_FILE).read_text("utf-8")).get("state") in UNFINISHED:
                found.append(folder)
    return found
