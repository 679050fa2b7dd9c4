"""A device that can send again, under asyncio: holes are filled, over a reopened link and a new daemon too."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np

from helpers.device_rig import FAST, Rig, rig, run
from helpers.scripted_board import ScriptedBoard
from spikedaq.device import DeviceState, Timing
from spikedaq.link import host_now_ns
from spikedaq.model import ClockMap, GapCause
from spikedaq.wire import Log, Resend, decode_message, sequence_number

QUICK = replace(FAST, resend_first_s=0.01, resend_last_s=0.02, resend_patience_s=0.1, resend_longest_s=0.3)
# Pings and hellos of a slow machine must not end the link before a test has seen what it waits for.
CALM = replace(QUICK, ping_period_s=30.0, silent_s=30.0, reopen_s=60.0)


def board(depth: int = 64) -> ScriptedBoard:
    made = ScriptedBoard()
    made.resend_depth = depth
    return made


def drop(made: ScriptedBoard, n: int = 1) -> None:
    """Send blocks that get lost on the way."""
    made.dropping = True
    for _ in range(n):
        made.block()
    made.dropping = False


def asked(made: ScriptedBoard) -> list[Resend]:
    return [m for m in made.seen if isinstance(m, Resend)]


def journalled(r: Rig) -> list[int | None]:
    """Numbers of the journalled frames, in their order."""
    return [sequence_number(frame.message) for frames in r.witness.of("frames") for frame in frames]


def assert_seamless(blocks: list[Any]) -> None:
    for before, after in itertools.pairwise(blocks):
        assert after.first_step == before.next_step
        assert after.first_tick >= before.first_tick
    for block in blocks:
        expected = np.arange(20, dtype=np.int16).reshape(10, 2) + block.first_step
        np.testing.assert_array_equal(block.samples, expected)


def test_a_lost_block_is_sent_again() -> None:
    """It is told in its place and journalled in its place, with the request for it; nobody hears of a gap."""

    async def test() -> None:
        async with rig(board(), CALM) as r:
            await r.state(DeviceState.RUNNING)
            r.board.block(flags=4)
            drop(r.board, 2)
            r.board.block()
            await r.until(lambda: len(r.witness.of("block")) == 4)
            assert_seamless(r.witness.of("block"))
            assert r.witness.of("gap") == []
            (request,) = asked(r.board)
            assert request.count == 2
            (message,) = [m for m, origin in r.witness.of("request") if origin == "resend"]
            assert decode_message(message) == request
            numbers = journalled(r)
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            assert r.device.connection.counters.late == 2
            assert r.device.received._resend_timer is None

    run(test)


def test_nothing_is_asked_for_while_nothing_is_missing() -> None:
    """No request, and no timer that would wake the daemon."""

    async def test() -> None:
        async with rig(board(), CALM) as r:
            await r.state(DeviceState.RUNNING)
            for _ in range(20):
                r.board.block()
            await r.until(lambda: len(r.witness.of("block")) == 20)
            assert asked(r.board) == []
            assert r.device.received._resend_timer is None

    run(test)


def test_what_the_board_has_no_more_becomes_a_gap() -> None:
    """It says so, and the blocks behind are told at once, with the exact gap before them."""

    async def test() -> None:
        async with rig(board(), CALM) as r:
            await r.state(DeviceState.RUNNING)
            r.board.block(flags=4)
            drop(r.board, 2)
            for seq in (r.board.seq - 2, r.board.seq - 1):
                del r.board.history[seq]
            r.board.block()
            await r.until(lambda: len(r.witness.of("block")) == 2)
            (gap,) = r.witness.of("gap")
            first = r.witness.of("block")[0]
            assert (gap.cause, gap.first_step, gap.n_steps) == (GapCause.LOST, first.next_step, 20)
            assert r.device.received.resend.counters.given_up == 2

    run(test)


def test_a_board_that_does_not_answer_is_given_up_in_time() -> None:
    """Asked a few times, then the samples are lost and the stream goes on."""

    async def test() -> None:
        made = board()
        made.deaf = {Resend}
        async with rig(made, CALM) as r:
            await r.state(DeviceState.RUNNING)
            r.board.block(flags=4)
            drop(r.board)
            r.board.block()
            await r.until(lambda: len(r.witness.of("block")) == 2)
            assert len(r.witness.of("gap")) == 1
            assert 2 <= len(asked(r.board)) <= Timing().resend_tries
            assert len({m.request_id for m in asked(r.board)}) == len(asked(r.board))
            assert r.device.received.resend.counters.timeouts >= 1

    run(test)


def test_what_was_sent_while_the_link_was_away_is_asked_for() -> None:
    """The same boot on a new link: nothing is missing that the board remembers."""

    async def test() -> None:
        async with rig(board(), CALM) as r:
            await r.state(DeviceState.RUNNING)
            r.board.block(flags=4)
            await r.until(lambda: r.witness.of("block"))
            r.board.unplug()
            drop(r.board, 5)
            await r.until(lambda: r.board.opened == 2 and r.device.state is DeviceState.RUNNING)
            r.board.block()
            await r.until(lambda: len(r.witness.of("block")) == 7)
            assert_seamless(r.witness.of("block"))
            assert r.witness.of("gap") == []
            numbers = journalled(r)
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))

    run(test)


def test_a_new_daemon_asks_for_what_the_last_one_missed() -> None:
    """The journal says which frame came last; from the next on they are asked for, and nothing before."""

    async def test() -> None:
        made = board()
        made.running = True
        for _ in range(8):
            made.block()
        async with rig(made, CALM) as r:
            r.witness.next_seq = 3
            r.witness.clock = ClockMap(made.boot_id, 0, host_now_ns(), 1000.0, 1000)
            await r.until(lambda: len(r.witness.of("block")) == 5)
            assert asked(made)[0].first_seq == 3
            assert_seamless(r.witness.of("block"))
            assert r.device.connection.counters.frames_missing == 0
            assert journalled(r)[:2] == [3, 4]

    run(test)


def test_a_link_that_ends_gives_out_what_waited() -> None:
    """Nothing that came stays outside the journal when the link that was to bring the rest is gone."""

    async def test() -> None:
        made = board()
        made.deaf = {Resend}
        patient = replace(CALM, resend_patience_s=60.0, resend_longest_s=60.0, resend_tries=10**6)
        async with rig(made, patient) as r:
            await r.state(DeviceState.RUNNING)
            r.board.block(flags=4)
            drop(r.board)
            r.board.block()
            r.board.send(Log(r.board._next(), 20, "behind"))
            await r.until(lambda: r.witness.of("log"))
            assert len(r.witness.of("block")) == 1
            r.board.unplug()
            await r.until(lambda: "lost" in r.witness.of("link"))
            kinds = [
                kind for kind, value in r.witness.log if kind in ("gap", "block") or (kind, value) == ("link", "lost")
            ]
            assert kinds == ["block", "gap", "block", "link"]
            assert r.device.received._resend_timer is None

    run(test)
