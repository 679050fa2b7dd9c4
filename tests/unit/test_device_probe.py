"""The way of an open link from the question who is there to the device that uses it."""

from __future__ import annotations

import asyncio

import pytest

from helpers.device_rig import FAST
from spikedaq.device import NotABoard, probe
from spikedaq.link.base import OnBytes, OnLost
from spikedaq.model import LinkLostError
from spikedaq.wire import Hello, HelloRequest, encode_frame, encode_message

HELLO = Hello(0, 1, 1, "1.0", "abc", "board", bytes(8), 7, 100, 100, 0, 0, 0, 0, 0, 1, 64, False)


class Cable:
    """A link in the test's hands, which answers a hello? as it is told."""

    url = detail = "test:cable"

    def __init__(self, answer: bytes = b"") -> None:
        self.answer = answer
        self.closed = 0
        self.asked = asyncio.Event()
        self.on_bytes: OnBytes | None = None
        self.on_lost: OnLost | None = None

    def start(self, on_bytes: OnBytes, on_lost: OnLost) -> None:
        self.on_bytes, self.on_lost = on_bytes, on_lost

    def write(self, data: bytes) -> None:
        self.asked.set()
        if encode_frame(encode_message(HelloRequest())) in data and self.answer:
            self.say(self.answer)

    def say(self, data: bytes, t_host_ns: int = 1) -> None:
        assert self.on_bytes is not None
        self.on_bytes(data, t_host_ns)

    async def close(self) -> None:
        self.closed += 1


def frame(message: object) -> bytes:
    return encode_frame(encode_message(message))  # type: ignore[arg-type]


def test_all_that_came_goes_to_the_device_in_order() -> None:
    """Before the answer, with it, after it, and then live: each chunk once, with the time it was read at."""

    async def test() -> list[tuple[bytes, int]]:
        cable = Cable(frame(HELLO))
        asking = asyncio.create_task(probe(cable, FAST))
        await asyncio.sleep(0)
        held = await asking
        assert held.hello == HELLO
        cable.say(b"between", 5)
        got: list[tuple[bytes, int]] = []
        held.start(lambda data, t: got.append((data, t)), lambda _: None)
        cable.say(b"live", 6)
        held.start(lambda data, t: got.append((data.upper(), t)), lambda _: None)
        cable.say(b"later", 7)
        assert cable.closed == 0
        await held.close()
        assert cable.closed == 1
        return got

    assert asyncio.run(test()) == [(frame(HELLO), 1), (b"between", 5), (b"live", 6), (b"LATER", 7)]


def test_a_link_lost_while_it_waits_is_lost_to_the_device() -> None:
    """Who takes it over is told."""

    async def test() -> None:
        cable = Cable(frame(HELLO))
        held = await probe(cable, FAST)
        error = LinkLostError("gone", url="test:cable")
        assert cable.on_lost is not None
        cable.on_lost(error)
        lost: list[LinkLostError] = []
        held.start(lambda *_: None, lost.append)
        assert lost == [error]

    asyncio.run(test())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "nothing answers on test:cable"),
        (b"G28 X0 ok\r\n", "speaks something else"),
        (frame(Hello(*([0, 9] + [getattr(HELLO, name) for name in Hello.__slots__[2:]]))), "cannot be used"),
    ],
)
def test_what_is_no_board_is_closed_and_told(answer: bytes, words: str) -> None:
    """Silence, another language, another version."""

    async def test() -> None:
        cable = Cable(answer)
        with pytest.raises(NotABoard, match=words):
            await probe(cable, FAST)
        assert cable.closed == 1

    asyncio.run(test())


def test_a_link_lost_during_the_question() -> None:
    """It is said at once, and closed."""

    async def test() -> None:
        cable = Cable()
        asking = asyncio.create_task(probe(cable, FAST))
        await cable.asked.wait()
        assert cable.on_lost is not None
        cable.on_lost(LinkLostError("pulled", url="test:cable"))
        with pytest.raises(LinkLostError, match="pulled"):
            await asking
        assert cable.closed == 1

    asyncio.run(test())
