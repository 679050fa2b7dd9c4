"""Whole numbers that are wanted, as disjoint intervals: windows merged as they come."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable


class Intervals:
    """Half-open intervals ``[start, stop)``, in order; those that overlap or touch are one.

    Parameters
    ----------
    pairs : iterable of (int, int)
    """

    def __init__(self, pairs: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        for start, stop in pairs:
            self.add(start, stop)

    def __len__(self) -> int:
        return len(self._starts)

    def pairs(self) -> list[tuple[int, int]]:
        """Return all of them, in order."""
        return list(zip(self._starts, self._stops, strict=True))

    def add(self, start: int, stop: int) -> None:
        """Take in an interval; an empty one says nothing."""
        if start >= stop:
            return
        first = bisect_left(self._stops, start)
        last = bisect_right(self._starts, stop)
        if first < last:
            start, stop = min(start, self._starts[first]), max(stop, self._stops[last - 1])
        self._starts[first:last] = [start]
        self._stops[first:last] = [stop]

    def within(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Return the parts that lie in ``[start, stop)``, in order."""
        first = bisect_right(self._stops, start)
        last = bisect_left(self._starts, stop)
        return [(max(self._starts[k], start), min(self._stops[k], stop)) for k in range(first, last)]

    def forget_before(self, bound: int) -> None:
        """Drop the intervals that end at or before ``bound``."""
        n = bisect_right(self._stops, bound)
        del self._starts[:n], self._stops[:n]
