"""Connections to libraries are kept for the next request, given to one thread at a time, and closed at the end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from spikedaq.model import CommandRejected, CommandTimeout
from spikedaq.scope import libraries
from spikedaq.scope.libraries import MAX_KEPT, Libraries


class Bench:
    """A connection that notes whether it is open."""

    made: list[Bench]

    def __init__(self) -> None:
        self.is_open = True
        self.made.append(self)

    def close(self) -> None:
        self.is_open = False


@pytest.fixture
def benches(monkeypatch: pytest.MonkeyPatch) -> list[Bench]:
    Bench.made = []
    monkeypatch.setattr(libraries, "connect", lambda *_, **__: Bench())
    return Bench.made


class Racing(list[Any]):
    """Looks full, and is emptied by another thread before one can take from it."""

    def __bool__(self) -> bool:
        return True


def test_two_threads_that_want_the_last_idle_one_both_get_one(benches: list[Bench]) -> None:
    asked = Libraries({"lab": "tcp://127.0.0.1:1"})
    asked._idle["tcp://127.0.0.1:1"] = Racing()
    assert asyncio.run(asked.ask_bench("lab", lambda bench: bench)) is benches[0]


def test_they_are_kept_up_to_a_bound_and_closed_at_the_end(benches: list[Bench]) -> None:
    """One that was in use at the end is not kept by whoever returns it."""

    async def test() -> None:
        asked = Libraries({"lab": "tcp://127.0.0.1:1"})
        for _ in range(3):
            await asked.ask_bench("lab", lambda bench: None)
        assert len(benches) == 1
        used = [asked._taken("lab") for _ in range(MAX_KEPT + 3)]
        for each in used:
            each.__enter__()
        for each in used[:-1]:
            each.__exit__(None, None, None)
        assert sum(bench.is_open for bench in benches) == MAX_KEPT + 1
        await asked.close()
        used[-1].__exit__(None, None, None)
        assert not any(bench.is_open for bench in benches)

    asyncio.run(test())


@pytest.mark.parametrize(("error", "is_open"), [(CommandRejected("no", code="x"), True), (CommandTimeout("?"), False)])
def test_one_that_did_not_answer_is_not_kept(error: Exception, is_open: bool, benches: list[Bench]) -> None:
    """Its late answer would be taken for that to the next question."""

    def fail(_: Any) -> None:
        raise error

    asked = Libraries({"lab": "tcp://127.0.0.1:1"})
    with pytest.raises(type(error)):
        asyncio.run(asked.ask_bench("lab", fail))
    assert benches[0].is_open is is_open


def test_an_unknown_bench(benches: list[Bench]) -> None:
    with pytest.raises(CommandRejected) as caught:
        asyncio.run(Libraries({}).ask_bench("lab", lambda bench: bench))
    assert (caught.value.code, benches) == ("unknown_bench", [])
