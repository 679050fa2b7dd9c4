"""The self-test of a board, from its answers to the table a person reads."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import pytest
from rich.console import Console

from helpers.scripted_board import ScriptedBoard
from spikedaq.cli.selftest import input_table, period_text, show, watch
from spikedaq.device import Timing
from spikedaq.device.requests import Requests
from spikedaq.device.selftest import MAX_INPUTS, read_inputs
from spikedaq.model import CommandRejected, DeviceInfo, InputReading, RemoteProtocolError, Trait
from spikedaq.wire import Reply, SelfTest, decode_message, device_info, encode_message

ANSWERS: list[Any] = [["photodiode", 620, 0.5, "V", 500], ["syn1_pulse", 1, 1, "1", 100], ["knob", -3, 0.0, "V", 0]]
ROWS = [
    {"name": "photodiode", "raw": 620, "value": 0.49963, "unit": "V", "period_us": 500},
    {"name": "syn1_pulse", "raw": 1, "value": 1.0, "unit": "1", "period_us": 100},
    {"name": "i_clamp_knob", "raw": 2048, "value": 1.65, "unit": "V", "period_us": 0},
]


def info(traits: int) -> DeviceInfo:
    board = ScriptedBoard()
    board.traits = traits
    return device_info(board.hello(), [])


class Wire:
    """Requests that end at a list of answers."""

    def __init__(self, answers: list[Any], last_code: int = 3) -> None:
        self.asked: list[int] = []
        self.last_code = last_code
        self.answers = answers
        self.requests = Requests("alpha", Timing(reply_s=0.05, tries=2))
        self.requests.attach(self.send)

    def send(self, message: bytes, origin: str) -> None:
        request = decode_message(message)
        assert isinstance(request, SelfTest)
        self.asked.append(request.index)
        there = request.index < len(self.answers)
        value = self.answers[request.index] if there else "no more"
        reply = decode_message(encode_message(Reply(0, request.request_id, 0 if there else self.last_code, value)))
        assert isinstance(reply, Reply)
        asyncio.get_running_loop().call_soon(self.requests.answered, reply)

    def read(self, traits: int = Trait.SELF_TEST) -> list[InputReading]:
        return asyncio.run(read_inputs("alpha", info(traits), self.requests, origin="test"))


def test_inputs_are_read_until_there_is_no_more() -> None:
    """Each index is asked once; out_of_range ends the list without an error."""
    wire = Wire(ANSWERS)
    expected = [
        InputReading("photodiode", 620, 0.5, "V", 500),
        InputReading("syn1_pulse", 1, 1.0, "1", 100),
        InputReading("knob", -3, 0.0, "V", 0),
    ]
    assert wire.read() == expected
    assert wire.asked == [0, 1, 2, 3]


def test_a_board_that_never_ends_is_asked_as_often_as_an_index_allows() -> None:
    """At most 256 inputs are asked for."""
    wire = Wire([ANSWERS[0]] * (MAX_INPUTS + 10))
    assert len(wire.read()) == MAX_INPUTS


@pytest.mark.parametrize(("traits", "words"), [(0, "an older firmware lacks it"), (Trait.TRANSLATED, "stock firmware")])
def test_a_board_without_self_test_is_not_asked(traits: int, words: str) -> None:
    """The error says why, and what to do; nothing goes over the link."""
    wire = Wire(ANSWERS)
    with pytest.raises(CommandRejected, match=words) as caught:
        wire.read(traits)
    assert caught.value.code == "unsupported"
    assert wire.asked == []


@pytest.mark.parametrize(("code", "name"), [(4, "unsupported"), (3, "out_of_range")])
def test_a_refusal_of_the_first_input_is_an_error(code: int, name: str) -> None:
    """A board that promises a self-test and has no input at all is not a board with an empty list."""
    with pytest.raises(CommandRejected) as caught:
        Wire([], last_code=code).read()
    assert caught.value.code == name


@pytest.mark.parametrize(
    "answer", [None, 5, [], ["x", 1, 1.0, "V"], [b"x", 1, 1.0, "V", 5], ["x", True, 1.0, "V", 5], ["x", 1, "1", "V", 5],
               ["x", 1.5, 1.0, "V", 5], ["x", 1, 1.0, 7, 5], ["x", 1, 1.0, "V", None]]
)  # fmt: skip
def test_what_is_no_reading_is_a_protocol_error(answer: Any) -> None:
    """A malformed answer names the input."""
    with pytest.raises(RemoteProtocolError, match="self-test 1"):
        Wire([ANSWERS[0], answer]).read()


def test_later_versions_may_say_more() -> None:
    """Fields beyond the fifth are ignored."""
    assert Wire([[*ANSWERS[0], "new"]]).read() == [InputReading("photodiode", 620, 0.5, "V", 500)]


@pytest.mark.parametrize(
    ("period_us", "text"),
    [(0, "when asked"), (100, "every 100 us (10000 Hz)"), (1200, "every 1.2 ms (833.3 Hz)")],
)
def test_period_text(period_us: int, text: str) -> None:
    """A period is told as time and rate."""
    assert period_text(period_us) == text


def printed(action: Any, *, terminal: bool = False) -> str:
    out = Console(file=io.StringIO(), width=120, force_terminal=terminal, highlight=False)
    action(out)
    text = out.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def test_table_has_a_line_per_input() -> None:
    """Name, raw number, value, unit and rate stand on one line."""
    lines = printed(lambda out: out.print(input_table(ROWS))).splitlines()
    assert lines[0].split() == ["input", "raw", "value", "unit", "read"]
    assert lines[1].split() == ["photodiode", "620", "0.500", "V", "every", "500", "us", "(2000", "Hz)"]
    assert lines[2].split()[:4] == ["syn1_pulse", "1", "1", "1"]
    assert lines[3].split() == ["i_clamp_knob", "2048", "1.650", "V", "when", "asked"]


def test_json_is_what_the_daemon_said(capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` prints one document."""
    show(ROWS, as_json=True, out=Console(file=io.StringIO()))
    assert json.loads(capsys.readouterr().out) == ROWS


@pytest.mark.parametrize("terminal", [False, True])
def test_watch_reads_again_until_told(terminal: bool) -> None:
    """Each round is a new reading, shown before the next."""
    rounds = iter(range(1000))
    reads: list[int] = []
    sleeps: list[float] = []

    def read() -> list[dict[str, Any]]:
        reads.append(next(rounds))
        return [{**ROWS[0], "raw": 700 + reads[-1]}]

    text = printed(
        lambda out: watch(read, as_json=False, out=out, until=lambda: len(reads) >= 3, sleep=sleeps.append),
        terminal=terminal,
    )
    assert reads == [0, 1, 2]
    assert len(sleeps) == 2
    assert "702" in text
    assert terminal or all(raw in text for raw in ("700", "701"))
