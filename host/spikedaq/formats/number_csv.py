"""CSV files of numbers under one line of names: the one reader of what the stock software and our exports write.

Lines are taken as they come, many at a time; a line that cannot be read is named with its number and the reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


class NumberCsv:
    """One file, open; made by `open_numbers`.

    Attributes
    ----------
    header : str
        Its first line.
    names : list of str
        Of its columns, without blanks and quotes.
    """

    def __init__(self, path: Path, file: BinaryIO, total: int, progress: Progress | None) -> None:
        self._path = path
        self._pieces = _pieces(path, file, total, progress)
        first = next(self._pieces, None)
        if first is None:
            raise StoreError(f"{path} is empty; name a CSV of the Spikeling software or of spikedaq export")
        number, lines = first
        self.header = lines[0]
        self._first = (number + 1, lines[1:])
        self._separator = next((s for s in (",", ";", "\t") if s in self.header), ",")
        self.names = [name.strip().strip('"') for name in self.header.split(self._separator)]

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
        if twice := sorted({name for name in self.names if name and self.names.count(name) > 1}):
            raise StoreError(f"{self._path} has two columns called {', '.join(twice)}; take one of them out")
        last = -math.inf
        number, lines = self._first
        while True:
            rows = self._quickly(lines, time_column, last)
            if rows is None:
                rows = self._one_by_one(number, lines, time_column, last)
            if len(rows):
                last = float(rows[-1, time_column]) if time_column is not None else last
                yield rows
            try:
                number, lines = next(self._pieces)
            except StopIteration:
                return

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
def open_numbers(path: Path, *, progress: Progress | None = None) -> Iterator[NumberCsv]:
    """Open a CSV: comma, tab or semicolon (then with decimal comma), LF or CRLF, with or without a mark.

    Parameters
    ----------
    progress : callable, optional
        Called with bytes read and bytes in all.

    Raises
    ------
    StoreError
        The file cannot be read, is empty, or is no text; also as it is read.
    """
    try:
        total = path.stat().st_size
        with path.open("rb") as file:
            yield NumberCsv(path, file, total, progress)
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


def _pieces(path: Path, file: BinaryIO, total: int, progress: Progress | None) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the first line of each piece, and its lines."""
    rest, number, done = b"", 1, 0
    while True:
        data = file.read(_PIECE_BYTES)
        done += len(data)
        whole, feed, rest = (rest + data).rpartition(b"\n") if data else (rest, b"", b"")
        if len(rest) > _MAX_LINE_BYTES:
            raise StoreError(f"{path} is no CSV: a line of it has more than {_MAX_LINE_BYTES} bytes")
        try:
            text = (whole + feed).decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise StoreError(f"{path} is no CSV: it holds bytes that are no text (UTF-8)") from error
        lines = text.replace("\r\n", "\n").split("\n")
        if feed:
            lines.pop()
        if text:
            yield number, lines
            number += len(lines)
        if progress is not None:
            progress(done, max(total, done))
        if not data:
            return


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
