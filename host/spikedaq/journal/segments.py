"""Segment files of a journal folder: names, order, space reserved ahead, and where the last good frame ends."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import re
from dataclasses import dataclass
from pathlib import Path

from spikedaq.journal.records import MAX_RECORD_BYTES
from spikedaq.model import StoreError
from spikedaq.wire import BadFrame, Frame, FrameDecoder, sequence_number

_NAME = re.compile(r"(\d{20})\.spj")
_SCAN_BYTES = 2**20
LONGEST_FRAME_BYTES = 2 * MAX_RECORD_BYTES
"""More than a frame has, its end included."""
_FALLOC_FL_KEEP_SIZE = 1  # linux/falloc.h


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One segment file; ``base_offset`` is the journal offset of its first byte, ``where`` its full name.

    That is text: who reads a journal lists it at every idle poll, and a `Path` costs an entry in a table each time
    (see ``daemon/closed_files.py``).
    """

    base_offset: int
    where: str

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.where)

    def size(self) -> int:
        """Bytes in it now; 0 where it is gone."""
        try:
            return os.stat(self.where).st_size  # noqa: PTH116
        except FileNotFoundError:
            return 0


def segment_path(folder: Path, base_offset: int) -> Path:
    """Path of the segment that starts at ``base_offset``."""
    return folder / f"{base_offset:020d}.spj"


def list_segments(folder: Path) -> list[Segment]:
    """Return the segments of a journal folder, oldest first; none where the folder is absent."""
    try:
        names = os.listdir(folder)  # noqa: PTH208  a reader does this at every idle poll; names are all it needs
    except FileNotFoundError:
        return []
    found = ((_NAME.fullmatch(name), name) for name in names)
    return sorted(Segment(int(m[1]), f"{folder}/{name}") for m, name in found if m)


def kept_range(folder: Path) -> tuple[int, int] | None:
    """Return the journal offsets at which what is kept begins and ends, None where there is no journal."""
    segments = list_segments(folder)
    return (segments[0].base_offset, segments[-1].base_offset + segments[-1].size()) if segments else None


def offset_before(folder: Path, offset: int, n_bytes: int) -> int:
    """Return where the last ``n_bytes`` before an offset begin that are there, or all that are: offsets have holes."""
    first = max(0, offset - n_bytes)
    for segment in reversed(list_segments(folder)):
        if segment.base_offset >= offset:
            continue
        end = min(offset, segment.base_offset + segment.size())
        first = max(segment.base_offset, end - n_bytes)
        n_bytes -= end - first
        if n_bytes <= 0:
            break
    return first


def kept_bytes(folder: Path) -> int:
    """Return how many bytes a journal has on the disk: fewer than its offsets span, which have holes."""
    return sum(segment.size() for segment in list_segments(folder))


def sync_segments(folder: Path, since: int) -> None:
    """Bring to the disk itself what a journal holds from ``since`` on; any process may.

    A recorder does so before it calls a file closed: a power cut must not leave a journal that ends before its files.
    """
    segments = list_segments(folder)
    for segment, following in zip(segments, [*segments[1:], None], strict=True):
        if following is not None and following.base_offset <= since:
            continue
        with contextlib.suppress(FileNotFoundError):
            fd = os.open(segment.where, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fdatasync(fd)
            finally:
                os.close(fd)


def read_frames(fd: int, position: int, max_bytes: int) -> bytes:
    """Return the whole frames in the next ``max_bytes`` of a segment, or one that is longer; empty where none is whole.

    What has no end for longer than a frame can be is none: it is returned all the same, without a 00 at its end.
    """
    data = os.pread(fd, max_bytes, position)
    stop = data.rfind(b"\0") + 1
    if not stop and len(data) == max_bytes < LONGEST_FRAME_BYTES:
        max_bytes = LONGEST_FRAME_BYTES
        data = os.pread(fd, max_bytes, position)
        stop = data.find(b"\0") + 1
    return data[:stop] if stop or len(data) < max_bytes else data


def decode_frames(data: bytes) -> list[Frame | BadFrame]:
    """Frames of a piece of a segment that starts at a frame boundary; offsets count from the piece's first byte."""
    return FrameDecoder(MAX_RECORD_BYTES + 64).feed(data)


def last_number(data: bytes, end: int) -> int | None:
    """Sequence number of the newest device frame before position ``end`` of a segment's bytes."""
    while end > 0:
        start = data.rfind(b"\0", 0, end - 1) + 1
        for frame in decode_frames(data[start:end]):
            number = sequence_number(frame.message) if isinstance(frame, Frame) else None
            if number is not None:
                return number
        end = start
    return None


def good_end(data: bytes) -> int:
    """Position after the last good frame in a segment's bytes, 0 where there is none."""
    stop = data.rfind(b"\0") + 1
    while stop > 0:
        start = data.rfind(b"\0", 0, stop - 1) + 1
        if stop - start == 1:
            # A run of zeros, as a power cut may leave: to its start at once, keeping the zero that closes a frame.
            stop = min(stop - 1, len(data[:stop].rstrip(b"\0")) + 1)
            continue
        if isinstance(decode_frames(data[start:stop])[-1], Frame):
            return stop
        stop = start
    return 0


def intact_end(data: bytes) -> int:
    """Position before the first byte that is of no good frame, in a segment's bytes."""
    decoder, end = FrameDecoder(MAX_RECORD_BYTES + 64), 0
    for begin in range(0, len(data), _SCAN_BYTES):
        for frame in decoder.feed(data[begin : begin + _SCAN_BYTES]):
            if isinstance(frame, BadFrame) or frame.offset != end:
                return end
            end += len(frame.raw)
    return end


def reserve(fd: int, n_bytes: int) -> bool:
    """Reserve disk space for the first ``n_bytes`` of a file without changing its size, where the system can.

    Returns
    -------
    bool
        Whether the space is reserved. A file system that cannot, or has no room, is not an error here.
    """
    fallocate = getattr(_libc(), "fallocate", None)
    if fallocate is None:
        return False
    fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    return bool(fallocate(fd, _FALLOC_FL_KEEP_SIZE, 0, n_bytes) == 0)


def release(fd: int) -> None:
    """Give back the space reserved beyond a file's end."""
    with contextlib.suppress(OSError):
        os.ftruncate(fd, os.fstat(fd).st_size)


def lock_folder(folder: Path) -> int:
    """Lock a journal folder for this process; the lock ends with the descriptor."""
    fd = os.open(folder / ".writer.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as e:
        os.close(fd)
        raise StoreError(
            f"the journal in {folder} is being written by another process; stop the other daemon, or give this one "
            "another data folder"
        ) from e
    except OSError:
        os.close(fd)
        raise
    return fd


def read_host_boot_id() -> str:
    """Identity of this boot of the computer, empty where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _libc() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(None, use_errno=True)
    except (OSError, TypeError):
        return None
