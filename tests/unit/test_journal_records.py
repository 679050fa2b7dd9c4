"""Journal records against docs/reference/journal.md: literal bytes, and what a reader must put up with."""

from __future__ import annotations

import msgpack
import pytest

from spikedaq.journal import (
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
    TriggerRecord,
    UnknownRecord,
    decode_record,
    encode_record,
)
from spikedaq.journal.records import message_type
from spikedaq.model import ClockMap, StoreError

# Written by hand from the table and the msgpack specification, not by the code under test.
LITERAL: list[tuple[Record, str]] = [
    (SegmentStart(1, 1, "a", "ff", 0, 2, "b"), "98 40 01 01 a161 a26666 00 02 a162"),
    (ReceivedAt(2**32), "92 41 cf0000000100000000"),
    (BadFrameNote(5, "crc", 200), "94 42 05 a3637263 ccc8"),
    (ClockMapRecord(ClockMap(7, 100, 200, 1000.0, 300), 9), "97 43 09 07 64 ccc8 cb408f400000000000 cd012c"),
    (LinkRecord(1, "lost", "u", ""), "95 44 01 a46c6f7374 a175 a0"),
    (RequestRecord(1, b"\x92\x22\x01", "x"), "94 45 01 c403922201 a178"),
    (NoteRecord(1, "é", ""), "94 46 01 a2c3a9 a0"),
    (SessionStart(1, "s", 3, "{}"), "95 47 01 a173 03 a27b7d"),
    (SessionStop(1, "s", "r"), "94 48 01 a173 a172"),
    (JournalGap(1, 2), "93 49 01 02"),
    (Snapshot(1, b"\x00"), "93 4a 01 c40100"),
    (PingRecord(1, 2), "93 4b 01 02"),
    (
        TriggerRecord(1, "up", "a", 7, 300, 400, 500, 1.5, 2, 0),
        "9b 4d 01 a27570 a161 07 cd012c cd0190 cd01f4 cb3ff8000000000000 02 00",
    ),
    (ClockFitRecord(1, 7, 100, 200, 1000.0, 300, 4, 5), "99 4c 01 07 64 ccc8 cb408f400000000000 cd012c 04 05"),
]


@pytest.mark.parametrize(
    ("record", "literal"), LITERAL, ids=lambda v: type(v).__name__ if not isinstance(v, str) else ""
)
def test_each_record_is_the_bytes_of_the_reference(record: Record, literal: str) -> None:
    """Types, order and encodings of the fields are those of the table."""
    assert encode_record(record) == bytes.fromhex(literal)
    assert decode_record(bytes.fromhex(literal)) == record


def test_trailing_fields_of_a_later_version_are_ignored() -> None:
    assert decode_record(msgpack.packb([65, 1, "new", {}])) == ReceivedAt(1)


def test_unknown_types_are_kept_apart_from_damage() -> None:
    assert decode_record(msgpack.packb([99, 1, 2])) == UnknownRecord(99, (1, 2))


@pytest.mark.parametrize(
    "fields", [[65], [65, "1"], [65, True], [65, None], [67, 1, 1, 1, 1, "x", 1], ["65"], [], 65, {}]
)
def test_fields_missing_or_of_the_wrong_type_are_damage(fields: object) -> None:
    """Nothing is raised and nothing is guessed."""
    assert decode_record(msgpack.packb(fields)) is None


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x92", b"\x92\x41", b"\xff" * 40])
def test_bytes_that_are_no_msgpack_are_damage(data: bytes) -> None:
    assert decode_record(data) is None


def test_a_type_is_read_or_none_whatever_the_bytes() -> None:
    """A device's frame with a good CRC may hold a map with a key that no Python dict can have."""
    assert message_type(msgpack.packb([64, 1])) == 64
    assert message_type(b"\xdc\x00\x03\x03\x07\x81\x81\x01\x02\x03") is None
    assert message_type(b"\x81\x90\x01") is None


def test_an_integer_slope_is_a_float() -> None:
    """Msgpack writers in other languages send 1000.0 as 1000."""
    got = decode_record(msgpack.packb([67, 9, 7, 100, 200, 1000, 300]))
    assert isinstance(got, ClockMapRecord)
    assert isinstance(got.map.ns_per_tick, float)


def test_a_record_that_no_reader_could_see_whole_is_refused() -> None:
    with pytest.raises(StoreError, match="too long"):
        encode_record(NoteRecord(1, "x" * MAX_RECORD_BYTES, "me"))
