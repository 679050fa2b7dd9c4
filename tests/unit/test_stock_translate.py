"""A translator by hand-made bytes and a manual clock: rows to blocks, requests to commands, times with their truth."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import count, pairwise
from typing import Any

import numpy as np
import pytest

from helpers.stock_streams import REST_AT_1, REST_AT_100, Row, frame, v1_line
from spikedaq.clock import ClockFit
from spikedaq.device.translate import Translator
from spikedaq.model import BlockFlag
from spikedaq.stock import DIALECTS
from spikedaq.wire import (
    BlockMessage,
    EventMessage,
    Frame,
    FrameDecoder,
    Get,
    Hello,
    HelloRequest,
    Log,
    Ping,
    Pong,
    Reply,
    Resend,
    Reset,
    Set,
    Start,
    StimulusBegin,
    Stop,
    decode_message,
    encode_frame,
    encode_message,
)

MS = 1_000_000
START_NS = 5_000_000_000


class Bench:
    """A translator with a board that sends a row each period, which arrives after some latency."""

    def __init__(
        self,
        name: str,
        *,
        period_ns: int = 2 * MS,
        latency_ns: Callable[[], int] = lambda: 3 * MS,
        row: Row = REST_AT_1,
    ) -> None:
        boots = count(1)
        scale = 1 if name == "stock-v2.5" else None
        self.translator = Translator(
            DIALECTS[name], unique_id=b"stk12345", t_ns=START_NS, draw_boot_id=lambda: next(boots), scale=scale
        )
        self.is_v1 = name == "stock-v1"
        self.row = row
        self.period_ns = period_ns
        self.latency_ns = latency_ns
        self.made_ns = START_NS
        self.now_ns = START_NS
        self.seen: list[Any] = []
        self.written = b""
        self.made: list[int] = []
        self.pongs: list[tuple[Pong, int]] = []
        self._decoder = FrameDecoder()
        self._id = count(1)

    def rows(self, n: int, *, extra: bytes = b"") -> None:
        """Let ``n`` rows be made and arrive; ``extra`` comes before the last one."""
        for k in range(n):
            self.made.append(self.made_ns)
            micros = (self.made_ns - START_NS) // 1000
            data = v1_line(self.row, micros) if self.is_v1 else frame(self.row)
            # What arrives late holds up what comes after it, as in any buffer.
            self.now_ns = max(self.now_ns, self.made_ns + self.latency_ns())
            self.translator.board_bytes((extra if k == n - 1 else b"") + data, self.now_ns)
            self.made_ns += self.period_ns
            self.take()

    def take(self) -> None:
        """Collect what came out."""
        for item in self._decoder.feed(self.translator.frames()):
            assert isinstance(item, Frame)
            message = decode_message(item.message)
            self.seen.append(message)
            if isinstance(message, Pong):
                self.pongs.append((message, self.now_ns))
        self.written += self.translator.commands()

    def ask(self, message: Any) -> None:
        """Send a message."""
        self.translator.host_bytes(encode_frame(encode_message(message)), self.now_ns)
        self.take()

    def answer(self, build: Callable[[int], Any]) -> Reply:
        """Send a request and let rows come until it is answered."""
        number = next(self._id)
        self.ask(build(number))
        for _ in range(100):
            for message in self.of(Reply):
                if message.request_id == number:
                    return message
            self.rows(1)
        raise AssertionError("no answer")

    def of(self, kind: type) -> list[Any]:
        """Messages of one type."""
        return [message for message in self.seen if isinstance(message, kind)]


def ready(name: str, **options: Any) -> Bench:
    """Return a bench that has said hello and was started."""
    bench = Bench(name, **options)
    bench.rows(700)
    assert bench.of(Hello)
    assert bench.answer(Start).code == 0
    return bench


def index(bench: Bench, name: str) -> int:
    return [setting.name for setting in bench.translator.dialect.settings].index(name)


def test_blocks_hold_every_row_once_with_the_measured_period() -> None:
    """Steps go on without a hole, ticks never overlap, and nothing comes before a start or after a stop."""
    bench = Bench("stock-v2.5")
    bench.rows(700)
    [hello] = bench.of(Hello)
    assert (hello.step_us, hello.block_samples, hello.traits, hello.running) == (2000, 50, 1, False)
    assert not bench.of(BlockMessage)
    first = bench.answer(Start).value
    bench.rows(500)
    blocks = bench.of(BlockMessage)
    assert blocks[0].first_step == first
    assert blocks[0].flags == BlockFlag.AFTER_START
    for before, after in pairwise(blocks):
        assert after.first_step == before.first_step + before.n
        assert after.first_tick > before.first_tick + (before.n - 1) * before.step_us
        assert after.step_us == 2000
    stopped = bench.answer(Stop).value
    assert bench.of(BlockMessage)[-1].first_step + bench.of(BlockMessage)[-1].n <= stopped
    n_blocks = len(bench.of(BlockMessage))
    bench.rows(200)
    assert len(bench.of(BlockMessage)) == n_blocks


@pytest.mark.parametrize("name", ["stock-v2.5", "stock-v1"])
@pytest.mark.parametrize("worst_ms", [1, 15])
def test_the_clock_map_holds_the_truth(name: str, worst_ms: int) -> None:
    """However a latency below the assumed one varies, a row's true time lies inside the stated uncertainty."""
    rng = random.Random(worst_ms)
    latency: Iterator[int] = iter(lambda: rng.randrange(1, worst_ms * MS), None)
    bench = ready(name, period_ns=2 * MS + 137, latency_ns=lambda: next(latency))
    fit = ClockFit(1)
    sent: dict[int, int] = {}
    for token in range(60):
        sent[token] = bench.now_ns
        bench.ask(Ping(token))
        bench.rows(97)
    for pong, came_ns in bench.pongs:
        fit.add(sent[pong.token], came_ns, pong.tick)
    estimate = fit.estimate()
    assert estimate is not None
    assert len(bench.pongs) >= 55
    assert estimate.uncertainty_ns >= 10 * MS, "half of what a row may take is the least that can be said"
    blocks = bench.of(BlockMessage)[-200:]
    errors = [estimate.host_ns(block.first_tick) - bench.made[block.first_step] for block in blocks]
    assert max(map(abs, errors)) <= estimate.uncertainty_ns


