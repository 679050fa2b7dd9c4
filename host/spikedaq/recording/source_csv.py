"""CSV files as segments of a recording: rows are parsed when they are asked for, so memory does not grow with them."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np

from spikedaq.formats.number_csv import FloatArray
from spikedaq.recording.csv_columns import CsvChannel
from spikedaq.recording.csv_scan import CsvScan, CsvStretch, Progress, scan_csv

MAX_SPANS = 4
"""Parsed parts of the file that are kept: whoever reads on, or goes back a little, parses nothing twice."""


class CsvTable:
    """The rows of a CSV, by number.

    Attributes
    ----------
    path : Path
    scan : CsvScan
    segments : tuple of CsvSegment
        One per stretch without a gap.
    """

    def __init__(self, path: Path, *, progress: Progress | None = None) -> None:
        self.path = path
        self.scan: CsvScan = scan_csv(path, progress=progress)
        self._ends = list(accumulate(span.n_rows for span in self.scan.spans))
        self._kept: OrderedDict[int, FloatArray] = OrderedDict()
        self.segments = tuple(CsvSegment(self, stretch) for stretch in self.scan.stretches)

    @property
    def channels(self) -> tuple[CsvChannel, ...]:
        """Its channels, in the order of the file."""
        return self.scan.columns.channels

    def rows(self, start: int, stop: int, columns: Sequence[int]) -> FloatArray:
        """Return some columns of some rows, float64 array, shape (stop - start, n_columns).

        Raises
        ------
        StoreError
            The file is gone, or was changed.
        """
        found = np.empty((max(stop - start, 0), len(columns)))
        done = 0
        number = bisect_right(self._ends, start)
        while done < len(found):
            first = self._ends[number] - self.scan.spans[number].n_rows
            rows = self._span(number)[start + done - first : stop - first, columns]
            found[done : done + len(rows)] = rows
            done += len(rows)
            number += 1
        return found

    def _span(self, number: int) -> FloatArray:
        rows = self._kept.pop(number, None)
        if rows is None:
            rows = self.scan.file.read_span(self.scan.spans[number])
        self._kept[number] = rows  # the newest last
        while len(self._kept) > MAX_SPANS:
            self._kept.popitem(last=False)
        return rows


class CsvSegment:
    """Rows of a CSV without a gap.

    Attributes
    ----------
    n_frames : int
    t_start_s : float
        Time of the first row: as the file counts, which is seconds since its reference only in our own exports.
    boot_id : int
        0: nobody knows.
    first_step : int
        Steps from the file's first row on.
    """

    boot_id = 0

    def __init__(self, table: CsvTable, stretch: CsvStretch) -> None:
        self._table = table
        self._first_row = stretch.first_row
        self.n_frames = stretch.n_rows
        self.t_start_s = stretch.t_start_s
        self.first_step = stretch.first_step

    def read(self, start: int, stop: int, columns: Sequence[int] | None = None) -> FloatArray:
        """Return values in the channels' units, float64 array, shape (stop - start, n_columns); NaN where empty."""
        every = [channel.column for channel in self._table.channels]
        wanted = every if columns is None else [every[k] for k in columns]
        return self._table.rows(self._first_row + start, self._first_row + stop, wanted)

    def times_s(self, start: int, stop: int) -> FloatArray:
        """Return the rows' times in seconds, float64 array, shape (stop - start,)."""
        scan = self._table.scan
        if scan.is_even:
            even: FloatArray = self.t_start_s + np.arange(start, stop) / scan.sampling_frequency
            return even
        at = scan.columns.time_column
        return self._table.rows(self._first_row + start, self._first_row + stop, [at])[:, 0] * scan.columns.time_unit_s
