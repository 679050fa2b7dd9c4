"""A trace in a few characters: the lowest and highest value of each column, so that no spike is hidden."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

DOTS_ACROSS, DOTS_DOWN = 2, 4
"""Dots of a Braille character."""
_BRAILLE = 0x2800
# Bits of the dots of a Braille character, by column and from the top; Unicode 15, chapter 21.1.
_BITS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_MAX_JUMP_COLUMNS = 10_000


@dataclass(slots=True)
class _Column:
    number: int
    low: float
    high: float
    spikes: int = 0
    n_us: int = 0


@dataclass(slots=True)
class Trace:
    """The last seconds of one channel, as columns of the device's time.

    Parameters
    ----------
    n_columns : int
        That are drawn.
    column_us : int
        Device time that a column spans, in microseconds.
    threshold : float
        A rise through it is a spike, in the unit of the values.
    n_counted : int
        Columns over which spikes are counted; those that are drawn where they are more.
    """

    n_columns: int
    column_us: int
    threshold: float = 0.0
    n_counted: int = 0
    _columns: deque[_Column] = field(default_factory=deque)
    _before: float | None = None
    _source: tuple[int, int] | None = None

    def add(self, boot: int, first_step: int, step_us: int, values: npt.NDArray[np.float64]) -> None:
        """Take consecutive values.

        Parameters
        ----------
        boot, step_us : int
            Another boot, or another time per step, begins the trace anew.
        first_step : int
            Step of ``values[0]``. Columns between it and the value before stay empty; what is older is left out.
        values : float64 array, shape (n_samples,)
        """
        if not len(values) or step_us <= 0:
            return
        t_us = (first_step + np.arange(len(values), dtype=np.int64)) * step_us
        numbers = t_us // self.column_us
        newest = self._columns[-1].number if self._columns else None
        if self._source != (boot, step_us) or (newest is not None and numbers[0] - newest > _MAX_JUMP_COLUMNS):
            self._columns.clear()
            self._before, self._source, newest = None, (boot, step_us), None
        if newest is not None and numbers[0] < newest:
            return
        before = np.concatenate(([values[0] if self._before is None else self._before], values[:-1]))
        is_spike = (before < self.threshold) & (values >= self.threshold)
        starts = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1))
        lows, highs = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
        spikes = np.add.reduceat(is_spike.astype(np.int64), starts)
        lengths = np.diff(starts, append=len(values))
        for number, low, high, n, length in zip(numbers[starts], lows, highs, spikes, lengths, strict=True):
            self._take(_Column(int(number), float(low), float(high), int(n), int(length) * step_us))
        self._before = float(values[-1])

    def _take(self, column: _Column) -> None:
        if self._columns and self._columns[-1].number == column.number:
            last = self._columns[-1]
            last.low, last.high = min(last.low, column.low), max(last.high, column.high)
            last.spikes, last.n_us = last.spikes + column.spikes, last.n_us + column.n_us
        else:
            self._columns.append(column)
        oldest = self._columns[-1].number - max(self.n_columns, self.n_counted)
        while self._columns[0].number <= oldest:
            self._columns.popleft()

    def ranges(self) -> list[tuple[float, float] | None]:
        """Return lowest and highest value of each column, oldest first; None where nothing came."""
        found: list[tuple[float, float] | None] = [None] * self.n_columns
        if self._columns:
            first = self._columns[-1].number - self.n_columns + 1
            for column in self._columns:
                if column.number >= first:
                    found[column.number - first] = column.low, column.high
        return found

    def extremes(self) -> tuple[float, float] | None:
        """Return the lowest and highest value of all columns that are drawn."""
        drawn = [span for span in self.ranges() if span is not None]
        return (min(low for low, _ in drawn), max(high for _, high in drawn)) if drawn else None

    def spike_rate_hz(self) -> float | None:
        """Return spikes per second of device time in what came of the counted columns; None where nothing did."""
        n_us = sum(c.n_us for c in self._columns)
        return sum(c.spikes for c in self._columns) * 1e6 / n_us if n_us else None


def braille_lines(ranges: Sequence[tuple[float, float] | None], low: float, high: float, n_lines: int = 2) -> list[str]:
    """Draw columns as lines of Braille characters, two columns in each.

    Parameters
    ----------
    ranges : sequence of (float, float) or None
    low, high : float
        Values at the bottom and at the top; what is beyond is drawn at the edge.
    """
    n_dots = n_lines * DOTS_DOWN
    width = (len(ranges) + DOTS_ACROSS - 1) // DOTS_ACROSS
    cells = [[0] * width for _ in range(n_lines)]
    for at, span in enumerate(ranges):
        if span is None:
            continue
        top, bottom = (_dot(value, low, high, n_dots) for value in (span[1], span[0]))
        for dot in range(top, bottom + 1):
            cells[dot // DOTS_DOWN][at // DOTS_ACROSS] |= _BITS[at % DOTS_ACROSS][dot % DOTS_DOWN]
    # An empty Braille character is wider than a blank in some fonts.
    return ["".join(chr(_BRAILLE + bits) if bits else " " for bits in line) for line in cells]


def ascii_lines(ranges: Sequence[tuple[float, float] | None], low: float, high: float, n_lines: int = 2) -> list[str]:
    """Draw the same where there is no Braille: ``|`` for a column that spans half a line, else its height."""
    n_dots = n_lines * DOTS_DOWN
    marks = '"--_'
    lines = [[" "] * ((len(ranges) + DOTS_ACROSS - 1) // DOTS_ACROSS) for _ in range(n_lines)]
    for at in range(len(lines[0])):
        spans = [span for span in ranges[DOTS_ACROSS * at : DOTS_ACROSS * (at + 1)] if span is not None]
        if not spans:
            continue
        top = _dot(max(span[1] for span in spans), low, high, n_dots)
        bottom = _dot(min(span[0] for span in spans), low, high, n_dots)
        for line in range(top // DOTS_DOWN, bottom // DOTS_DOWN + 1):
            first = max(top - line * DOTS_DOWN, 0)
            last = min(bottom - line * DOTS_DOWN, DOTS_DOWN - 1)
            lines[line][at] = "|" if last - first >= DOTS_DOWN // 2 else marks[(first + last) // 2]
    return ["".join(line) for line in lines]


def _dot(value: float, low: float, high: float, n_dots: int) -> int:
    """Return which dot from the top a value is at."""
    share = (high - value) / (high - low)
    return min(max(int(share * n_dots), 0), n_dots - 1)
