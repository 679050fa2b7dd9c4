"""Make the file of a killed writer open again.

A writer that dies leaves "open for writing" in the superblock, and nobody can open the file plainly. The data that
was flushed is intact: this module puts the superblock right in place, then cuts the file to its complete blocks.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikedaq.model import StoreError
from spikedaq.store.extent import cut
from spikedaq.store.hdf5 import open_file, translated
from spikedaq.store.layout import META
from spikedaq.store.meta import FileMeta, meta_from_json

# HDF5 File Format Specification 3.0, II.A "Superblock", version 3: 48 bytes where offsets and lengths have 8.
SIGNATURE = b"\x89HDF\r\n\x1a\n"
SUPERBLOCK_BYTES = 48
_VERSION, _SIZES, _FLAGS = 8, slice(9, 11), 11
_END_OF_FILE, _CHECKSUM = slice(28, 36), slice(44, 48)
_M = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class RepairResult:
    """What :func:`repair` found."""

    path: Path
    was_open: bool
    """The superblock said that a writer had the file open."""
    was_cut: bool
    """Samples or rows beyond the last complete block were removed."""
    n_samples: int
    cursor: int
    """Journal offset to read on from."""
    seconds: float


def repair(path: Path) -> RepairResult:
    """Repair a file whose writer was killed. Does nothing to a file that is in order.

    Raises
    ------
    StoreError
        Not a recording of spikedaq, in use by a living writer, or damaged beyond this.
    """
    start = time.perf_counter()
    path = Path(path)
    was_open = _repair_superblock(path)
    with translated(path, "read", "rebuild it from the journal"), open_file(path, "r") as file:
        meta, start_offset = read_meta(file, path)
    names = [c.name for c in meta.info.channels]
    with translated(path, "repair", "rebuild it from the journal"):
        with open_file(path, "r") as file:
            needs_cut = _is_uneven(file, names, start_offset)
        with open_file(path, "r+" if needs_cut else "r") as file:
            extent, was_cut = cut(file, names, start_offset)
    return RepairResult(path, was_open, was_cut, extent.n_samples, extent.cursor, time.perf_counter() - start)


def read_meta(file: Any, path: Path) -> tuple[FileMeta, int]:
    """Return an open file's meta and start offset; StoreError where it is not ours."""
    if META not in file:
        raise StoreError(f"{path} was not written by spikedaq: it has no {META}")
    return meta_from_json(file[META].asstr()[()], path)


@contextmanager
def writing_lock(path: Path) -> Iterator[int]:
    """Hold the file while it is repaired: a living writer holds a shared lock, see :func:`shared_lock`."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(f"{path} is in use by another process; it needs no repair while that lives") from None
        yield descriptor
    finally:
        os.close(descriptor)


def shared_lock(path: Path) -> int:
    """Return a descriptor that keeps :func:`repair` off the file until it is closed (HDF5 drops its lock for SWMR)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _is_uneven(file: Any, names: list[str], start_offset: int) -> bool:
    """Try the cut without writing: a file that is in order must keep its bytes."""
    from spikedaq.store import extent as e

    measured = e.measure(file, names, start_offset)
    if any(d.shape[0] != measured.n_samples for d in e.series_datasets(file, names)):
        return True
    if e.BLOCKS.path in file and any(d.shape[0] != measured.n_blocks for d in e.columns(file, e.BLOCKS)):
        return True
    for table in e.SMALL_TABLES:
        if table.path in file:
            datasets = e.columns(file, table)
            if len({d.shape[0] for d in datasets}) > 1:
                return True
            offsets = file[table.path]["journal_offset"]
            if offsets.shape[0] and offsets[-1] > measured.cursor:
                return True
    return False


def _repair_superblock(path: Path) -> bool:
    """Clear the flags of a dead writer. Returns whether there were any."""
    with translated(path, "repair", "check its path and permissions"):
        with path.open("rb") as file:
            original = file.read(SUPERBLOCK_BYTES)
        _check_superblock(path, original)
        size = path.stat().st_size
        if original[_FLAGS] == 0 and int.from_bytes(original[_END_OF_FILE], "little") <= size:
            return False
        patched = bytearray(original)
        patched[_FLAGS] = 0
        end = max(int.from_bytes(original[_END_OF_FILE], "little"), size)
        patched[_END_OF_FILE] = struct.pack("<Q", end)
        patched[_CHECKSUM] = struct.pack("<I", lookup3(bytes(patched[:44])))
        with writing_lock(path) as descriptor:
            os.pwrite(descriptor, patched, 0)
            os.ftruncate(descriptor, end)
            os.fsync(descriptor)
    return True


def _check_superblock(path: Path, data: bytes) -> None:
    if data[:8] != SIGNATURE:
        raise StoreError(f"{path} is not an HDF5 file; it cannot be repaired")
    if len(data) < SUPERBLOCK_BYTES or data[_VERSION] != 3 or data[_SIZES] != b"\x08\x08":
        raise StoreError(f"{path} was not written by spikedaq (superblock version {data[_VERSION]}); left as it is")
    if int.from_bytes(data[_CHECKSUM], "little") != lookup3(data[:44]):
        raise StoreError(f"{path}: the superblock's checksum is wrong; rebuild the file from the journal")


def _rotate(x: int, k: int) -> int:
    return ((x << k) | (x >> (32 - k))) & _M


def lookup3(data: bytes) -> int:
    """Bob Jenkins' lookup3 hash (hashlittle, initial value 0), HDF5's metadata checksum."""
    a = b = c = (0xDEADBEEF + len(data)) & _M
    position = 0
    while len(data) - position > 12:
        x, y, z = struct.unpack_from("<III", data, position)
        a, b, c = (a + x) & _M, (b + y) & _M, (c + z) & _M
        a = ((a - c) & _M) ^ _rotate(c, 4)
        c = (c + b) & _M
        b = ((b - a) & _M) ^ _rotate(a, 6)
        a = (a + c) & _M
        c = ((c - b) & _M) ^ _rotate(b, 8)
        b = (b + a) & _M
        a = ((a - c) & _M) ^ _rotate(c, 16)
        c = (c + b) & _M
        b = ((b - a) & _M) ^ _rotate(a, 19)
        a = (a + c) & _M
        c = ((c - b) & _M) ^ _rotate(b, 4)
        b = (b + a) & _M
        position += 12
    rest = data[position:]
    if not rest:
        return c
    x, y, z = struct.unpack("<III", rest.ljust(12, b"\0"))
    a, b, c = (a + x) & _M, (b + y) & _M, (c + z) & _M
    c = ((c ^ b) - _rotate(b, 14)) & _M
    a = ((a ^ c) - _rotate(c, 11)) & _M
    b = ((b ^ a) - _rotate(a, 25)) & _M
    c = ((c ^ b) - _rotate(b, 16)) & _M
    a = ((a ^ c) - _rotate(c, 4)) & _M
    b = ((b ^ a) - _rotate(a, 14)) & _M
    return ((c ^ b) - _rotate(b, 24)) & _M
