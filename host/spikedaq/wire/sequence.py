"""Says what is missing between the blocks of one boot, and why (protocol/README.md, section 5)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from spikedaq.model import Block, BlockFlag, Event, EventKind, Gap, GapCause, RemoteProtocolError

_SEQ_MODULUS: Final = 2**32
_HALF: Final = 2**31
# Overrun events that may wait for the block after them; a device queues far fewer, more would only be a leak.
_MAX_PENDING_OVERRUNS: Final = 256
_AFTER_OVERRUN: Final = int(BlockFlag.AFTER_OVERRUN)
_AFTER_START: Final = int(BlockFlag.AFTER_START)


@dataclass(slots=True)
class _Stream:
    """Where a stream stands after its newest block."""

    next_step: int
    next_tick: int
    step_us: int
    n_unseen: int  # of the tracker, when that block came


class SequenceTracker:
    """Follows the frames, blocks and overrun events of one link and boot, in order.

    Parameters
    ----------
    boot_id : int
    next_seq : int, optional
        Number of the first frame to come, where it is known.

    Attributes
    ----------
    next_seq : int or None
        Number of the next frame; None before the first.
    frames_missing : int
        Frames that the sequence numbers show were sent and did not arrive.
    lost_samples, overrun_samples : int
        Missing samples by cause.
    """

    def __init__(self, boot_id: int, next_seq: int | None = None) -> None:
        self.boot_id = boot_id
        self.next_seq = next_seq
        self.frames_missing = 0
        self.lost_samples = 0
        self.overrun_samples = 0
        self._n_unseen = 0  # frames missing or unreadable so far
        self._streams: dict[int, _Stream] = {}
        self._overruns: deque[Event] = deque(maxlen=_MAX_PENDING_OVERRUNS)

    def behind(self, seq: int) -> int:
        """How many frames ``seq`` lies behind the next one expected; 0 or less: it is new."""
        if self.next_seq is None:
            return 0
        ahead = (seq - self.next_seq) % _SEQ_MODULUS
        return 0 if ahead < _HALF else _SEQ_MODULUS - ahead

    def frame(self, seq: int) -> int:
        """Take the next device frame's number; give the number of frames missing before it.

        The first one sets the start. Numbers wrap. The caller keeps out frames that lie `behind`.
        """
        missing = 0 if self.next_seq is None else (seq - self.next_seq) % _SEQ_MODULUS
        self.next_seq = (seq + 1) % _SEQ_MODULUS
        self.frames_missing += missing
        self._n_unseen += missing
        return missing

    def skip(self, n_frames: int) -> None:
        """Give up the next frames: they count as missing."""
        if self.next_seq is not None:
            self.next_seq = (self.next_seq + n_frames) % _SEQ_MODULUS
        self.frames_missing += n_frames
        self._n_unseen += n_frames

    def unreadable(self) -> None:
        """Say that the frame just taken carried samples which nobody can read: they count as lost."""
        self._n_unseen += 1

    def event(self, event: Event) -> None:
        """Take an event; those of overruns tell which missing samples were discarded on the device."""
        if event.kind == EventKind.OVERRUN and event.index > 0:
            self._overruns.append(event)

    def block(self, block: Block) -> list[Gap]:
        """Take a block; give the gaps just before it, in step order.

        Raises
        ------
        RemoteProtocolError
            The block starts before the end of the one before it.
        """
        first_step = block.first_step
        stream = self._streams.get(block.stream)
        n_samples = block.samples.shape[0]
        if stream is None:
            gaps: list[Gap] = []
            self._streams[block.stream] = stream = _Stream(first_step, 0, 0, 0)
        elif first_step == stream.next_step:
            gaps = []
        elif first_step > stream.next_step:
            gaps = self._gaps(block, stream)
        else:
            raise RemoteProtocolError(
                f"a block of boot {self.boot_id:08x} starts at step {first_step}, before step {stream.next_step} "
                "where the block before it ended"
            )
        if self._overruns:
            self._forget_overruns(first_step)
        stream.next_step = first_step + n_samples
        stream.next_tick = block.first_tick + n_samples * block.step_us
        stream.step_us = block.step_us
        stream.n_unseen = self._n_unseen
        return gaps

    def _gaps(self, block: Block, stream: _Stream) -> list[Gap]:
        """Apportion the steps between the stream's end and this block."""
        if block.flags & _AFTER_START:
            return [self._gap(block, stream, stream.next_step, block.first_step, GapCause.STOPPED)]
        reported = self._reported(stream.next_step, block.first_step)
        sent_but_unseen = self._n_unseen > stream.n_unseen
        if not sent_but_unseen or (block.flags & _AFTER_OVERRUN and not reported):
            gaps = [self._gap(block, stream, stream.next_step, block.first_step, GapCause.OVERRUN)]
        else:
            gaps = []
            position = stream.next_step
            for begin, end in reported:
                if begin > position:
                    gaps.append(self._gap(block, stream, position, begin, GapCause.LOST))
                gaps.append(self._gap(block, stream, begin, end, GapCause.OVERRUN))
                position = end
            if block.first_step > position:
                gaps.append(self._gap(block, stream, position, block.first_step, GapCause.LOST))
        for gap in gaps:
            if gap.cause is GapCause.LOST:
                self.lost_samples += gap.n_steps
            else:
                self.overrun_samples += gap.n_steps
        return gaps

    def _reported(self, begin: int, end: int) -> list[tuple[int, int]]:
        """Ranges of steps within [begin, end) that overrun events account for, in order and disjoint."""
        ranges: list[tuple[int, int]] = []
        for event in sorted(self._overruns, key=lambda e: e.step):
            low = max(event.step, ranges[-1][1] if ranges else begin)
            high = min(event.step + event.index, end)
            if low < high:
                if ranges and ranges[-1][1] == low:
                    ranges[-1] = (ranges[-1][0], high)
                else:
                    ranges.append((low, high))
        return ranges

    def _forget_overruns(self, first_step: int) -> None:
        """Drop what lies before the block; an event may come before the blocks that precede it in time."""
        kept = [e for e in self._overruns if e.step >= first_step]
        self._overruns.clear()
        self._overruns.extend(kept)

    def _gap(self, block: Block, stream: _Stream, begin: int, end: int, cause: GapCause) -> Gap:
        # The step period may have changed inside the gap; its start is exact, a later piece's tick is by the old period
        # but never past the block that ends it.
        tick = min(stream.next_tick + (begin - stream.next_step) * stream.step_us, block.first_tick)
        return Gap(self.boot_id, block.stream, begin, end - begin, tick, cause)
