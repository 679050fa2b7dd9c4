"""Cut a recording's segments by frames and by times, and keep of its rows what falls into the parts."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from spikedaq.model import ConfigError
from spikedaq.recording.segments import Segment, cut

_Row = TypeVar("_Row")


def frame_bounds(start: int | None, stop: int | None, n: int) -> tuple[int, int]:
    """Return numpy's reading of ``[start:stop]`` for ``n`` frames, as ``0 <= start <= stop <= n``."""
    first, after, _ = slice(start, stop).indices(n)
    return first, max(first, after)


def by_frames(segments: Sequence[Segment], start: int, stop: int) -> list[Segment]:
    """Return frames ``start .. stop - 1``, counted through all segments."""
    parts, at = [], 0
    for segment in segments:
        n = segment.n_frames
        first, after = min(max(start - at, 0), n), min(max(stop - at, 0), n)
        parts.append(cut(segment, first, max(first, after)))
        at += n
    return without_empty(parts)


def by_times(
    segments: Sequence[Segment], start_s: float | None, stop_s: float | None, *, ordered: bool = False
) -> list[Segment]:
    """Return the frames with ``start_s <= t < stop_s``; of ``ordered`` segments only those are asked that may have any.

    Raises
    ------
    ConfigError
        A time that is no number.
    """
    if any(time_s is not None and np.isnan(time_s) for time_s in (start_s, stop_s)):
        raise ConfigError(f"a time is a number of seconds: {start_s} to {stop_s} is none")
    first, after = 0, len(segments)
    if ordered and after:
        if start_s is not None:
            first = max(bisect_right(segments, start_s, key=_start_s) - 1, 0)
        if stop_s is not None:
            after = max(bisect_left(segments, stop_s, key=_start_s), first + 1)
    parts = []
    for k, segment in enumerate(segments[first:after], start=first):
        n = segment.n_frames
        # Of ordered segments those between the first and the last lie within.
        begin = 0 if start_s is None or (ordered and k > first) else segment.frame_at(start_s)
        end = n if stop_s is None or (ordered and k < after - 1) else segment.frame_at(stop_s)
        parts.append(cut(segment, begin, max(begin, end)))
    return without_empty(parts)


def without_empty(segments: Sequence[Segment]) -> list[Segment]:
    """Leave out segments without a frame, but for one where there is no other."""
    kept = [segment for segment in segments if segment.n_frames]
    return kept or list(segments[:1])


def rows_within(rows: Sequence[_Row], spans: Sequence[tuple[float, float]] | None, *times: str) -> list[_Row]:
    """Return the rows that fall into some spans: instants by one time, intervals, by two, where they touch the whole.

    Parameters
    ----------
    rows : sequence
    spans : sequence of (float, float) or None
        Start and stop of each segment in seconds; None: everything.
    *times : str
        Names of a row's time, or of its start and stop.
    """
    if spans is None:
        return list(rows)
    if not spans:
        return []
    if len(times) == 2:
        first, last = min(start for start, _ in spans), max(stop for _, stop in spans)
        return [row for row in rows if _time(row, times[0]) < last and _time(row, times[1]) > first]
    starts, stops = np.array(sorted(spans)).T
    of = np.array([_time(row, times[0]) for row in rows])
    k = np.searchsorted(starts, of, side="right") - 1
    # Parts of which one reaches beyond the next are rare, and then only of times that go back.
    is_in = (k >= 0) & (of < np.maximum.accumulate(stops)[np.maximum(k, 0)])
    return [row for row, kept in zip(rows, is_in.tolist(), strict=True) if kept]


def _start_s(segment: Segment) -> float:
    return segment.t_start_s


def _time(row: Any, name: str) -> float:
    return float(getattr(row, name))
