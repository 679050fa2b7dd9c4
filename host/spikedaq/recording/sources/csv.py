"""CSV files as segments of a recording: rows are parsed when they are asked for, so memory does not grow with them."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np

from spikedaq.formats.s3 import place_of
from spikedaq.recording.segments import Channel, FloatArray, Segment
from spikedaq.recording.sources.csv_columns import CsvChannel
from spikedaq.recording.sources.csv_scan import CsvScan, CsvStretch, Progress, scan_csv
from spikedaq.recording.sources.source import Source

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


class CsvSegment(Segment):
    """Rows of a CSV without a gap. Times are as the file counts: since its reference time only in our own exports.

    Attributes
    ----------
    fs_hz : float
    boot_id : None
    first_step : int
        Steps from the file's first row on.
    """

    def __init__(self, table: CsvTable, stretch: CsvStretch) -> None:
        self._table = table
        self._stretch = stretch
        self.fs_hz = table.scan.sampling_frequency
        self.first_step = stretch.first_step

    @property
    def n_frames(self) -> int:
        """Number of rows."""
        return self._stretch.n_rows

    @property
    def t_start_s(self) -> float:
        """Time of its first row, in seconds."""
        return self._stretch.t_start_s

    @property
    def is_even(self) -> bool:
        """Whether its times follow from the first one."""
        return self._table.scan.is_even

    def read(self, start: int, stop: int, columns: Sequence[int] | None = None) -> FloatArray:
        """Return values in the channels' units, float64 array, shape (stop - start, n_columns); NaN where empty."""
        every = [channel.column for channel in self._table.channels]
        wanted = every if columns is None else [every[k] for k in columns]
        first = self._stretch.first_row
        return self._table.rows(first + start, first + stop, wanted)

    def times_s(self, start: int, stop: int) -> FloatArray:
        """Return the rows' times in seconds, float64 array, shape (stop - start,)."""
        if self.is_even:
            return super().times_s(start, stop)
        columns, first = self._table.scan.columns, self._stretch.first_row
        return self._table.rows(first + start, first + stop, [columns.time_column])[:, 0] * columns.time_unit_s


class CsvSource(Source):
    """A CSV of the stock software, of `spikedaq export`, or of imaging."""

    def __init__(self, path: Path, *, progress: Progress | None = None) -> None:
        super().__init__()
        table = CsvTable(path, progress=progress)
        self.name = path.stem.strip() or path.stem
        self.channels = tuple(Channel(c.name, c.unit) for c in table.channels)
        self.channel_ids = tuple(c.name for c in table.channels)
        self.fs_hz = table.scan.sampling_frequency
        self.dtype = np.dtype(np.float64)
        self.segments = table.segments
        self.flags = table.scan.flags
        self.paths = [path]
        self.opened = {"kind": "csv", "path": str(path.absolute())}


def open_csv(given: str) -> CsvSource | None:
    """Return a CSV as what stands behind a recording; None where the path names none.

    Raises
    ------
    StoreError
        It has no time, no membrane potential, no row, or a line that cannot be; the text names it and the remedy.
    """
    path = place_of(given)
    if path.suffix.strip().lower() != ".csv" or not path.is_file():
        return None
    return CsvSource(path)
