"""One look at all rows of a CSV: how they are spaced in time, where they are in the file, what is odd about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spikedaq.analysis.trigger_spacing import TriggerSpacing, spacing_text, trigger_spacing
from spikedaq.formats.number_csv import FloatArray, NumberCsv, Span, open_numbers
from spikedaq.model import MODEL_STEP_MS, StoreError
from spikedaq.recording.sources.csv_columns import CsvColumns, find_columns

Progress = Callable[[int, int], None]

# Parsed in some 10 ms; of a file of an hour at 10 kHz there are 8000 of them.
_SPAN_BYTES = 1 << 18
# Times of the stock software carry the noise of sums of 0.1: below 1e-9 of a step per row, in files of a day.
_EVEN = 0.02
# More jumps than this are no gaps but times that mean something else. Each becomes a segment.
_MAX_JUMPS = 10_000
_FEW_JUMPS = 0.01
_MAX_MARKS = 1_000_000
_STOCK_RATE_HZ = 1000.0 / MODEL_STEP_MS
_FASTEST_HZ = 1e6
"""No file has a row per microsecond; one that seems to has seconds in a column that says milliseconds."""


@dataclass(frozen=True, slots=True)
class CsvStretch:
    """Rows without a gap."""

    first_row: int
    n_rows: int
    t_start_s: float
    first_step: int


@dataclass(frozen=True, slots=True, eq=False)
class CsvScan:
    """What is known of a CSV after one look at all of it.

    Attributes
    ----------
    file : NumberCsv
        For `NumberCsv.read_span`; closed.
    columns : CsvColumns
    spans : tuple of Span
        Where its rows are, in order.
    stretches : tuple of CsvStretch
    sampling_frequency : float
        Hz, of the time column.
    is_even : bool
        Within a stretch times are ``t_start_s + k / sampling_frequency``; else only the column tells.
    flags : tuple of str
    """

    file: NumberCsv
    columns: CsvColumns
    spans: tuple[Span, ...]
    stretches: tuple[CsvStretch, ...]
    sampling_frequency: float
    is_even: bool
    flags: tuple[str, ...]


@dataclass(slots=True)
class _Look:
    """What is gathered from row to row."""

    columns: CsvColumns
    n_rows: int = 0
    period: float = 0.0
    first: float = 0.0
    last: float = 0.0
    uneven: int = 0
    shortest: float = np.inf
    longest: float = 0.0
    jumps: list[tuple[int, int, float]] = field(default_factory=list)
    n_jumps: int = 0
    n_empty: int = 0
    marks: list[npt.NDArray[np.int64]] = field(default_factory=list)
    pulses: list[npt.NDArray[np.int64]] = field(default_factory=list)
    levels: set[float] = field(default_factory=set)
    last_stimulus: float = np.nan


def scan_csv(path: Path, *, progress: Progress | None = None) -> CsvScan:
    """Look at all rows once; memory does not grow with the file.

    Raises
    ------
    StoreError
        As `open_numbers` and `find_columns`, or no row.
    """
    with open_numbers(path, progress=progress, piece_bytes=_SPAN_BYTES, forgiving=True) as file:
        columns = find_columns(path, file.names)
        look = _Look(columns)
        spans = []
        for span, rows in file.spans(columns.time_column):
            spans.append(span)
            _take(look, rows)
    if not look.n_rows:
        raise StoreError(f"{path} has a line of names and no row under it; it was cut off, or nothing was recorded")
    is_gapped = 0 < look.n_jumps <= max(_FEW_JUMPS * look.n_rows, 1) and look.n_jumps <= _MAX_JUMPS
    is_even = not look.uneven and (is_gapped or not look.n_jumps)
    if columns.time_unit_s == 1.0 and is_even:
        is_even = False  # measured: gaps are known, and only the column has the times
    elif not is_even:
        is_gapped = False
    jumps = look.jumps if is_gapped else []
    flags = [*columns.flags, *_time_flags(look, is_even or is_gapped)]
    if file.cut_line is not None:
        flags.append(f"line {file.cut_line}, the last one, is cut off and left out")
    if look.n_empty:
        flags.append(f"{look.n_empty} fields are empty and read as NaN")
    spacing = _spacing(look, jumps)
    if spacing is not None:
        flags.append(spacing_text(spacing))
    period_s = look.period * columns.time_unit_s
    rate_hz = 1 / period_s if period_s else _STOCK_RATE_HZ
    return CsvScan(file, columns, tuple(spans), _stretches(look, jumps), _round(rate_hz), is_even, tuple(flags))


def _take(look: _Look, rows: FloatArray) -> None:
    times = rows[:, look.columns.time_column]
    skip = 0 if look.n_rows else 1  # the first row has none before it
    if skip:
        look.first = look.last = float(times[0])
    gaps = np.diff(times, prepend=look.last)[skip:]
    if not look.period and len(gaps):
        look.period = _period(gaps, is_model=look.columns.time_unit_s < 1)
    if len(gaps):
        look.shortest, look.longest = min(look.shortest, float(gaps.min())), max(look.longest, float(gaps.max()))
        periods = gaps / look.period
        whole = np.rint(periods)
        near = _EVEN if look.columns.time_unit_s < 1 else 0.5
        look.uneven += int(((np.abs(periods - whole) > near) | (whole < 1)).sum())
        found = np.flatnonzero(whole > 1)
        look.n_jumps += len(found)
        for k in found[: _MAX_JUMPS - len(look.jumps)].tolist():
            look.jumps.append((look.n_rows + k + skip, int(whole[k]) - 1, float(times[k + skip])))
    look.last = float(times[-1])
    _take_channels(look, rows)
    look.n_rows += len(rows)


def _take_channels(look: _Look, rows: FloatArray) -> None:
    at = {channel.name: channel.column for channel in look.columns.channels}
    # A calcium column is empty until the first frame, which is no fault.
    watched = [k for name, k in at.items() if name not in ("stimulus", "trigger") and name[:2] not in ("ca", "f1")]
    look.n_empty += int(np.isnan(rows[:, watched]).sum()) if look.columns.kind != "imaging" else 0
    if "trigger" in at and sum(map(len, look.marks)) < _MAX_MARKS:
        look.marks.append(look.n_rows + np.flatnonzero(rows[:, at["trigger"]] == 1))
    if "stimulus" in at and len(look.levels) < 3:
        stimulus = rows[:, at["stimulus"]]
        look.levels.update(np.unique(stimulus[~np.isnan(stimulus)])[:3].tolist())
        risen = np.flatnonzero(np.diff(stimulus, prepend=look.last_stimulus) > 0)
        look.pulses.append(look.n_rows + risen)
        look.last_stimulus = float(stimulus[-1])


def _period(gaps: FloatArray, *, is_model: bool) -> float:
    """Return the time between rows, in the column's unit; a whole number of steps where it is model time."""
    median = float(np.median(gaps))
    if not is_model:
        return median
    steps = max(1.0, round(median / MODEL_STEP_MS))
    return float(steps * MODEL_STEP_MS if abs(median / MODEL_STEP_MS - steps) < _EVEN else median)


