"""What a reader must know to start in the middle of a journal: kept by watching what passes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from spikedaq.journal.records import (
    FIRST_RECORD_TYPE,
    ClockMapRecord,
    Record,
    SegmentStart,
    SessionStart,
    SessionStop,
    Snapshot,
    UnknownRecord,
    decode_record,
    message_type,
)
from spikedaq.journal.segments import decode_frames
from spikedaq.model import ClockMap, EventKind, RemoteProtocolError
from spikedaq.wire import Description, DescriptionKind, EventMessage, Frame, FrameType, Hello, decode_message

_KINDS = frozenset(int(kind) for kind in DescriptionKind)
_MAX_PARAMETERS = 256  # a hello counts them in a u8; an event's index is a u32, and a state must not grow with it
_PARAMETER = 1  # kind of description, protocol/README.md section 4.1
_STATE_TYPES = frozenset({FrameType.HELLO, FrameType.DESCRIPTION, FrameType.EVENT, FrameType.STATUS, FrameType.PONG})


def carries_state(raw: bytes) -> bool:
    """Whether a COBS frame may carry state, decided without decoding it.

    A short array's header and a type below 128 are two bytes that are not zero, so that COBS leaves both in place after
    its first length byte. All else, such as a hello with its 19 fields, counts as yes.
    """
    return len(raw) < 4 or raw[1] & 0xF0 != 0x90 or raw[2] in _STATE_TYPES or raw[2] >= FIRST_RECORD_TYPE


@dataclass
class JournalState:
    """Newest hello, descriptions, parameter values, time, clock map and session before some journal offset.

    ``hello``, the values of ``descriptions`` (by kind and index), ``parameters`` (events, by parameter index) and
    ``time`` (the newest status or pong, which carry 64-bit ticks) are device messages as received. ``revision`` counts
    changes of hello, descriptions and parameters.
    """

    hello: bytes | None = None
    boot_id: int | None = None
    descriptions: dict[tuple[int, int], bytes] = field(default_factory=dict)
    parameters: dict[int, bytes] = field(default_factory=dict)
    time: bytes | None = None
    clock_map: ClockMap | None = None
    session: SessionStart | None = None
    segment: SegmentStart | None = None
    revision: int = 0

    def message(self, message: bytes) -> None:
        """Take in a device message, journalled just now or repeated in a snapshot."""
        number = message_type(message)
        if number not in _STATE_TYPES:
            return
        if number in {FrameType.STATUS, FrameType.PONG}:
            self.time = message
            return
        try:
            typed = decode_message(message)
        except RemoteProtocolError:
            return
        # Only what changes the state counts: whoever keeps what it made of it makes it anew, which is not cheap.
        if isinstance(typed, Hello | Description) or (
            isinstance(typed, EventMessage) and typed.kind == EventKind.PARAMETER
        ):
            self.revision += 1
        if isinstance(typed, Hello):
            if typed.boot_id != self.boot_id:
                self._new_boot(typed.boot_id)
            self.hello = message
        elif isinstance(typed, Description) and typed.kind in _KINDS:
            self.descriptions[typed.kind, typed.index] = message
            if typed.kind == _PARAMETER:
                self.parameters.pop(typed.index, None)  # the description says the value, and is newer
        elif isinstance(typed, EventMessage) and typed.kind == EventKind.PARAMETER and typed.index < _MAX_PARAMETERS:
            self.parameters[typed.index] = message

    def frame(self, raw: bytes) -> Record | UnknownRecord | None:
        """Take in a COBS frame of a journal, device frame or record; the record where it is one."""
        if not carries_state(raw):
            return None
        for frame in decode_frames(raw):
            if not isinstance(frame, Frame):
                continue
            number = message_type(frame.message)
            if number is None or number < FIRST_RECORD_TYPE:
                self.message(frame.message)
            elif (record := decode_record(frame.message)) is not None:
                self.record(record)
                return record
        return None

    def record(self, record: Record | UnknownRecord) -> None:
        """Take in a host record."""
        if isinstance(record, ClockMapRecord):
            self.clock_map = record.map
        elif isinstance(record, SessionStart):
            self.session = record
        elif isinstance(record, SessionStop):
            if self.session is not None and self.session.session == record.session:
                self.session = None
        elif isinstance(record, Snapshot):
            self.message(record.message)
        elif isinstance(record, SegmentStart):
            if self.segment is not None and self.segment.host_boot_id != record.host_boot_id:
                self.clock_map = None  # CLOCK_BOOTTIME has started anew
            self.segment = record

    def snapshot(self, t_host_ns: int) -> list[Record]:
        """Return the records that repeat this state at the start of a segment, in the order to take them in."""
        messages = [] if self.hello is None else [self.hello]
        messages += self.descriptions.values()
        messages += self.parameters.values()
        if self.time is not None:
            messages.append(self.time)
        records: list[Record] = [Snapshot(t_host_ns, m) for m in messages]
        if self.clock_map is not None:
            records.append(ClockMapRecord(self.clock_map, t_host_ns))
        if self.session is not None:
            records.append(self.session)
        return records

    def copy(self) -> JournalState:
        """Independent copy."""
        return replace(self, descriptions=dict(self.descriptions), parameters=dict(self.parameters))

    def _new_boot(self, boot_id: int) -> None:
        self.boot_id = boot_id
        self.descriptions.clear()
        self.parameters.clear()
        self.time = None
        # A fit of the new boot may be journalled before its hello only if the daemon did not need the hello.
        if self.clock_map is not None and self.clock_map.boot_id != boot_id:
            self.clock_map = None


HEAD_RECORDS = (SegmentStart, Snapshot, ClockMapRecord, SessionStart)
"""What a segment's head is made of (docs/reference/journal.md, The head of a segment)."""
