"""The host's own journal records, types 64 and up: dataclasses, and their msgpack form (docs/reference/journal.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgpack

from spikedaq.model import ClockMap, StoreError

JOURNAL_VERSION = 1
FIRST_RECORD_TYPE = 64
"""Types from here on are never on a link (protocol/README.md, section 3)."""
MAX_RECORD_BYTES = 256 * 1024
"""A reader takes a journal in pieces of at least twice this; a longer record could never be seen whole."""


@dataclass(frozen=True, slots=True)
class SegmentStart:
    """First record of every segment file."""

    t_host_ns: int
    version: int
    device: str
    unique_id: str
    base_offset: int
    utc_ns: int
    host_boot_id: str


@dataclass(frozen=True, slots=True)
class ReceivedAt:
    """The device frames up to the next record were read at ``t_host_ns``."""

    t_host_ns: int


@dataclass(frozen=True, slots=True)
class BadFrameNote:
    """Bytes that made no good frame; ``reason`` as in wire.BadFrame."""

    t_host_ns: int
    reason: str
    n_bytes: int


@dataclass(frozen=True, slots=True)
class ClockMapRecord:
    """A piece of the clock map, in force for the blocks that follow it in the journal."""

    map: ClockMap
    t_host_ns: int


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """The link changed its state: ``opened``, ``lost`` or ``closed``."""

    t_host_ns: int
    state: str
    url: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """A message sent to the device (not pings); ``origin`` says on whose behalf."""

    t_host_ns: int
    message: bytes
    origin: str


@dataclass(frozen=True, slots=True)
class NoteRecord:
    """A remark by a user or a program."""

    t_host_ns: int
    text: str
    origin: str


@dataclass(frozen=True, slots=True)
class SessionStart:
    """A recording session of this device starts here."""

    t_host_ns: int
    session: str
    utc_ns: int
    config_json: str


@dataclass(frozen=True, slots=True)
class SessionStop:
    """The session's recording of this device ends here."""

    t_host_ns: int
    session: str
    reason: str


