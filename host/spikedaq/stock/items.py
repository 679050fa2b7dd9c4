"""What the decoders of the stock dialects give out, in stream order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

I16_LIMIT: Final = 32767
MAX_LINE_BYTES: Final = 160
"""A line of text longer than this is none: the longest that a stock firmware sends (v1, 9 columns) has some 90."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows as the dialect sends them, in its own raw units.

    Attributes
    ----------
    values : int32 array, shape (n_rows, n_fields)
        Numbers of the dialect: binary fields as they are, decimals of a text without their point.
    end_offsets : int64 array, shape (n_rows,)
        Offset in the byte stream just after each row, so that who reads the link can say when it came.
    ticks : int64 array, shape (n_rows,), or None
        The board's own microseconds (32 bit, wrapping), where it sends them.
    """

    values: npt.NDArray[np.int32]
    end_offsets: npt.NDArray[np.int64]
    ticks: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of text between rows: boot message, ``Unknown command: X``, mode change."""

    text: str
    end_offset: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """Bytes that are part of no row and of no line."""

    n_bytes: int
    end_offset: int


Item = Rows | LogLine | Skipped


@dataclass(slots=True)
class DecoderCounters:
    """What a decoder has seen since it was made. Every byte is in a row, in a line, skipped, or still held.

    Attributes
    ----------
    rows, lines : int
    skipped_bytes : int
    rejected_rows : int
        Of the right shape, with a value that no board sends; their bytes are among those skipped.
    sync_losses : int
        How often the rows' phase was lost after it had been believed.
    ambiguous_bytes : int
        Of those skipped, bytes for which two phases were equally good for too long.
    """

    rows: int = 0
    lines: int = 0
    skipped_bytes: int = 0
    rejected_rows: int = 0
    sync_losses: int = 0
    ambiguous_bytes: int = 0


class Decoder(Protocol):
    """Bytes in, items out. Nothing is raised whatever the bytes, and what is held back is bounded."""

    counters: DecoderCounters

    def feed(self, data: bytes) -> list[Item]:
        """Take bytes, cut anyhow; the items do not depend on the cuts."""

    @property
    def held_bytes(self) -> int:
        """Bytes taken that nothing has been said about yet."""


class LineSifter:
    """Finds lines of text in bytes that belong to nothing else, and counts the rest.

    A line is printable ASCII with at least four characters, ended by a line feed.
    """

    def __init__(self, counters: DecoderCounters) -> None:
        self._counters = counters
        self._line = bytearray()

    def take(self, data: bytes, offset: int, items: list[Item]) -> None:
        """Take bytes that start at ``offset`` of the stream."""
        for piece in data.splitlines(keepends=True):
            offset += len(piece)
            self._line += piece
            excess = len(self._line) - MAX_LINE_BYTES
            if excess > 0:
                del self._line[:excess]
                self._skip(excess, offset - len(self._line), items)
            if piece.endswith(b"\n"):
                self.flush(offset, items)

    def flush(self, offset: int, items: list[Item]) -> None:
        """Say what the bytes held so far were; the next ones do not continue them."""
        held = bytes(self._line)
        self._line.clear()
        if not held:
            return
        start = line_start(held)
        text = held[start:].strip()
        if len(text) >= _LEAST_CHARACTERS and held.endswith(b"\n"):
            if start:
                self._skip(start, offset - len(held) + start, items)
            self._counters.lines += 1
            items.append(LogLine(text.decode("ascii"), offset))
        else:
            self._skip(len(held), offset, items)

    @property
    def held_bytes(self) -> int:
        """Bytes of a line that has not ended."""
        return len(self._line)

    def _skip(self, n_bytes: int, end_offset: int, items: list[Item]) -> None:
        self._counters.skipped_bytes += n_bytes
        items.append(Skipped(n_bytes, end_offset))


_LEAST_CHARACTERS: Final = 4
_NOT_PRINTABLE: Final = bytes(set(range(256)) - set(range(0x20, 0x7F)) - {0x09, 0x0A, 0x0D})


def line_start(data: bytes) -> int:
    """Index from which on everything up to the end is printable."""
    return next((i + 1 for i in range(len(data) - 1, -1, -1) if data[i] in _NOT_PRINTABLE), 0)


def is_text(data: bytes) -> bool:
    """Whether all of it could stand in a line of text."""
    return len(data.translate(None, _NOT_PRINTABLE)) == len(data)
