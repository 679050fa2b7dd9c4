"""A connection is never closed while another thread uses it, and never left open."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from spikedaq.model import CommandRejected
from spikedaq.scope.line import Line


class Connection:
    """Notes what happens to it."""

    def __init__(self) -> None:
        self.is_used = False
        self.closed = 0

    def close(self) -> None:
        assert not self.is_used, "closed while a thread used it"
        self.closed += 1


def test_it_is_made_once_and_closed_once() -> None:
    made: list[Connection] = []

    def make() -> Connection:
        made.append(Connection())
        return made[-1]

    line = Line(make)
    assert made == []
    assert line.use(lambda c: c) is line.use(lambda c: c) is made[0]
    line.close()
    line.close()
    assert [c.closed for c in made] == [1]


def test_whoever_uses_it_closes_it_where_it_was_closed_meanwhile() -> None:
    """The loop closes while a thread waits for an answer: it returns at once, and the thread closes."""
    connection, begun, go_on = Connection(), threading.Event(), threading.Event()

    def work(used: Connection) -> str:
        used.is_used = True
        begun.set()
        assert go_on.wait(10)
        used.is_used = False
        return "answer"

    line = Line(lambda: connection)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(line.use, work)
        assert begun.wait(10)
        line.close()
        assert connection.closed == 0
        go_on.set()
        assert answer.result(10) == "answer"
    assert connection.closed == 1


def test_what_is_made_after_closing_began_does_not_stay_open() -> None:
    """Connecting takes seconds where nobody answers, and the page can be closed in the midst of it."""
    connection, line_ready = Connection(), threading.Event()

    def make() -> Connection:
        line.close()
        line_ready.set()
        return connection

    line: Line[Connection] = Line(make)
    assert line.use(lambda _: 5) == 5
    assert line_ready.is_set()
    assert connection.closed == 1


def test_a_closed_one_is_not_used_again() -> None:
    line = Line(Connection)
    line.close()
    with pytest.raises(CommandRejected, match="closed") as caught:
        line.use(lambda _: None)
    assert caught.value.code == "closed"


def test_work_that_fails_leaves_it_usable() -> None:
    line = Line(Connection)
    with pytest.raises(ZeroDivisionError):
        line.use(lambda _: 1 // 0)
    assert line.use(lambda c: c.closed) == 0
    line.close()
