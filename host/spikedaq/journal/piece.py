"""A journal in pieces, byte for byte, for whoever copies it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from spikedaq.journal.reader import JournalReader
from spikedaq.journal.records import SegmentStart, decode_record, encode_record
from spikedaq.journal.segments import LONGEST_FRAME_BYTES, Segment, decode_frames, list_segments
from spikedaq.model import StoreError
from spikedaq.wire import Frame, encode_frame

MIN_PIECE_BYTES = LONGEST_FRAME_BYTES
"""A piece may be asked for with less only where an empty one is no harm: the longest frame may not fit in it."""
_START_BYTES = 4096  # a SegmentStart holds three short texts and four numbers


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole frames of one segment, as they stand in it.

    Attributes
    ----------
    offset : int
        Journal offset of the first byte of ``data``. Beyond what was asked for where that is gone, or was never there.
    data : bytes
        Empty where nothing more is there.
    segment, stamp : int
        Base offset of the segment, and when it was begun (UTC, nanoseconds): together they name it.
    first, end : int
        Where the journal begins and ends now.
    """

    offset: int
    data: bytes
    segment: int
    stamp: int
    first: int
    end: int


def read_piece(folder: Path, offset: int, max_bytes: int) -> Piece | None:
    """Return what a journal holds from ``offset`` on, at most ``max_bytes`` of it; None where there is no journal."""
    segments = list_segments(folder)
    if not segments:
        return None
    first, end = segments[0].base_offset, segments[-1].base_offset + segments[-1].size()
    number = max((i for i, s in enumerate(segments) if s.base_offset <= offset), default=0)
    offset = max(offset, segments[number].base_offset)
    while True:
        segment = segments[number]
        data = _whole_frames(segment, offset, max_bytes)
        if data or number + 1 == len(segments):
            return Piece(offset, data, segment.base_offset, _stamp(segment), first, end)
        # All is written by the time that a later segment is there, and this one was listed together with it.
        number += 1
        offset = segments[number].base_offset


def head_at(folder: Path, offset: int, t_host_ns: int) -> tuple[int, bytes]:
    """Return a segment's head for a copy that begins at ``offset``, and the frame boundary at which it does.

    Raises
    ------
    StoreError
        There is no journal, or its beginning cannot be read.
    """
    reader = JournalReader.open_at(folder, offset)
    reader.close()
    start = reader.state.segment
    if start is None:
        raise StoreError(f"the journal in {folder} has no segment that can be read at {offset}")
    records = [start, *reader.state.snapshot(t_host_ns)]
    return reader.offset, b"".join(encode_frame(encode_record(record)) for record in records)


def segment_start(data: bytes) -> SegmentStart | None:
    """Return the record that a segment begins with, from its first bytes; None where it is damaged."""
    frames = decode_frames(data[: data.find(b"\0") + 1])
    record = decode_record(frames[0].message) if frames and isinstance(frames[0], Frame) else None
    return record if isinstance(record, SegmentStart) else None


def _whole_frames(segment: Segment, offset: int, max_bytes: int) -> bytes:
    try:
        fd = os.open(segment.where, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""  # trimmed a moment ago
    try:
        data = os.pread(fd, max_bytes, offset - segment.base_offset)
    finally:
        os.close(fd)
    return data[: data.rfind(b"\0") + 1]


def _stamp(segment: Segment) -> int:
    try:
        with open(segment.where, "rb") as file:  # noqa: PTH123 - see `Segment.where`
            start = segment_start(file.read(_START_BYTES))
    except FileNotFoundError:
        return 0
    return start.utc_ns if start is not None else 0
