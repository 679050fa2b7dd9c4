"""Who may write a file: one process at a time, readers or not.

HDF5's own locks are no help: it gives up a writer's lock as SWMR starts, and every reader, plain or SWMR, keeps a
shared one, at which a writer that wants to close or repair would fail. So writers open without HDF5's locks and hold
one of their own, on a byte that no file reaches; it ends with the process, whatever ends that.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from spikedaq.model import StoreError

try:
    import fcntl
except ImportError:  # Windows: files are read there, not recorded
    fcntl = None  # type: ignore[assignment]

_BYTE = 2**62


class WriteLock:
    """The right to write one file, from creation to :meth:`release`.

    Raises
    ------
    StoreError
        Another writer holds it, or the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror}; check its path and permissions") from error
        command = getattr(fcntl, "F_OFD_SETLK", None)
        if command is None:  # only Linux has locks that belong to an open file and not to a process
            return
        # struct flock: type, whence, start, length, pid.
        request = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, _BYTE, 1, 0)
        try:
            fcntl.fcntl(self._descriptor, command, request)
        except BlockingIOError:
            self.release()
            raise StoreError(f"{path} is being written by another process; wait for it or end it") from None
        except OSError:
            # A file system without locks (some network ones): the recorder's lock on its session has to do.
            return

    @property
    def descriptor(self) -> int:
        """File descriptor, open for reading and writing."""
        return self._descriptor

    def release(self) -> None:
        """Give it up; once more is harmless."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> WriteLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
