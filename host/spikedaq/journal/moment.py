"""When a journal's newest frames were received, and where in another journal what came later begins."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spikedaq.journal.piece import segment_start
from spikedaq.journal.records import RECORD_TYPES, ReceivedAt, SegmentStart, Snapshot, decode_record
from spikedaq.journal.segments import Segment, decode_frames, list_segments, read_frames
from spikedaq.wire import Frame

_SCAN_BYTES = 2**20
"""Many times what lies between two notes of when frames were received."""
_RECEIVED = RECORD_TYPES[ReceivedAt]


@dataclass(frozen=True, slots=True)
class Moment:
    """A time, by the clocks of the computer that wrote the journal.

    Attributes
    ----------
    host_boot_id : str
        Boot of that computer.
    t_host_ns : int
        Its CLOCK_BOOTTIME.
    utc_ns : int
        As it was when the journal's segment was begun, carried on by CLOCK_BOOTTIME.
    """

    host_boot_id: str
    t_host_ns: int
    utc_ns: int


def newest_moment(folder: Path) -> Moment | None:
    """Return when a journal's newest device frames were received; None where there is no journal.

    Where it has none yet: when it was begun.
    """
    began: Moment | None = None
    for segment in reversed(list_segments(folder)):
        try:
            fd = os.open(segment.where, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            head = os.pread(fd, _SCAN_BYTES, 0)
            start = segment_start(head)
            if start is None:
                continue
            # The first piece may begin within a frame, which is then none.
            tail = os.pread(fd, _SCAN_BYTES, max(0, os.fstat(fd).st_size - _SCAN_BYTES))
        finally:
            os.close(fd)
        times = [t_ns for _, t_ns in _received(tail)]
        if times:
            return _moment(start, times[-1])
        began = _moment(start, max([start.t_host_ns, *_snapshots(head)]))
    return began


def offset_after(folder: Path, moment: Moment) -> tuple[int, int | None]:
    """Return where a journal's frames begin that were received after a moment, and when that was (UTC, nanoseconds).

    Within one boot of the computer its CLOCK_BOOTTIME decides, else UTC. Where nothing came after it: the end, None.
    """
    segments = list_segments(folder)
    if not segments:
        return 0, None
    for number in reversed(range(len(segments))):
        start = _start_of(segments[number])
        if start is None or not _is_at_or_before(start, moment):
            continue
        found = _first_after(segments[number], start, moment)
        if found is not None:
            return found
        if number + 1 == len(segments):
            return segments[number].base_offset + segments[number].size(), None
        return _beginning(segments[number + 1])
    return _beginning(segments[0])


def _beginning(segment: Segment) -> tuple[int, int | None]:
    start = _start_of(segment)
    return segment.base_offset, None if start is None else start.utc_ns


def _start_of(segment: Segment) -> SegmentStart | None:
    try:
        with open(segment.where, "rb") as file:  # noqa: PTH123 - see `Segment.where`
            return segment_start(file.read(_SCAN_BYTES))
    except FileNotFoundError:
        return None


def _is_at_or_before(start: SegmentStart, moment: Moment) -> bool:
    if start.host_boot_id == moment.host_boot_id:
        return start.t_host_ns <= moment.t_host_ns
    return start.utc_ns <= moment.utc_ns


def _first_after(segment: Segment, start: SegmentStart, moment: Moment) -> tuple[int, int] | None:
    """Find the first note of when frames were received that is later, a piece at a time."""
    since_ns = moment.t_host_ns
    if start.host_boot_id != moment.host_boot_id:
        since_ns = start.t_host_ns + moment.utc_ns - start.utc_ns
    try:
        fd = os.open(segment.where, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        position = 0
        while data := read_frames(fd, position, _SCAN_BYTES):
            for at, t_ns in _received(data):
                if t_ns > since_ns:
                    return segment.base_offset + position + at, _moment(start, t_ns).utc_ns
            position += len(data)
    finally:
        os.close(fd)
    return None


def _received(data: bytes) -> Iterator[tuple[int, int]]:
    """Where in whole frames it is noted when the next were received, and when."""
    at = 0
    for raw in data[: data.rfind(b"\0") + 1].split(b"\0"):
        # COBS leaves the first two bytes in place, which are no zeros.
        if len(raw) > 3 and raw[2] == _RECEIVED and raw[1] & 0xF0 == 0x90:
            frames = decode_frames(raw + b"\0")
            record = decode_record(frames[0].message) if frames and isinstance(frames[0], Frame) else None
            if isinstance(record, ReceivedAt):
                yield at, record.t_host_ns
        at += len(raw) + 1


def _snapshots(head: bytes) -> Iterator[int]:
    for frame in decode_frames(head[: head.rfind(b"\0") + 1]):
        record = decode_record(frame.message) if isinstance(frame, Frame) else None
        if isinstance(record, Snapshot):
            yield record.t_host_ns


def _moment(start: SegmentStart, t_host_ns: int) -> Moment:
    return Moment(start.host_boot_id, t_host_ns, start.utc_ns + t_host_ns - start.t_host_ns)
