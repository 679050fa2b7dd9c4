"""The reading end of a journal: cheap polling from any offset, in any process, while another process writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spikedaq.journal.recall import recall
from spikedaq.journal.records import (
    FIRST_RECORD_TYPE,
    Record,
    UnknownRecord,
    decode_record,
    message_type,
)
from spikedaq.journal.segments import LONGEST_FRAME_BYTES, decode_frames, list_segments, read_frames
from spikedaq.journal.state import JournalState
from spikedaq.wire import Frame

POLL_BYTES = 2**17
"""What is decoded takes four times as much. A mebibyte at a time is no faster: 41,000 frames a second either way."""
_PIECE_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Entry:
    """One frame of a journal.

    Attributes
    ----------
    offset, end_offset : int
        Journal offsets of its first byte and of the byte after its closing 00.
    item : Frame or record
        A device frame, its ``offset`` that of the entry, or a host record.
    """

    offset: int
    end_offset: int
    item: Frame | Record | UnknownRecord


@dataclass(slots=True)
class ReaderCounters:
    """What this reader could not return."""

    damaged: int = 0
    """Pieces between two zeros that were no good frame, and records with wrong fields."""
    damaged_bytes: int = 0
    skipped_bytes: int = 0
    """Journal that was deleted before it was read."""


class JournalReader:
    """Reads a journal folder from an offset on.

    Parameters
    ----------
    folder : Path
        May not exist yet.
    offset : int
        Journal offset of a frame's first byte. Where it was deleted already, reading starts at the oldest segment.

    Attributes
    ----------
    offset : int
        Where the next poll reads on.
    state : JournalState
        What was known at the offset at which ``open_at`` opened; empty otherwise. Not kept up to date.
    """

    def __init__(self, folder: Path, offset: int = 0) -> None:
        self.folder = folder
        self.offset = offset
        self.state = JournalState()
        self.counters = ReaderCounters()
        self._fd = -1
        self._base = 0

    @classmethod
    def open_at(cls, folder: Path, offset: int) -> JournalReader:
        """Open at the first frame that starts at ``offset`` or later, with the state known there.

        Reads the segment that holds the offset from its head, which repeats what earlier segments said.
        """
        reader = cls(folder, offset)
        if reader._open():
            position = _frame_at(reader._fd, reader.offset - reader._base)
            reader.offset = reader._base + position
            reader.state, _ = recall(_pieces(reader._fd), position)
        return reader

    def poll(self, max_bytes: int = POLL_BYTES) -> list[Entry]:
        """Return the next whole frames, ``max_bytes`` of them or one longer one; none where nothing new is there.

        A frame that is only partly written is left for the next poll. Damage is counted and skipped.
        """
        while self._fd >= 0 or self._open():
            data = read_frames(self._fd, self.offset - self._base, max_bytes)
            if not data:
                if not self._follow():
                    return []
                continue
            entries = []
            if data.endswith(b"\0"):
                entries = self._entries(data)
            else:
                self._damage(len(data))
            self.offset += len(data)
            if entries:
                return entries
        return []

    def end_offset(self) -> int:
        """Journal offset after the last byte that is there now."""
        segments = list_segments(self.folder)
        return segments[-1].base_offset + segments[-1].size() if segments else self.offset

    def close(self) -> None:
        """Close the open segment file. A later poll opens it again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> bool:
        """Open the segment that holds the present offset."""
        segments = list_segments(self.folder)
        if not segments:
            return False
        holding = [s for s in segments if s.base_offset <= self.offset]
        segment = holding[-1] if holding else segments[0]
        try:
            fd = os.open(segment.where, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False  # deleted a moment ago; the next poll sees what is left
        if not holding:
            self.counters.skipped_bytes += segment.base_offset - self.offset
            self.offset = segment.base_offset
        self._fd, self._base = fd, segment.base_offset
        return True

    def _follow(self) -> bool:
        """Go on to the next segment if there is one and this one has nothing more; True where polling may go on."""
        following = next((s for s in list_segments(self.folder) if s.base_offset > self._base), None)
        if following is None:
            return False
        # The writer may have added to this segment after our read and before it started the next.
        rest = os.pread(self._fd, LONGEST_FRAME_BYTES, self.offset - self._base)
        if b"\0" in rest or len(rest) == LONGEST_FRAME_BYTES:
            return True
        if rest:
            self._damage(len(rest))
        self.close()
        # Between a segment that was cut short by a power cut and the next there is a hole in the offsets.
        self.offset = following.base_offset
        return True

    def _entries(self, data: bytes) -> list[Entry]:
        entries = []
        for frame in decode_frames(data):
            start = self.offset + frame.offset
            item: Frame | Record | UnknownRecord | None = None
            if isinstance(frame, Frame):
                number = message_type(frame.message)
                if number is None or number < FIRST_RECORD_TYPE:
                    item = Frame(frame.message, frame.raw, start)
                else:
                    item = decode_record(frame.message)
            if item is None:
                self._damage(len(frame.raw))
            else:
                entries.append(Entry(start, start + len(frame.raw), item))
        return entries

    def _damage(self, n_bytes: int) -> None:
        self.counters.damaged += 1
        self.counters.damaged_bytes += n_bytes


def _frame_at(fd: int, position: int) -> int:
    """Return the first position from ``position`` on at which a frame begins; itself where that is not to be found."""
    if position <= 0 or os.pread(fd, 1, position - 1) in (b"", b"\0"):
        return position
    following = os.pread(fd, LONGEST_FRAME_BYTES, position).find(b"\0") + 1
    return position + following if following else position


def _pieces(fd: int) -> Iterator[bytes]:
    """Read a file from its first byte on."""
    position = 0
    while piece := os.pread(fd, _PIECE_BYTES, position):
        position += len(piece)
        yield piece
