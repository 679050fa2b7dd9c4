"""A journal as a board: pure but for its reading, it is given requests and the time, and gives frames."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import msgpack

from spikedaq.link.journal_frames import BootFacts, JournalFrames, Place, decoded, learn_boot, widened
from spikedaq.model import BlockFlag, ConfigError, Trait
from spikedaq.wire import (
    BlockMessage,
    Describe,
    Description,
    DescriptionKind,
    EventMessage,
    Get,
    Hello,
    HelloRequest,
    Log,
    Ping,
    Pong,
    Reply,
    ReplyCode,
    Set,
    Start,
    Status,
    Stop,
    encode_frame,
    encode_message,
)

_PARAMETER_EVENT: Final = 2
LEAD_US: Final = 1_500_000
"""What a host needs before the first block comes."""
_U32: Final = 2**32
_KEPT: Final = (BlockMessage, EventMessage, Status, Log)
_ASKED: Final = (Hello, Description, Pong, Reply)


def renumbered(message: bytes, seq: int) -> bytes:
    """Return a device's message under another number, every other byte as it was."""
    start = (1 if message[0] & 0xF0 == 0x90 else 3) + 1  # the array's head, and a type below 128
    width = {0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9}.get(message[start], 1)
    number: bytes = msgpack.packb(seq)
    return message[:start] + number + message[start + width :]


