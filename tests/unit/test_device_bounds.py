"""Nothing of a device grows without bound: held bytes, waiting commands, unanswered pings."""

from __future__ import annotations

import asyncio

import pytest

from spikedaq.device import Timing
from spikedaq.device.clock import MAX_UNANSWERED, ClockKeeper
from spikedaq.device.identify import HELD_BYTES, SAMPLE_BYTES, Identification
from spikedaq.device.requests import MAX_WAITING, Requests
from spikedaq.model import CommandRejected
from spikedaq.wire import Pong, Reply, Stop


def test_identification_holds_a_bounded_amount() -> None:
    """A port that floods before it is known keeps only the newest bytes, and the first ones as a sample."""

    async def test() -> None:
        found = Identification()
        found.take(b"first words", 0)
        for i in range(HELD_BYTES // 65536 + 10):
            found.take(b"\x55" * 65536, i)
        assert sum(len(data) for data, _ in found.chunks) <= HELD_BYTES
        assert sum(len(data) for data, _ in found.chunks) + found.dropped == found.n_bytes
        text = found.failure("pty:/x", 6.0)
        assert "first words" in text
        assert len(text) < 300 + 4 * SAMPLE_BYTES

    asyncio.run(test())


def test_too_many_waiting_commands_are_refused_at_once() -> None:
    """Commands beyond the bound fail as busy; those before it are answered in order, one at a time."""

    async def test() -> None:
        requests = Requests("alpha", Timing(reply_s=60.0), first_id=2**32 - 1)
        sent: list[bytes] = []
        came = asyncio.Event()

        def send(message: bytes, _: str) -> None:
            sent.append(message)
            came.set()

        requests.attach(send)
        tasks = [asyncio.create_task(requests.call(Stop, what="stop", origin="")) for _ in range(MAX_WAITING + 1)]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        with pytest.raises(CommandRejected, match="64 commands waiting") as caught:
            await done.pop()
        assert caught.value.code == "busy"
        for n in range(MAX_WAITING):
            await came.wait()
            came.clear()
            assert len(sent) == n + 1
            assert not requests.answered(Reply(0, 12345, 0, None))
            assert requests.answered(Reply(0, (2**32 - 1 + n) % 2**32, 0, n))
        assert [(await task).value for task in tasks[:-1]] == list(range(MAX_WAITING))

    asyncio.run(test())


def test_unanswered_pings_are_forgotten() -> None:
    """A board that answers no ping costs no memory, and a pong that comes too late changes nothing."""
    clock = ClockKeeper()
    clock.boot(1)
    tokens = [clock.next_token() for _ in range(MAX_UNANSWERED + 1)]
    for i, token in enumerate(tokens):
        clock.sent(token, i)
    assert clock.pong(Pong(0, tokens[0], 5, 0), 100, 5) is None
    assert clock.round_trip_ns is None
    clock.pong(Pong(0, tokens[1], 5, 0), 100, 5)
    assert clock.round_trip_ns == 99
    clock.pong(Pong(0, tokens[1], 5, 0), 500, 5)
    assert clock.round_trip_ns == 99
