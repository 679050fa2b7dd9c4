"""Read the nine-column CSV: of the stock software, and of our own export.

Lines are taken as they come, many at a time; a line that cannot be read is named with its number and the reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spikedaq.formats.stock_csv import CLAMP_COLUMNS, STOCK_COLUMNS
from spikedaq.model import MODEL_STEP_MS, ClampMode, StoreError

FloatArray = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]

MAX_ROWS = 40_000_000
"""Rows that are kept, over an hour at 10 kHz: each column of them takes 0.3 GB of memory."""

_PIECE_BYTES = 1 << 22
# Nine numbers take some 100 characters; a file without line feeds is not to be read whole to find that out.
_MAX_LINE_BYTES = 1 << 16
# Times of the stock software carry the noise of sums of 0.1; measured times are rounded to 0.001 ms.
_STEP_NOISE = 1e-3
_MS_PER_S = 1000.0
# More jumps than this share of all rows are no gaps but another rate.
_FEW_JUMPS = 0.01

_CHANNELS = {column.header: column.channel for column in (*STOCK_COLUMNS, *CLAMP_COLUMNS)}
_RESOLUTIONS = {column.channel: 10.0**-column.decimals for column in (*STOCK_COLUMNS, *CLAMP_COLUMNS)}

STOCK_NOTE = "its rows are taken for neighbouring steps of 0.1 ms: rows lost before it was written cannot be seen"


@dataclass(frozen=True, slots=True, eq=False)
class CsvRecording:
    """What a nine-column CSV holds.

    Attributes
    ----------
    path : Path
    steps : int64 array, shape (n_rows,)
        The model's step of each row since the first one; a gap is a jump.
    times_ms : float64 array, shape (n_rows,)
        The first column, in ms.
    channels : dict of str to float64 array, shape (n_rows,)
        By the names that the channels have in recordings; NaN where a field is empty.
    mode : ClampMode
        As the header says.
    notes : tuple of str
        What a reader could get wrong.
    """

    path: Path
    steps: npt.NDArray[np.int64]
    times_ms: FloatArray
    channels: dict[str, FloatArray]
    mode: ClampMode
    notes: tuple[str, ...]

    def resolution(self, channel: str) -> float:
        """Return the distance of neighbouring values of a channel, in its unit."""
        return _RESOLUTIONS[channel]


@dataclass(frozen=True, slots=True)
class _Header:
    separator: str
    columns: dict[str, int]
    n_columns: int
    is_wall: bool


def read_stock_csv(
    path: Path,
    *,
    start_s: float | None = None,
    stop_s: float | None = None,
    channels: Collection[str] | None = None,
    progress: Progress | None = None,
) -> CsvRecording:
    """Read a nine-column CSV: comma, tab or semicolon (then with decimal comma), LF or CRLF, with or without a mark.

    Parameters
    ----------
    path : Path
    start_s, stop_s : float, optional
        Only rows with ``start_s <= t < stop_s``, in seconds of the first column.
    channels : collection of str, optional
        Keep only these; all lines are checked whole.
    progress : callable, optional
        Called with bytes read and bytes in all.

    Raises
    ------
    StoreError
        The file cannot be read, is none of these, or has a line that cannot be; the message names it.
    """
    path = Path(path)
    try:
        total = path.stat().st_size
        with path.open("rb") as file:
            return _read(path, _pieces(path, file.read, total, progress), start_s, stop_s, channels)
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}; check the path and its rights") from error


def _pieces(
    path: Path, read: Callable[[int], bytes], total: int, progress: Progress | None
) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the first line of each piece, and its lines."""
    rest, number, done = b"", 1, 0
    while True:
        data = read(_PIECE_BYTES)
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


