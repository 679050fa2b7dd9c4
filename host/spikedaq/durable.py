"""Small files and folders that survive a power cut: there whole or not at all, and on the disk itself."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[TextIO]:
    """Give a file that takes a path's place, in one go, when the block ends; it is on the disk itself then.

    Where the block raises or the file cannot be written, the path is as it was. What a killed process leaves of it has
    the name of `unfinished`, and is written over by the next. Of several writers at a time only one may be here.

    Raises
    ------
    OSError
    """
    temporary = unfinished(path)
    try:
        with temporary.open("w", encoding="utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):  # the disk may be gone by now
            temporary.unlink()
        raise
    sync_folder(path.parent)


def unfinished(path: Path) -> Path:
    """Name of what is to become a path, beside it."""
    return path.with_name(f".{path.name.removeprefix('.')}.tmp")


def make_folder(folder: Path) -> None:
    """Make a folder and those above it where they are missing."""
    missing = [f for f in (folder, *folder.parents) if not f.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in reversed(missing):
        sync_folder(made.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk itself, where the file system can."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            os.fsync(fd)
    finally:
        os.close(fd)
