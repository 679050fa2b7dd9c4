"""The replayed board by itself: numbers, holes, answers, boots, and journals that cannot be replayed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikedaq.journal import JournalWriter
from spikedaq.link import open_link
from spikedaq.link.journal_frames import JournalFrames
from spikedaq.link.replayed import ReplayedBoard, renumbered
from spikedaq.model import ConfigError, LinkOpenError
from spikedaq.wire import (
    BlockMessage,
    Describe,
    Description,
    EventMessage,
    Frame,
    FrameDecoder,
    Get,
    Hello,
    HelloRequest,
    Ping,
    Pong,
    Reply,
    Resend,
    Reset,
    Set,
    Start,
    Stop,
    decode_message,
    encode_frame,
    encode_message,
)

UID = bytes.fromhex("0011223344556677")
SALT = 0xFF


def hello(seq: int, boot_id: int = 1) -> Hello:
    return Hello(seq, 1, 1, "0.1", "abc", "native", UID, boot_id, 100, 10, 1, 1, 0, 128, 1000, 3, 64, False, 4)


def channel(seq: int) -> Description:
    return Description(seq, 7, 0, 0, ("vm", "mV", 1, -2, 0))


def parameter(seq: int, value: float = 1.0) -> Description:
    return Description(seq, 8, 1, 0, ("i_clamp", "a.u.", 0, -100.0, 100.0, 0.0, value, 1, 2))


def block(seq: int, step: int, *, flags: int = 0, tick: int | None = None) -> BlockMessage:
    payload = np.arange(10, dtype="<i2").tobytes()
    first_tick = (5_000_000 + 100 * step if tick is None else tick) % 2**32
    return BlockMessage(seq, 0, step, first_tick, 100, 10, 0, payload, flags)


def pong(seq: int, tick: int = 5_000_000) -> Pong:
    return Pong(seq, 1, tick, 0)


def beginning(boot_id: int = 1) -> list[Any]:
    return [hello(0, boot_id), channel(1), parameter(2), pong(3), Reply(4, 9, 0, 0)]


def journal(folder: Path, *messages: Any, segment_bytes: int = 2**24) -> JournalFrames:
    writer = JournalWriter(folder, device="alpha", unique_id=UID.hex(), segment_bytes=segment_bytes)
    for message in messages:
        writer.append_frames(1, [encode_frame(encode_message(message))])
    writer.close()
    return JournalFrames(folder)


def decoded(data: bytes) -> list[Any]:
    return [decode_message(item.message) for item in FrameDecoder().feed(data) if isinstance(item, Frame)]


def ask(board: ReplayedBoard, request: Any) -> Any:
    (answer,) = decoded(board.answer(encode_message(request), board.tick))
    return answer


def rest(board: ReplayedBoard) -> list[Any]:
    found = []
    while board.next_tick is not None:
        found += decoded(board.take())
        if found and isinstance(found[-1], Hello):
            break
    return found


def test_losses_stay_and_answers_fit_in_between(tmp_path: Path) -> None:
    """Recorded answers leave no hole, recorded losses do, and answers given now take numbers of their own."""
    recorded = [block(5, 0), pong(6), block(7, 10), EventMessage(10, 0, 25, 1, 0, 3.0), block(11, 40), block(11, 40)]
    board = ReplayedBoard(journal(tmp_path, *beginning(), *recorded), boot_salt=SALT)
    said = ask(board, HelloRequest())
    assert (said.seq, said.boot_id, said.unique_id) == (0, 1 ^ SALT, UID)
    assert (said.resend_depth, said.stimulus_capacity, said.traits, said.running) == (0, 0, 0, False)
    assert ask(board, Start(1, 0)) == Reply(1, 1, 0, 0)
    first = decoded(board.take())[0]
    assert (first.seq, first.first_step, first.payload) == (2, 0, block(5, 0).payload)
    assert ask(board, Ping(5)) == Pong(3, 5, board.tick, 10)
    assert [(m.seq, type(m)) for m in rest(board)] == [(4, BlockMessage), (7, EventMessage), (8, BlockMessage)]
    assert (board.blocks, board.events) == (3, 1)


@pytest.mark.parametrize("seq", [0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1])
@pytest.mark.parametrize("new", [0, 127, 128, 70000, 2**32 - 1])
@pytest.mark.parametrize("make", [hello, block, channel])
def test_renumbering_changes_the_number_only(make: Any, seq: int, new: int) -> None:
    """Whatever widths the old and the new number have, and however long the array is."""
    args = (0,) if make is block else ()
    assert renumbered(encode_message(make(seq, *args)), new) == encode_message(make(new, *args))


def test_it_answers_as_it_was_described_and_changes_nothing(tmp_path: Path) -> None:
    """Descriptions and values as recorded, changes by then included; nothing of the past can be set."""
    change = EventMessage(6, 2, 12, 1, 0, 42.0)
    board = ReplayedBoard(journal(tmp_path, *beginning(), block(5, 0), change, block(7, 10)), boot_salt=SALT)
    assert ask(board, Describe(3, 0, 0)).body == channel(0).body
    assert ask(board, Get(4, 0)).value == (1.0, 1)
    assert ask(board, Describe(5, 1, 9)).code == 3
    assert ask(board, Get(6, 9)).code == 3
    for request, code in ((Set(7, (0, 1.0)), 6), (Reset(8, 2), 4), (Resend(9, 0, 1), 4)):
        reply = ask(board, request)
        assert (reply.request_id, reply.code) == (request.request_id, code)
        assert "this is a replay" in reply.value
    ask(board, Start(10, 0))
    rest(board)
    assert ask(board, Get(11, 0)).value == (42.0, 1)
    assert ask(board, Describe(12, 1, 0)).body[6] == 42.0


def test_what_passes_while_it_is_stopped_was_not_asked_for(tmp_path: Path) -> None:
    """Stopped it goes on in silence, as a board does; the first block after a start says so."""
    blocks = [block(5 + k, 10 * k) for k in range(4)]
    board = ReplayedBoard(journal(tmp_path, *beginning(), *blocks), boot_salt=SALT)
    ask(board, Start(1, 0))
    assert decoded(board.take())[0].flags == 0
    assert ask(board, Stop(2)).value == 10
    assert board.take() == b""
    assert ask(board, Start(3, 0)).value == 20
    assert [(m.first_step, m.flags) for m in rest(board)] == [(20, 4), (30, 0)]


def test_another_boot_says_hello_and_waits_to_be_started(tmp_path: Path) -> None:
    """Numbers begin again with the new boot's hello; a boot that was cut short before it was described is left out."""
    messages = [*beginning(1), block(5, 0), hello(0, 2), *beginning(3), block(5, 0)]
    board = ReplayedBoard(journal(tmp_path, *messages), boot_salt=SALT)
    ask(board, Start(1, 0))
    first, second = rest(board)
    assert isinstance(first, BlockMessage)
    assert (second.seq, second.boot_id) == (0, 3 ^ SALT)
    assert not board.started
    assert ask(board, Start(2, 0)).seq == 1
    assert [m.first_step for m in rest(board)] == [0]


