"""Can a recording be made in a folder? Tried, and nothing is left behind."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from spikedaq.model import StoreError

MIN_FREE_BYTES = 64 * 2**20
"""Needed where nobody says otherwise: one journal segment, two and a half minutes of a device at 10 kHz."""
_TRIED_BYTES = 4096  # one page: less may fit where not even a folder does


@dataclass(frozen=True, slots=True)
class Room:
    """What there is for recordings in a folder.

    Attributes
    ----------
    folder : Path
    exists : bool
        Where it does not, the folder above it that does was tried.
    why_not : str
        Why nothing can be recorded there, "" where it can.
    free_bytes : int or None
        None where the system does not say.
    """

    folder: Path
    exists: bool
    why_not: str
    free_bytes: int | None


def look_for_room(folder: Path, needed_bytes: int = MIN_FREE_BYTES) -> Room:
    """Try whether files can be written in a folder, or in one that would be made; for a thread.

    Nothing is made: what is tried has no name, and ends with this call.
    """
    free: int | None = None
    existing = folder
    try:
        existing = _existing(folder)
        free = shutil.disk_usage(existing).free
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(b"\0" * _TRIED_BYTES)
            file.flush()
    except OSError as error:
        return Room(folder, existing == folder, f"the recording folder {folder} {_said(error)}", free)
    if free < needed_bytes:
        why = (
            f"the disk of the recording folder {folder} is full ({free // 2**20} MiB free, {needed_bytes // 2**20} "
            "are needed); make room or name a folder on another disk"
        )
        return Room(folder, existing == folder, why, free)
    return Room(folder, existing == folder, "", free)


def check_room(folder: Path, needed_bytes: int = MIN_FREE_BYTES) -> Room:
    """Return what `look_for_room` finds.

    Raises
    ------
    StoreError
        Nothing can be recorded there: read-only, not a folder, or (nearly) full.
    """
    room = look_for_room(folder, needed_bytes)
    if room.why_not:
        raise StoreError(room.why_not)
    return room


def _existing(folder: Path) -> Path:
    """Return a folder, or the nearest above it that exists; raises OSError where that is no folder."""
    for path in (folder, *folder.parents):
        try:
            if path.is_dir():
                return path
            path.lstat()
        except FileNotFoundError:
            continue
        raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))


def _said(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "is on a full disk; make room or name a folder on another disk"
    if error.errno == errno.EROFS:
        return "is on a read-only disk; mount it for writing or name another folder"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "is read-only for this user; change its rights (chmod u+w) or name another folder"
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return "is a file, or lies beneath one; name a folder"
    return f"cannot be written ({error.strerror}); name another folder"
