"""Make the file of a killed writer open again.

A writer that dies leaves "open for writing" in the superblock, and nobody can open the file plainly. The data that
was flushed is intact: this module puts the superblock right in place, then cuts the file to its complete blocks.
"""

from __future__ import annotations

import os
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikedaq.model import DamagedFileError, StoreError
from spikedaq.store.extent import Extent, at_cursor, beyond, cut, read_extent
from spikedaq.store.hdf5 import open_file, translated
from spikedaq.store.layout import META, channel_storages
from spikedaq.store.lock import WriteLock
from spikedaq.store.meta import FileMeta, meta_from_json

# HDF5 File Format Specification 3.0, II.A "Superblock", version 3: 48 bytes where offsets and lengths have 8.
SIGNATURE = b"\x89HDF\r\n\x1a\n"
SUPERBLOCK_BYTES = 48
_VERSION, _SIZES, _FLAGS = 8, slice(9, 11), 11
_END_OF_FILE, _CHECKSUM = slice(28, 36), slice(44, 48)
_M = 0xFFFFFFFF
REBUILD = "rebuild it from the journal"


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
    """Repair a file whose writer was killed. A file that is in order keeps its bytes.

    Raises
    ------
    DamagedFileError
        Damaged beyond this, or not a recording of spikedaq.
    StoreError
        Being written, or the disk refuses.
    """
    start = time.perf_counter()
    path = Path(path)
    if not path.is_file():
        raise StoreError(f"cannot repair {path}: there is no such file")
    with WriteLock(path) as lock:
        found = clear_flags(path, lock.descriptor)
        try:
            with translated(path, "repair", REBUILD, from_content=True):
                extent, was_cut = _cut_to_blocks(path)
        except StoreError:
            if found is not None:
                # Not ours, or beyond repair: it stays as it was found.
                superblock, size = found
                os.pwrite(lock.descriptor, superblock, 0)
                os.ftruncate(lock.descriptor, size)
            raise
    seconds = time.perf_counter() - start
    return RepairResult(path, found is not None, was_cut, extent.n_samples, extent.cursor, seconds)


def _cut_to_blocks(path: Path) -> tuple[Extent, bool]:
    with open_file(path, "r") as file:
        meta, _ = read_meta(file, path)
        names = [s.name for s in channel_storages(meta.channels)]
        stated = read_extent(file)
        extent = at_cursor(file, stated)
        needs_cut = extent != stated or bool(beyond(file, names, extent))
    if needs_cut:
        with open_file(path, "r+") as file:
            cut(file, names, extent)
    return extent, needs_cut


def read_meta(file: Any, path: Path) -> tuple[FileMeta, int]:
    """Return an open file's meta and start offset; StoreError where it is not ours."""
    if META not in file:
        raise DamagedFileError(f"{path} was not written by spikedaq: it has no {META}")
    return meta_from_json(file[META].asstr()[()], path)


def clear_flags(path: Path, descriptor: int) -> tuple[bytes, int] | None:
    """Clear the flags of a dead writer; whoever calls holds the file's lock.

    Returns superblock and size as they were, None if there were none.
    """
    with translated(path, "repair", REBUILD, from_content=True):
        original = os.pread(descriptor, SUPERBLOCK_BYTES, 0)
        _check_superblock(path, original)
        size = os.fstat(descriptor).st_size
        stated = int.from_bytes(original[_END_OF_FILE], "little")
        if original[_FLAGS] == 0 and stated <= size:
            return None
        patched = bytearray(original)
        patched[_FLAGS] = 0
        end = max(stated, size)
        patched[_END_OF_FILE] = struct.pack("<Q", end)
        patched[_CHECKSUM] = struct.pack("<I", lookup3(bytes(patched[:44])))
        # Space that was given out and never written: HDF5 refuses a file shorter than it says.
        os.ftruncate(descriptor, end)
        os.pwrite(descriptor, patched, 0)
        os.fsync(descriptor)
    return original, size


def _check_superblock(path: Path, data: bytes) -> None:
    if data[:8] != SIGNATURE:
        raise DamagedFileError(f"{path} is not an HDF5 file; {REBUILD}")
    if len(data) < SUPERBLOCK_BYTES or data[_VERSION] != 3 or data[_SIZES] != b"\x08\x08":
        raise DamagedFileError(f"{path} was not written by spikedaq: its superblock is of another kind; left as it is")
    if int.from_bytes(data[_CHECKSUM], "little") != lookup3(data[:44]):
        raise DamagedFileError(f"{path}: the superblock's checksum is wrong; {REBUILD}")


def _words(data: bytes) -> tuple[int, int, int]:
    a, b, c = struct.unpack("<III", data)
    return int(a), int(b), int(c)


def _rotate(x: int, k: int) -> int:
    return ((x << k) | (x >> (32 - k))) & _M


def lookup3(data: bytes) -> int:
    """Bob Jenkins' lookup3 hash (hashlittle, initial value 0), HDF5's metadata checksum."""
    a = b = c = (0xDEADBEEF + len(data)) & _M
    position = 0
    while len(data) - position > 12:
        x, y, z = _words(data[position : position + 12])
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
    x, y, z = _words(rest.ljust(12, b"\0"))
    a, b, c = (a + x) & _M, (b + y) & _M, (c + z) & _M
    c = ((c ^ b) - _rotate(b, 14)) & _M
    a = ((a ^ c) - _rotate(c, 11)) & _M
    b = ((b ^ a) - _rotate(a, 25)) & _M
    c = ((c ^ b) - _rotate(b, 16)) & _M
    a = ((a ^ c) - _rotate(c, 4)) & _M
    b = ((b ^ a) - _rotate(a, 14)) & _M
    return ((c ^ b) - _rotate(b, 24)) & _M
