"""The state machine of one link, host side: bytes in, typed values out. No I/O, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from spikedaq.model import Block, BlockFlag, Event, Gap, GapCause, RemoteProtocolError
from spikedaq.wire.codec import message_of, samples_of, unpack
from spikedaq.wire.frame import BadFrame, Frame, FrameDecoder
from spikedaq.wire.messages import (
    PROTOCOL_VERSION,
    Description,
    EventMessage,
    FrameType,
    Hello,
    Log,
    Pong,
    Reply,
    Status,
    UnknownMessage,
)
from spikedaq.wire.packed import CODEC_PACKED
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
_MAX_DEVICE_TYPE: Final = 31
_MAX_PAST_BOOTS: Final = 8  # a hello older than that cannot still be in any buffer


@dataclass(frozen=True, slots=True)
class Rebooted:
    """The device has booted again; its hello starts a new boot. Comes in place of the Hello itself."""

    hello: Hello
    previous_boot_id: int


Received = (
    Block | Event | Gap | BadFrame | Hello | Description | Pong | Reply | Status | Log | UnknownMessage | Rebooted
)


@dataclass(slots=True)
class ConnectionCounters:
    """What a connection has seen since it was made. Each frame is counted in ``frames`` or ``bad_frames``.

    Attributes
    ----------
    frames : int
        Frames with a good CRC, whatever became of them.
    bad_frames : dict of str to int
        By reason: cobs, short, crc, oversize; malformed ones are in ``malformed``.
    blocks, events : int
        Those given out.
    unknown : int
        Messages of unknown type, or of a type that no device sends, or blocks of an unknown stream.
    malformed : int
        Good CRC, content against the protocol; ``unknown_codec`` of them are blocks with an unknown codec.
    before_hello, before_tick : int
        Frames kept out because the boot, or the 64-bit tick of a device that was already running, was not known yet.
    duplicates, stale : int
        Frames kept out because they had come before, or because they lie so far behind (or a block's step lies behind)
        that they belong to another boot.
    frames_missing, lost_samples, overrun_samples : int
        See `SequenceTracker`; summed over all boots.
    saturated_blocks, reboots : int
    """

    frames: int = 0
    bad_frames: dict[str, int] = field(default_factory=dict)
    blocks: int = 0
    events: int = 0
    unknown: int = 0
    malformed: int = 0
    unknown_codec: int = 0
    before_hello: int = 0
    before_tick: int = 0
    duplicates: int = 0
    stale: int = 0
    frames_missing: int = 0
    lost_samples: int = 0
    overrun_samples: int = 0
    saturated_blocks: int = 0
    reboots: int = 0


class Connection:
    """One link's protocol state, for the live device and for a reader of its journal alike.

    Frames before the first hello are kept out. So are blocks and events of a device that was already running at its
    hello, until a pong or status has told the high word of its tick (or `seed` has): their time would be a guess.
    A device that stands still at its hello counts as freshly booted until then.

    Parameters
    ----------
    n_channels : int, optional
        Channels of a block before a hello said how many.

    Attributes
    ----------
    info : Hello or None
        The newest hello of the present boot. One of another major version is given out but not adopted.
    n_channels : int or None
    descriptions : dict
        By (kind, index), those of the present boot.
    counters : ConnectionCounters
    last_frames : list of Frame
        Frames with a good CRC of the last `receive` or `receive_frame`, in order: what a journal keeps.
    wants_hello : bool
        Frames came that do not fit the present boot: the hello of a reboot may have been lost, ask for one.
    """

    def __init__(self, *, n_channels: int | None = None) -> None:
        self.info: Hello | None = None
        self.n_channels = n_channels
        self.descriptions: dict[tuple[int, int], Description] = {}
        self.counters = ConnectionCounters()
        self.last_frames: list[Frame] = []
        self.wants_hello = False
        self._decoder = FrameDecoder()
        self._tracker: SequenceTracker | None = None
        self._near_tick: int | None = None  # newest known 64-bit tick of this boot
        self._last_block_tick = -1
        self._duplicate_window = _MIN_DUPLICATE_WINDOW
        self._past_boots: deque[int] = deque(maxlen=_MAX_PAST_BOOTS)
        self._doubted_boot: int | None = None  # a past boot whose hello came again, once

    def seed(self, hello: Hello, descriptions: Iterable[Description] = (), *, near_tick: int | None = None) -> None:
        """Take over what a journal's snapshot says, without touching the sequence.

        Parameters
        ----------
        hello : Hello
        descriptions : iterable of Description
        near_tick : int, optional
            A 64-bit tick at most half an hour away from the frames to come, such as a clock map's ``tick0``.
        """
        if self._tracker is None or self._tracker.boot_id != hello.boot_id:
            self._begin_boot(hello)
        self.info = hello
        self.n_channels = hello.n_channels
        self.descriptions.update({(d.kind, d.index): d for d in descriptions})
        if near_tick is not None:
            self._near_tick = near_tick

    def receive(self, data: bytes) -> list[Received]:
        """Take bytes of the link, cut anyhow; give what they hold, in stream order.

        A gap comes just before the block that reveals it. Nothing is raised, whatever the bytes.
        """
        received: list[Received] = []
        frames: list[Frame] = []
        for item in self._decoder.feed(data):
            if isinstance(item, Frame):
                frames.append(item)
                self._take(item, received)
            else:
                bad_frames = self.counters.bad_frames
                bad_frames[item.reason] = bad_frames.get(item.reason, 0) + 1
                received.append(item)
        self.last_frames = frames
        return received

    def receive_frame(self, frame: Frame) -> list[Received]:
        """Take one frame that a `FrameDecoder` found good, as a journal gives them back."""
        received: list[Received] = []
        self.last_frames = [frame]
        self._take(frame, received)
        return received

    def _take(self, frame: Frame, received: list[Received]) -> None:
        self.counters.frames += 1
        try:
            items = unpack(frame.message)
            if items[0] == _BLOCK:
                self._block(items, received)
            else:
                self._other(items, received)
        except RemoteProtocolError:
            self.counters.malformed += 1
            received.append(BadFrame("malformed", frame.raw, frame.offset))

    def _block(self, items: tuple[Any, ...], received: list[Received]) -> None:
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
        tracker = self._admit(seq)
        if tracker is None:
            return
        if stream != 0:
            counters.unknown += 1
            received.append(UnknownMessage(_BLOCK, items[1:]))
            return
        try:
            samples = samples_of(payload, n, self.n_channels or 0, codec)
        except RemoteProtocolError:
            tracker.unreadable()
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
            tracker.unreadable()
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
        self._near_tick = self._last_block_tick = tick
        counters.blocks += 1
        if flags & _SATURATED:
            counters.saturated_blocks += 1
        received.append(block)

    def _other(self, items: tuple[Any, ...], received: list[Received]) -> None:
        """Handle everything but blocks."""
        message = message_of(items)
        if isinstance(message, Hello):
            self._hello(message, received)
        elif isinstance(message, EventMessage):
            self._event(message, received)
        elif isinstance(message, Description | Pong | Reply | Status | Log):
            if self._admit(message.seq) is None:
                return
            if isinstance(message, Description):
                self.descriptions[message.kind, message.index] = message
            elif isinstance(message, Pong | Status):
                if max(message.tick, message.step) >= _MAX_COUNT:
                    raise RemoteProtocolError("a tick or step is beyond what any device can reach")
                self._near_tick = message.tick
            received.append(message)
        else:
            self._unknown(items, received)

    def _unknown(self, items: tuple[Any, ...], received: list[Received]) -> None:
        """Handle a type of a later version, or one that only hosts send (a link that echoes)."""
        seq = items[1] if 0 < items[0] <= _MAX_DEVICE_TYPE and len(items) > 1 else None
        if seq.__class__ is int and 0 <= seq < _U32 and self._admit(seq) is None:
            return
        self.counters.unknown += 1
        received.append(UnknownMessage(items[0], items[1:]))

    def _event(self, message: EventMessage, received: list[Received]) -> None:
        tracker = self._admit(message.seq)
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

    def _hello(self, hello: Hello, received: list[Received]) -> None:
        """Handle a hello: the one message that says which boot speaks, and so the one that may move the sequence."""
        if hello.major != PROTOCOL_VERSION[0]:
            received.append(hello)
            return
        known = self.info
        if known is None or self._tracker is None:
            self._adopt(hello)
            received.append(hello)
        elif known.boot_id != hello.boot_id:
            if hello.boot_id in self._past_boots and self._doubted_boot != hello.boot_id:
                # A hello that was under way when the device rebooted; if it is more than that, it comes again.
                self._doubted_boot = hello.boot_id
                self.counters.stale += 1
                self.wants_hello = True
                return
            self._past_boots.append(known.boot_id)
            self._reboot(hello, received)
        else:
            behind = self._tracker.behind(hello.seq)
            if behind > self._duplicate_window:
                self._reboot(hello, received)
            elif self._admit(hello.seq) is not None:
                self.info = hello
                self.wants_hello = False
                self._doubted_boot = None
                received.append(hello)

    def _reboot(self, hello: Hello, received: list[Received]) -> None:
        previous = self.info.boot_id if self.info else 0
        self.counters.reboots += 1
        self._adopt(hello)
        received.append(Rebooted(hello, previous))

    def _adopt(self, hello: Hello) -> None:
        """Begin the boot of this hello with it as the first frame."""
        self._begin_boot(hello).frame(hello.seq)

    def _begin_boot(self, hello: Hello) -> SequenceTracker:
        self.info = hello
        self.n_channels = hello.n_channels
        self.descriptions = {}
        self.wants_hello = False
        self._doubted_boot = None
        self._duplicate_window = max(_MIN_DUPLICATE_WINDOW, hello.resend_depth)
        self._near_tick = None
        self._last_block_tick = -1
        self._tracker = SequenceTracker(hello.boot_id)
        return self._tracker

    def _admit(self, seq: int) -> SequenceTracker | None:
        """Take a frame's number; give the boot's tracker, or None for a frame to be kept out (it has been counted)."""
        tracker = self._tracker
        if tracker is None:
            self.counters.before_hello += 1
            return None
        behind = tracker.behind(seq)
        if behind:
            # Frames sent again on request (section 8) arrive here, too, once something requests them.
            if behind <= self._duplicate_window:
                self.counters.duplicates += 1
            else:
                self.counters.stale += 1
            self.wants_hello = True
            return None
        missing = tracker.frame(seq)
        if missing:
            self.counters.frames_missing += missing
        return tracker

    def _widen(self, tick_u32: int) -> int | None:
        """Widen a tick (section 6), or count and give None where its high word cannot be known yet."""
        near = self._near_tick
        if near is None:
            if self.info is not None and self.info.running:
                self.counters.before_tick += 1
                return None
            return tick_u32
        wide = near + ((tick_u32 - near + _HALF) % _U32) - _HALF
        return wide if wide >= 0 else wide + _U32
