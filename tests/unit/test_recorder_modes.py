"""Merging of windows, clock times across changes of the clock, and what of a mode is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedaq.model import ConfigError
from spikedaq.recorder import Continuous, Scheduled, Triggered, mode_from
from spikedaq.recorder.intervals import Intervals
from spikedaq.recorder.schedule import Periods, Schedule
from spikedaq.recorder.scout import steps_of

PAIRS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=25)


@given(PAIRS, st.integers(0, 60), st.integers(0, 60))
def test_intervals_are_the_union_of_what_they_were_given(pairs: list[tuple[int, int]], low: int, high: int) -> None:
    """In whatever order: the numbers in them are those in any, apart by at least one, and cut where asked."""
    merged, wanted = Intervals(), set()
    for start, stop in pairs:
        merged.add(start, stop)
        wanted |= set(range(start, stop))
    assert [n for a, b in merged.pairs() for n in range(a, b)] == sorted(wanted)
    found = merged.pairs()
    assert all(b < c for (_, b), (c, _) in pairwise(found)), "those that touch are one"
    inside = [n for a, b in merged.within(low, high) for n in range(a, b)]
    assert inside == sorted(wanted & set(range(low, high)))
    merged.forget_before(low)
    assert merged.pairs() == [(a, b) for a, b in found if b > low]


@pytest.mark.parametrize(
    ("pre_us", "post_us", "step_us", "steps"),
    [
        (1000, 1000, 100, (90, 110)),
        (0, 100, 100, (100, 101)),
        (99, 1, 100, (100, 101)),
        (101, 101, 100, (99, 102)),
        (60_000_000, 0, 100, (-599_900, 100)),
    ],
)
def test_windows_in_steps(pre_us: int, post_us: int, step_us: int, steps: tuple[int, int]) -> None:
    """Sample s is in the window of step 100 where -pre <= (s - 100) x step < post."""
    assert steps_of(100, pre_us, post_us, step_us) == steps


def utc_ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def starts(periods: Periods, first: str, last: str) -> list[str]:
    found = periods.between(utc_ns(first), utc_ns(last))
    return [datetime.fromtimestamp(ns // 10**9, UTC).strftime("%dT%H:%M") for ns in found]


# Europe/Berlin: clocks go from 02:00 to 03:00 on 2026-03-29 (01:00 UTC), from 03:00 to 02:00 on 2026-10-25 (01:00 UTC).
def test_each_hour_is_an_hour_when_clocks_change() -> None:
    hourly = Periods(3600, "Europe/Berlin")
    assert starts(hourly, "2026-03-29T00:00", "2026-03-29T04:00") == ["29T00:00", "29T01:00", "29T02:00", "29T03:00"]
    assert starts(hourly, "2026-10-24T23:00", "2026-10-25T03:00") == ["24T23:00", "25T00:00", "25T01:00", "25T02:00"]
    quarters = Periods(900, "Europe/Berlin")
    assert len(starts(quarters, "2026-10-24T23:00", "2026-10-25T03:00")) == 16


def test_times_of_day_stay_those_of_the_clock() -> None:
    """Every six hours is at 0, 6, 12 and 18 o'clock, in winter and in summer."""
    found = starts(Periods(6 * 3600, "Europe/Berlin"), "2026-03-28T20:00", "2026-03-29T23:00")
    assert found == ["28T23:00", "29T04:00", "29T10:00", "29T16:00", "29T22:00"]


def test_a_time_that_does_not_exist_or_comes_twice() -> None:
    """02:30 each day: once, an hour later, in the night that lacks it; the first of two in the night that has both."""
    daily = Periods(86_400, "Europe/Berlin", utc_ns("2026-03-27T01:30"))
    assert starts(daily, "2026-03-28T00:00", "2026-03-31T00:00") == ["28T01:30", "29T01:30", "30T00:30"]
    assert starts(daily, "2026-10-24T12:00", "2026-10-26T12:00") == ["25T00:30", "26T01:30"]


def test_windows_between_two_dates() -> None:
    """Cut at both, and in any zone."""
    schedule = Schedule(Periods(3600), 600 * 10**9, utc_ns("2026-05-01T10:05"), utc_ns("2026-05-01T12:03"))
    found = schedule.between(utc_ns("2026-05-01T00:00"), utc_ns("2026-05-02T00:00"))
    texts = [tuple(datetime.fromtimestamp(t / 1e9, UTC).strftime("%H:%M") for t in window) for window in found]
    assert texts == [("10:05", "10:10"), ("11:00", "11:10"), ("12:00", "12:03")]


def test_modes_survive_the_plan() -> None:
    raw = {"kind": "scheduled", "every_s": 3600, "for_s": 300, "from": "2026-05-01T09:00", "zone": "Europe/Berlin"}
    scheduled = mode_from(raw)
    assert isinstance(scheduled, Scheduled)
    assert scheduled.schedule.from_ns == utc_ns("2026-05-01T07:00")
    triggered = mode_from({"kind": "triggered", "triggers": ["a"], "pre_s": 90, "post_s": 0.5})
    assert triggered == Triggered(("a",), 90_000_000, 500_000, 90_000_000)
    for mode in (scheduled, triggered, Continuous(), mode_from({"kind": "triggered"})):
        assert mode_from(mode.to_json()) == mode
    assert mode_from(None) == Continuous()


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("triggered", "mode 'triggered' is not known"),
        ({"kind": "triggered", "triggers": []}, "list of names"),
        ({"kind": "triggered", "pre_s": "1"}, "number of seconds"),
        ({"kind": "triggered", "pre_s": 0, "post_s": 0}, "holds nothing"),
        ({"kind": "triggered", "pre_s": float("nan")}, "number of seconds"),
        ({"kind": "scheduled", "every_s": 10}, "for_s"),
        ({"kind": "scheduled", "every_s": 10.5, "for_s": 1}, "whole seconds"),
        ({"kind": "scheduled", "every_s": 10, "for_s": 1, "from": "tomorrow"}, "date and time"),
        ({"kind": "scheduled", "every_s": 10, "for_s": 1, "from": "2026-05-02", "until": "2026-05-01"}, "before"),
        ({"kind": "scheduled", "every_s": 10, "for_s": 1, "zone": "../../etc/passwd"}, "time zone"),
    ],
)
def test_what_cannot_be_meant(raw: object, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        mode_from(raw)
