"""What one boot of a device says, message by message: checked, counted, made into values. No I/O, no clock."""

from __future__ import annotations

from typing import Any, Final

from spikedaq.model import Block, BlockFlag, Event, GapCause, RemoteProtocolError
from spikedaq.wire.codec import message_of, number_of, samples_of
from spikedaq.wire.messages import (
    Description,
    DescriptionKind,
    EventMessage,
    FrameType,
    Hello,
    Log,
    Message,
    Pong,
    Reply,
    Status,
    UnknownMessage,
)
from spikedaq.wire.packed import CODEC_PACKED
from spikedaq.wire.received import ConnectionCounters, Received
from spikedaq.wire.sequence import SequenceTracker

_U8: Final = 2**8
_U16: Final = 2**16
_U32: Final = 2**32
_HALF: Final = 2**31
# Steps and ticks are kept as signed 64-bit numbers in arrays and files; 2**62 µs are 146 000 years.
_MAX_COUNT: Final = 2**62
# A frame at most this far behind is one that came twice; further behind, the sender is not where we believe it is.
_MIN_DUPLICATE_WINDOW: Final = 64
_FLAGS: Final = tuple(BlockFlag(i) for i in range(_U8))
_BLOCK: Final = int(FrameType.BLOCK)
_N_BLOCK_ITEMS: Final = 10
_SATURATED: Final = int(BlockFlag.SATURATED)
_KINDS: Final = frozenset(int(kind) for kind in DescriptionKind)