@dataclass(frozen=True, slots=True)
class JournalGap:
    """``n_frames`` device frames arrived and could not be written (disk full)."""

    t_host_ns: int
    n_frames: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A device message that came earlier, repeated at the start of a segment. Not part of the frame sequence."""

    t_host_ns: int
    message: bytes


@dataclass(frozen=True, slots=True)
class PingRecord:
    """A ping was sent at ``t_send_ns``; the pong is a device frame."""

    t_send_ns: int
    token: int


@dataclass(frozen=True, slots=True)
class UnknownRecord:
    """A record of a type that a later version added; read over."""

    type: int
    fields: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class ClockFitRecord:
    """A device clock as measured: ``t_tick_host_ns`` is the host time of ``tick``; see clock.Estimate."""

    t_host_ns: int
    boot_id: int
    tick: int
    t_tick_host_ns: int
    ns_per_tick: float
    uncertainty_ns: int
    n_pings: int
    best_round_trip_ns: int


@dataclass(frozen=True, slots=True)
class TriggerRecord:
    """A trigger fired. It follows the block or event that made it fire, in the journal of every device concerned.

    Attributes
    ----------
    t_host_ns : int
        When the record was made.
    trigger, device : str
        Name of the trigger, and of the device on which it fired.
    boot_id, step, tick : int
        The instant, in that device's steps and ticks. Where device is "" (fired by hand) they are 0.
    t_trigger_ns : int
        The instant in host time, by the clock map then in force; for other devices, and for those without one.
    value : float
        What fired it: the level, count or rate; NaN where there is none.
    pre_us, post_us : int
        The window to record around the instant, in microseconds; both 0 where it is only to be marked.
    """

    t_host_ns: int
    trigger: str
    device: str
    boot_id: int
    step: int
    tick: int
    t_trigger_ns: int
    value: float
    pre_us: int
    post_us: int


Record = (
    SegmentStart
    | ReceivedAt
    | BadFrameNote
    | ClockMapRecord
    | LinkRecord
    | RequestRecord
    | NoteRecord
    | SessionStart
    | SessionStop
    | JournalGap
    | Snapshot
    | PingRecord
    | ClockFitRecord
    | TriggerRecord
)

# Type number -> class and the msgpack types of its fields. The clock map is flattened by hand below.
_TABLE: dict[int, tuple[type, tuple[type, ...]]] = {
    64: (SegmentStart, (int, int, str, str, int, int, str)),
    65: (ReceivedAt, (int,)),
    66: (BadFrameNote, (int, str, int)),
    67: (ClockMapRecord, (int, int, int, int, float, int)),
    68: (LinkRecord, (int, str, str, str)),
    69: (RequestRecord, (int, bytes, str)),
    70: (NoteRecord, (int, str, str)),
    71: (SessionStart, (int, str, int, str)),
    72: (SessionStop, (int, str, str)),
    73: (JournalGap, (int, int)),
    74: (Snapshot, (int, bytes)),
    75: (PingRecord, (int, int)),
    76: (ClockFitRecord, (int, int, int, int, float, int, int, int)),
    77: (TriggerRecord, (int, str, str, int, int, int, int, float, int, int)),
}
RECORD_TYPES: dict[type, int] = {cls: number for number, (cls, _) in _TABLE.items()}
_pack: Callable[[Any], bytes] = msgpack.Packer(use_bin_type=True).pack


def encode_record(record: Record) -> bytes:
    """Message bytes of a record, without CRC and framing.

    Raises
    ------
    StoreError
        Longer than ``MAX_RECORD_BYTES``.
    """
    number = RECORD_TYPES[type(record)]
    if isinstance(record, ClockMapRecord):
        m = record.map
        fields = [record.t_host_ns, m.boot_id, m.tick0, m.t_host0_ns, float(m.ns_per_tick), m.uncertainty_ns]
    else:
        fields = [getattr(record, name) for name in type(record).__slots__]
    message = _pack([number, *fields])
    if len(message) > MAX_RECORD_BYTES:
        raise StoreError(
            f"a journal record {type(record).__name__} of {len(message)} bytes is too long; at most "
            f"{MAX_RECORD_BYTES} are possible, so shorten its text"
        )
    return message


def message_type(message: bytes) -> int | None:
    """Type number of a msgpack message, None where it is not an array that starts with an integer."""
    if len(message) >= 2 and message[0] & 0xF0 == 0x90 and message[1] < 0x80:
        return message[1]
    try:
        fields = msgpack.unpackb(message, strict_map_key=False)
    except (ValueError, TypeError, msgpack.UnpackException):  # TypeError: a map with a key that cannot be one in Python
        return None
    if isinstance(fields, list) and fields and type(fields[0]) is int:
        return int(fields[0])
    return None


def decode_record(message: bytes) -> Record | UnknownRecord | None:
    """Record in a message of type 64 or more; None where its fields are missing or of the wrong type."""
    try:
        number, *fields = msgpack.unpackb(message, strict_map_key=False)
    except (ValueError, TypeError, msgpack.UnpackException):
        return None
    if type(number) is not int:
        return None
    entry = _TABLE.get(number)
    if entry is None:
        return UnknownRecord(number, tuple(fields))
    cls, kinds = entry
    # Trailing fields are a later version's; ignored as on the wire.
    if len(fields) < len(kinds) or not all(_fits(f, k) for f, k in zip(fields, kinds, strict=False)):
        return None
    fields = fields[: len(kinds)]
    if cls is ClockMapRecord:
        t_host_ns, boot_id, tick0, t_host0_ns, ns_per_tick, uncertainty_ns = fields
        return ClockMapRecord(ClockMap(boot_id, tick0, t_host0_ns, float(ns_per_tick), uncertainty_ns), t_host_ns)
    record: Record = cls(*fields)
    return record


def _fits(value: Any, kind: type) -> bool:
    """Whether a decoded field is of its table's type; an integer passes for a float, a bool for nothing."""
    return type(value) is kind or (kind is float and type(value) is int)