def _read(
    path: Path,
    pieces: Iterator[tuple[int, list[str]]],
    start_s: float | None,
    stop_s: float | None,
    wanted: Collection[str] | None,
) -> CsvRecording:
    header: _Header | None = None
    kept: dict[str, int] = {}
    columns: list[int] = []
    parts: list[FloatArray] = []
    last, n_rows = -math.inf, 0
    for first, piece in pieces:
        number, lines = first, piece
        if header is None:
            header = _header(path, lines[0])
            kept = {name: k for name, k in header.columns.items() if wanted is None or name in wanted}
            columns = [0, *kept.values()]
            number, lines = first + 1, lines[1:]
        rows = _rows(path, header, number, lines, last)
        if not len(rows):
            continue
        last = float(rows[-1, 0])
        times_s = rows[:, 0] / (1 if header.is_wall else _MS_PER_S)
        chosen = np.ones(len(rows), dtype=bool)
        chosen &= times_s >= (-math.inf if start_s is None else start_s)
        chosen &= times_s < (math.inf if stop_s is None else stop_s)
        parts.append(rows[chosen][:, columns])
        n_rows += len(parts[-1])
        if n_rows > MAX_ROWS:
            raise StoreError(f"{path} has more than {MAX_ROWS} rows; choose a part of it with --start and --stop")
    if header is None:
        raise StoreError(f"{path} is empty; name a CSV of the Spikeling software or of spikedaq export")
    table = np.concatenate(parts) if parts else np.empty((0, len(columns)))
    times = table[:, 0]
    steps, notes = _steps(times, is_wall=header.is_wall)
    return CsvRecording(
        path=path,
        steps=steps,
        times_ms=times * _MS_PER_S if header.is_wall else times.copy(),
        channels={name: table[:, k].copy() for k, name in enumerate(kept, start=1)},
        mode=ClampMode.VOLTAGE if "v_command" in header.columns else ClampMode.CURRENT,
        notes=notes,
    )


def _header(path: Path, line: str) -> _Header:
    separator = next((s for s in (",", ";", "\t") if s in line), ",")
    names = [name.strip().strip('"') for name in line.split(separator)]
    if names[0] not in ("Time (ms)", "Time (s)") or STOCK_COLUMNS[0].header not in names:
        raise StoreError(
            f"{path} is no recording of the Spikeling software: its first line is {line[:80]!r}, and should begin with "
            f"'Time (ms),{STOCK_COLUMNS[0].header}'"
        )
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise StoreError(f"{path} has two columns called {', '.join(twice)}; take one of them out")
    columns = {_CHANNELS[name]: k for k, name in enumerate(names) if name in _CHANNELS}
    return _Header(separator, columns, len(names), names[0] == "Time (s)")


def _rows(path: Path, header: _Header, number: int, lines: list[str], last: float) -> FloatArray:
    """Return the rows of some lines; quickly where nothing is wrong with them."""
    if header.separator == ";":
        lines = [line.replace(",", ".") for line in lines]
    if lines and all(lines) and not any(map(str.isspace, lines)):
        try:
            rows: FloatArray = np.loadtxt(lines, delimiter=header.separator, ndmin=2, comments=None)
        except ValueError:
            pass
        else:
            well = rows.shape[1] == header.n_columns and np.isfinite(rows).all()
            if well and rows[0, 0] > last and (np.diff(rows[:, 0]) > 0).all():
                return rows
    return _rows_one_by_one(path, header, number, lines, last)


def _rows_one_by_one(path: Path, header: _Header, number: int, lines: list[str], last: float) -> FloatArray:
    """Return rows, empty fields as NaN, without blank lines; or name the line that is wrong."""
    rows: list[list[float]] = []
    for k, line in enumerate(lines, start=number):
        if not line.strip():
            continue
        fields = line.split(header.separator)
        if len(fields) != header.n_columns:
            raise StoreError(
                f"{path}, line {k}: {len(fields)} fields where the header has {header.n_columns}; "
                "cut the file before it, or mend the line"
            )
        row = [_number(path, k, field) for field in fields]
        if math.isnan(row[0]):
            raise StoreError(f"{path}, line {k}: it has no time; mend the line")
        if row[0] <= last:
            raise StoreError(
                f"{path}, line {k}: its time {row[0]!r} is not after {last!r} of the row before; "
                "a file with two recordings in it has to be parted"
            )
        last = row[0]
        rows.append(row)
    return np.array(rows, dtype=np.float64).reshape(len(rows), header.n_columns)


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


def _steps(times: FloatArray, *, is_wall: bool) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """Return the model's step of each row since the first, and what is to be said about it."""
    counted = np.arange(len(times), dtype=np.int64)
    if len(times) < 2:
        return counted, ()
    if not is_wall:
        exact = (times - times[0]) / MODEL_STEP_MS
        steps = np.rint(exact)
        if (np.abs(exact - steps) < _STEP_NOISE).all() and (np.diff(steps) > 0).all():
            notes = (STOCK_NOTE,) if int(steps[-1]) == len(times) - 1 else ()
            return steps.astype(np.int64), notes
        return counted, (f"its time was measured and is no model time; {STOCK_NOTE}",)
    periods = np.maximum(np.rint(np.diff(times) / np.median(np.diff(times))), 1)
    if (periods > 1).mean() > _FEW_JUMPS:
        return counted, (f"its rows are not evenly spaced in time; {STOCK_NOTE}",)
    return np.concatenate([[0], np.cumsum(periods)]).astype(np.int64), ()
