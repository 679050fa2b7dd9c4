"""Answers to a host's requests on behalf of a stock board, which answers nothing.

What needs the board's obedience is answered only when the board has sent rows for long enough after the command without
an ``Unknown command`` for it: a board that hangs answers nothing here, either, and the request times out as with any
other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from spikedaq.device.stock_blocks import BlockBuilder
from spikedaq.device.stock_out import FrameSender
from spikedaq.stock import ABSENT, Change, Dialect, Refusal, StockBoard
from spikedaq.wire import (
    Describe,
    Description,
    DescriptionKind,
    Get,
    Reply,
    ReplyCode,
    Resend,
    Reset,
    SelfTest,
    Set,
    Start,
    StimulusBegin,
    StimulusData,
    StimulusPlay,
    StimulusStop,
    Stop,
)

ANSWER_NS: Final = 60_000_000
"""How long an ``Unknown command`` may take to come; without one by then a command counts as obeyed."""
MAX_WAITING: Final = 8
_STEPS_TO_ANSWER: Final = 3

_REASONS: Final[dict[type, str]] = {
    StimulusBegin: ABSENT["stimulus"],
    StimulusData: ABSENT["stimulus"],
    StimulusPlay: ABSENT["stimulus"],
    Resend: "a stock board keeps nothing that it could send again",
    SelfTest: "a stock board cannot be asked for its inputs; flash the spikedaq firmware",
}


@dataclass(slots=True)
class _Waiting:
    """A request whose commands have been written."""

    request_id: int
    change: Change
    words: set[str]
    due_ns: int
    refused: str | None = None


class StockRequests:
    """The requests of one boot of a board.

    Parameters
    ----------
    obeyed : callable
        Told of each change that the board has made.
    """

    def __init__(
        self,
        sender: FrameSender,
        dialect: Dialect,
        board: StockBoard,
        blocks: BlockBuilder,
        obeyed: Callable[[Change], None],
    ) -> None:
        self._sender = sender
        self._dialect = dialect
        self._board = board
        self._blocks = blocks
        self._on_obeyed = obeyed
        self._waiting: deque[_Waiting] = deque()
        self._commands: list[bytes] = []
        self._answered: tuple[int, bytes] | None = None

    def commands(self) -> bytes:
        """Return, and forget, what is to be written to the board."""
        data = b"".join(self._commands)
        self._commands.clear()
        return data

    def take(self, message: Any, t_ns: int, next_step: int, start: Callable[[bool], None]) -> None:
        """Take a request, at ``t_ns``; ``start`` begins or ends the blocks."""
        request_id = message.request_id
        if self._answered is not None and self._answered[0] == request_id:
            self._sender.repeat(self._answered[1])
        elif all(waiting.request_id != request_id for waiting in self._waiting):
            try:
                change = self._change(message)
                if change is not None:
                    self._command(request_id, change, t_ns)
                    return
                if isinstance(message, Start | Stop):
                    start(isinstance(message, Start))
                    value: Any = next_step
                else:
                    value = self._value(message)
            except Refusal as refusal:
                self._refuse(request_id, refusal)
            else:
                self._reply(request_id, value)

    def unknown(self, word: str) -> bool:
        """Take the board's ``Unknown command``; False where no request of ours is meant."""
        for waiting in self._waiting:
            if waiting.refused is None and word in waiting.words:
                waiting.refused = word
                return True
        return False

    def settle(self, t_ns: int) -> None:
        """Answer what the board has had time to object to; to be called when rows have come."""
        while self._waiting:
            waiting = self._waiting[0]
            if waiting.refused is not None:
                text = (
                    f"the board does not know the command {waiting.refused}, so it is not the {self._dialect.name} it "
                    "was taken for; name its dialect in its URL (dialect=...)"
                )
                self._refuse(waiting.request_id, Refusal("unsupported", text))
            elif t_ns >= waiting.due_ns:
                self._on_obeyed(waiting.change)
                self._reply(waiting.request_id, None)
            else:
                return
            self._waiting.popleft()

    def _change(self, message: Any) -> Change | None:
        """Return what the board has to do for a request, or None."""
        if isinstance(message, Set):
            pairs = cast("Sequence[Any]", message.pairs)
            return self._board.set(list(zip(pairs[::2], pairs[1::2], strict=True)))
        if isinstance(message, Reset):
            if message.scope > 1:
                raise Refusal("unsupported", "a stock board has no command to reboot; press its EN or reset button")
            return self._board.reset(everything=message.scope == 1)
        if isinstance(message, StimulusStop):
            if not self._dialect.presets:
                raise Refusal("unsupported", self._board.settings[0].reason)
            return Change(("SC0",))
        return None

    def _value(self, message: Any) -> Any:
        """Answer a request that needs nothing of the board itself; a `Description` is sent as it is."""
        if isinstance(message, Describe):
            body = self._body(message)
            return Description(self._sender.next(), message.request_id, message.kind, message.index, body)
        if isinstance(message, Get):
            if message.index >= len(self._board.settings):
                raise Refusal("out_of_range", f"there is no parameter {message.index}")
            name = self._board.settings[message.index].name
            return [self._board.value(name), int(self._board.holder(name))]
        if type(message) in _REASONS:
            raise Refusal("unsupported", _REASONS[type(message)])
        raise Refusal("unknown_request", "a stock board cannot do this")

    def _body(self, message: Describe) -> tuple[Any, ...]:
        dialect, index = self._dialect, message.index
        tables: dict[int, Sequence[Any]] = {
            DescriptionKind.CHANNEL: dialect.channels,
            DescriptionKind.PARAMETER: self._board.settings,
            DescriptionKind.PRESET: dialect.presets,
            DescriptionKind.CLAMP_CHANNEL: dialect.clamp_channels,
        }
        table = tables.get(message.kind, ())
        if index >= len(table):
            raise Refusal("out_of_range", f"there is no description {index} of kind {message.kind}")
        item = table[index]
        if message.kind in (DescriptionKind.CHANNEL, DescriptionKind.CLAMP_CHANNEL):
            return (item.name, item.unit, item.scale_mantissa, item.scale_exponent, item.offset_mantissa)
        if message.kind == DescriptionKind.PRESET:
            return (item.name, item.a, item.b, item.c, item.d, item.v_rest)
        flags = (0 if item.command else 1) | (2 if item.has_knob else 0)
        return (
            item.name, item.unit, int(item.type), item.minimum, item.maximum, item.default,
            self._board.value(item.name), int(self._board.holder(item.name)), flags,
        )  # fmt: skip

    def _command(self, request_id: int, change: Change, t_ns: int) -> None:
        if len(self._waiting) >= MAX_WAITING:
            raise Refusal("wrong_state", "too many commands wait for the board; wait for their answers")
        # The line feed before them ends whatever line noise or a hello? has left in the board's buffer.
        self._commands += [b"\n", *(command.encode("ascii") + b"\n" for command in change.commands)]
        words = {command.split()[0] for command in change.commands}
        # A board reads all that has come once per step, and answers at once.
        due_ns = t_ns + ANSWER_NS + _STEPS_TO_ANSWER * 1000 * self._blocks.step_us
        self._waiting.append(_Waiting(request_id, change, words, due_ns))

    def _reply(self, request_id: int, value: Any) -> None:
        if not isinstance(value, Description):
            value = Reply(self._sender.next(), request_id, ReplyCode.OK, value)
        self._answered = (request_id, self._sender.send(value))

    def _refuse(self, request_id: int, refusal: Refusal) -> None:
        reply = Reply(self._sender.next(), request_id, ReplyCode[refusal.code.upper()], str(refusal))
        self._answered = (request_id, self._sender.send(reply))