def test_a_command_counts_when_the_board_has_had_time_to_object() -> None:
    """The line is written at once, the answer comes with later rows; a board that sends nothing answers nothing."""
    bench = ready("stock-v2.5")
    bench.ask(Set(99, (index(bench, "i_clamp"), 12.5)))
    assert bench.written == b"\nIC1 12.5\n"
    assert not [reply for reply in bench.of(Reply) if reply.request_id == 99]
    bench.rows(40)
    [reply] = [reply for reply in bench.of(Reply) if reply.request_id == 99]
    assert (reply.code, reply.value) == (0, None)
    assert bench.of(EventMessage)[-1].value == 12.5
    assert bench.answer(lambda i: Get(i, index(bench, "i_clamp"))).value == (12.5, 1)


def test_a_command_the_board_does_not_know_is_refused() -> None:
    """Its text answers the request; nothing is taken as set, and no row is lost by the text."""
    bench = ready("stock-v2.5")
    bench.ask(Set(99, (index(bench, "i_clamp"), 12.5)))
    bench.rows(5, extra=b"Unknown command: IC1\r\n")
    bench.rows(20)
    [reply] = [reply for reply in bench.of(Reply) if reply.request_id == 99]
    assert reply.code == 4
    assert "does not know the command IC1" in reply.value
    assert np.isnan(bench.answer(lambda i: Get(i, index(bench, "i_clamp"))).value[0])
    assert any("Unknown command: IC1" in line.text for line in bench.of(Log))
    assert bench.translator.lost_bytes == 0


def test_a_repeated_request_is_answered_again_and_done_once() -> None:
    """A host that missed the answer gets the same one."""
    bench = ready("stock-v2.5")
    for _ in range(3):
        bench.ask(Set(99, (index(bench, "stim_strength"), 20.0)))
    bench.rows(60)
    bench.ask(Set(99, (index(bench, "stim_strength"), 20.0)))
    assert bench.written.count(b"ST1 20\n") == 1
    replies = [reply for reply in bench.of(Reply) if reply.request_id == 99]
    assert len(replies) == 2
    assert replies[0] == replies[1]


def test_what_no_stock_board_can_do_is_refused() -> None:
    """Waveforms, resends and reboots have their reasons."""
    bench = ready("stock-v2.5")
    for build, words in (
        (lambda i: StimulusBegin(i, 10), "waveform"),
        (lambda i: Resend(i, 0, 1), "keeps nothing"),
        (lambda i: Reset(i, 2), "EN or reset"),
    ):
        reply = bench.answer(build)
        assert reply.code == 4
        assert words in reply.value


def test_a_lasting_change_of_the_period_is_followed_and_a_jitter_is_not() -> None:
    """step_us stays through late rows, and changes once when rows come at another pace for good."""
    rng = random.Random(2)
    bench = ready("stock-v2.5", latency_ns=lambda: rng.randrange(1, 16 * MS))
    bench.rows(3000)
    assert {block.step_us for block in bench.of(BlockMessage)} == {2000}
    bench.period_ns = 4 * MS
    bench.rows(2000)
    periods = [block.step_us for block in bench.of(BlockMessage)]
    assert sorted(set(periods)) == [2000, 4000]
    assert periods == sorted(periods), "it changes once"


def test_a_boot_line_is_another_boot() -> None:
    """The line that v3 prints at boot begins another boot, with settings unknown again."""
    bench = ready("stock-v3", row=REST_AT_100)
    bench.answer(lambda i: Set(i, (index(bench, "i_clamp"), 5.0)))
    bench.rows(3, extra=b"BOOT: Spikeling_V3\r\n")
    bench.rows(3)
    first, second = (hello.boot_id for hello in bench.of(Hello))
    assert first != second
    assert np.isnan(bench.answer(lambda i: Get(i, index(bench, "i_clamp"))).value[0])


def test_voltage_clamp_is_flagged_and_scaled() -> None:
    """After clamp_mode=1 blocks say so, and the command voltage, sent in mV, is in our 0.01 mV."""
    bench = ready("stock-v3", row=(-6500, -65, 300, -11000, 0, -11000, 0, 0))
    bench.answer(lambda i: Set(i, (index(bench, "clamp_mode"), 1)))
    n_before = len(bench.of(BlockMessage))
    bench.rows(120)
    block = bench.of(BlockMessage)[n_before]
    assert block.flags & BlockFlag.VOLTAGE_CLAMP
    assert np.frombuffer(block.payload, "<i2").reshape(8, -1)[1, 0] == -6500


def test_hello_is_answered_and_lines_are_bounded() -> None:
    """A board that floods the stream with text costs ten log lines a second."""
    bench = ready("stock-v2.5")
    bench.ask(HelloRequest())
    assert len(bench.of(Hello)) == 2
    before = len(bench.of(Log))
    for _ in range(100):
        bench.rows(1, extra=b"Unknown command: x\r\n")
    assert len(bench.of(Log)) - before <= 12
