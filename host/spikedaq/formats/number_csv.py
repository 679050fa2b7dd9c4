"""CSV files of numbers under one line of names: the one reader of what the stock software and our exports write.

Lines are taken as they come, many at a time; a line that cannot be read is named with its number and the reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from spikedaq.model import MODEL_STEP_MS, StoreError

FloatArray = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]

_PIECE_BYTES = 1 << 22
# Nine numbers take some 100 characters; a file without line feeds is not to be read whole to find that out.
_MAX_LINE_BYTES = 1 << 16
# Times of the stock software carry the noise of sums of 0.1; measured times are rounded to 0.001 ms.
_STEP_NOISE = 1e-3


@dataclass(frozen=True, slots=True)
class Span:
    """Whole lines of a file that hold rows: where they begin, in bytes and in lines, and how many rows they are."""

    offset: int
    n_bytes: int
    first_line: int
    n_rows: int


@dataclass(frozen=True, slots=True)
class _Piece:
    offset: int
    n_bytes: int
    first_line: int
    lines: list[str]


class NumberCsv:
    """One file, open; made by `open_numbers`.

    Attributes
    ----------
    header : str
        Its first line.
    names : list of str
        Of its columns, without blanks and quotes.
    cut_line : int or None
        Number of the last line, where it has too few fields and was left out; known when all rows were yielded.
    """

    def __init__(self, path: Path, pieces: Iterator[_Piece], *, forgiving: bool) -> None:
        self._path = path
        self._forgiving = forgiving
        self.cut_line: int | None = None
        self._pieces = pieces
        first = next(pieces, None)
        if first is None:
            raise StoreError(f"{path} is empty; name a CSV of the Spikeling software or of spikedaq export")
        self.header = first.lines[0]
        self._first = first
        self._separator = next((s for s in (",", ";", "\t") if s in self.header), ",")
        self.names = [name.strip().strip('"').strip() for name in self.header.split(self._separator)]

    def rows(self, time_column: int | None = None) -> Iterator[FloatArray]:
        """Yield the numbers, float64 arrays, shape (n, n_columns), n >= 1; NaN where a field is empty.

        Parameters
        ----------
        time_column : int, optional
            It has to rise from row to row, and to be there.

        Raises
        ------
        StoreError
            A line that cannot be, or two columns of one name.
        """
        for _, rows in self.spans(time_column):
            yield rows

    def spans(self, time_column: int | None = None) -> Iterator[tuple[Span, FloatArray]]:
        """Yield the rows as `rows` does, each time with where they are, for `read_span`."""
        if twice := sorted({name for name in self.names if name and self.names.count(name) > 1}):
            raise StoreError(f"{self._path} has two columns called {', '.join(twice)}; take one of them out")
        last = -math.inf
        piece: _Piece | None = self._first
        while piece is not None:
            after = next(self._pieces, None)
            is_first = piece is self._first
            number, lines = piece.first_line + is_first, piece.lines[is_first:]
            rows = self._quickly(lines, time_column, last)
            if rows is None:
                if self._forgiving and after is None:
                    lines = self._without_cut_row(number, lines)
                rows = self._one_by_one(number, lines, time_column, last)
            if len(rows):
                last = float(rows[-1, time_column]) if time_column is not None else last
                yield Span(piece.offset, piece.n_bytes, piece.first_line, len(rows)), rows
            piece = after

    def read_span(self, span: Span) -> FloatArray:
        """Return the rows of a span again, float64 array, shape (n_rows, n_columns); also after the file was closed.

        Raises
        ------
        StoreError
            The file is gone, or another one.
        """
        remedy = "it was changed since it was opened; open it again"
        try:
            if self._path.stat().st_size < span.offset + span.n_bytes:
                raise StoreError(f"{self._path} is shorter than it was: {remedy}")
            with self._path.open("rb") as file:
                file.seek(span.offset)
                data = file.read(span.n_bytes)
        except OSError as error:
            raise StoreError(
                f"cannot read {self._path}: {error.strerror}; was it moved since it was opened?"
            ) from error
        is_first = span.offset == 0
        lines = _lines(self._path, data, is_first=is_first)[is_first:]
        number = span.first_line + is_first
        rows = self._quickly(lines, None, -math.inf)
        if rows is None:
            if self.cut_line is not None and number <= self.cut_line < number + len(lines):
                lines = lines[: self.cut_line - number]
            rows = self._one_by_one(number, lines, None, -math.inf)
        if len(rows) != span.n_rows:
            raise StoreError(f"{self._path}, line {number}: {remedy}")
        return rows

    def _without_cut_row(self, number: int, lines: list[str]) -> list[str]:
        """Return the file's last lines without one that ends too early, as after a full disk; note its number."""
        last = next((k for k in range(len(lines) - 1, -1, -1) if lines[k].strip()), None)
        if last is None or lines[last].count(self._separator) + 1 >= len(self.names):
            return lines
        self.cut_line = number + last
        return lines[:last]

    def _quickly(self, lines: list[str], time_column: int | None, last: float) -> FloatArray | None:
        """Return the rows of some lines; None where anything about them is not plain."""
        if not lines or not all(lines) or any(map(str.isspace, lines)):
            return None
        try:
            rows: FloatArray = np.loadtxt(self._with_points(lines), delimiter=self._separator, ndmin=2, comments=None)
        except ValueError:
            return None
        if rows.shape[1] != len(self.names) or np.isinf(rows).any():
            return None
        if time_column is None:
            return rows
        times = rows[:, time_column]
        return rows if times[0] > last and (np.diff(times) > 0).all() else None

    def _one_by_one(self, number: int, lines: list[str], time_column: int | None, last: float) -> FloatArray:
        """Return rows, empty fields as NaN, without blank lines; or name the line that is wrong."""
        path, width = self._path, len(self.names)
        rows: list[list[float]] = []
        for k, line in enumerate(self._with_points(lines), start=number):
            if not line.strip():
                continue
            fields = line.split(self._separator)
            if len(fields) != width:
                raise StoreError(
                    f"{path}, line {k}: {len(fields)} fields where the header has {width}; "
                    "cut the file before it, or mend the line"
                )
            row = [_number(path, k, field) for field in fields]
            if time_column is not None:
                if math.isnan(row[time_column]):
                    raise StoreError(f"{path}, line {k}: it has no time; mend the line")
                if row[time_column] <= last:
                    raise StoreError(
                        f"{path}, line {k}: its time {row[time_column]!r} is not after {last!r} of the row before; "
                        "a file with two recordings in it has to be parted"
                    )
                last = row[time_column]
            rows.append(row)
        return np.array(rows, dtype=np.float64).reshape(len(rows), width)

    def _with_points(self, lines: list[str]) -> list[str]:
        """Return lines with decimal points: who parts columns with semicolons writes decimal commas."""
        return [line.replace(",", ".") for line in lines] if self._separator == ";" else lines


