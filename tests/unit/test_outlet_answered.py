"""Requests that come again: the same answer, one effect, bounded memory."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from spikedaq.outlet.answered import MAX_BYTES, MAX_ENTRIES, PER_CLIENT, WINDOW_S, Answered, digest

ROUTE = (b"r",)


def test_an_answer_is_found_within_the_window_and_not_after_it() -> None:
    answered = Answered()
    asked = answered.add("c", "1", b"data", ROUTE, 0.0)
    assert answered.find("c", "1", 1.0) is asked
    assert asked.digest == digest(b"data") != digest(b"other")
    answered.answer(asked, b"reply")
    assert answered.find("c", "1", WINDOW_S) is asked
    assert answered.find("other", "1", 1.0) is None
    assert answered.find("c", "1", WINDOW_S + 1) is None
    assert (len(answered), answered.n_bytes) == (0, 0)


def test_one_that_is_worked_on_outlasts_the_window() -> None:
    answered = Answered()
    asked = answered.add("c", "1", b"", ROUTE, 0.0)
    assert answered.find("c", "1", 5 * WINDOW_S) is asked


def test_many_requests_of_one_push_out_nobody_elses() -> None:
    answered = Answered()
    kept = answered.add("quiet", "1", b"", ROUTE, 0.0)
    answered.answer(kept, b"reply")
    for number in range(3 * MAX_ENTRIES):
        answered.answer(answered.add(f"loud{number % 7}", str(number), b"", ROUTE, 1.0), b"x" * 1000)
    assert answered.find("quiet", "1", 2.0) is kept
    assert len(answered) <= 7 * PER_CLIENT + 1
    assert answered.n_bytes <= MAX_BYTES


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 400), st.floats(0, 30), st.integers(0, 200_000), st.booleans()),
        max_size=150,
    )
)
def test_memory_is_bounded_and_what_is_kept_is_right(steps: list[tuple[int, int, float, int, bool]]) -> None:
    """Whatever comes: the bounds hold, and an answer found is the one that was given to this very request."""
    answered = Answered()
    now_s = 0.0
    given_replies: dict[tuple[str, str], bytes] = {}
    running = 0
    for client, number, later_s, size, is_answered in steps:
        now_s += later_s
        name, request_id = f"c{client}", str(number)
        found = answered.find(name, request_id, now_s)
        if found is not None:
            assert found.reply in (None, given_replies.get((name, request_id)))
            continue
        asked = answered.add(name, request_id, b"", ROUTE, now_s)
        if is_answered or running >= 64:
            reply = bytes(size)
            given_replies[name, request_id] = reply
            answered.answer(asked, reply)
        else:
            running += 1
        assert answered.n_bytes <= MAX_BYTES
        assert len(answered) <= MAX_ENTRIES
