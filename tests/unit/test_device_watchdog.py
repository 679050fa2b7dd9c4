"""How long nothing, or no block, has come from a device."""

from __future__ import annotations

import pytest

from spikedaq.device.seams import Timing
from spikedaq.device.watchdog import Quiet, Watchdog

TIMING = Timing(silent_s=2.0, reopen_s=5.0, stall_s=2.0)


def looks(
    *seen: tuple[float, int, int], wanted: bool = True, block_period_s: float = 0.01
) -> list[tuple[Quiet, float]]:
    """Let a watchdog look at (time, frames, blocks), and return what it says."""
    watchdog = Watchdog(TIMING, seen[0][0])
    return [
        watchdog.look(now_s, frames=frames, blocks=blocks, wanted=wanted, block_period_s=block_period_s)
        for now_s, frames, blocks in seen
    ]


def test_while_blocks_come_it_is_not_quiet() -> None:
    """However much time is between two looks: what came, came."""
    assert looks((10, 0, 0), (13, 1, 1), (30, 2, 2)) == [(Quiet.NO, 0.0)] * 3


def test_nothing_comes() -> None:
    """Silent after two seconds, gone after five; a pong is an answer."""
    assert looks((10, 7, 3), (11.9, 7, 3), (12, 7, 3), (14.9, 7, 3), (15, 7, 3)) == [
        (Quiet.NO, 0.0),
        (Quiet.NO, 0.0),
        (Quiet.SILENT, 2.0),
        (Quiet.SILENT, pytest.approx(4.9)),
        (Quiet.GONE, 5.0),
    ]
    assert looks((10, 7, 3), (13, 7, 3), (13.1, 8, 4))[-1] == (Quiet.NO, 0.0)


def test_it_answers_and_sends_no_block() -> None:
    """Stalled, from the newest block on; what is stopped sends none and is not."""
    answering = [(10.0 + n, n, 5) for n in range(5)]
    assert [quiet for quiet, _ in looks(*answering)] == [
        Quiet.NO,
        Quiet.NO,
        Quiet.STALLED,
        Quiet.STALLED,
        Quiet.STALLED,
    ]
    assert looks(*answering)[-1] == (Quiet.STALLED, 4.0)
    assert looks(*answering, wanted=False) == [(Quiet.NO, 0.0)] * 5


def test_a_slow_board_is_waited_for() -> None:
    """Four of its own block periods, where these are longer."""
    answering = [(10.0 + n, n, 5) for n in range(9)]
    quiets = [quiet for quiet, _ in looks(*answering, block_period_s=1.5)]
    assert quiets == [Quiet.NO] * 6 + [Quiet.STALLED] * 3


def test_what_has_just_gone_silent_has_not_stalled() -> None:
    """Its newest frame was its newest block, or came right after it: 'it answers' would be wrong."""
    timing = Timing(silent_s=4.0, reopen_s=9.0, stall_s=2.0)
    watchdog = Watchdog(timing, 10)
    for now_s, frames, blocks in ((10, 7, 3), (10.5, 8, 3), (12.6, 8, 3), (14.4, 8, 3)):
        quiet = watchdog.look(now_s, frames=frames, blocks=blocks, wanted=True, block_period_s=0.01)
        assert quiet == (Quiet.NO, 0.0)
    assert watchdog.look(14.5, frames=8, blocks=3, wanted=True, block_period_s=0.01) == (Quiet.SILENT, 4.0)
