"""Nothing of a device grows without bound: held bytes, waiting commands, unanswered pings."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from cobs import cobs

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from fake_stream import FakeDevice

from spikedaq.device import Timing
from spikedaq.device.clock import MAX_UNANSWERED, ClockKeeper
from spikedaq.device.identify import HELD_BYTES, SAMPLE_BYTES, Identification
from spikedaq.device.receive import Receiver
from spikedaq.device.requests import MAX_WAITING, Requests
from spikedaq.model import ClockMap, CommandRejected
from spikedaq.wire import (
    BlockMessage,
    Hello,
    Pong,
    Reply,
    Stop,
    decode_message,
    encode_frame,
    encode_message,
)


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


def test_a_board_that_does_not_answer_is_told_within_two_seconds() -> None:
    """docs/reference/reliability.md promises it of a refusal as of an alarm; a fifth is for the way there and back."""
    assert Timing().tries * Timing().reply_s <= 1.6


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


class _Keeps:
    """A journal and listener that keep what matters here, in order."""

    def __init__(self) -> None:
        self.order: list[tuple[str, int]] = []

    def frames(self, _: int, frames: list[Any]) -> None:
        for frame in frames:
            message = decode_message(frame.message)
            if isinstance(message, BlockMessage):
                self.order.append(("block", message.first_tick + message.n * message.step_us))

    def clock_map(self, _: int, piece: ClockMap) -> None:
        self.order.append(("map", piece.tick0))

    def timed(self, _: int) -> None:
        return None

    def __getattr__(self, _: str) -> Any:
        return lambda *_, **__: None


def test_no_map_begins_before_a_block_that_is_journalled() -> None:
    """A daemon that was late reads pong and blocks at once; times would go back where the map began at the pong."""

    async def test() -> None:
        device, keeps, clock = FakeDevice(tick=1_000_000), _Keeps(), ClockKeeper()
        receiver = Receiver(cast("Any", keeps), Requests("alpha", Timing()), clock)
        hello = device.hello()
        receiver.begin(cast("Any", keeps), cast("Hello", decode_message(cobs.decode(hello[:-1])[:-4])), 1, "", "")
        receiver.bytes_came(hello + b"".join(device.descriptions()), device.t_host_ns)
        for k in range(60):
            drift_ns, token = 20_000 * k * k, clock.next_token()
            clock.sent(token, device.t_host_ns + drift_ns)
            before = [device.block() for _ in range(3)]
            pong = encode_frame(encode_message(Pong(device.next_seq(), token, device.tick, 0)))
            after = [device.block() for _ in range(5)]
            receiver.bytes_came(b"".join([*before, pong, *after, device.status()]), device.t_host_ns + drift_ns)
        maps = [n for n, (what, _) in enumerate(keeps.order) if what == "map"]
        assert len(maps) > 1
        for n in maps:
            ends = [tick for what, tick in keeps.order[:n] if what == "block"]
            assert keeps.order[n][1] >= max(ends, default=0)

    asyncio.run(test())
