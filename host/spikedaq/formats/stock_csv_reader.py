"""Read the nine-column CSV: of the stock software, and of our own export."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spikedaq.formats.number_csv import FloatArray, NumberCsv, Progress, grid_steps, open_numbers
from spikedaq.formats.stock_csv import CLAMP_COLUMNS, STOCK_COLUMNS
from spikedaq.model import ClampMode, StoreError

MAX_ROWS = 40_000_000
"""Rows that are kept, over an hour at 10 kHz: each column of them takes 0.3 GB of memory."""

# As many as a float counts.
_MAX_STEPS = 2.0**53
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


def read_stock_csv(
    path: Path,
    *,
    start_s: float | None = None,
    stop_s: float | None = None,
    channels: Collection[str] | None = None,
    progress: Progress | None = None,
) -> CsvRecording:
    """Read a nine-column CSV, as `open_numbers` takes it.

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
    with open_numbers(path, progress=progress) as file:
        return _read(path, file, start_s, stop_s, channels)


def _read(
    path: Path, file: NumberCsv, start_s: float | None, stop_s: float | None, wanted: Collection[str] | None
) -> CsvRecording:
    names = file.names
    if names[0] not in ("Time (ms)", "Time (s)") or STOCK_COLUMNS[0].header not in names:
        raise StoreError(
            f"{path} is no recording of the Spikeling software: its first line is {file.header[:80]!r}, and should "
            f"begin with 'Time (ms),{STOCK_COLUMNS[0].header}'"
        )
    is_wall = names[0] == "Time (s)"
    known = {_CHANNELS[name]: k for k, name in enumerate(names) if name in _CHANNELS}
    kept = {name: k for name, k in known.items() if wanted is None or name in wanted}
    columns = [0, *kept.values()]
    parts: list[FloatArray] = []
    n_rows = 0
    for rows in file.rows(time_column=0):
        times_s = rows[:, 0] / (1 if is_wall else _MS_PER_S)
        chosen = times_s >= (-math.inf if start_s is None else start_s)
        chosen &= times_s < (math.inf if stop_s is None else stop_s)
        parts.append(rows[chosen][:, columns])
        n_rows += len(parts[-1])
        if n_rows > MAX_ROWS:
            raise StoreError(f"{path} has more than {MAX_ROWS} rows; choose a part of it with --start and --stop")
    table = np.concatenate(parts) if parts else np.empty((0, len(columns)))
    times = table[:, 0]
    steps, notes = _steps(times, is_wall=is_wall)
    return CsvRecording(
        path=path,
        steps=steps,
        times_ms=times * _MS_PER_S if is_wall else times.copy(),
        channels={name: table[:, k].copy() for k, name in enumerate(kept, start=1)},
        mode=ClampMode.VOLTAGE if "v_command" in known else ClampMode.CURRENT,
        notes=notes,
    )


def _steps(times: FloatArray, *, is_wall: bool) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """Return the model's step of each row since the first, and what is to be said about it."""
    counted = np.arange(len(times), dtype=np.int64)
    if len(times) < 2:
        return counted, ()
    if not is_wall:
        steps, is_on_grid = grid_steps(times - times[0])
        if is_on_grid.all() and (np.diff(steps) > 0).all() and steps[-1] < _MAX_STEPS:
            notes = (STOCK_NOTE,) if int(steps[-1]) == len(times) - 1 else ()
            return steps.astype(np.int64), notes
        return counted, (f"its time was measured and is no model time; {STOCK_NOTE}",)
    periods = np.maximum(np.rint(np.diff(times) / np.median(np.diff(times))), 1)
    if (periods > 1).mean() > _FEW_JUMPS:
        return counted, (f"its rows are not evenly spaced in time; {STOCK_NOTE}",)
    return np.concatenate([[0], np.cumsum(periods)]).astype(np.int64), ()