class Boot:
    """One boot of a device, whose messages are taken in the order of their numbers.

    Parameters
    ----------
    counters : ConnectionCounters
        Of the connection.
    hello : Hello, optional
        None before the first one: everything is kept out then.
    next_seq : int, optional
        Number of the first frame to come, where it is known.
    n_channels : int, optional
        Channels of a block before a hello said how many.

    Attributes
    ----------
    info : Hello or None
        The newest hello.
    n_channels : int or None
    descriptions : dict
        By (kind, index).
    tracker : SequenceTracker or None
    near_tick : int or None
        Newest known 64-bit tick.
    duplicate_window : int
        A frame at most this far behind is one that came twice.
    wants_hello : bool
        Frames came that do not fit: the hello of another boot may have been lost.
    """

    def __init__(
        self,
        counters: ConnectionCounters,
        hello: Hello | None = None,
        *,
        next_seq: int | None = None,
        n_channels: int | None = None,
    ) -> None:
        self.counters = counters
        self.info = hello
        self.n_channels = hello.n_channels if hello is not None else n_channels
        self.descriptions: dict[tuple[int, int], Description] = {}
        self.tracker = SequenceTracker(hello.boot_id, next_seq) if hello is not None else None
        self.near_tick: int | None = None
        self.duplicate_window = max(_MIN_DUPLICATE_WINDOW, hello.resend_depth if hello is not None else 0)
        self.wants_hello = False
        self._last_block_tick = -1

    def block(self, items: tuple[Any, ...], received: list[Received]) -> None:
        """Handle a block. This is the hot path: one pass over the fields, no message in between."""
        if len(items) < _N_BLOCK_ITEMS:
            raise RemoteProtocolError("a block ends before its flags")
        _, seq, stream, first_step, first_tick, step_us, n, codec, payload, flags = items[:_N_BLOCK_ITEMS]
        if not (
            seq.__class__ is int and 0 <= seq < _U32
            and stream.__class__ is int and 0 <= stream < _U8
            and first_step.__class__ is int and 0 <= first_step < _MAX_COUNT
            and first_tick.__class__ is int and 0 <= first_tick < _U32
            and step_us.__class__ is int and 0 <= step_us < _U32
            and n.__class__ is int and 0 < n < _U16
            and codec.__class__ is int and 0 <= codec < _U8
            and flags.__class__ is int and 0 <= flags < _U8
            and payload.__class__ is bytes
        ):  # fmt: skip
            raise RemoteProtocolError("a block has a field of the wrong type or outside its range")
        counters = self.counters
        tracker = self.admit(seq)
        if tracker is None:
            return
        if stream != 0:
            counters.unknown += 1
            received.append(UnknownMessage(_BLOCK, items[1:]))
            return
        try:
            samples = samples_of(payload, n, self.n_channels or 0, codec)
        except RemoteProtocolError:
            counters.unknown_codec += codec > CODEC_PACKED
            raise
        tick = self._widen(first_tick)
        if tick is None:
            tracker.unreadable()
            return
        if tick < self._last_block_tick:
            # One of the two ticks is wrong; the next block shows which, so believe neither for good.
            self._last_block_tick = tick
            self.wants_hello = True
            raise RemoteProtocolError("a block's tick lies before that of the block before it")
        block = Block(tracker.boot_id, seq, stream, first_step, tick, step_us, _FLAGS[flags], samples)
        try:
            gaps = tracker.block(block)
        except RemoteProtocolError:
            counters.stale += 1
            self.wants_hello = True
            return
        for gap in gaps:
            if gap.cause is GapCause.LOST:
                counters.lost_samples += gap.n_steps
            elif gap.cause is GapCause.OVERRUN:
                counters.overrun_samples += gap.n_steps
            received.append(gap)
        self.near_tick = self._last_block_tick = tick
        counters.blocks += 1
        if flags & _SATURATED:
            counters.saturated_blocks += 1
        received.append(block)

    def other(self, items: tuple[Any, ...], received: list[Received]) -> None:
        """Handle everything but blocks and hellos."""
        message = message_of(items)
        if isinstance(message, EventMessage):
            self._event(message, received)
            return
        seq = number_of(items)
        if seq is not None and self.admit(seq) is None:
            return
        near_tick = self.give(message, items, received)
        if near_tick is not None:
            self.near_tick = near_tick

    def give(self, message: Message | UnknownMessage, items: tuple[Any, ...], received: list[Received]) -> int | None:
        """Give out what is neither block, event nor hello; return the 64-bit tick that it tells."""
        near_tick = None
        if isinstance(message, Description):
            if message.kind in _KINDS:  # of kinds that nobody knows there could be 65536, each of a frame's length
                self.descriptions[message.kind, message.index] = message
        elif isinstance(message, Pong | Status):
            if max(message.tick, message.step) >= _MAX_COUNT:
                raise RemoteProtocolError("a tick or step is beyond what any device can reach")
            near_tick = message.tick
        elif not isinstance(message, Reply | Log):
            # A type of a later version, or one that only hosts send (a link that echoes).
            self.counters.unknown += 1
            message = UnknownMessage(items[0], items[1:])
        received.append(message)
        return near_tick

    def _event(self, message: EventMessage, received: list[Received]) -> None:
        tracker = self.admit(message.seq)
        if tracker is None:
            return
        if message.step >= _MAX_COUNT:
            raise RemoteProtocolError("an event's step is beyond what any device can reach")
        tick = self._widen(message.tick)
        if tick is None:
            return
        event = Event(tracker.boot_id, message.seq, message.kind, message.step, tick, message.index, message.value)
        tracker.event(event)
        self.counters.events += 1
        received.append(event)

    def admit(self, seq: int) -> SequenceTracker | None:
        """Take a frame's number; give the boot's tracker, or None for a frame to be kept out (it has been counted)."""
        tracker = self.tracker
        if tracker is None:
            self.counters.before_hello += 1
            return None
        if seq == tracker.next_seq:
            tracker.next_seq = (seq + 1) % _U32
            return tracker
        behind = tracker.behind(seq)
        if behind:
            self.count_behind(behind)
            return None
        missing = tracker.frame(seq)
        if missing:
            self.counters.frames_missing += missing
        return tracker

    def count_behind(self, behind: int) -> None:
        """Count a frame that comes twice or too late."""
        if behind <= self.duplicate_window:
            self.counters.duplicates += 1
        else:
            self.counters.stale += 1
        self.wants_hello = True

    def _widen(self, tick_u32: int) -> int | None:
        """Widen a tick (section 6), or count and give None where its high word cannot be known yet."""
        near = self.near_tick
        if near is None:
            if self.info is not None and self.info.running:
                self.counters.before_tick += 1
                return None
            return tick_u32
        wide = near + ((tick_u32 - near + _HALF) % _U32) - _HALF
        return wide if wide >= 0 else wide + _U32
