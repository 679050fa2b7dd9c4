"""The daemon's data folder: made, checked, and held by one daemon."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from spikedaq.journal import make_folder
from spikedaq.model import ConfigError, StoreError
from spikedaq.recorder import DAEMON_LOCK

MIN_FREE_BYTES = 64 * 2**20
"""Needed where nobody says otherwise: one journal segment, two and a half minutes of a device at 10 kHz."""


class DataFolder:
    """Holds a data folder for this process until closed.

    Raises
    ------
    ConfigError
        Another daemon holds it, or it cannot be made or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.journal = self.path / "journal"
        self.recordings = self.path / "recordings"
        try:
            for folder in (self.path, self.journal, self.recordings):
                make_folder(folder)
            self._fd = os.open(self.path / DAEMON_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            message = f"the data folder {self.path} cannot be used ({error.strerror}); name another with --data"
            raise ConfigError(message) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._fd, 32, 0).decode(errors="replace").strip()
            os.close(self._fd)
            by = f"process {holder}" if holder.isdecimal() else "another process"
            message = (
                f"the data folder {self.path} is already used by another spikedaqd ({by}); use that one, end it, or "
                "name another folder with --data"
            )
            raise ConfigError(message) from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def free_bytes(self) -> int | None:
        """Free space on its disk, None where it cannot be asked."""
        try:
            return shutil.disk_usage(self.path).free
        except OSError:
            return None

    def close(self) -> None:
        """Let it go."""
        os.close(self._fd)


def check_writable(folder: Path, needed_bytes: int = MIN_FREE_BYTES) -> None:
    """Make a folder if it is missing, and see that files can be written there.

    Raises
    ------
    StoreError
        Not possible, read-only, or (nearly) full.
    """
    try:
        make_folder(folder)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * 4096)
            file.flush()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise StoreError(f"the recording folder {folder} {_folder_error(error)}") from error
    if free < needed_bytes:
        raise StoreError(
            f"the disk of the recording folder {folder} is full ({free // 2**20} MiB free, {needed_bytes // 2**20} "
            "are needed); make room or name a folder on another disk"
        )


def _folder_error(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "is on a full disk; make room or name a folder on another disk"
    if error.errno == errno.EROFS:
        return "is on a read-only disk; mount it for writing or name another folder"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "is read-only for this user; change its rights (chmod u+w) or name another folder"
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return "is a file, or lies beneath one; name a folder"
    return f"cannot be written ({error.strerror}); name another folder"


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all, and on the disk when this returns.

    Raises
    ------
    StoreError
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(value, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        with contextlib.suppress(OSError):  # the disk may be gone by now
            temporary.unlink(missing_ok=True)
        raise StoreError(f"{path} cannot be written ({error.strerror}); check space and rights") from error
