"""Pins: files that say that a recording must not be deleted to make room. They move with the recording."""

from __future__ import annotations

import os
from pathlib import Path

from spikedaq.model import StoreError

KEEP = "keep"
"""A file of this name in a folder of a session or device pins all in it; NAME.nwb.keep pins NAME.nwb."""


def mark_of(path: Path) -> Path:
    """Return the file that pins a recording file or folder."""
    return path / KEEP if path.is_dir() else path.with_name(f"{path.name}.{KEEP}")


def pin(path: Path) -> Path:
    """Pin a recording file, or the folder of a device or session. Returns the mark.

    Raises
    ------
    StoreError
        It does not exist, or its folder cannot be written.
    """
    if not path.exists():
        raise StoreError(f"{path} does not exist; give a recording file, or the folder of a session or device")
    mark = mark_of(path)
    try:
        mark.touch()
    except OSError as error:
        raise StoreError(f"{mark} cannot be written ({error.strerror}); check the rights of its folder") from error
    return mark


def unpin(path: Path) -> Path:
    """Take the pin of a file or folder away; it may still be pinned by a folder above. Raises as `pin` does."""
    mark = mark_of(path)
    try:
        mark.unlink()
    except FileNotFoundError as error:
        raise StoreError(f"{path} is not pinned; a pin is a file {mark}") from error
    except OSError as error:
        raise StoreError(f"{mark} cannot be removed ({error.strerror}); check the rights of its folder") from error
    return mark


def is_pinned(file: str | os.PathLike[str]) -> bool:
    """Tell whether a recording file is pinned, itself or by its device's or session's folder.

    By text, for the daemon's retention: see ``daemon/closed_files.py``.
    """
    device = os.path.dirname(file)  # noqa: PTH120
    session = os.path.dirname(device)  # noqa: PTH120
    marks = (f"{os.fspath(file)}.{KEEP}", f"{device}/{KEEP}", f"{session}/{KEEP}")
    return any(os.path.exists(mark) for mark in marks)  # noqa: PTH110