def test_ticks_are_widened_from_what_the_journal_knows(tmp_path: Path) -> None:
    """A pong behind the first block tells the high word; over the wrap the clock goes on."""
    high = 3 * 2**32
    messages = [hello(0), channel(1), parameter(2), block(3, 0, tick=high - 2000), pong(4, high - 500)]
    board = ReplayedBoard(
        journal(tmp_path, *messages, block(5, 10, tick=high - 1000), block(6, 20, tick=high)), boot_salt=1
    )
    assert board.tick == high - 2000 - 1_500_000
    ask(board, Start(1, 0))
    dues = []
    while board.next_tick is not None:
        dues.append(board.next_tick)
        board.take()
    assert dues == [high - 1000, high, high + 1000]


def test_many_segments_are_one_journal(tmp_path: Path) -> None:
    """Snapshots at the head of each segment are no part of the stream."""
    blocks = [block(5 + k, 10 * k) for k in range(2000)]
    frames = journal(tmp_path, *beginning(), *blocks, segment_bytes=16384)
    assert len(list(tmp_path.glob("*.spj"))) > 3
    board = ReplayedBoard(frames, boot_salt=SALT)
    ask(board, Start(1, 0))
    assert [(m.seq, m.first_step) for m in rest(board)] == [(1 + k, 10 * k) for k in range(2000)]


@pytest.mark.parametrize(
    ("messages", "words"),
    [([block(5, 0)], "holds no hello"), ([hello(0), channel(1), block(2, 0)], "does not describe parameter 0")],
)
def test_a_journal_that_cannot_be_replayed_says_why(tmp_path: Path, messages: list[Any], words: str) -> None:
    """Without a hello or a description nobody knows what the numbers mean."""
    with pytest.raises(ConfigError, match=words):
        ReplayedBoard(journal(tmp_path, *messages), boot_salt=SALT)


def test_a_folder_without_a_journal_is_an_error_of_opening(tmp_path: Path) -> None:
    """The link's error names the folder and what would be right."""
    with pytest.raises(LinkOpenError, match=r"holds no journal; give a folder with \.spj files"):
        asyncio.run(open_link(f"replay:{tmp_path}"))
    with pytest.raises(LinkOpenError, match="neither a positive number nor 'max'"):
        asyncio.run(open_link(f"replay:{tmp_path}?speed=0"))


def test_a_loop_begins_again_as_another_boot(tmp_path: Path) -> None:
    """At the end a hello of another boot comes, and the first block again."""
    journal(tmp_path, *beginning(), block(5, 0), block(6, 10))
    seen: list[Any] = []

    async def test() -> None:
        link = await open_link(f"replay:{tmp_path}?speed=max&loop=1")
        came = asyncio.Event()

        def take(data: bytes, _: int) -> None:
            seen.extend(decoded(data))
            came.set()

        link.start(take, lambda error: pytest.fail(str(error)))
        link.write(encode_frame(encode_message(Start(1, 0))))
        async with asyncio.timeout(10):
            while sum(isinstance(m, Hello) for m in seen) < 1:
                came.clear()
                await came.wait()
            link.write(encode_frame(encode_message(Start(2, 0))))
            while sum(isinstance(m, BlockMessage) for m in seen) < 4:
                came.clear()
                await came.wait()
        await link.close()

    asyncio.run(test())
    assert [m.first_step for m in seen if isinstance(m, BlockMessage)][:4] == [0, 10, 0, 10]