@contextmanager
def open_numbers(
    path: Path, *, progress: Progress | None = None, piece_bytes: int = _PIECE_BYTES, forgiving: bool = False
) -> Iterator[NumberCsv]:
    """Open a CSV: comma, tab or semicolon (then with decimal comma), LF or CRLF, with or without a mark.

    Parameters
    ----------
    progress : callable, optional
        Called with bytes read and bytes in all.
    piece_bytes : int
        About as many are read, parsed and yielded at a time.
    forgiving : bool
        Leave out a last row with too few fields, and say so in `NumberCsv.cut_line`, instead of refusing it.

    Raises
    ------
    StoreError
        The file cannot be read, is empty, or is no text; also as it is read.
    """
    try:
        total = path.stat().st_size
        with path.open("rb") as file:
            yield NumberCsv(path, _pieces(path, file, total, progress, piece_bytes), forgiving=forgiving)
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}; check the path and its rights") from error


def grid_steps(times_ms: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return the model's step nearest to each time, and whether the time is that step's but for the noise of sums.

    Parameters
    ----------
    times_ms : float64 array, shape (n,)
        Since step 0.

    Returns
    -------
    steps : float64 array, shape (n,)
    is_on_grid : bool array, shape (n,)
    """
    exact = times_ms / MODEL_STEP_MS
    steps = np.rint(exact)
    return steps, np.abs(exact - steps) < _STEP_NOISE


def _pieces(path: Path, file: BinaryIO, total: int, progress: Progress | None, piece_bytes: int) -> Iterator[_Piece]:
    """Yield the file in pieces of whole lines."""
    rest, number, done, offset = b"", 1, 0, 0
    while True:
        data = file.read(piece_bytes)
        done += len(data)
        whole, feed, rest = (rest + data).rpartition(b"\n") if data else (rest, b"", b"")
        if len(rest) > _MAX_LINE_BYTES:
            raise StoreError(f"{path} is no CSV: a line of it has more than {_MAX_LINE_BYTES} bytes")
        if whole or feed:
            lines = _lines(path, whole + feed, is_first=offset == 0)
            n_bytes = len(whole) + len(feed)
            yield _Piece(offset, n_bytes, number, lines)
            number += len(lines)
            offset += n_bytes
        if progress is not None:
            progress(done, max(total, done))
        if not data:
            return


def _lines(path: Path, data: bytes, *, is_first: bool) -> list[str]:
    """Return the lines of a piece, without their ends."""
    try:
        text = data.decode("utf-8-sig" if is_first else "utf-8")
    except UnicodeDecodeError as error:
        raise StoreError(f"{path} is no CSV: it holds bytes that are no text (UTF-8)") from error
    lines = text.replace("\r\n", "\n").split("\n")
    if text.endswith("\n"):
        lines.pop()
    return lines


def _number(path: Path, line: int, field: str) -> float:
    text = field.strip()
    if not text:
        return math.nan
    try:
        value = float(text) if "_" not in text else math.inf
    except ValueError:
        value = math.inf
    if math.isinf(value):
        raise StoreError(f"{path}, line {line}: {text[:40]!r} is no number that a recording can have; mend the line")
    return value
