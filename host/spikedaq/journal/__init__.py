"""The append-only log of all that a device sent, from which recordings are made (docs/reference/journal.md)."""

from spikedaq.journal.reader import Entry, JournalReader, ReaderCounters
from spikedaq.journal.records import (
    MAX_RECORD_BYTES,
    BadFrameNote,
    ClockFitRecord,
    ClockMapRecord,
    JournalGap,
    LinkRecord,
    NoteRecord,
    PingRecord,
    ReceivedAt,
    Record,
    RequestRecord,
    SegmentStart,
    SessionStart,
    SessionStop,
    Snapshot,
    UnknownRecord,
    decode_record,
    encode_record,
)
from spikedaq.journal.state import JournalState, carries_state
from spikedaq.journal.writer import JournalCounters, JournalWriter

__all__ = [
    "MAX_RECORD_BYTES",
    "BadFrameNote",
    "ClockFitRecord",
    "ClockMapRecord",
    "Entry",
    "JournalCounters",
    "JournalGap",
    "JournalReader",
    "JournalState",
    "JournalWriter",
    "LinkRecord",
    "NoteRecord",
    "PingRecord",
    "ReaderCounters",
    "ReceivedAt",
    "Record",
    "RequestRecord",
    "SegmentStart",
    "SessionStart",
    "SessionStop",
    "Snapshot",
    "UnknownRecord",
    "carries_state",
    "decode_record",
    "encode_record",
]
