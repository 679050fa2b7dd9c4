"""Events of the present boot, bounded, and honest about what is not there."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from spikedaq.scope.event_log import MAX_TOLD, EventLog, for_page, told


def spike(step: int, boot: int = 7, **more: Any) -> dict[str, Any]:
    return {"kind": "spike", "boot": boot, "step": step, **more}


def test_times_are_milliseconds_for_a_browser() -> None:
    header = {"kind": "spike", "t_ns": 1_500_000, "u_ns": None, "step": 3}
    assert for_page(header) == {"kind": "spike", "t_ms": 1.5, "step": 3}


def test_it_knows_from_where_on_it_has_everything() -> None:
    log = EventLog()
    assert not log.has(7, 0)
    log.see(7, 1000)
    assert log.has(7, 1000)
    assert not log.has(7, 999)
    assert not log.has(8, 5000)
    log.take(spike(1200))
    log.take(spike(50, boot=8))
    assert log.boot == 8
    assert log.between(0, 10_000) == [spike(50, boot=8)]


def test_when_it_is_full_it_says_that_it_begins_later() -> None:
    log = EventLog(capacity=10)
    log.see(7, 0)
    for step in range(100, 1300, 100):
        log.take(spike(step))
    assert [event["step"] for event in log.between(0, 9999)] == list(range(300, 1300, 100))
    assert not log.has(7, 200)
    assert log.has(7, 201)


def test_a_gap_is_told_where_it_reaches_into_the_range() -> None:
    log = EventLog()
    gap = {"kind": "gap", "boot": 7, "step": 100, "count": 50, "cause": "lost"}
    log.take(gap)
    assert log.between(149, 150) == [gap]
    assert log.between(150, 400) == []
    assert log.between(0, 100) == []


def test_what_has_no_place_on_the_axis_is_left_out() -> None:
    log = EventLog()
    for event in (
        {"kind": "note", "text": "x"},
        {"kind": "spike", "boot": 7},
        {"kind": "spike", "boot": 7, "step": "9"},
    ):
        log.take(event)
    assert log.boot is None


def test_an_answer_is_bounded_and_says_so() -> None:
    many = [spike(k, seq=1, tick=2, n=3, epoch="e", v=1) for k in range(MAX_TOLD + 5)]
    answer = told(many, is_complete=True)
    assert answer["complete"] is False
    assert len(answer["events"]) == MAX_TOLD
    assert answer["events"][-1] == spike(MAX_TOLD + 4)
    assert told(many[:3], is_complete=True)["complete"] is True


@given(st.lists(st.integers(0, 500), max_size=40), st.integers(0, 500), st.integers(1, 100))
def test_between_is_like_the_definition(steps: list[int], first: int, width: int) -> None:
    log = EventLog()
    for step in steps:
        log.take(spike(step))
    expected = [step for step in steps if first <= step < first + width]
    assert [event["step"] for event in log.between(first, first + width)] == expected
