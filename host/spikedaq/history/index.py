"""Where in a journal a moment lies: marks along its segments, made when somebody asks, kept for the next."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from spikedaq.journal import (
    ReceivedAt,
    Segment,
    SegmentStart,
    Snapshot,
    decode_frames,
    decode_record,
    list_segments,
    read_frames,
)
from spikedaq.model import RemoteProtocolError
from spikedaq.wire import BlockMessage, Frame, FrameType, Hello, decode_message

MARK_BYTES = 128 * 1024
"""Between two marks: one to ten seconds of 10 kHz. A 2 GiB journal has 16384, about 3 MB of memory."""
_SHORT_ARRAY = 0x90  # msgpack: an array of at most 15 items; a hello has 19
_RECEIVED, _SNAPSHOT = 65, 74  # docs/reference/journal.md, Records
_BLOCK = int(FrameType.BLOCK)


@dataclass(frozen=True, slots=True)
class Mark:
    """A block, and where it is. ``t_received_ns`` is CLOCK_BOOTTIME of the boot of the computer then."""

    offset: int
    boot_id: int
    seq: int
    step: int
    t_received_ns: int


class SegmentIndex:
    """The marks of one segment; a segment that grows is read on from where the last look ended.

    Attributes
    ----------
    marks : list of Mark
        In the order of the journal; the first is the segment's first block.
    boots : dict
        Journal offset at which each boot begins that begins in this segment.
    host_boot_id : str
    """

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.marks: list[Mark] = []
        self.boots: dict[int, int] = {}
        self.host_boot_id = ""
        self._boot_id = 0
        self._position = 0
        self._mark_at = 0
        self._t_raw: bytes = b""
        self._newest: tuple[bytes, bytes, int] | None = None

    def extend(self, *, first_only: bool = False) -> None:
        """Take in what has come; with ``first_only`` no more than what the first block needs."""
        try:
            fd = os.open(self.segment.where, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            while not (first_only and self.marks):
                data = read_frames(fd, self._position, MARK_BYTES)
                if not data:
                    return
                self._take(data)
        finally:
            os.close(fd)

    def _take(self, data: bytes) -> None:
        position = self._position
        for raw in data[:-1].split(b"\0"):
            # COBS leaves the first two bytes in place where they are not zero, as those of a short array are.
            if len(raw) > 3:
                kind = raw[2] if raw[1] & 0xF0 == _SHORT_ARRAY else None
                if kind == _RECEIVED:
                    self._t_raw = raw
                elif kind == _BLOCK:
                    self._newest = raw, self._t_raw, position
                    if position >= self._mark_at:
                        self._mark(raw, position)
                elif kind is None or kind == _SNAPSHOT:
                    self._boot(raw, position)
                elif not position:
                    self._start(raw)
            position += len(raw) + 1
        self._position = position

    def _start(self, raw: bytes) -> None:
        message = _content(raw)
        record = decode_record(message) if message is not None else None
        if isinstance(record, SegmentStart):
            self.host_boot_id = record.host_boot_id

    def _mark(self, raw: bytes, position: int) -> None:
        mark = self._made(raw, self._t_raw, position)
        if mark is not None:
            self.marks.append(mark)
            self._mark_at = position + MARK_BYTES

    def newest(self) -> Mark | None:
        """Return the newest block of this segment."""
        self.extend()
        return self._made(*self._newest) if self._newest is not None else None

    def _made(self, raw: bytes, t_raw: bytes, position: int) -> Mark | None:
        message = _typed(_content(raw))
        if not isinstance(message, BlockMessage):
            return None
        received = decode_record(content) if (content := _content(t_raw)) is not None else None
        t_ns = received.t_host_ns if isinstance(received, ReceivedAt) else 0
        return Mark(self.segment.base_offset + position, self._boot_id, message.seq, message.first_step, t_ns)

    def _boot(self, raw: bytes, position: int) -> None:
        message = _content(raw)
        record = decode_record(message) if message is not None and raw[2] == _SNAPSHOT else None
        repeated = isinstance(record, Snapshot)
        hello = _typed(record.message if isinstance(record, Snapshot) else message)
        if isinstance(hello, Hello) and hello.boot_id != self._boot_id:
            self._boot_id = hello.boot_id
            self._mark_at = 0
            if not repeated:
                self.boots.setdefault(hello.boot_id, self.segment.base_offset + position)


class JournalIndex:
    """Finds places in one device's journal."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._segments: dict[int, SegmentIndex] = {}

    def first(self) -> Mark | None:
        """Return the oldest block that is kept."""
        for index in self._listed():
            index.extend(first_only=True)
            if index.marks:
                return index.marks[0]
        return None

    def newest(self) -> Mark | None:
        """Return the newest block."""
        for index in reversed(self._listed()):
            mark = index.newest()
            if mark is not None:
                return mark
        return None

    def find_seq(self, boot_id: int, seq: int) -> int | None:
        """Return an offset a little before frame ``seq`` of a boot; None where it is no longer there, or never was."""
        return self._find(boot_id, lambda mark: (seq - mark.seq) % 2**32 < 2**31)

    def find_step(self, boot_id: int, step: int) -> int | None:
        """Return an offset a little before the block with a step; None as for `find_seq`."""
        return self._find(boot_id, lambda mark: mark.step <= step)

    def find_time(self, t_host_ns: int) -> int | None:
        """Return an offset a little before what was received at a time of this boot of the computer."""
        indexes = self._listed()
        if not indexes:
            return None
        indexes[-1].extend(first_only=True)
        host_boot_id = indexes[-1].host_boot_id
        for index in reversed(indexes):
            index.extend(first_only=True)
            if index.host_boot_id != host_boot_id:
                return None
            if index.marks and index.marks[0].t_received_ns <= t_host_ns:
                index.extend()
                return max(mark.offset for mark in index.marks if mark.t_received_ns <= t_host_ns)
        return None

    def _find(self, boot_id: int, is_before: Callable[[Mark], bool]) -> int | None:
        """Search from the newest segment on: what is asked for is mostly young."""
        oldest_of_boot: int | None = None
        for index in reversed(self._listed()):
            index.extend(first_only=True)
            first = index.marks[0] if index.marks else None
            if first is not None and first.boot_id == boot_id and not is_before(first):
                oldest_of_boot = None  # it lies before this segment, if anywhere
                continue
            index.extend()
            found = [mark.offset for mark in index.marks if mark.boot_id == boot_id and is_before(mark)]
            if found:
                return max(found)
            if boot_id in index.boots:
                # Before the boot's first mark, and after its first hello.
                oldest_of_boot = index.boots[boot_id]
                if first is not None and first.boot_id != boot_id:
                    return oldest_of_boot
        return oldest_of_boot

    def _listed(self) -> list[SegmentIndex]:
        segments = list_segments(self._folder)
        known = self._segments
        self._segments = {s.base_offset: known.get(s.base_offset) or SegmentIndex(s) for s in segments}
        return list(self._segments.values())


def _content(raw: bytes) -> bytes | None:
    frames = decode_frames(raw + b"\0")
    return frames[0].message if frames and isinstance(frames[0], Frame) else None


def _typed(message: bytes | None) -> object:
    try:
        return None if message is None else decode_message(message)
    except RemoteProtocolError:
        return None
