"""The state machine of one link, host side: bytes in, typed values out. No I/O, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from spikedaq.model import Block, BlockFlag, Event, GapCause, RemoteProtocolError
from spikedaq.wire.codec import message_of, number_of, samples_of, unpack
from spikedaq.wire.frame import BadFrame, Frame, FrameDecoder
from spikedaq.wire.held import HeldFrame, HeldFrames
from spikedaq.wire.messages import (
    PROTOCOL_VERSION,
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
from spikedaq.wire.received import ConnectionCounters, Rebooted, Received
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
_EVENT: Final = int(FrameType.EVENT)
_HELLO: Final = int(FrameType.HELLO)
_N_BLOCK_ITEMS: Final = 10
_SATURATED: Final = int(BlockFlag.SATURATED)
_FIRST_RECORD_TYPE: Final = 64  # never on a link (section 3): a journal would take it for one of its own
_KINDS: Final = frozenset(int(kind) for kind in DescriptionKind)
_MAX_PAST_BOOTS: Final = 8  # a hello older than that cannot still be in any buffer


class Connection:
    """One link's protocol state, for the live device and for a reader of its journal alike.

    Frames before the first hello are kept out. So are blocks and events of a device that was already running at its
    hello, until a pong or status has told the high word of its tick (or `seed` has): their time would be a guess.
    A device that stands still at its hello counts as freshly booted until then.

    Frames are taken in the order of their numbers. Where some are missing and the device can send them again, blocks
    and events after them are held until they come or `give_up` is called; all other messages are given out when they
    come, since the answer to a request for the missing frames must not wait for them. A reader of a journal holds
    nothing: a journal has its frames in order, and what is missing in it never comes.

    Parameters
    ----------
    n_channels : int, optional
        Channels of a block before a hello said how many.
    reorders : bool
        Whether to hold what follows missing frames, for a device that can send them again.

    Attributes
    ----------
    info : Hello or None
        The newest hello of the present boot. One of another major version is given out but not adopted.
    n_channels : int or None
    descriptions : dict
        By (kind, index), those of the present boot.
    counters : ConnectionCounters
    held : HeldFrames
        What waits for missing frames.
    last_frames : list of Frame
        What a journal keeps of the last call of `receive`, `receive_frame` or `give_up`: frames with a good CRC, those
        that were held when their turn came. Of a device that can send again, in the order of their numbers and each
        once; of any other, as they came.
    last_held : bool
        Some of them were held, and so came earlier than the others.
    wants_hello : bool
        Frames came that do not fit the present boot: the hello of a reboot may have been lost, ask for one.
    """

    def __init__(self, *, n_channels: int | None = None, reorders: bool = False) -> None:
        self.info: Hello | None = None
        self.n_channels = n_channels
        self.descriptions: dict[tuple[int, int], Description] = {}
        self.counters = ConnectionCounters()
        self.held = HeldFrames(0)
        self.last_frames: list[Frame] = []
        self.last_held = False
        self.wants_hello = False
        self._wants_order = reorders
        self._reorders = False  # in this boot
        self._decoder = FrameDecoder()
        self._tracker: SequenceTracker | None = None
        self._near_tick: int | None = None  # newest known 64-bit tick of this boot
        self._last_block_tick = -1
        self._duplicate_window = _MIN_DUPLICATE_WINDOW
        self._past_boots: deque[int] = deque(maxlen=_MAX_PAST_BOOTS)
        self._doubted_boot: int | None = None  # a past boot whose hello came again, once

    def seed(
        self,
        hello: Hello,
        descriptions: Iterable[Description] = (),
        *,
        near_tick: int | None = None,
        next_seq: int | None = None,
    ) -> None:
        """Take over what a journal's snapshot says, without touching the sequence of a boot that is known already.

        Parameters
        ----------
        hello : Hello
        descriptions : iterable of Description
        near_tick : int, optional
            A 64-bit tick at most half an hour away from the frames to come, such as a clock map's ``tick0``.
        next_seq : int, optional
            Number of the first frame that the journal does not have.
        """
        if self._tracker is None or self._tracker.boot_id != hello.boot_id:
            self._begin_boot(hello, next_seq)
        self.info = hello
        self.n_channels = hello.n_channels
        self.descriptions.update({(d.kind, d.index): d for d in descriptions})
        if near_tick is not None:
            self._near_tick = near_tick

    def receive(self, data: bytes, t_host_ns: int = 0) -> list[Received]:
        """Take bytes of the link, cut anyhow; give what they hold, in stream order.

        A gap comes just before the block that reveals it. Nothing is raised, whatever the bytes.

        Parameters
        ----------
        data : bytes
        t_host_ns : int
            When they were read: kept with the frames that end in them, and not used.
        """
        received: list[Received] = []
        self.last_frames = []
        self.last_held = False
        for item in self._decoder.feed(data, t_host_ns):
            if isinstance(item, Frame):
                self._take(item, received)
            else:
                bad_frames = self.counters.bad_frames
                bad_frames[item.reason] = bad_frames.get(item.reason, 0) + 1
                received.append(item)
        return received

    def receive_frame(self, frame: Frame) -> list[Received]:
        """Take one frame that a `FrameDecoder` found good, as a journal gives them back."""
        received: list[Received] = []
        self.last_frames = []
        self.last_held = False
        self._take(frame, received)
        return received

    # ---- what is missing ----

    def missing(self) -> list[tuple[int, int]]:
        """Return (first number, count) of each run of missing frames that others wait for, oldest first."""
        tracker = self._tracker
        if not self.held or tracker is None or tracker.next_seq is None:
            return []
        return self.held.missing(tracker.next_seq)

    def give_up(self, before_seq: int | None = None) -> list[Received]:
        """Wait no longer for frames with a number before ``before_seq`` (any, where not given).

        Returns
        -------
        list of Received
            What waited for nothing else, with its gaps, as from `receive`; ``last_frames`` goes with it.
        """
        received: list[Received] = []
        self.last_frames = []
        self.last_held = False
        tracker = self._tracker
        while self.held and tracker is not None and tracker.next_seq is not None:
            n_missing = (self.held.first - tracker.next_seq) % _U32
            if before_seq is not None:
                n_left = (before_seq - tracker.next_seq) % _U32
                n_missing = min(n_missing, n_left if n_left < _HALF else 0)
            if not n_missing:
                break
            self._skip(tracker, n_missing, received)
        return received

    def _skip(self, tracker: SequenceTracker, n_frames: int, received: list[Received]) -> None:
        tracker.skip(n_frames)
        self.counters.frames_missing += n_frames
        self._release(tracker, received)

    def _release(self, tracker: SequenceTracker, received: list[Received]) -> None:
        """Take the held frames whose turn it is."""
        while (held := self.held.pop(tracker.next_seq or 0)) is not None:
            frame = held.frame
            self.last_held = True
            if held.given:
                tracker.frame(tracker.next_seq or 0)
                if not held.readable:
                    tracker.unreadable()
                if held.near_tick is not None:
                    self._near_tick = held.near_tick
                if held.hello:
                    self._doubted_boot = None
            else:
                self._handle(frame, unpack(frame.message), received)
            self.last_frames.append(frame)

    # ---- frames ----

    def _take(self, frame: Frame, received: list[Received]) -> None:
        self.counters.frames += 1
        try:
            items = unpack(frame.message)
        except RemoteProtocolError:
            self._malformed(frame, received)
            self.last_frames.append(frame)
            return
        tracker = self._tracker
        if not self._reorders or tracker is None:
            self._handle(frame, items, received)
            self.last_frames.append(frame)
        elif items[0] == _HELLO or (len(items) > 1 and items[1] == tracker.next_seq):
            placed = self._handle(frame, items, received)
            if placed:
                self.last_frames.append(frame)
            if self.held and self._tracker is tracker:
                self.counters.late += placed
                self._release(tracker, received)
        elif (seq := number_of(items)) is not None:
            self._misplaced(frame, items, seq, tracker, received)
        else:
            self._handle(frame, items, received)
            if items[0] < _FIRST_RECORD_TYPE:
                self.last_frames.append(frame)

    def _handle(self, frame: Frame, items: tuple[Any, ...], received: list[Received]) -> bool:
        """Take a frame whose turn it is, or a hello; whether it has its place now."""
        try:
            if items[0] == _BLOCK:
                self._block(items, received)
            elif items[0] == _HELLO:
                return self._hello(frame, items, received)
            else:
                self._other(items, received)
        except RemoteProtocolError:
            tracker, seq = self._tracker, number_of(items)
            if tracker is not None and seq is not None:
                # It takes its place: sent again it would be the same. A hello's number means nothing without its boot.
                if seq == tracker.next_seq or (items[0] != _HELLO and not tracker.behind(seq)):
                    self.counters.frames_missing += tracker.frame(seq)
                tracker.unreadable()
            self._malformed(frame, received)
        return True

    def _malformed(self, frame: Frame, received: list[Received]) -> None:
        self.counters.malformed += 1
        received.append(BadFrame("malformed", frame.raw, frame.offset))

    def _misplaced(
        self,
        frame: Frame,
        items: tuple[Any, ...],
        seq: int,
        tracker: SequenceTracker,
        received: list[Received],
    ) -> None:
        """Take a frame with a number that is not the next one: a later one to hold, or one too many."""
        if tracker.next_seq is None:
            self._handle(frame, items, received)
            self.last_frames.append(frame)
            return
        behind = tracker.behind(seq)
        if behind:
            self._behind(behind)
            return
        twin = self.held.get(seq)
        if twin is not None:
            self.counters.duplicates += 1
            self.wants_hello = self.wants_hello or twin.frame.message != frame.message
            return
        # Much was lost, or this is no frame of this boot: only a hello can tell.
        self.wants_hello = self.wants_hello or (seq - tracker.next_seq) % _U32 > self._duplicate_window
        if items[0] in (_BLOCK, _EVENT):
            waiting = HeldFrame(frame)
        else:
            try:
                waiting = HeldFrame(frame, given=True, near_tick=self._give(message_of(items), items, received))
            except RemoteProtocolError:
                waiting = HeldFrame(frame, given=True, readable=False)
                self._malformed(frame, received)
        self._hold(seq, waiting, tracker, received)

    def _hold(self, seq: int, waiting: HeldFrame, tracker: SequenceTracker, received: list[Received]) -> None:
        """Hold a frame; where there are too many, give up the oldest that are missing."""
        held = self.held
        self.counters.late += bool(held) and (held.newest - seq) % _U32 < _HALF
        held.add(seq, waiting, tracker.next_seq or 0)
        while held.overfull:
            n_missing = (held.first - (tracker.next_seq or 0)) % _U32
            self.counters.overflows += n_missing
            self._skip(tracker, n_missing, received)

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
        self._near_tick = self._last_block_tick = tick
        counters.blocks += 1
        if flags & _SATURATED:
            counters.saturated_blocks += 1
        received.append(block)

    def _other(self, items: tuple[Any, ...], received: list[Received]) -> None:
        """Handle everything but blocks and hellos."""
        message = message_of(items)
        if isinstance(message, EventMessage):
            self._event(message, received)
            return
        seq = number_of(items)
        if seq is not None and self._admit(seq) is None:
            return
        near_tick = self._give(message, items, received)
        if near_tick is not None:
            self._near_tick = near_tick

    def _give(self, message: Message | UnknownMessage, items: tuple[Any, ...], received: list[Received]) -> int | None:
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

    def _hello(self, frame: Frame, items: tuple[Any, ...], received: list[Received]) -> bool:
        """Handle a hello, the one message that says which boot speaks; whether its frame has its place now."""
        hello = message_of(items)
        if not isinstance(hello, Hello):
            return True
        if hello.major != PROTOCOL_VERSION[0]:
            received.append(hello)
            return True
        known, tracker = self.info, self._tracker
        if known is None or tracker is None:
            self._adopt(hello)
            received.append(hello)
            return True
        if self.held and self._ends_boot(hello, known, tracker):
            # What waited belongs before it, and where that leads decides what it means, as for a reader of the journal.
            self._release_all(tracker, received)
        if known.boot_id != hello.boot_id:
            if hello.boot_id in self._past_boots and self._doubted_boot != hello.boot_id:
                # A hello that was under way when the device rebooted; if it is more than that, it comes again.
                self._doubted_boot = hello.boot_id
                self.counters.stale += 1
                self.wants_hello = True
                return True
            self._past_boots.append(known.boot_id)
            self._reboot(hello, received)
            return True
        behind = tracker.behind(hello.seq)
        if behind > self._duplicate_window:
            self._reboot(hello, received)
            return True
        if behind:
            self._behind(behind)
            return not self._reorders
        # A hello this far behind a held frame was not sent again, the device could not: that frame is of another boot.
        while self.held and hello.resend_depth < (self.held.newest - hello.seq) % _U32 < _HALF:
            self.held.drop_newest()
            self.counters.stale += 1
        if self._reorders and hello.seq != tracker.next_seq:
            return self._early_hello(frame, hello, tracker, received)
        self._admit(hello.seq)
        self._doubted_boot = None
        self._renew(hello, received)
        return True

    def _ends_boot(self, hello: Hello, known: Hello, tracker: SequenceTracker) -> bool:
        """Whether a hello, taken for itself, starts another boot."""
        if known.boot_id == hello.boot_id:
            return tracker.behind(hello.seq) > self._duplicate_window
        return hello.boot_id not in self._past_boots or hello.boot_id == self._doubted_boot

    def _release_all(self, tracker: SequenceTracker, received: list[Received]) -> None:
        while self.held:
            self._skip(tracker, (self.held.first - (tracker.next_seq or 0)) % _U32, received)

    def _early_hello(self, frame: Frame, hello: Hello, tracker: SequenceTracker, received: list[Received]) -> bool:
        """Give out a hello of this boot that has frames missing before it, and hold its place."""
        if self.held.get(hello.seq) is not None:
            self.counters.duplicates += 1
            return False
        self._renew(hello, received)
        self._hold(hello.seq, HeldFrame(frame, given=True, hello=True), tracker, received)
        return False

    def _renew(self, hello: Hello, received: list[Received]) -> None:
        self.info = hello
        self.wants_hello = False
        received.append(hello)

    def _reboot(self, hello: Hello, received: list[Received]) -> None:
        previous = self.info.boot_id if self.info else 0
        self.counters.reboots += 1
        self._adopt(hello)
        received.append(Rebooted(hello, previous))

    def _adopt(self, hello: Hello) -> None:
        """Begin the boot of this hello with it as the first frame."""
        self._begin_boot(hello).frame(hello.seq)

    def _begin_boot(self, hello: Hello, next_seq: int | None = None) -> SequenceTracker:
        self.info = hello
        self.n_channels = hello.n_channels
        self.descriptions = {}
        self.wants_hello = False
        self._doubted_boot = None
        self._duplicate_window = max(_MIN_DUPLICATE_WINDOW, hello.resend_depth)
        self._near_tick = None
        self._last_block_tick = -1
        self._reorders = self._wants_order and hello.resend_depth > 0
        self.held = HeldFrames(hello.resend_depth)
        self._tracker = SequenceTracker(hello.boot_id, next_seq)
        return self._tracker

    def _admit(self, seq: int) -> SequenceTracker | None:
        """Take a frame's number; give the boot's tracker, or None for a frame to be kept out (it has been counted)."""
        tracker = self._tracker
        if tracker is None:
            self.counters.before_hello += 1
            return None
        if seq == tracker.next_seq:
            tracker.next_seq = (seq + 1) % _U32
            return tracker
        behind = tracker.behind(seq)
        if behind:
            self._behind(behind)
            return None
        missing = tracker.frame(seq)
        if missing:
            self.counters.frames_missing += missing
        return tracker

    def _behind(self, behind: int) -> None:
        """Count a frame that comes twice or too late."""
        if behind <= self._duplicate_window:
            self.counters.duplicates += 1
        else:
            self.counters.stale += 1
        self.wants_hello = True

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
