"""How much room there is for recordings that pages analyse, counting what is promised to those on their way."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from spikedaq.model import StoreError

MIN_FREE_BYTES = 10**9
"""Of the disk, which is the journals', too, where the page server runs on the daemon's computer."""


class Room:
    """A bound on what is in a folder.

    Parameters
    ----------
    max_bytes : int
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._promised: dict[Path, int] = {}

    def measure(self, folder: Path) -> dict[Path, int]:
        """Return the sizes, in bytes, of the folder and of everything that room was promised to; takes a while."""
        return {path: size_of(path) for path in (folder, *list(self._promised))}

    def promise(self, folder: Path, sizes: dict[Path, int], where: Path, n_bytes: int) -> None:
        """Keep room for what is going to be written at ``where``, until `release`.

        Parameters
        ----------
        sizes : map
            As of `measure`; what was promised since counts whole.

        Raises
        ------
        StoreError
            There is no room.
        """
        used = sizes[folder]
        coming = sum(max(n - sizes.get(path, 0), 0) for path, n in self._promised.items())
        free = shutil.disk_usage(folder).free
        if used + coming + n_bytes > self.max_bytes or free - coming - n_bytes < MIN_FREE_BYTES:
            raise StoreError(
                f"{n_bytes / 1e6:.0f} MB are needed, and there is no room for them in the page server's temporary "
                f"folder ({(used + coming) / 1e6:.0f} of {self.max_bytes / 1e6:.0f} MB are used, {free / 1e6:.0f} MB "
                "of the disk are free); choose fewer files, or try again when others are done"
            )
        self._promised[where] = n_bytes

    def release(self, where: Path) -> None:
        """End a promise: what was to come is there, or never will be."""
        self._promised.pop(where, None)


def size_of(path: Path) -> int:
    """Return the bytes in a file, or in all files below a folder; 0 where nothing is."""
    total = 0
    for each in (path, *path.rglob("*")):
        with contextlib.suppress(OSError):
            total += each.stat().st_size if each.is_file() else 0
    return total
