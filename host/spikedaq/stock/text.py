r"""The text lines of the stock firmwares v1, v2.2 and v2.4: numbers between commas, one row per line.

The first line after joining a stream, and the one after anything lost, may lack its beginning and still look whole
(``0.00,20,...`` is the end of ``-70.00,20,...``), so a line counts only when the line feed before it has been seen. A
row needs exactly its number of fields, each written as the dialect writes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from spikedaq.stock.items import MAX_LINE_BYTES, DecoderCounters, Item, LineSifter, Rows, Skipped

_FLOAT: Final = rb"-?\d{1,7}\.\d\d"
_WHOLE: Final = rb"-?\d{1,7}"
_EITHER: Final = rb"-?\d{1,7}(?:\.\d{1,2})?"
_MICROSECONDS: Final = rb"\d{1,10}"
_KINDS: Final = {"f": _FLOAT, "i": _WHOLE, "n": _EITHER, "b": rb"[01]", "u": _MICROSECONDS}
_U32: Final = 2**32
# Model variables stay inside +-110 mV and so do their texts; currents reach 197,000 a.u. (photodiode at full gain).
_LEAST_V, _MOST_V = -11050, 10050


@dataclass(frozen=True, slots=True)
class TextFormat:
    """How one dialect writes a row.

    Attributes
    ----------
    kinds : str
        One letter per field: f two decimals, i whole, n either, b 0 or 1, u microseconds of the board (the last field,
        if any). All but the last kind become hundredths (a whole 20 becomes 2000).
    separator : bytes
        Between fields, as a regular expression.
    """

    kinds: str
    separator: bytes

    def pattern(self) -> re.Pattern[bytes]:
        """Expression for a whole line without its end."""
        return re.compile(self.separator.join(b"(" + _KINDS[kind] + b")" for kind in self.kinds) + rb"[ \t]*")


class TextDecoder:
    """Finds rows and other lines of text; see `Decoder`.

    Parameters
    ----------
    text_format : TextFormat
    whole : bool
        The stream starts at the beginning of a line.
    """

    def __init__(self, text_format: TextFormat, *, whole: bool = False) -> None:
        self.counters = DecoderCounters()
        self._match = text_format.pattern().fullmatch
        self._has_ticks = text_format.kinds.endswith("u")
        self._n_values = len(text_format.kinds) - self._has_ticks
        self._line = bytearray()
        self._offset = 0  # in the stream, of the byte after the held ones
        self._whole = whole
        self._in_rows = False
        self._sifter = LineSifter(self.counters)

    @property
    def held_bytes(self) -> int:
        """Bytes about which nothing has been said yet."""
        return len(self._line) + self._sifter.held_bytes

    def feed(self, data: bytes) -> list[Item]:
        """Take bytes; see `Decoder`."""
        items: list[Item] = []
        values: list[list[int]] = []
        ends: list[int] = []
        ticks: list[int] = []
        at = 0
        while at < len(data):
            cut = data.find(b"\n", at)
            piece = data[at:] if cut < 0 else data[at : cut + 1]
            at += len(piece)
            self._offset += len(piece)
            self._line += piece
            row = None
            excess = len(self._line) - MAX_LINE_BYTES
            if excess > 0:
                # Too long for a line; what of it comes after is not whole either.
                self._give(values, ends, ticks, items)
                del self._line[:excess]
                self._skip(excess, self._offset - len(self._line), items)
                self._whole = False
            if cut >= 0:
                line = bytes(self._line)
                row = self._row(line) if self._whole else None
                if row is None:
                    self._give(values, ends, ticks, items)
                    self._other(line, items)
                self._line.clear()
                self._whole = True
            if row is not None:
                self._in_rows = True
                if self._has_ticks:
                    ticks.append(row.pop())
                values.append(row)
                ends.append(self._offset)
        self._give(values, ends, ticks, items)
        return items

    def _row(self, line: bytes) -> list[int] | None:
        """Read one line; None where it is no row. Values in hundredths, then the microseconds, if any."""
        match = self._match(line.rstrip(b"\r\n"))
        if match is None or not line.endswith(b"\r\n"):
            return None
        fields = match.groups()
        row = [_hundredths(field) for field in fields[: self._n_values]]
        if self._has_ticks:
            row.append(int(fields[-1]))
        if not _LEAST_V <= row[0] <= _MOST_V or (self._has_ticks and row[-1] >= _U32):
            self.counters.rejected_rows += 1
            return None
        return row

    def _other(self, line: bytes, items: list[Item]) -> None:
        """Give a line that is no row: text of the board, or the remains of one."""
        start = self._offset - len(line)
        if self._whole and re.search(rb"[A-Za-z]{2}", line):
            self._sifter.take(line, start, items)
            return
        if line.strip():
            if self._in_rows and self._whole:
                self.counters.sync_losses += 1
            self._in_rows = False
        self._skip(len(line), self._offset, items)

    def _skip(self, n_bytes: int, end_offset: int, items: list[Item]) -> None:
        self.counters.skipped_bytes += n_bytes
        items.append(Skipped(n_bytes, end_offset))

    def _give(self, values: list[list[int]], ends: list[int], ticks: list[int], items: list[Item]) -> None:
        if not values:
            return
        self.counters.rows += len(values)
        limited = np.clip(np.array(values, np.int64), -(2**31), 2**31 - 1).astype(np.int32)
        items.append(Rows(limited, np.array(ends, np.int64), np.array(ticks, np.int64) if self._has_ticks else None))
        values.clear()
        ends.clear()
        ticks.clear()


def _hundredths(text: bytes) -> int:
    whole, _, decimals = text.partition(b".")
    value = int(whole) * 100 if whole not in (b"-0", b"") else 0
    fraction = int(decimals.ljust(2, b"0")) if decimals else 0
    return value - fraction if text.startswith(b"-") else value + fraction
