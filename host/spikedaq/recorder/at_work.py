"""Which device a recorder is at, in memory that it shares with whoever started it: one that crashes can say nothing."""

from __future__ import annotations

import mmap
import os
import struct
import sys
from typing import Final

_OFFSET: Final = struct.Struct("<Q")
_N_BYTES: Final = struct.Struct("<H")
_NAME_AT: Final = _OFFSET.size + _N_BYTES.size
_SIZE: Final = 4096
NO_FD: Final = -1


class AtWork:
    """Written by a recorder, and read once it has ended.

    Parameters
    ----------
    fd : int
        Of memory from `shared_memory`; `NO_FD` where nobody reads. It stays the caller's, and may be closed.
    """

    def __init__(self, fd: int = NO_FD) -> None:
        self._shared = mmap.mmap(fd, _SIZE)

    def begin(self, device: str, offset: int) -> None:
        """Write down that something is done for a device, whose journal was read up to an offset."""
        name = device.encode()[: _SIZE - _NAME_AT]
        self.end()  # a crash in between names nobody, rather than a mixture
        self._shared[_NAME_AT : _NAME_AT + len(name)] = name
        _OFFSET.pack_into(self._shared, 0, offset)
        _N_BYTES.pack_into(self._shared, _OFFSET.size, len(name))

    def end(self) -> None:
        """Write down that nothing is done for any device."""
        _N_BYTES.pack_into(self._shared, _OFFSET.size, 0)

    def read(self) -> tuple[str, int] | None:
        """Return the device and the offset of what is, or was at last, being done; None where it is for no device."""
        (n_bytes,) = _N_BYTES.unpack_from(self._shared, _OFFSET.size)
        if not 0 < n_bytes <= _SIZE - _NAME_AT:
            return None
        (offset,) = _OFFSET.unpack_from(self._shared, 0)
        return self._shared[_NAME_AT : _NAME_AT + n_bytes].decode(errors="replace"), offset

    def close(self) -> None:
        """Let go of the memory."""
        self._shared.close()


def shared_memory() -> int:
    """Make memory for an `AtWork` and one of a child; return its descriptor, `NO_FD` where that cannot be had.

    It is not a file on a disk: writing into one on a full disk would end the recorder.
    """
    if sys.platform != "linux":
        return NO_FD
    try:
        fd = os.memfd_create("spikedaq-at-work")
    except OSError:
        return NO_FD
    os.truncate(fd, _SIZE)
    return fd