def _round(rate_hz: float) -> float:
    """Return a rate without the noise of its sums."""
    near = round(rate_hz, 6)
    return near if abs(near - rate_hz) < 1e-9 * rate_hz else rate_hz


def _stretches(look: _Look, jumps: list[tuple[int, int, float]]) -> tuple[CsvStretch, ...]:
    starts = [(0, 0, look.first)]
    missing = 0
    for row, n_missing, time in jumps:
        missing += n_missing
        starts.append((row, row + missing, time))
    ends = [row for row, _, _ in starts[1:]] + [look.n_rows]
    return tuple(
        CsvStretch(row, end - row, time * look.columns.time_unit_s, step)
        for (row, step, time), end in zip(starts, ends, strict=True)
    )


def _time_flags(look: _Look, is_believed: bool) -> list[str]:
    unit = "s" if look.columns.time_unit_s == 1.0 else "ms"
    if not look.period:
        return []
    if not is_believed:
        return [
            f"its time column contradicts itself: rows are {look.shortest:.6g} to {look.longest:.6g} {unit} apart; "
            f"they are taken for neighbours, {look.period:.6g} {unit} apart"
        ]
    flags = []
    if look.columns.time_unit_s < 1:
        if 1e3 / look.period > _FASTEST_HZ:
            flags.append(f"its rows are {look.period:.3g} ms apart; if these are seconds, call the column 'Time (s)'")
        elif abs(look.period / MODEL_STEP_MS - 1) > _EVEN:
            flags.append(
                f"its rows are {look.period:.6g} ms apart, not {MODEL_STEP_MS} ms as those of the stock software"
            )
        elif not look.n_jumps:
            flags.append("its time is counted in rows: rows lost before it was written cannot be seen in it")
    return flags


def _spacing(look: _Look, jumps: list[tuple[int, int, float]]) -> TriggerSpacing | None:
    """Compare the loops by their steps, so that gaps that the times show are not taken for loss."""
    rows = np.array([row for row, _, _ in jumps], np.int64)
    missing = np.cumsum([0, *(n for _, n, _ in jumps)])

    def steps(found: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
        every = np.concatenate([*found, np.empty(0, np.int64)]).astype(np.int64)
        shifted: npt.NDArray[np.int64] = every + missing[np.searchsorted(rows, every, side="right")]
        return shifted

    return trigger_spacing(steps(look.marks), steps(look.pulses) if len(look.levels) == 2 else None)
