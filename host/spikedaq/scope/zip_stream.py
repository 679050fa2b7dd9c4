"""A ZIP archive as a stream whose length is known before its first byte.

Nothing is compressed: recordings are already. Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 to 4.5.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

_LIMIT = 0xFFFFFFFF
"""Sizes and offsets from here on need the 64-bit fields (4.4.8)."""
_MAX_ENTRIES = 0xFFFF
_FLAGS = 0x0808
"""Sizes and CRC follow the data (bit 3), names are UTF-8 (bit 11)."""
_UNIX = 3 << 8
_MODE = 0o100644 << 16
_DOS_EPOCH_YEAR = 1980


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of an archive: path with ``/``, size in bytes, and when it was written, UTC in ns."""

    name: str
    n_bytes: int
    utc_ns: int = 0


@dataclass(frozen=True, slots=True)
class _Written:
    entry: Entry
    offset: int
    crc: int


class ZipWriter:
    """Makes the bytes around the files' own.

    For each file `begin`, its bytes through `feed`, `end`; at last `finish`.
    """

    def __init__(self) -> None:
        self._offset = 0
        self._written: list[_Written] = []
        self._entry: Entry | None = None
        self._crc = self._n_fed = self._begun_at = 0

    def begin(self, entry: Entry) -> bytes:
        """Return the local header of a file."""
        self._entry, self._crc, self._n_fed, self._begun_at = entry, 0, 0, self._offset
        name = entry.name.encode()
        large = entry.n_bytes >= _LIMIT
        extra = struct.pack("<HHQQ", 1, 16, 0, 0) if large else b""
        size = _LIMIT if large else 0
        version = 45 if large else 20
        header = struct.pack(
            "<4sHHHIIIIHH", b"PK\3\4", version, _FLAGS, 0, _dos(entry.utc_ns), 0, size, size, len(name), len(extra)
        )
        return self._out(header + name + extra)

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the file, and return them."""
        self._crc = zlib.crc32(data, self._crc)
        self._n_fed += len(data)
        return self._out(data)

    def skip(self, n_bytes: int) -> None:
        """Take bytes that nobody has, to learn the length of what follows."""
        self._n_fed += n_bytes
        self._offset += n_bytes

    def end(self) -> bytes:
        """Return what follows the file's bytes.

        Raises
        ------
        ValueError
            There were more or fewer than its entry says.
        """
        entry = self._entry
        if entry is None or self._n_fed != entry.n_bytes:
            raise ValueError(f"{entry.name if entry else 'no file'}: {self._n_fed} bytes came")
        sizes = "QQ" if entry.n_bytes >= _LIMIT else "II"
        self._written.append(_Written(entry, self._begun_at, self._crc))
        self._entry = None
        return self._out(struct.pack(f"<4sI{sizes}", b"PK\7\10", self._crc, entry.n_bytes, entry.n_bytes))

    def finish(self) -> bytes:
        """Return the directory at the end."""
        begin = self._offset
        directory = b"".join(_directory_entry(written) for written in self._written)
        n = len(self._written)
        large = begin >= _LIMIT or len(directory) >= _LIMIT or n >= _MAX_ENTRIES
        ends = b""
        if large:
            at = begin + len(directory)
            ends = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, n, n, len(directory), begin)
            ends += struct.pack("<4sIQI", b"PK\6\7", 0, at, 1)
        ends += struct.pack(
            "<4sHHHHIIH", b"PK\5\6", 0, 0, min(n, _MAX_ENTRIES), min(n, _MAX_ENTRIES),
            min(len(directory), _LIMIT), min(begin, _LIMIT), 0,
        )  # fmt: skip
        return self._out(directory + ends)

    def _out(self, data: bytes) -> bytes:
        self._offset += len(data)
        return data


def zip_length(entries: Iterable[Entry]) -> int:
    """Return how many bytes the archive of these files has."""
    writer = ZipWriter()
    n_bytes = 0
    for entry in entries:
        n_bytes += len(writer.begin(entry)) + entry.n_bytes
        writer.skip(entry.n_bytes)
        n_bytes += len(writer.end())
    return n_bytes + len(writer.finish())


def _directory_entry(written: _Written) -> bytes:
    entry, name = written.entry, written.entry.name.encode()
    wide = [entry.n_bytes] * 2 if entry.n_bytes >= _LIMIT else []
    if written.offset >= _LIMIT:
        wide.append(written.offset)
    extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    size = min(entry.n_bytes, _LIMIT)
    version = 45 if wide else 20
    return (
        struct.pack(
            "<4sHHHHIIIIHHHHHII", b"PK\1\2", _UNIX | version, version, _FLAGS, 0, _dos(entry.utc_ns), written.crc, size,
            size, len(name), len(extra), 0, 0, 0, _MODE, min(written.offset, _LIMIT),
        )
        + name
        + extra
    )  # fmt: skip


def _dos(utc_ns: int) -> int:
    """Return date and time as ZIP has them (4.4.6): 2 s steps since 1980."""
    try:
        t = datetime.fromtimestamp(utc_ns / 1e9, UTC)
    except (ValueError, OverflowError, OSError):
        t = datetime(_DOS_EPOCH_YEAR, 1, 1, tzinfo=UTC)
    if not _DOS_EPOCH_YEAR <= t.year < _DOS_EPOCH_YEAR + 128:
        t = datetime(_DOS_EPOCH_YEAR, 1, 1, tzinfo=UTC)
    date = (t.year - _DOS_EPOCH_YEAR) << 9 | t.month << 5 | t.day
    return date << 16 | t.hour << 11 | t.minute << 5 | t.second // 2
