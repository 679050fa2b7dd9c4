"""A publisher of a derived stream against a scripted daemon: refusals, restarts, and what is counted."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from spikedaq.bus import DerivedPlace
from spikedaq.inlet import DerivedPublisher
from spikedaq.model import CommandRejected, CommandTimeout

PLACE = DerivedPlace(7, 500, 100, tick=9, t_ns=10**15, u_ns=3)
VALUES = np.array([[1.0, 3.0], [2.0, np.nan]])


class Daemon:
    """Answers from a script: an exception is raised, anything else ignored; at the end everything is right."""

    def __init__(self, *script: object) -> None:
        self.script = list(script)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.opened = 0

    def call(self, op: str, **args: Any) -> Any:
        self.asked.append((op, args))
        answer = self.script.pop(0) if self.script else None
        if isinstance(answer, Exception):
            raise answer
        if op == "derive_open":
            self.opened += 1
            return {"id": f"id{self.opened}", "topic": "bench/alpha/imaging/", "ttl_s": 10.0}
        return {"count": 1}

    @property
    def ops(self) -> list[str]:
        return [op for op, _ in self.asked]


def publisher(daemon: Daemon, **options: Any) -> DerivedPublisher:
    client: Any = daemon
    return DerivedPublisher(client, "alpha", "imaging", [("f", "a.u."), ("dff", "%")], 100, **options)


def test_what_is_asked_word_for_word() -> None:
    daemon = Daemon()
    with publisher(daemon, settings={"seed": 1}, replace=True) as stream:
        assert stream.topic == "bench/alpha/imaging/"
        assert stream.publish(PLACE, VALUES) and stream.published == 2
    assert daemon.asked == [
        ("derive_open", {
            "device": "alpha", "stream": "imaging", "pitch_steps": 100, "settings": {"seed": 1}, "ttl_s": 10.0,
            "channels": [{"name": "f", "unit": "a.u."}, {"name": "dff", "unit": "%"}], "replace": True,
        }),
        ("derive", {
            "device": "alpha", "stream": "imaging", "id": "id1", "boot": 7, "step": 500, "step_us": 100, "tick": 9,
            "t_ns": 10**15, "u_ns": 3, "samples": struct.pack("<4f", 1, 2, 3, float("nan")),
        }),
        ("derive_close", {"device": "alpha", "stream": "imaging", "id": "id1"}),
    ]  # fmt: skip


def test_a_stream_that_the_daemon_forgot_is_opened_again() -> None:
    """After a restart of the daemon the same values go out over a new stream; it takes nobody's place."""
    daemon = Daemon(None, CommandRejected("not open", code="unknown_stream"))
    stream = publisher(daemon, replace=True)
    assert stream.publish(PLACE, VALUES) and stream.published == 2 and stream.unpublished == 0
    assert daemon.ops == ["derive_open", "derive", "derive_open", "derive"]
    assert daemon.asked[2][1]["replace"] is False and daemon.asked[3][1]["id"] == "id2"


@pytest.mark.parametrize(
    "script",
    [
        [CommandTimeout("nobody", code="absent")],
        [CommandRejected("too much", code="busy")],
        [CommandRejected("gone", code="unknown_stream"), CommandRejected("taken by ben", code="exists")],
        [CommandRejected("gone", code="unknown_stream"), None, CommandTimeout("nobody", code="timeout")],
    ],
)
def test_what_does_not_go_out_is_counted_with_the_reason(script: list[object]) -> None:
    daemon = Daemon(None, *script)
    stream = publisher(daemon)
    assert not stream.publish(PLACE, VALUES)
    assert (stream.published, stream.unpublished) == (0, 2)
    reason = [str(each) for each in script if isinstance(each, Exception)][-1]
    assert stream.reason == reason
    assert stream.publish(PLACE, VALUES) and stream.published == 2


def test_a_refusal_at_the_beginning_is_said() -> None:
    with pytest.raises(CommandRejected, match="anna publishes"):
        publisher(Daemon(CommandRejected("anna publishes", code="exists")))


def test_closing_a_daemon_that_is_away_is_no_error() -> None:
    daemon = Daemon(None, CommandTimeout("nobody", code="absent"))
    stream = publisher(daemon)
    stream.close()
    stream.close()
    assert daemon.ops == ["derive_open", "derive_close"]
