"""The state machine of one link, host side: bytes in, typed values out. No I/O, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from spikedaq.model import RemoteProtocolError
from spikedaq.wire.boot import Boot
from spikedaq.wire.codec import message_of, number_of, unpack
from spikedaq.wire.frame import BadFrame, Frame, FrameDecoder
from spikedaq.wire.held import HeldFrame, HeldFrames
from spikedaq.wire.messages import PROTOCOL_VERSION, Description, FrameType, Hello
from spikedaq.wire.received import ConnectionCounters, Rebooted, Received
from spikedaq.wire.sequence import SequenceTracker

_U32: Final = 2**32
_HALF: Final = 2**31
_BLOCK: Final = int(FrameType.BLOCK)
_EVENT: Final = int(FrameType.EVENT)
_HELLO: Final = int(FrameType.HELLO)
_FIRST_RECORD_TYPE: Final = 64  # never on a link (section 3): a journal would take it for one of its own
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
    counters : ConnectionCounters
    held : HeldFrames
        What waits for missing frames.
    last_frames : list of Frame
        What a journal keeps of the last call of `receive`, `receive_frame` or `give_up`: frames with a good CRC, those
        that were held when their turn came. Of a device that can send again, in the order of their numbers and each
        once; of any other, as they came.
    last_held : bool
        Some of them were held, and so came earlier than the others.
    """

    def __init__(self, *, n_channels: int | None = None, reorders: bool = False) -> None:
        self.counters = ConnectionCounters()
        self.held = HeldFrames(0)
        self.last_frames: list[Frame] = []
        self.last_held = False
        self._boot = Boot(self.counters, n_channels=n_channels)
        self._wants_order = reorders
        self._reorders = False  # in this boot
        self._decoder = FrameDecoder()
        self._past_boots: deque[int] = deque(maxlen=_MAX_PAST_BOOTS)
        self._doubted_boot: int | None = None  # a past boot whose hello came again, once

    @property
    def info(self) -> Hello | None:
        """The newest hello of the present boot. One of another major version is given out but not adopted."""
        return self._boot.info

    @property
    def n_channels(self) -> int | None:
        """Channels of a block."""
        return self._boot.n_channels

    @property
    def descriptions(self) -> dict[tuple[int, int], Description]:
        """By (kind, index), those of the present boot."""
        return self._boot.descriptions

    @property
    def wants_hello(self) -> bool:
        """Frames came that do not fit the present boot: the hello of a reboot may have been lost, ask for one."""
        return self._boot.wants_hello

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
        if self._boot.tracker is None or self._boot.tracker.boot_id != hello.boot_id:
            self._begin_boot(hello, next_seq)
        self._boot.info = hello
        self._boot.n_channels = hello.n_channels
        self._boot.descriptions.update({(d.kind, d.index): d for d in descriptions})
        if near_tick is not None:
            self._boot.near_tick = near_tick

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
        tracker = self._boot.tracker
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
        tracker = self._boot.tracker
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
                    self._boot.near_tick = held.near_tick
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
        tracker = self._boot.tracker
        if not self._reorders or tracker is None:
            self._handle(frame, items, received)
            self.last_frames.append(frame)
        elif items[0] == _HELLO or (len(items) > 1 and items[1] == tracker.next_seq):
            placed = self._handle(frame, items, received)
            if placed:
                self.last_frames.append(frame)
            if self.held and self._boot.tracker is tracker:
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
                self._boot.block(items, received)
            elif items[0] == _HELLO:
                return self._hello(frame, items, received)
            else:
                self._boot.other(items, received)
        except RemoteProtocolError:
            tracker, seq = self._boot.tracker, number_of(items)
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
            self._boot.count_behind(behind)
            return
        twin = self.held.get(seq)
        if twin is not None:
            self.counters.duplicates += 1
            self._boot.wants_hello |= twin.frame.message != frame.message
            return
        # Much was lost, or this is no frame of this boot: only a hello can tell.
        self._boot.wants_hello |= (seq - tracker.next_seq) % _U32 > self._boot.duplicate_window
        if items[0] in (_BLOCK, _EVENT):
            waiting = HeldFrame(frame)
        else:
            try:
                waiting = HeldFrame(frame, given=True, near_tick=self._boot.give(message_of(items), items, received))
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

    def _hello(self, frame: Frame, items: tuple[Any, ...], received: list[Received]) -> bool:
        """Handle a hello, the one message that says which boot speaks; whether its frame has its place now."""
        hello = message_of(items)
        if not isinstance(hello, Hello):
            return True
        if hello.major != PROTOCOL_VERSION[0]:
            received.append(hello)
            return True
        known, tracker = self.info, self._boot.tracker
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
                self._boot.wants_hello = True
                return True
            self._past_boots.append(known.boot_id)
            self._reboot(hello, received)
            return True
        behind = tracker.behind(hello.seq)
        if behind > self._boot.duplicate_window:
            self._reboot(hello, received)
            return True
        if behind:
            self._boot.count_behind(behind)
            return not self._reorders
        # A hello this far behind a held frame was not sent again, the device could not: that frame is of another boot.
        while self.held and hello.resend_depth < (self.held.newest - hello.seq) % _U32 < _HALF:
            self.held.drop_newest()
            self.counters.stale += 1
        if self._reorders and hello.seq != tracker.next_seq:
            return self._early_hello(frame, hello, tracker, received)
        self._boot.admit(hello.seq)
        self._doubted_boot = None
        self._renew(hello, received)
        return True

    def _ends_boot(self, hello: Hello, known: Hello, tracker: SequenceTracker) -> bool:
        """Whether a hello, taken for itself, starts another boot."""
        if known.boot_id == hello.boot_id:
            return tracker.behind(hello.seq) > self._boot.duplicate_window
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
        self._boot.info = hello
        self._boot.wants_hello = False
        received.append(hello)

    def _reboot(self, hello: Hello, received: list[Received]) -> None:
        previous = self.info.boot_id if self.info else 0
        self.counters.reboots += 1
        self._adopt(hello)
        received.append(Rebooted(hello, previous))

    def _adopt(self, hello: Hello) -> None:
        """Begin the boot of this hello with it as the first frame."""
        self._begin_boot(hello)
        self._boot.admit(hello.seq)

    def _begin_boot(self, hello: Hello, next_seq: int | None = None) -> None:
        self._boot = Boot(self.counters, hello, next_seq=next_seq)
        self._doubted_boot = None
        self._reorders = self._wants_order and hello.resend_depth > 0
        self.held = HeldFrames(hello.resend_depth)
