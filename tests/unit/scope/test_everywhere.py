"""A page records on all benches: everywhere or nowhere, and stops wherever it records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from helpers.class_bench import ClassBench
from spikedaq.model import CommandRejected
from spikedaq.scope import everywhere
from spikedaq.scope.access import WebRole
from spikedaq.scope.asking import Leaseholders
from spikedaq.scope.everywhere import Everywhere

Pair = tuple[ClassBench, ClassBench]


@pytest.fixture
def benches(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    monkeypatch.setattr("spikedaq.lesson.session.RECORD_TIMEOUT_S", 1.0)
    pair = ClassBench("one"), ClassBench("two")
    yield pair
    for bench in pair:
        bench.close()


def page(*benches: ClassBench, role: WebRole = WebRole.CONTROLLER, leases: Leaseholders | None = None) -> Everywhere:
    return Everywhere("me#1", role, {bench.name: bench.url for bench in benches}, leases or Leaseholders(), None)


def test_it_begins_and_ends_on_all(benches: Pair) -> None:
    one, two = benches
    started = page(one, two).start("lesson", notes="first")
    assert started == {
        "session": "lesson",
        "benches": [
            {"bench": "one", "devices": ["alpha"], "remark": ""},
            {"bench": "two", "devices": ["alpha"], "remark": ""},
        ],
    }
    assert (one.records, two.records) == (True, True)
    stopped = page(one, two).stop()
    assert [(each["bench"], each["session"], each["state"]) for each in stopped["ended"]] == [
        ("one", "lesson", "complete"),
        ("two", "lesson", "complete"),
    ]
    assert stopped["failed"] == []


def test_where_one_refuses_none_records(benches: Pair) -> None:
    one, two = benches
    two.refuses.add("record_start")
    with pytest.raises(CommandRejected, match="two: no record_start today") as refused:
        page(one, two).start("lesson")
    assert refused.value.code == "not_started"
    assert (one.records, two.records) == (False, False)


def test_what_is_left_out_is_not_even_asked(benches: Pair) -> None:
    one, two = benches
    two.refuses |= {"hello", "list"}
    assert [each["bench"] for each in page(one, two).start("lesson", without=["two"])["benches"]] == ["one"]
    with pytest.raises(CommandRejected, match="no bench is left"):
        page(one, two).start("other", without=["one", "two"])


def test_a_board_that_is_left_out_leaves_its_bench_with_none(benches: Pair) -> None:
    with pytest.raises(CommandRejected, match=r"bench one at .* has no board to record"):
        page(*benches).start("lesson", without=["one/alpha"])
    assert not benches[1].records


def test_stopping_says_at_which_bench_it_failed_and_stops_the_others(benches: Pair) -> None:
    one, two = benches
    page(one, two).start("lesson")
    two.refuses.add("record_stop")
    stopped = page(one, two).stop()
    assert [each["bench"] for each in stopped["ended"]] == ["one"]
    assert stopped["failed"] == [{"bench": "two", "text": "no record_stop today"}]
    assert (one.records, two.records) == (False, True)


def test_stopping_nothing_is_said(benches: Pair) -> None:
    with pytest.raises(CommandRejected, match="nothing is being recorded on any bench"):
        page(*benches).stop()


def test_a_viewer_may_neither_begin_nor_end(benches: Pair) -> None:
    viewer = page(*benches, role=WebRole.VIEWER)
    for do in (lambda: viewer.start("lesson"), viewer.stop):
        with pytest.raises(CommandRejected) as refused:
            do()
        assert refused.value.code == "not_allowed"
    assert not benches[0].records


def test_another_viewers_lease_of_one_board_keeps_all_from_beginning(benches: Pair) -> None:
    leases = Leaseholders()
    leases.took("other#2", "two", "alpha")
    with pytest.raises(CommandRejected, match="somebody else has the lease of device 'alpha'"):
        page(*benches, leases=leases).start("lesson")
    assert (benches[0].records, benches[1].records) == (False, False)


def test_one_start_or_stop_at_a_time(benches: Pair) -> None:
    """Two teachers press at once: the second is told so, and undoes nothing."""
    with everywhere._Alone(), pytest.raises(CommandRejected) as refused:
        page(*benches).start("lesson")
    assert refused.value.code == "busy"
    page(*benches).start("lesson")
    assert benches[0].records


@pytest.mark.parametrize(
    "arguments",
    [
        {"session": ""},
        {"session": "../etc"},
        {"session": "a/b"},
        {"session": "<script>"},
        {"session": 5},
        {"session": "ok", "notes": None},
        {"session": "ok", "notes": "x" * 10_001},
        {"session": "ok", "without": "one"},
        {"session": "ok", "without": [1]},
        {"session": "ok", "without": {"one": 1}},
    ],
)
def test_what_cannot_be_is_refused_before_any_bench_is_asked(arguments: dict[str, Any]) -> None:
    nowhere = Everywhere("me#1", WebRole.CONTROLLER, {"one": "tcp://127.0.0.1:1"}, Leaseholders(), None)
    with pytest.raises(CommandRejected) as refused:
        nowhere.start(**arguments)
    assert refused.value.code == "bad_arguments"
