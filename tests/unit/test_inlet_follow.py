"""A follower says of each hole that the history has no more of that it is there."""

from __future__ import annotations

from typing import Any, cast

from spikedaq.bus import Message, Unavailable, encode
from spikedaq.inlet.bench import Bench
from spikedaq.inlet.control import ControlClient
from spikedaq.inlet.follow import Follower
from spikedaq.inlet.history import HistoryClient

TOPIC = "bench/alpha/samples/"


def block(seq: int, n: int = 0, epoch: str = "") -> bytes:
    place = {"boot": 1, "seq": seq, "step": 100 * seq, "count": 100, "mode": "current"}
    return encode(TOPIC, {"v": 1, "n": n, "epoch": epoch, "events": 0, **place})


def reply(*numbers: int, complete: bool = True, done: bool = False) -> dict[str, Any]:
    value = {"messages": [block(seq) for seq in numbers], "done": done, "complete": complete, "cursor": {}}
    return value if complete else {**value, "first": {"step": 100 * numbers[0]}}


class ScriptedBench:
    """A bench whose device publishes what a test gives it, and whose history replies by a script."""

    url = "tcp://127.0.0.1:1"

    def __init__(self, live: list[Message], replies: list[dict[str, Any]]) -> None:
        self.live, self.replies = live, replies

    def subscribe(self, *_: str, devices: list[str]) -> ScriptedBench:
        return self

    def recv(self, _timeout_s: float) -> Message | None:
        return self.live.pop(0) if self.live else None

    def history(self) -> HistoryClient:
        return HistoryClient(cast(ControlClient, self))

    def call(self, _op: str, **_: Any) -> dict[str, Any]:
        return self.replies.pop(0)

    def close(self) -> None:
        pass


def test_each_hole_is_told_where_it_is() -> None:
    """The journal is trimmed twice while it is fetched: two things are unavailable, at their places."""
    live = [
        Message(TOPIC, {"n": n, "epoch": "e", "events": 0, "boot": 1, "seq": n, "step": 100 * n, "count": 100})
        for n in (0, 44)
    ]
    replies = [reply(10, 11, complete=False), reply(12, 13), reply(40, 41, complete=False), reply(42, 43, done=True)]
    bench = ScriptedBench(live, replies)
    told = list(Follower(cast(Bench, bench), "alpha", timeout_s=0.0))
    assert [(m.after[1], m.before[1]) if isinstance(m, Unavailable) else m.header["seq"] for m in told] == [
        0, (100, 1000), 10, 11, 12, 13, (1400, 4000), 40, 41, 42, 43, 44,
    ]  # fmt: skip
