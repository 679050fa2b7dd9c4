"""Files and folders that appear complete or not at all."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from spikedaq.model import StoreError

_LEFT_BEHIND_S = 3600.0
"""Who still writes has touched what it makes within an hour; this also holds for another computer on the same share."""


@contextmanager
def written_whole(path: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that takes its name when the block ends without an exception.

    Any exception, Ctrl-C included, removes the temporary file and leaves ``path`` as it was. What a killed process left
    of the same file is removed by the next one, once nobody has touched it for an hour.

    Raises
    ------
    StoreError
        ``path`` exists and ``overwrite`` is false, or the file cannot be written.
    """
    with made_whole(path, overwrite=overwrite) as partial, partial.open("xb") as file:
        yield file


@contextmanager
def made_whole(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a name beside ``path``, for libraries that open files by name; what is made there becomes ``path``.

    As in `written_whole`: an exception leaves ``path`` as it was, and the errors are the same.
    """
    refuse_existing(path, overwrite=overwrite)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    _remove_left_behind(path)
    try:
        if partial.exists():
            raise StoreError(f"cannot write {path}: it is being written; if not, delete {partial.name} beside it")
        try:
            yield partial
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            refuse_existing(path, overwrite=overwrite)
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}; choose another place with --out") from error


@contextmanager
def folder_made_whole(path: Path, *, overwrite: bool, is_ours: Callable[[str], bool]) -> Iterator[Path]:
    """Make a folder beside ``path`` that takes its name when the block ends without an exception.

    Parameters
    ----------
    is_ours : callable
        Whether a file or folder of that name may lie in a folder that is replaced. With one that may not, nothing is
        replaced: it would be deleted.

    Raises
    ------
    StoreError
        ``path`` exists and ``overwrite`` is false, it holds something else, or it cannot be written.
    """
    refuse_folder(path, overwrite=overwrite, is_ours=is_ours)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    _remove_left_behind(path)
    try:
        try:
            partial.mkdir()
            yield partial
            refuse_folder(path, overwrite=overwrite, is_ours=is_ours)
            _replace_folder(partial, path, old)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        for left in (partial, old):
            shutil.rmtree(left, ignore_errors=True)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}; choose another place with --out") from error


def _remove_left_behind(path: Path) -> None:
    """Remove what killed processes made of ``path`` and never finished; what cannot be looked at or removed stays."""
    name = re.compile(re.escape(f".{path.name}.") + r"\d+\.partial")
    with contextlib.suppress(OSError):
        for left in [entry for entry in path.parent.iterdir() if name.fullmatch(entry.name)]:
            newest_s = max(entry.stat().st_mtime for entry in (left, *left.rglob("*")))
            if time.time() - newest_s > _LEFT_BEHIND_S:
                if left.is_dir():
                    shutil.rmtree(left, ignore_errors=True)
                else:
                    left.unlink()


def _replace_folder(partial: Path, path: Path, old: Path) -> None:
    """Give a folder the name of another one, which must not be missed for a moment where the system allows it."""
    if path.exists() and _exchanged(partial, path):
        return
    if path.exists():
        path.rename(old)
    try:
        partial.rename(path)
    except OSError:
        if old.exists():
            old.rename(path)
        raise


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two names in one step, which Linux can since 3.15; return whether it was done."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None
    if rename is None:
        return False
    at_cwd, exchange = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of renameat2(2)
    return bool(rename(at_cwd, os.fsencode(one), at_cwd, os.fsencode(other), exchange) == 0)


def refuse_folder(path: Path, *, overwrite: bool, is_ours: Callable[[str], bool]) -> None:
    """Raise StoreError if something is at ``path`` that a folder must not replace; an empty folder may be replaced."""
    if not path.exists():
        return
    if not path.is_dir():
        raise StoreError(f"{path} is a file; choose another name for the folder")
    names = sorted(entry.name for entry in path.iterdir())
    if names and not overwrite:
        raise StoreError(f"{path} exists; choose another place with --out, or replace it with --overwrite")
    if strange := [name for name in names if not is_ours(name)]:
        raise StoreError(
            f"{path} holds {strange[0]}, which this would delete; choose another place with --out, or move it away"
        )


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Raise StoreError if something is at ``path`` that must not be replaced."""
    if path.is_dir():
        raise StoreError(f"{path} is a folder; choose another name for the file")
    if path.exists() and not overwrite:
        raise StoreError(f"{path} exists; choose another place with --out, or replace it with --overwrite")
