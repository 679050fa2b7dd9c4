"""A bench is followed whatever answers at its address, and never taken for another."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from helpers.class_bench import ClassBench
from spikedaq.bus import Message
from spikedaq.model import ConfigError
from spikedaq.scope.feed import BenchFeed, _ask
from spikedaq.scope.hub import Hub
from spikedaq.scope.traces import Traces


class Daemon(ClassBench):
    """A daemon that tells of itself what it is told to."""

    said: dict[str, Any]

    def _hello(self) -> dict[str, Any]:
        return {"bench": self.name, "publish": "tcp://127.0.0.1:1", "epoch": self.said.get("epoch")}

    def _status(self) -> dict[str, Any]:
        return self.said

    def _clock(self) -> dict[str, int]:
        return {"host_ns": time.clock_gettime_ns(time.CLOCK_BOOTTIME), "utc_ns": 5}


@pytest.fixture
def daemon() -> Any:
    made = Daemon("lab")
    made.said = {"epoch": "e1", "devices": [{"name": "alpha"}], "leases": []}
    yield made
    made.close()


def look(feed: BenchFeed, until: Any) -> None:
    """Follow a bench until something is so."""

    async def run() -> None:
        task = asyncio.create_task(feed.run())
        async with asyncio.timeout(20):
            while not until():
                assert not task.done(), task.exception()
                await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


def test_a_daemon_is_followed_and_told_of(daemon: Daemon) -> None:
    hub = Hub([daemon.url])
    (feed,) = hub.feeds
    daemon.said["leases"] = [{"device": "alpha"}, {"device": None}]
    look(feed, lambda: feed.state["here"])
    assert (feed.name, feed.leased) == ("lab", {"alpha", ""})
    assert feed.state["clock"]["utc_ns"] == 5
    assert feed.asked_s > 0


@pytest.mark.parametrize(
    "said",
    [{}, {"epoch": "e1"}, {"epoch": "e1", "devices": None, "leases": []}, {"epoch": "e1", "devices": [3], "leases": []},
     {"epoch": "e1", "devices": [], "leases": [{}]}, [], None, "junk", 7],
)  # fmt: skip
def test_what_is_no_daemon_of_ours_is_said_and_ends_nothing(daemon: Daemon, said: Any) -> None:
    """Before, one odd answer ended the following of every bench, and nobody was told."""
    daemon.said, good = {}, daemon.said
    hub = Hub([daemon.url])
    (feed,) = hub.feeds
    daemon._status = lambda: said  # type: ignore[method-assign]
    daemon._hello = lambda: {"bench": "lab", "publish": "tcp://127.0.0.1:1", "epoch": "e1"}  # type: ignore[method-assign]
    look(feed, lambda: "understands" in feed.state["error"])
    assert not feed.state["here"]
    assert feed.url in feed.state["error"]
    daemon._status = lambda: good  # type: ignore[method-assign]
    look(feed, lambda: feed.state["here"])


def test_two_daemons_of_one_name_are_not_taken_for_one() -> None:
    """Every daemon is called 'bench' until it is given a name: what is asked of one could be done by the other."""
    one, two = Daemon("bench"), Daemon("bench")
    try:
        for each, epoch in ((one, "e1"), (two, "e2")):
            each.said = {"epoch": epoch, "devices": [], "leases": []}
        hub = Hub([one.url, two.url])
        first, second = hub.feeds
        look(first, lambda: first.state["here"])
        look(second, lambda: "called 'bench'" in second.state["error"])
        assert (first.state["here"], second.state["here"]) == (True, False)
        assert one.url in second.state["error"]
        assert two.url in second.state["error"]
        assert hub.urls == {"bench": one.url, two.url: two.url}
        two.name, two.said["epoch"] = "other", "e3"
        look(second, lambda: second.state["here"])
        assert hub.urls == {"bench": one.url, "other": two.url}
    finally:
        one.close()
        two.close()


def test_the_same_address_twice_is_one_bench() -> None:
    assert [feed.url for feed in Hub(["tcp://127.0.0.1:1", "tcp://127.0.0.1:1"]).feeds] == ["tcp://127.0.0.1:1"]


def test_a_bench_that_comes_back_under_another_name_has_no_traces_of_the_old_one(daemon: Daemon) -> None:
    """Their frames would go on naming the old bench, and the page would draw nothing for ever."""
    hub = Hub([daemon.url])
    (feed,) = hub.feeds
    look(feed, lambda: feed.state["here"])
    feed.traces["alpha"] = Traces("lab", "alpha")
    daemon.name, daemon.said["epoch"] = "room 2", "e2"
    look(feed, lambda: feed.name == "room 2")
    assert feed.traces == {}
    assert hub.urls == {"room 2": daemon.url}


def header(**more: Any) -> dict[str, Any]:
    return {
        "v": 1, "boot": 7, "step": 0, "step_us": 100, "mode": "current", "t_ns": None, "epoch": "e", "count": 4,
        "channels": 2, "layout": "channel-major", "n": 0, **more,
    }  # fmt: skip


class Bus:
    """What a subscriber would return, message by message."""

    def __init__(self, *messages: Message) -> None:
        self.missed: dict[str, int] = {}
        self._messages = list(messages)

    def recv(self, _: float) -> Message | None:
        return self._messages.pop(0) if self._messages else None


@pytest.mark.parametrize(
    ("stream", "odd"),
    [("samples", {"step": "x"}), ("samples", {"step": None}), ("samples", {"t_ns": "soon"}),
     ("samples", {"boot": None, "layout": 3}), ("samples", {"step_us": []}), ("samples", {"step": -1}),
     ("events", {"step": 1.5, "t_ns": "x"}), ("imaging", {"dtype": "f4", "pitch_steps": 0, "count": 2}),
     ("imaging", {"dtype": "f4", "pitch_steps": "x", "count": 2})],
)  # fmt: skip
def test_an_odd_message_of_the_bus_is_left_out_and_counted(stream: str, odd: dict[str, Any]) -> None:
    """And the good one behind it is taken: nothing that somebody publishes ends the page."""
    feed = Hub(["tcp://127.0.0.1:1"]).feeds[0]
    payload = np.zeros(8, "<i2").tobytes()
    topic = f"lab/alpha/{stream}/"
    bad = Message(topic, header(**odd), payload)
    good = Message("lab/beta/samples/", header(), payload)
    feed._subscriber = Bus(bad, good)  # type: ignore[assignment]
    feed._take_what_came()
    assert feed.odd == 1
    assert feed.traces["beta"].blocks == 1


def test_what_ends_the_following_of_benches_is_not_kept_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server looks at `failure`, and ends instead of showing a page on which nothing moves."""
    hub = Hub(["tcp://127.0.0.1:1"])
    monkeypatch.setattr(hub.feeds[0], "_take_what_came", lambda: 1 // 0)
    with pytest.raises(ExceptionGroup):
        asyncio.run(hub.run())
    assert "ZeroDivisionError" in hub.failure


def test_a_name_that_is_refused_changes_nothing() -> None:
    hub = Hub(["tcp://127.0.0.1:1", "tcp://127.0.0.1:2"])
    first, second = hub.feeds
    first.name = "bench"
    bench: Any = SimpleNamespace(name="bench", publish_url="tcp://127.0.0.1:3", client=SimpleNamespace(key=None))
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:1 and .*127\.0\.0\.1:2 are both called 'bench'"):
        second._follow(bench, "e")
    assert (second.name, second._subscriber) == ("tcp://127.0.0.1:2", None)


def test_a_daemon_that_was_started_anew_is_asked_over_a_new_connection(daemon: Daemon) -> None:
    bench: Any = SimpleNamespace(
        hello={"epoch": "e0"}, status=lambda: daemon.said, client=SimpleNamespace(url=daemon.url, call=lambda op: {
            "hello": {"bench": "lab", "publish": "tcp://127.0.0.1:1", "epoch": "e1"},
            "clock": {"host_ns": 1, "utc_ns": 2},
        }[op]),
    )  # fmt: skip
    looked = _ask(bench)
    assert not looked.is_same
    assert looked.bench.hello["epoch"] == "e1"
