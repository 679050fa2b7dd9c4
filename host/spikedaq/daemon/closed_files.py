"""The closed files below a folder of sessions, as their manifests list them.

By text and not by `pathlib`, which interns each part of every path that is made, into a table that only grows until it
is copied: looked at every minute for weeks, hundreds of files would double it (0.9 MB in the soak of a day's worth).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

import structlog

from spikedaq.daemon.session import SESSION_FILE
from spikedaq.model import StoreError
from spikedaq.recorder import UNFINISHED, ManifestFile, is_pinned, read_entries

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed file that is still there."""

    path: str
    device: str
    entry: ManifestFile
    is_running: bool
    """Of a session that has not ended."""
    is_pinned: bool


@dataclass(frozen=True, slots=True)
class _Folder:
    """What lies in a folder; nothing where it cannot be looked at."""

    path: str
    folders: tuple[str, ...] = ()
    files: frozenset[str] = frozenset()


def closed_files(recordings: str, running: set[str]) -> list[Closed]:
    """Return what is closed and still there; ``running`` are the folders of sessions that have not ended.

    Folders may go while it looks, and some may not be ours to read: what cannot be looked at is kept.
    """
    found: list[Closed] = []
    for session in map(_look_into, _look_into(recordings).folders):
        if SESSION_FILE not in session.files:
            continue
        is_running = session.path in running or _is_unfinished(f"{session.path}/{SESSION_FILE}")
        for device in map(_look_into, session.folders):
            try:
                found += _listed(device, is_running=is_running)
            except (OSError, StoreError) as error:
                log.warning("folder cannot be looked at, its files are kept", folder=device.path, reason=str(error))
    return found


def _look_into(path: str) -> _Folder:
    try:
        with os.scandir(path) as entries:
            # Links are not followed: one that leads nowhere must not hide the others.
            is_folder = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
    except OSError as error:
        log.warning("folder cannot be looked at, its files are kept", folder=path, reason=str(error))
        return _Folder(path)
    folders = sorted(f"{path}/{name}" for name, yes in is_folder.items() if yes)
    return _Folder(path, tuple(folders), frozenset(name for name, yes in is_folder.items() if not yes))


def _listed(folder: _Folder, *, is_running: bool) -> Iterator[Closed]:
    """Yield the files of one device's folder that are still there."""
    device = folder.path.rpartition("/")[2]
    for entry in read_entries(folder.path, folder.files):
        path = f"{folder.path}/{entry.name}"
        yield Closed(path, device, entry, is_running, is_pinned(path))


def _is_unfinished(plan: str) -> bool:
    """Whether a daemon goes on with a session; True where that cannot be known."""
    try:
        with open(plan, encoding="utf-8") as file:  # noqa: PTH123 - see above
            state = json.load(file)["state"]
    except (OSError, ValueError, KeyError, TypeError):
        return True
    return state in UNFINISHED
