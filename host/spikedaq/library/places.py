"""Which folders clients may look into, and that they get no further."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikedaq.model import CommandRejected

MAX_PATH_CHARS = 4096
"""PATH_MAX of Linux."""
MAX_SHELVES = 64
"""Folders in which sessions are looked for; of those that were used the newest."""


@dataclass(frozen=True, slots=True)
class LibraryConfig:
    """What the daemon tells the library.

    Attributes
    ----------
    recordings : Path
        The daemon's own recordings folder.
    folders : tuple of Path
        Further ones, of the configuration.
    used : Path or None
        File in which the daemon notes the other folders that it has recorded in.
    journals : Path or None
        Those of this daemon: a session of theirs that has not ended is its own.
    needed_bytes : int
        Free space with which a recording begins.
    reserve_bytes : int
        Kept free of recordings.
    """

    recordings: Path
    folders: tuple[Path, ...] = ()
    used: Path | None = None
    journals: Path | None = None
    needed_bytes: int = 0
    reserve_bytes: int = 0


def plain_name(value: Any, what: str) -> str:
    """Return a name that is one part of a path, and no way out of it.

    Raises
    ------
    CommandRejected
        ``bad_arguments``: no text, empty, longer than 255 bytes, hidden, ``..``, or with ``/`` or NUL.
    """
    text = value if isinstance(value, str) else ""
    if not is_plain(text):
        shown = repr(value)[:80]
        raise CommandRejected(f"{shown} is no name of a {what}; give one part of a path", code="bad_arguments")
    return text


def is_plain(name: str) -> bool:
    """Tell whether a name is one part of a path that every client can be told."""
    if not name or name.startswith(".") or "/" in name or not name.isprintable():
        return False
    try:
        return len(name.encode()) <= 255
    except UnicodeEncodeError:
        return False


class Places:
    """The roots below which folders may be looked at, and the shelves on which sessions stand."""

    def __init__(self, config: LibraryConfig) -> None:
        self.config = config

    def roots(self) -> list[Path]:
        """Return the recordings folder and those of the configuration."""
        return list(dict.fromkeys((self.config.recordings, *self.config.folders)))

    def shelves(self) -> list[Path]:
        """Return every folder in which sessions are looked for: the roots, and what was used, newest first."""
        return list(dict.fromkeys((*self.roots(), *used_folders(self.config.used))))[:MAX_SHELVES]

    def shelf(self, folder: Any) -> Path:
        """Return the shelf that a client names as it was told.

        Raises
        ------
        CommandRejected
            ``not_allowed``: there is none of this name.
        """
        for shelf in self.shelves():
            if folder == str(shelf):
                return shelf
        text = f"{str(folder)[:200]!r} is no folder of recordings here; there are {', '.join(map(str, self.shelves()))}"
        raise CommandRejected(text, code="not_allowed")

    def resolve(self, folder: Any, *, may_be_missing: bool = False) -> Path:
        """Return a folder without symbolic links.

        Parameters
        ----------
        folder : str
            A full path, at or below a root.
        may_be_missing : bool
            Its last parts need not exist.

        Raises
        ------
        CommandRejected
            ``bad_arguments``: no path; ``not_allowed``: outside of the roots, also by a symbolic link;
            ``unknown_folder``: it does not exist, is none, or cannot be read.
        """
        path = full_path(folder)
        if not any(path.is_relative_to(root) for root in self.roots()):
            raise CommandRejected(self._outside(path), code="not_allowed")
        try:
            # Whether it is there is told of what lies inside only.
            real = Path(os.path.realpath(path))
            roots = [Path(os.path.realpath(root)) for root in self.roots()]
            if not any(real.is_relative_to(root) for root in roots):
                raise CommandRejected(f"{path} leads out by a symbolic link; {self._outside(path)}", code="not_allowed")
            if not may_be_missing:
                path.resolve(strict=True)
            is_folder = real.is_dir()
        except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
            missing = isinstance(error, FileNotFoundError)
            why = "does not exist" if missing else f"cannot be looked at ({getattr(error, 'strerror', error)})"
            raise CommandRejected(f"{path} {why}; choose another folder", code="unknown_folder") from error
        if not is_folder and not (may_be_missing and not real.exists()):
            raise CommandRejected(f"{path} is a file; choose a folder", code="unknown_folder")
        return real

    def _outside(self, path: Path) -> str:
        roots = ", ".join(map(str, self.roots()))
        return (
            f"{str(path)[:200]} is not in a folder that clients may look at ({roots}); name it under folders of "
            "[recording] in spikedaq.toml"
        )


def full_path(folder: Any) -> Path:
    """Return a path that is whole and goes nowhere but down.

    Raises
    ------
    CommandRejected
        ``bad_arguments``.
    """
    text = folder if isinstance(folder, str) else ""
    try:
        text.encode()
    except UnicodeEncodeError:
        text = ""
    if not text.startswith("/") or len(text) > MAX_PATH_CHARS or "\0" in text:
        raise CommandRejected(
            f"{str(folder)[:80]!r} is no full path; write one that begins with /", code="bad_arguments"
        )
    if ".." in text.split("/"):
        raise CommandRejected(f"{text[:200]!r} has '..' in it; write the path without", code="bad_arguments")
    return Path(os.path.normpath(f"/{text.lstrip('/')}"))


def used_folders(path: Path | None) -> list[Path]:
    """Return the folders that a file of the daemon lists; none where it cannot be read."""
    if path is None:
        return []
    try:
        raw = json.loads(path.read_text("utf-8"))
        return [Path(one) for one in raw["folders"] if isinstance(one, str) and one.startswith("/")][:MAX_SHELVES]
    except (OSError, ValueError, KeyError, TypeError):
        return []


@contextlib.contextmanager
def opened(shelf: Path, parts: Sequence[str]) -> Iterator[int]:
    """Open a plain file below a shelf for reading, following no symbolic link below it.

    Each part is opened within the one before, so that nothing that is renamed or linked meanwhile leads elsewhere.

    Raises
    ------
    OSError
        It is not there, no plain file, or one of its parts is a link.
    """
    fd = os.open(shelf, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
            os.close(fd)
            fd = inner
        # Without O_NONBLOCK a pipe that somebody put there would be waited for.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        inner = os.open(parts[-1], flags, dir_fd=fd)
        os.close(fd)
        fd = inner
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "it is no plain file")
        yield fd
    finally:
        os.close(fd)
