"""Folders to record in, for whoever chooses one from another computer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from spikedaq.library.places import Places, full_path, is_plain
from spikedaq.library.session_card import PLAN_FILE
from spikedaq.library.writable import look_for_room
from spikedaq.model import CommandRejected

MAX_FOLDERS = 500
"""In one reply; a name takes at most 255 bytes of a mebibyte."""
MAX_LOOKED_AT = 50_000
"""Entries of a folder that are looked at for one reply: some 0.1 s."""


def list_folders(places: Places, folder: Any, *, after: str, limit: int) -> dict[str, Any]:
    """Return what lies below a folder, or the roots where none is named; for a thread.

    Parameters
    ----------
    folder : str or None
    after : str
        Go on behind this name; "" for the first.
    limit : int

    Returns
    -------
    map
        ``folder`` (None: the roots), ``parent`` (None where that may not be looked at), ``writable``, ``why_not``,
        ``free_bytes``, ``folders``: maps of ``name``, ``path`` and ``is_session``, and ``next``: ``after`` for what
        follows, or None.

    Raises
    ------
    CommandRejected
        As `Places.resolve` does.
    """
    if folder is None:
        roots = [{"name": root.name, "path": str(root), "is_session": False} for root in places.roots()]
        return {"folder": None, "parent": None, "writable": False, "why_not": "choose one of these",
                "free_bytes": None, "folders": roots, "next": None}  # fmt: skip
    path = full_path(folder)
    real = places.resolve(folder)
    found, after_all = [], None
    try:
        with os.scandir(real) as entries:
            names = []
            for n_seen, entry in enumerate(entries):
                if n_seen >= MAX_LOOKED_AT:
                    break
                if is_plain(entry.name) and entry.name > after and _is_inside(places, path / entry.name, entry):
                    names.append(entry.name)
    except OSError as error:
        text = f"{path} cannot be looked at ({error.strerror}); change its rights, or choose another folder"
        raise CommandRejected(text, code="unknown_folder") from error
    for name in sorted(names)[:limit]:
        found.append({"name": name, "path": str(path / name), "is_session": (real / name / PLAN_FILE).is_file()})
    if len(names) > limit:
        after_all = found[-1]["name"]
    room = look_for_room(real)
    is_root = path in places.roots()
    return {
        "folder": str(path),
        "parent": None if is_root else str(path.parent),
        "writable": not room.why_not,
        "why_not": room.why_not or None,
        "free_bytes": room.free_bytes,
        "folders": found,
        "next": after_all,
    }


def check_folder(places: Places, folder: Any, session: str | None) -> dict[str, Any]:
    """Return whether a recording can be begun in a folder, which need not exist yet; nothing is made. For a thread.

    Returns
    -------
    map
        ``folder``, ``ok``, ``why_not``, ``exists``, ``free_bytes``, ``needed_bytes``: what has to be free to begin,
        ``reserve_bytes``: what stays free of recordings, and ``same_disk``: whether journals share it.

    Raises
    ------
    CommandRejected
        As `Places.resolve` does.
    """
    config = places.config
    path = full_path(folder)
    real = places.resolve(folder, may_be_missing=True)
    room = look_for_room(real, config.needed_bytes)
    why = room.why_not
    if not why and session is not None and os.path.lexists(real / session):
        why = f"session {session!r} exists already in {path}; choose another name"
    return {
        "folder": str(path),
        "ok": not why,
        "why_not": why or None,
        "exists": room.exists,
        "free_bytes": room.free_bytes,
        "needed_bytes": config.needed_bytes,
        "reserve_bytes": config.reserve_bytes,
        "same_disk": _is_same_disk(real, config.journals),
    }


def _is_inside(places: Places, path: Path, entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder that may be looked at: no link that leads out."""
    try:
        if not entry.is_symlink():
            return entry.is_dir(follow_symlinks=False)
        return places.resolve(str(path)).is_dir()
    except (OSError, CommandRejected):
        return False


def _is_same_disk(folder: Path, journals: Path | None) -> bool:
    """Whether a folder, or where it would be made, is on the disk of the journals."""
    if journals is None:
        return False
    for path in (folder, *folder.parents):
        try:
            return path.stat().st_dev == journals.stat().st_dev
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return False
