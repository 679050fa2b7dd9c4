"""Cut a recording's segments by frames and by times, and keep of its rows what falls into the parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

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


def by_times(segments: Sequence[Segment], start_s: float | None, stop_s: float | None) -> list[Segment]:
    """Return the frames with ``start_s <= t < stop_s``."""
    parts = []
    for segment in segments:
        n = segment.n_frames
        first = 0 if start_s is None else segment.frame_at(start_s)
        after = n if stop_s is None else segment.frame_at(stop_s)
        parts.append(cut(segment, first, max(first, after)))
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
    if len(times) == 1:
        return [row for row in rows if any(a <= _time(row, times[0]) < b for a, b in spans)]
    first, last = min(a for a, _ in spans), max(b for _, b in spans)
    return [row for row in rows if _time(row, times[0]) < last and _time(row, times[1]) > first]


def _time(row: Any, name: str) -> float:
    return float(getattr(row, name))
