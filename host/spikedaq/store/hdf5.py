"""How this room opens HDF5 files, and where HDF5's exceptions end."""

from __future__ import annotations

import ctypes
import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from spikedaq.model import DamagedFileError, DiskFullError, StoreError

# HDF5 1.10 reads nothing newer; "latest" writes files that 1.10 to 1.14 refuse.
LIBVER = ("v110", "v110")
# Bytes of chunk cache per dataset. HDF5 2.0 would take 8 MiB for each; one chunk of timestamps is 80 kB at 10 kHz.
CHUNK_CACHE_BYTES = 1 << 18

READ_ATTEMPTS = 31
"""How often a growing file's metadata are read whose checksum is wrong, 2 s in all: HDF5 takes that for a write under
way and waits twice as long each time, from 1 ns on. Its own limit of 100 is for ever, where the writer was killed or
the power failed and the file is damaged."""

# h5py raises RuntimeError where errno says ENOSPC, OSError for opening, KeyError, ValueError and TypeError for
# damaged content.
_FOREIGN = (OSError, RuntimeError, KeyError, ValueError, TypeError)
# HDF5 tells the system's error only in its text, and h5py hands on no more than that.
_ERRNO = re.compile(r"errno = (\d+)")
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def translated(path: Path, doing: str, remedy: str = "", *, from_content: bool = False) -> Iterator[None]:
    """Turn what h5py and the system raise into a StoreError that names file and remedy.

    Where the system refused nothing and ``from_content`` is given, the content is at fault: a DamagedFileError.
    """
    try:
        yield
    except _FOREIGN as error:
        text = " ".join(str(error).split())
        named = _ERRNO.search(text)
        number = getattr(error, "errno", None) or (int(named[1]) if named else None)
        kind: type[StoreError] = StoreError
        if number in _FULL:
            kind = DiskFullError
            text, remedy = "no space left on the disk", "free space; the journal keeps the data meanwhile"
        elif number == errno.ENOENT:
            text = "no such file or folder"
        elif number in (errno.EACCES, errno.EPERM, errno.EROFS):
            text, remedy = "not permitted", "check the permissions of the file and its folder"
        elif number is None and from_content:
            kind = DamagedFileError
        raise kind(f"cannot {doing} {path}: {text}" + (f"; {remedy}" if remedy else "")) from error


def open_file(path: Path, mode: str, *, swmr: bool = False, locking: bool | None = False) -> Any:
    """Open with the settings that every file of ours needs, for a start without HDF5's own locks (lock.py)."""
    return h5py.File(path, mode, libver=LIBVER, swmr=swmr, rdcc_nbytes=CHUNK_CACHE_BYTES, locking=locking)


def open_to_read(path: Path) -> tuple[Any, bool]:
    """Open plainly, or as a growing file. Returns the file and whether it is marked as growing.

    What is no path of this computer opens itself for reading in ranges, and does not grow.
    """
    if not isinstance(path, Path):
        return h5py.File(path.open("rb"), "r", rdcc_nbytes=CHUNK_CACHE_BYTES), False
    try:
        # HDF5's usual locks: within one process all who have a file open must agree, and other libraries use them.
        return open_file(path, "r", locking=None), False
    except OSError as error:
        if "locking flag" in str(error):  # this very process writes it
            return open_file(path, "r"), True
    return _open_growing(path), True


def _open_growing(path: Path) -> Any:
    """Open a file that is marked as growing, for reading. What is damaged in it is told within `READ_ATTEMPTS`."""
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    access.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_V110)
    elements, slots, _, preemption = access.get_cache()
    access.set_cache(elements, slots, CHUNK_CACHE_BYTES, preemption)
    # h5py has no call of its own for this. Its modules bring the symbols of their HDF5 along, but for Windows'.
    limit = getattr(ctypes.CDLL(h5py.h5p.__file__), "H5Pset_metadata_read_attempts", None)
    if limit is not None:
        limit(ctypes.c_int64(access.id), ctypes.c_uint(READ_ATTEMPTS))
    return h5py.File(h5py.h5f.open(os.fsencode(path), h5py.h5f.ACC_RDONLY | h5py.h5f.ACC_SWMR_READ, access))


class Growing:
    """A one-dimensional dataset that grows. Low-level calls: several times cheaper than ``resize`` and slicing."""

    __slots__ = ("_identifier", "dtype", "n")

    def __init__(self, dataset: Any) -> None:
        self._identifier = dataset.id
        self.dtype = dataset.dtype
        self.n = int(dataset.shape[0])

    def append(self, values: npt.NDArray[Any]) -> None:
        """Append values of the dataset's own type."""
        n = len(values)
        if n == 0:
            return
        identifier, end = self._identifier, self.n + n
        identifier.set_extent((end,))
        space = identifier.get_space()
        space.select_hyperslab((self.n,), (n,))
        identifier.write(h5py.h5s.create_simple((n,)), space, np.ascontiguousarray(values))
        self.n = end


def text_dtype(n_bytes: int) -> np.dtype[Any]:
    """UTF-8 text of a fixed number of bytes: text of variable length cannot grow under SWMR."""
    dtype: np.dtype[Any] = h5py.string_dtype("utf-8", n_bytes)
    return dtype


def fit_text(text: str, n_bytes: int) -> bytes:
    """Encode, cut at a character's edge to ``n_bytes``."""
    data = text.replace("\x00", " ").encode("utf-8", "replace")
    return data if len(data) <= n_bytes else data[:n_bytes].decode("utf-8", "ignore").encode()
