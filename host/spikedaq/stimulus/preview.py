"""A waveform, or anything else, small enough for a terminal or a form: the least and the greatest of each column."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Braille cells are two dots wide and four high; bits by [row][column] of the dot (Unicode 15, chart U+2800).
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BLANK = 0x2800


def envelope(
    values: npt.NDArray[np.int16] | npt.NDArray[np.float64], n_columns: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the least and the greatest value of each column, so that no peak is lost however narrow the picture.

    Parameters
    ----------
    values : array, shape (n,)
        At least one.
    n_columns : int
        At most; fewer values give as many columns as values.

    Returns
    -------
    least, greatest : float64 arrays, shape (min(n, n_columns),)
    """
    n_columns = max(1, min(n_columns, len(values)))
    edges = np.arange(n_columns, dtype=np.int64) * len(values) // n_columns
    as_float = np.asarray(values, np.float64)
    return np.minimum.reduceat(as_float, edges), np.maximum.reduceat(as_float, edges)


def braille_plot(
    values: npt.NDArray[np.int16] | npt.NDArray[np.float64], *, width: int, height: int, low: float, high: float
) -> list[str]:
    """Return lines of braille characters that show values over time, top line first.

    Parameters
    ----------
    values : array, shape (n,)
    width, height : int
        In characters.
    low, high : float
        What the bottom and the top stand for; ``low < high``.
    """
    least, greatest = envelope(values, 2 * width)
    n_dots = 4 * height
    scale = (n_dots - 1) / (high - low)
    bottom = np.clip(np.rint((least - low) * scale), 0, n_dots - 1).astype(int)
    top = np.clip(np.rint((greatest - low) * scale), 0, n_dots - 1).astype(int)
    # A line between neighbours that do not overlap, so that an edge is seen as one.
    joined_bottom, joined_top = bottom.copy(), top.copy()
    joined_bottom[1:] = np.minimum(bottom[1:], top[:-1])
    joined_top[1:] = np.maximum(top[1:], bottom[:-1])
    cells = np.full((height, width), _BLANK)
    # Fewer values than dots are drawn as wide as there is room.
    for dot in range(2 * width):
        column = dot * len(least) // (2 * width)
        is_first = dot == 0 or (dot - 1) * len(least) // (2 * width) != column
        first, last = (joined_bottom, joined_top) if is_first else (bottom, top)
        for level in range(first[column], last[column] + 1):
            row = n_dots - 1 - level
            cells[row // 4, dot // 2] |= _DOTS[row % 4][dot % 2]
    return ["".join(map(chr, line)) for line in cells.tolist()]
