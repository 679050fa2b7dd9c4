"""The daemon's data folder: made, checked, and held by one daemon."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import Any

from spikedaq.durable import make_folder, replaced
from spikedaq.library import MIN_FREE_BYTES, check_room
from spikedaq.model import ConfigError, StoreError
from spikedaq.recorder import DAEMON_LOCK


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
        self.used_folders = self.path / "recording-folders.json"
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
        return _free_bytes(self.path)

    def recordings_free_bytes(self) -> int | None:
        """Free space for recordings, whose folder may be a link or a disk of its own; None where it cannot be asked."""
        return _free_bytes(self.recordings)

    def close(self) -> None:
        """Let it go."""
        os.close(self._fd)


def _free_bytes(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def check_writable(folder: Path, needed_bytes: int = MIN_FREE_BYTES) -> None:
    """Make a folder if it is missing, once it is known that files can be written there.

    Raises
    ------
    StoreError
        Not possible, read-only, or (nearly) full; nothing was made then.
    """
    room = check_room(folder, needed_bytes)
    if room.exists:
        return
    try:
        make_folder(folder)
    except OSError as error:
        text = f"the recording folder {folder} cannot be made ({error.strerror}); name another folder"
        raise StoreError(text) from error


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all, and on the disk when this returns.

    Raises
    ------
    StoreError
    """
    try:
        with replaced(path) as file:
            json.dump(value, file, indent=1)
            file.write("\n")
    except OSError as error:
        raise StoreError(f"{path} cannot be written ({error.strerror}); check space and rights") from error
