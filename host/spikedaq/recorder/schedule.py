"""Clock times: the starts of periods in some time zone, and the windows of a schedule."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from spikedaq.model import ConfigError

DAY_S = 86_400
NS = 10**9
_EPOCH = date(1970, 1, 1)


def zone_named(name: str) -> ZoneInfo:
    """Return a time zone.

    Raises
    ------
    ConfigError
        This computer does not know it.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            f"the time zone {name!r} is not known here; name one such as Europe/Berlin, or UTC"
        ) from error


@dataclass(frozen=True, slots=True)
class Periods:
    """Instants that follow each other by ``every_s`` on the clocks of a time zone.

    In UTC they lie ``every_s`` apart, counted from ``anchor_ns``. In any other zone they are times of day there: a
    period has to divide a day or to be whole days. In the night in which clocks go forward, times that do not exist
    are those that they become (02:30 is 03:30), each instant once; in the night in which they go back, the hour that
    comes twice has both its passes where ``every_s`` is no longer than it, else the first.

    Parameters
    ----------
    every_s : int
    zone : str
    anchor_ns : int, optional
        UTC of one of them, nanoseconds since 1970; midnight where it is not given.

    Raises
    ------
    ConfigError
        Such periods cannot be counted there.
    """

    every_s: int
    zone: str = "UTC"
    anchor_ns: int | None = None

    def __post_init__(self) -> None:
        zone_named(self.zone)
        if self.zone != "UTC" and DAY_S % self.every_s and self.every_s % DAY_S:
            raise ConfigError(
                f"a period of {self.every_s} s has no fixed times of day in {self.zone}; choose one that divides a "
                "day, whole days, or the zone UTC"
            )

    def between(self, start_ns: int, stop_ns: int) -> list[int]:
        """Return the instants in ``[start_ns, stop_ns)``, UTC in nanoseconds."""
        if self.zone == "UTC":
            every_ns, anchor_ns = self.every_s * NS, self.anchor_ns or 0
            first = anchor_ns + -(-(start_ns - anchor_ns) // every_ns) * every_ns
            return list(range(first, stop_ns, every_ns))
        # The local date is at most a day away from that of UTC, and a moved time at most hours from its own.
        day = _EPOCH + timedelta(days=start_ns // (DAY_S * NS) - 1)
        last = _EPOCH + timedelta(days=stop_ns // (DAY_S * NS) + 1)
        found: list[int] = []
        while day <= last:
            instants = _instants_of(self.every_s, self.zone, self.anchor_ns, day)
            found += instants[bisect_left(instants, start_ns) : bisect_left(instants, stop_ns)]
            day += timedelta(days=1)
        return sorted(set(found))


@lru_cache(maxsize=64)
def _instants_of(every_s: int, zone: str, anchor_ns: int | None, day: date) -> list[int]:
    """Instants of one local date, in order."""
    there = ZoneInfo(zone)
    anchor = datetime(1970, 1, 1) if anchor_ns is None else _wall(anchor_ns, there)
    if (day - anchor.date()).days % max(1, every_s // DAY_S):
        return []
    since_midnight_us = round((anchor - datetime.combine(anchor.date(), datetime.min.time())).total_seconds() * 1e6)
    first = datetime.combine(day, datetime.min.time())
    first += timedelta(microseconds=since_midnight_us % (min(every_s, DAY_S) * 10**6))
    found = set()
    for k in range(max(1, DAY_S // every_s)):
        wall = first + k * timedelta(seconds=every_s)
        once, again = (_utc_ns(wall.replace(tzinfo=there, fold=fold)) for fold in (0, 1))
        found.add(once)
        if again - once >= every_s * NS:
            found.add(again)
    return sorted(found)


def _wall(utc_ns: int, zone: ZoneInfo) -> datetime:
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=utc_ns // 1000)
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def _utc_ns(instant: datetime) -> int:
    since = instant.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return ((since.days * DAY_S + since.seconds) * 10**6 + since.microseconds) * 1000


@dataclass(frozen=True, slots=True)
class Schedule:
    """Windows of ``for_ns`` at the start of each period, between two instants.

    Attributes
    ----------
    periods : Periods
    for_ns : int
    from_ns, until_ns : int or None
        Nothing before the one, nothing from the other on: UTC, nanoseconds.
    """

    periods: Periods
    for_ns: int
    from_ns: int | None = None
    until_ns: int | None = None

    def between(self, start_ns: int, stop_ns: int) -> list[tuple[int, int]]:
        """Return the windows, cut to ``[start_ns, stop_ns)``, in order."""
        start_ns = start_ns if self.from_ns is None else max(start_ns, self.from_ns)
        stop_ns = stop_ns if self.until_ns is None else min(stop_ns, self.until_ns)
        if start_ns >= stop_ns:
            return []
        starts = self.periods.between(start_ns - self.for_ns + 1, stop_ns)
        return [(max(t, start_ns), min(t + self.for_ns, stop_ns)) for t in starts]

    def next_start(self, after_ns: int) -> int | None:
        """Return when the next window begins after an instant; None where none does."""
        if self.from_ns is not None:
            after_ns = max(after_ns, self.from_ns - 1)
        found = self.periods.between(after_ns + 1, after_ns + 2 * max(self.periods.every_s, DAY_S) * NS)
        return found[0] if found and (self.until_ns is None or found[0] < self.until_ns) else None
