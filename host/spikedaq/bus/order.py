"""What a subscriber of one device missed, where it has to go, and how it is put back: in order, each once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from spikedaq.bus.marks import Marks
from spikedaq.bus.message import Message
from spikedaq.bus.topics import EVENTS, SAMPLES
from spikedaq.model import RemoteProtocolError

_REMEMBERED = 256
_HALF = 2**31
_RETOLD = ("gap", "mode")
"""Kinds of events without a frame of their own that the history tells at the same place as the bus."""


class Position(NamedTuple):
    """A frame of a device: what has one comes in the order of its numbers within a boot."""

    boot_id: int
    seq: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to ask the history for: everything behind ``after`` (the oldest where None) and before ``until``."""

    after: Position | None
    until: Position | None
    mode: str | None


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Something that was sent and cannot be had any more.

    Attributes
    ----------
    after, before : (boot_id, step)
        Boot and step after the last sample that came, and those with which the samples go on.
    n_samples : int or None
        How many lie between, gaps among them; None over a reboot, where nobody knows.
    reason : str
    """

    after: tuple[int, int]
    before: tuple[int, int]
    n_samples: int | None
    reason: str


class DeviceOrder:
    """Puts one device's messages of `samples` and `events` in order. Both have to be subscribed to.

    Give each message of the bus to `live`. While `wanted` is not None, fetch it from the history and give what comes to
    `past`, message by message; then say `healed` or `failed`, before that `incomplete` where some of it is gone
    for good. Nothing is kept but the one message that the history has to lead up to.

    Parameters
    ----------
    since : Position, optional
        The last frame that was taken before; what came since then is wanted.

    Attributes
    ----------
    position : Position or None
        The last frame that was given out.
    missed, recovered, repeated : int
        Messages that did not come where they could be counted, those that the history gave, and those that came twice.
    """

    def __init__(self, since: Position | None = None) -> None:
        self.position = since
        self.missed = self.recovered = self.repeated = 0
        self._epoch: str | None = None
        self._next: dict[str, int] = {}
        self._has_hole = since is not None
        self._held: Message | None = None
        self._retold: list[Message] = []
        self._mode: str | None = None
        self._reason = ""
        self._end: tuple[int, int] | None = None  # boot and step after the last sample that was given out
        self._last: dict[str, tuple[int, int]] = {}
        self._marks = Marks()  # what the history tells as well, but perhaps at another place

    @property
    def has_hole(self) -> bool:
        """Whether something is known to be missing; what it is shows with the next frame, or with `to_the_edge`."""
        return self._has_hole

    @property
    def wanted(self) -> Wanted | None:
        """What is to be fetched before anything more may be given out."""
        if self._held is None:
            return None
        return Wanted(self.position, _position(self._held), self._mode)

    def to_the_edge(self) -> Wanted:
        """Return what is to be fetched where no frame comes that would end the hole."""
        return Wanted(self.position, None, self._mode)

    def live(self, message: Message) -> list[Message | Unavailable]:
        """Take a message of the bus; return what may be given out now.

        Raises
        ------
        RemoteProtocolError
            It lacks its number; it is not taken.
        """
        stream = _stream(message)
        in_order = self._count(message.header, stream)
        self._has_hole = self._has_hole or not in_order
        position = _position(message)
        if position is None:
            return self._live_unnumbered(message)
        if self.position is not None and not _is_behind(position, self.position):
            self.repeated += 1
            return []
        if self._has_hole and self.position is not None:
            self._held = message
            return []
        # What lies before the first message nobody asked for.
        self._has_hole = False
        return self._given([message])

    def past(self, message: Message) -> list[Message | Unavailable]:
        """Take a message of the history; return it unless it was given out before."""
        position = _position(message)
        if position is not None:
            if self.position is not None and not _is_behind(position, self.position):
                self.repeated += 1
                return []
        elif self._marks.has(message.header):
            if self._marks.is_told(message.header):
                return []
        elif self._is_told(message.header):
            return []
        self.recovered += 1
        return self._given([message])

    def incomplete(self, reason: str) -> None:
        """Say that the history has not all of it: what is missing shows with the next block."""
        self._reason = reason

    def healed(self) -> list[Message | Unavailable]:
        """Say that the history gave all that it has; return what waited for it."""
        held, self._held = self._held, None
        self._has_hole = False
        self._retold.clear()
        if held is None:
            return []
        position = _position(held)
        if position is not None and self.position is not None and not _is_behind(position, self.position):
            self.repeated += 1  # where the journal lacks its neighbours the history led beyond it
            return []
        return self._given([held])

    def failed(self, reason: str) -> list[Message | Unavailable]:
        """Say that the history gave nothing; return what came meanwhile, with what is missing where that is known."""
        told, self._retold = self._retold, []
        self._reason = reason
        return [*self._given([m for m in told if not self._is_told(m.header)]), *self.healed()]

    def _live_unnumbered(self, message: Message) -> list[Message | Unavailable]:
        header = message.header
        if header.get("kind") in _RETOLD:
            if self._is_told(header):
                self.repeated += 1
                return []
            if self._has_hole:
                # The history tells it where it belongs. One of each kind and place is enough, should that fail.
                self._retold = [*self._retold[-_REMEMBERED:], message]
                return []
        elif self._marks.has(header):
            self._marks.live(header)
        return self._given([message])

    def _count(self, header: Mapping[str, Any], stream: str) -> bool:
        n, epoch = header.get("n"), header.get("epoch")
        other = EVENTS if stream == SAMPLES else SAMPLES
        n_other = header.get(other)
        if type(n) is not int or not isinstance(epoch, str):
            raise RemoteProtocolError(f"a bus message has no usable sequence: n {n!r}, epoch {epoch!r}")
        expected = self._next if epoch == self._epoch else {}
        in_order = self._epoch is None
        if expected:
            n_missing = max(0, n - expected[stream])
            # Daemons before this told nothing of the other stream; what is missing there shows with its next message.
            n_missing += max(0, n_other - expected[other]) if type(n_other) is int else 0
            self.missed += n_missing
            in_order = not n_missing
        self._epoch = epoch
        self._next = {
            stream: max(n + 1, expected.get(stream, 0)),
            other: max(n_other if type(n_other) is int else 0, expected.get(other, 0)),
        }
        return in_order

    def _is_told(self, header: Mapping[str, Any]) -> bool:
        """Whether this gap or change of mode was given out: a later one lies behind it in the same boot."""
        kind = header.get("kind")
        if kind not in _RETOLD:
            return False
        last = self._last.get(str(kind))
        return last is not None and last[0] == header.get("boot") and int(header["step"]) <= last[1]

    def _given(self, messages: list[Message]) -> list[Message | Unavailable]:
        out: list[Message | Unavailable] = []
        for message in messages:
            header, position = message.header, _position(message)
            if position is not None:
                self.position = position
            if _stream(message) == SAMPLES:
                begin = header["boot"], header["step"]
                if self._reason and self._end is not None and self._end != begin:
                    n_samples = begin[1] - self._end[1] if begin[0] == self._end[0] else None
                    out.append(Unavailable(self._end, begin, n_samples, self._reason))
                self._reason = ""
                self._end = header["boot"], header["step"] + header["count"]
                self._mode = header.get("mode")
            elif header.get("kind") in _RETOLD:
                self._last[header["kind"]] = header["boot"], header["step"]
                # After a hole, what lies before a gap may be missing as well.
                if header["kind"] == "gap" and self._end == (header["boot"], header["step"]):
                    self._end = header["boot"], header["step"] + header["count"]
            out.append(message)
        return out


def _stream(message: Message) -> str:
    return message.topic.rsplit("/", 2)[-2]


def _position(message: Message) -> Position | None:
    boot_id, seq = message.header.get("boot"), message.header.get("seq")
    return Position(boot_id, seq) if type(boot_id) is int and type(seq) is int else None


def _is_behind(position: Position, other: Position) -> bool:
    """Whether a frame comes after another; those of another boot always do, for boots follow one another."""
    return position.boot_id != other.boot_id or 0 < (position.seq - other.seq) % 2**32 < _HALF