class ReplayedBoard:
    """Plays one journal once: says hello, answers as the recorded board did, and gives out what it sent.

    Blocks, events, status and log lines come as they are, under new numbers: what was lost on the recorded link leaves
    a hole in these, too, and answers fit in between. What was an answer then is left out.

    Parameters
    ----------
    lead_us : int
        Device time before a boot's first block, for the host to describe the board and to fit its clock.
    boot_salt : int
        Changes the boot ids: steps and numbers begin again with each replay, as they do with each boot.

    Attributes
    ----------
    running, started : bool
        Whether the host has started it and not stopped it again; whether it has started this boot at all.
    reboots : bool
        The next frame is the hello of another boot.
    blocks, events : int
        Given out so far.
    tick : int
        Where the device's clock stands at least: the end of what was given out.
    next_tick : int or None
        When the next frame is due; None at the end.
    """

    def __init__(self, frames: JournalFrames, *, boot_salt: int, lead_us: int = LEAD_US) -> None:
        self.running = False
        self.started = False
        self.reboots = False
        self.blocks = 0
        self.events = 0
        self.tick = 0
        self.next_tick: int | None = None
        self._frames = frames
        self._salt = boot_salt
        self._lead_us = lead_us
        self._messages = frames.messages()
        self._facts: BootFacts | None = None
        self._seq = 0
        self._last: int | None = None  # the recorded number of the newest frame that was given out
        self._between: set[int] = set()
        self._values: dict[int, float] = {}
        self._next_step = 0
        self._skipped = False
        self._ready: tuple[object, bytes] | None = None
        self._begun = False
        self._lacks = "holds no hello"
        self._near = 0
        self._advance()
        if self._facts is None:
            raise ConfigError(f"the journal in {frames.folder} {self._lacks}, so it cannot be replayed")

    # ---- the recorded stream ----

    def _advance(self) -> None:
        """Find the next frame to give out."""
        for place, message, is_snapshot in self._messages:
            found = decoded(message)
            if isinstance(found, Hello):
                if self._facts is None or found.boot_id != self._facts.hello.boot_id:
                    if self._begin(place, found) and self.reboots:
                        self._ready = (found, b"")
                        self.next_tick = self.tick
                        return
                elif not is_snapshot:
                    self._between.add(found.seq)
            elif self._facts is None:
                continue
            elif is_snapshot:
                if isinstance(found, EventMessage) and found.kind == _PARAMETER_EVENT and self._last is None:
                    self._values[found.index] = found.value
            elif isinstance(found, _ASKED):
                self._between.add(found.seq)
            elif isinstance(found, _KEPT):
                self._ready = (found, message)
                self.next_tick = self._due(found)
                return
        self._ready = None
        self.next_tick = None

    def _begin(self, place: Place, hello: Hello) -> bool:
        """Begin a boot; False for one that the journal does not describe in full, such as one cut short."""
        facts = learn_boot(self._frames, place, hello)
        missing = facts.missing()
        if missing:
            self._lacks = f"does not describe {missing[0]} of its board ({len(missing)} descriptions are missing)"
            self._facts = None
            return False
        self.reboots, self._begun = self._begun, True
        self._facts = facts
        self.tick = max(0, (facts.first_tick or 0) - self._lead_us)
        self._near = facts.first_tick or 0
        self._next_step = facts.first_step
        self._last = None
        self._between.clear()
        self._values.clear()
        return True

    def _due(self, found: object) -> int:
        if not isinstance(found, BlockMessage):
            return self.tick
        self._near = widened(found.first_tick, self._near)
        return self._near + found.n * found.step_us

    def take(self) -> bytes:
        """Give out the frame that is due, as it goes on the link; nothing where the board was stopped."""
        if self._ready is None:
            return b""
        found, message = self._ready
        if isinstance(found, Hello):
            self.running = self.started = self.reboots = False
            self._seq = 0
            out = self.hello()
        else:
            self.tick = max(self.tick, self.next_tick or 0)
            out = self._passed_on(found, message)
        self._advance()
        return out

    def _passed_on(self, found: object, message: bytes) -> bytes:
        seq = getattr(found, "seq", 0)
        if self._last is not None:
            ahead = (seq - self._last) % _U32
            if ahead == 0 or ahead >= _U32 // 2:
                return b""  # came twice on the recorded link
            answers = sum(1 for other in self._between if (other - self._last) % _U32 < ahead)
            self._seq = (self._seq + ahead - 1 - answers) % _U32
        self._last = seq
        self._between.clear()
        if isinstance(found, BlockMessage):
            self._next_step = found.first_step + found.n
            if not self.running:
                self._skipped = True
                return b""
            self.blocks += 1
            if self._skipped:
                self._skipped = False
                message = encode_message(replace(found, flags=found.flags | BlockFlag.AFTER_START))
        elif isinstance(found, EventMessage):
            if found.kind == _PARAMETER_EVENT:
                self._values[found.index] = found.value
            elif not self.running:
                return b""
            self.events += 1
        return encode_frame(renumbered(message, self._number()))

    # ---- what it answers ----

    def answer(self, message: bytes, tick: int) -> bytes:
        """Answer one request of the host; ``tick`` is what the board's clock says."""
        request = decoded(message)
        if isinstance(request, HelloRequest):
            return self.hello()
        if isinstance(request, Ping):
            return encode_frame(encode_message(Pong(self._number(), request.token, tick, self._next_step)))
        request_id = getattr(request, "request_id", None)
        if request_id is None:
            return b""
        code, value = self._reply(request)
        if isinstance(value, Description):
            return encode_frame(encode_message(replace(value, seq=self._number(), request_id=request_id)))
        return encode_frame(encode_message(Reply(self._number(), request_id, code, value)))

    def _reply(self, request: object) -> tuple[ReplyCode, object]:
        facts = self._facts
        descriptions = facts.descriptions if facts is not None else {}
        match request:
            case Describe(_, kind, index):
                found = descriptions.get((kind, index))
                if found is None:
                    return ReplyCode.OUT_OF_RANGE, f"the replayed board described no {kind}, {index}"
                return ReplyCode.OK, self._described(found)
            case Get(_, index):
                found = descriptions.get((DescriptionKind.PARAMETER, index))
                if found is None:
                    return ReplyCode.OUT_OF_RANGE, f"the replayed board has no parameter {index}"
                body = self._described(found).body
                return ReplyCode.OK, [body[6], body[7]]
            case Start():
                self.running = self.started = True
                return ReplyCode.OK, self._next_step
            case Stop():
                self.running = False
                return ReplyCode.OK, self._next_step
            case Set():
                return ReplyCode.READ_ONLY, "this is a replay: what was recorded cannot be set any more"
        return ReplyCode.UNSUPPORTED, "this is a replay: it only says what was recorded"

    def _described(self, found: Description) -> Description:
        if found.kind != DescriptionKind.PARAMETER or found.index not in self._values:
            return found
        body = (*found.body[:6], self._values[found.index], *found.body[7:])
        return replace(found, body=body)

    def hello(self) -> bytes:
        """Say hello."""
        if self._facts is None:
            return b""
        recorded = self._facts.hello
        hello = replace(
            recorded,
            seq=self._number(),
            boot_id=recorded.boot_id ^ self._salt,
            running=self.running,
            resend_depth=0,
            stimulus_capacity=0,
            traits=recorded.traits & ~int(Trait.SELF_TEST),
        )
        return encode_frame(encode_message(hello))

    def _number(self) -> int:
        seq, self._seq = self._seq, (self._seq + 1) % _U32
        return seq
