"""What a disk would not take: frames are counted, and records kept until there is space, up to a bound."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from spikedaq.journal.records import (
    BadFrameNote,
    ClockFitRecord,
    ClockMapRecord,
    JournalGap,
    NoteRecord,
    PingRecord,
    ReceivedAt,
    Record,
    SessionStart,
    SessionStop,
    encode_record,
)
from spikedaq.wire import encode_frame

MAX_RECORDS = 1000
"""Kept at most: some 100 kB. Beyond it the oldest go."""
# Come again by themselves, all the time; where the disk is full they would push out what is said once.
_CHATTER = (ReceivedAt, PingRecord, ClockFitRecord, BadFrameNote)
_LAST_TO_GO = (SessionStart, SessionStop, NoteRecord, ClockMapRecord)


@dataclass(frozen=True, slots=True)
class Piece:
    """One frame to be written, and what it is worth if it cannot be: a device's frame has no record."""

    raw: bytes
    record: Record | None


def piece_of(record: Record) -> Piece:
    """Return a host record as a piece.

    Raises
    ------
    StoreError
        The record is too long ever to be written.
    """
    return Piece(encode_frame(encode_record(record)), record)


class Withheld:
    """What could not be written, until it can."""

    def __init__(self) -> None:
        self._records: deque[Piece] = deque()
        self._frames_missing = 0  # since the last journal_gap record

    def due(self, t_host_ns: int) -> tuple[list[Piece], list[Piece]]:
        """Return what goes before anything else: that frames are missing, where they are, and the records in order."""
        gap = [piece_of(JournalGap(t_host_ns, self._frames_missing))] if self._frames_missing else []
        return gap, list(self._records)

    def written(self, n_pieces: int) -> None:
        """Let go of the first of what was due, which were written."""
        if n_pieces and self._frames_missing:
            self._frames_missing = 0
            n_pieces -= 1
        for _ in range(n_pieces):
            self._records.popleft()

    def keep(self, piece: Piece) -> bool:
        """Count a frame, or keep a record, that was not written; whether another record is lost for it."""
        if piece.record is None:
            self._frames_missing += 1
        elif isinstance(piece.record, ClockMapRecord):
            # The newest of a boot stands for those before it.
            boot_id = piece.record.map.boot_id
            self._records = deque([*(p for p in self._records if _boot_of_map(p.record) != boot_id), piece])
        elif not isinstance(piece.record, _CHATTER):
            is_full = len(self._records) >= MAX_RECORDS
            if is_full:
                first = next((k for k, p in enumerate(self._records) if not isinstance(p.record, _LAST_TO_GO)), 0)
                del self._records[first]
            self._records.append(piece)
            return is_full
        return False


def _boot_of_map(record: Record | None) -> int | None:
    return record.map.boot_id if isinstance(record, ClockMapRecord) else None
