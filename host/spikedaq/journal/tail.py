"""The files at the end of a journal: the segment that is appended to, and the space kept for the one after it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

from spikedaq.durable import sync_folder
from spikedaq.journal.segments import Segment, release, reserve, segment_path

_ROLL_RETRY_BYTES = 2**20  # A segment that could not be followed by another grows by this before the next attempt.
_SPARE = "next.tmp"
_MAX_RETIRED = 8  # Closed segments waiting for sync(); beyond it they are closed without, so no caller can leak files.


class JournalTail:
    """Appends whole frames to a journal's last segment, and puts another one after it.

    Parameters
    ----------
    folder : Path
        It exists, and is locked for this process.
    segment_bytes : int
        Space reserved for a segment, and its size from which another should follow.

    Attributes
    ----------
    base, size : int
        Journal offset of the segment's first byte, and its bytes so far.
    path : Path
        The segment that is being written. Kept: pathlib interns the parts of every path that it makes, and this is
        looked at many times a second.
    """

    def __init__(self, folder: Path, segment_bytes: int) -> None:
        self.folder = folder
        self.base = 0
        self.size = 0
        self.path = segment_path(folder, 0)
        self._segment_bytes = segment_bytes
        self._roll_at = segment_bytes
        self._lock = threading.Lock()  # guards what is open against sync() and prepare() in another thread
        self._fd = -1
        self._spare_fd = -1
        self._retired: list[int] = []

    @property
    def offset(self) -> int:
        """Journal offset after everything written so far."""
        return self.base + self.size

    @property
    def is_open(self) -> bool:
        """Whether it can be appended to."""
        return self._fd >= 0

    @property
    def has_spare(self) -> bool:
        """Whether the next segment has its space already."""
        return self._spare_fd >= 0

    def wants_next(self, n_bytes: int) -> bool:
        """Whether ``n_bytes`` more belong into another segment."""
        return self.size + n_bytes > self._roll_at

    def append(self, raws: Sequence[bytes]) -> tuple[int, OSError | None]:
        """Write frames with one os.write; return how many of them are whole on the file, the rest being cut off.

        A reader may have seen the frames that arrived whole, so they stay. The error says why others did not.
        """
        try:
            n_bytes = os.write(self._fd, b"".join(raws))
            error = None
        except OSError as e:
            n_bytes, error = 0, e
        n_whole = kept = 0
        for raw in raws:
            if kept + len(raw) > n_bytes:
                break
            kept += len(raw)
            n_whole += 1
        self.size += kept
        if n_bytes > kept:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self.size)
        if n_whole < len(raws) and error is None:
            error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.folder))
        return n_whole, error

    def go_on(self, last: Segment, end: int) -> None:
        """Append to an existing segment whose last good frame ends at position ``end``."""
        self._fd = os.open(last.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        reserve(self._fd, self._segment_bytes)
        self.base, self.size, self.path = last.base_offset, end, last.path

    def start(self, base_offset: int, head: bytes) -> None:
        """Put another segment after the present one, under another name until its head is complete.

        Raises
        ------
        OSError
            It cannot be made; the present one goes on.
        """
        path = segment_path(self.folder, base_offset)
        with self._lock:
            fd, self._spare_fd = self._spare_fd, -1
        temporary = self.folder / _SPARE if fd >= 0 else path.with_suffix(".tmp")
        if fd < 0:
            fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o644)
            reserve(fd, self._segment_bytes)
        try:
            _write_all(fd, head)
            temporary.rename(path)
        except OSError:
            os.close(fd)
            temporary.unlink(missing_ok=True)
            raise
        with contextlib.suppress(OSError):
            sync_folder(self.folder)  # the segment is there: readers go on to it whatever comes of this
        with self._lock:
            if self._fd >= 0:
                release(self._fd)
                self._retired.append(self._fd)
            while len(self._retired) > _MAX_RETIRED:
                os.close(self._retired.pop(0))
            self._fd = fd
        self.base, self.size, self._roll_at = base_offset, len(head), self._segment_bytes
        self.path = path

    def put_off(self) -> None:
        """Go on with the present segment for a while, where no other can be made."""
        self._roll_at = self.size + _ROLL_RETRY_BYTES

    def sync(self) -> OSError | None:
        """Bring what is written to the disk itself (fdatasync). May be called in another thread, one at a time.

        Returns
        -------
        OSError or None
            Why not all of it is there.
        """
        refusal: OSError | None = None
        with self._lock:
            if self._fd < 0:
                return None
            current = os.dup(self._fd)
            retired, self._retired = self._retired, []
        for fd in [*retired, current]:
            try:
                os.fdatasync(fd)
            except OSError as error:
                refusal = refusal or error
            os.close(fd)
        return refusal

    def prepare(self) -> None:
        """Reserve the space of the segment after this one, where there is enough. For the thread that syncs.

        The next segment is then there whatever fills the disk meanwhile.
        """
        spare = self.folder / _SPARE
        try:
            # Without room for two it would take the last of it from the segment at hand.
            if self._spare_fd >= 0 or shutil.disk_usage(self.folder).free < 2 * self._segment_bytes:
                return
            # Never one that is there: start() may be making a segment of it at this moment.
            fd = os.open(spare, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError:
            return
        with self._lock:
            if self._fd >= 0 and reserve(fd, self._segment_bytes):
                self._spare_fd = fd
                return
        os.close(fd)
        spare.unlink(missing_ok=True)

    def forget_spare(self) -> None:
        """Let go of the prepared space, which somebody has deleted together with the folder."""
        with self._lock:
            if self._spare_fd >= 0:
                os.close(self._spare_fd)
                self._spare_fd = -1
                with contextlib.suppress(OSError):
                    (self.folder / _SPARE).unlink(missing_ok=True)

    def close(self) -> None:
        """Sync, give back what was reserved, and close."""
        release(self._fd)
        self.sync()
        with self._lock:
            os.close(self._fd)
            self._fd = -1
            if self._spare_fd >= 0:
                os.close(self._spare_fd)
                self._spare_fd = -1
                (self.folder / _SPARE).unlink(missing_ok=True)


def _write_all(fd: int, data: bytes) -> None:
    """Write all of it, or raise OSError."""
    if os.write(fd, data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
