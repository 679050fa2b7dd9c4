"""A journal as those see it who make something of it: blocks, events, gaps and records in order, from an offset on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from spikedaq.journal.asked import LOOK_BACK_BYTES, Asked
from spikedaq.journal.reader import POLL_BYTES, Entry, JournalReader
from spikedaq.journal.records import JournalGap, ReceivedAt, Record, RequestRecord, SegmentStart, UnknownRecord
from spikedaq.journal.segments import offset_before
from spikedaq.journal.state import HEAD_RECORDS, JournalState, carries_state
from spikedaq.model import Block, Event, LocalProtocolError, RemoteProtocolError
from spikedaq.wire import Connection, Description, Frame, Hello, Pong, Received, Status, decode_message

WARM_UP_BYTES = 128 * 1024
"""Read before the wanted offset, so that the connection knows the frames before it: 30 of the longest. Less than what a
journal keeps below the offset that it is told of (``RETAIN_SLACK_BYTES``)."""


@dataclass(frozen=True, slots=True)
class Item:
    """Something that came out of the journal. Its frame lies between ``offset`` and ``end_offset``.

    ``origin`` is who asked for a parameter's change that the device tells, ``board`` where nobody did; else empty.
    """

    content: Received | Record | UnknownRecord
    end_offset: int
    t_received_ns: int
    offset: int = 0
    origin: str = ""


class JournalSource:
    """Turns a journal into items, one poll at a time.

    Parameters
    ----------
    folder : Path
    start_offset : int
        Items of frames that end at or before it are left out. What precedes it, as far as the journal still has it, is
        used to know the state: the same start gives the same items, whoever read before.
    poll_bytes : int
        Of the journal that are decoded at a time; the objects take some four times as much until they are given out.
    warm_up_bytes : int
        Read before ``start_offset``, over holes too. With less than the default, who asked for a change before that is
        not found.

    Attributes
    ----------
    state : JournalState
        What is known at the item that was given out last.
    gap_before : JournalGap or None
        Frames that could not be journalled before the first item, and after the last block before it.
    """

    def __init__(
        self, folder: Path, start_offset: int, *, poll_bytes: int = POLL_BYTES, warm_up_bytes: int = LOOK_BACK_BYTES
    ) -> None:
        self.folder = folder
        self._poll_bytes = poll_bytes
        self.start_offset = start_offset
        self._reader = JournalReader.open_at(folder, offset_before(folder, start_offset, warm_up_bytes))
        self.state = self._reader.state
        self._connection = Connection()
        self._asked = Asked()
        self._entries: deque[Entry] = deque()
        self._items: deque[Item] = deque()
        self._t_received_ns = 0
        self._offset = self._reader.offset
        self._after_hole = False
        self.gap_before: JournalGap | None = None
        self._seed()

    @property
    def offset(self) -> int:
        """Journal offset after the last frame that was taken in."""
        return self._offset

    @property
    def damaged_bytes(self) -> int:
        """Bytes of no good frame, which were skipped."""
        return self._reader.counters.damaged_bytes

    def peek(self) -> Item | None:
        """Next item, None where the journal has nothing new. Stays the next one until ``pop``."""
        while not self._items:
            if not self._entries:
                self._entries.extend(self._reader.poll(self._poll_bytes))
                if not self._entries:
                    return None
            self._take(self._entries.popleft())
        return self._items[0]

    def pop(self) -> None:
        """Go on to the item after the one that ``peek`` gave."""
        self._items.popleft()

    def close(self) -> None:
        """Close the journal file."""
        self._reader.close()

    def _take(self, entry: Entry) -> None:
        item = entry.item
        self._see_hole(entry)
        contents: Iterable[Received | Record | UnknownRecord]
        if isinstance(item, Frame):
            if carries_state(item.raw):
                self.state.message(item.message)
            contents = self._connection.receive_frame(item)
        else:
            if isinstance(item, ReceivedAt):
                self._t_received_ns = item.t_host_ns
            self.state.record(item)
            contents = [item]
        self._offset = entry.end_offset
        if isinstance(item, RequestRecord):
            self._asked.request(item, entry.offset)
        # Before the start too: what is answered there is not answered again.
        items = [self._item(content, entry) for content in contents]
        if entry.end_offset > self.start_offset:
            self._items.extend(items)
        elif isinstance(item, JournalGap):
            self.gap_before = item
        elif any(isinstance(made.content, Block) for made in items):
            self.gap_before = None

    def _item(self, content: Received | Record | UnknownRecord, entry: Entry) -> Item:
        origin, offset = "", entry.offset
        if isinstance(content, Event):
            origin = self._asked.origin(content, self._t_received_ns, offset)
        return Item(content, entry.end_offset, self._t_received_ns, offset, origin)

    def _see_hole(self, entry: Entry) -> None:
        """Take over what a segment's head says where frames are missing before it: a boot may have begun among them."""
        if isinstance(entry.item, SegmentStart):
            # A copy that begins where a segment does has the head of that twice.
            self._after_hole = self._after_hole or entry.offset != self._offset
        elif self._after_hole and not isinstance(entry.item, HEAD_RECORDS):
            self._after_hole = False
            self._seed()

    def _seed(self) -> None:
        """Tell the connection what was known where reading starts, without a frame of the sequence."""
        hello, descriptions, near_tick = known(self.state)
        if hello is not None:
            self._connection.seed(hello, descriptions, near_tick=near_tick)


def known(state: JournalState) -> tuple[Hello | None, list[Description], int | None]:
    """Hello, descriptions and newest 64-bit tick of a journal state."""
    hello = _decode(state.hello)
    descriptions = [d for m in state.descriptions.values() if isinstance(d := _decode(m), Description)]
    time = _decode(state.time)
    near_tick = time.tick if isinstance(time, Status | Pong) else None
    if near_tick is None and state.clock_map is not None:
        near_tick = state.clock_map.tick0
    return (hello if isinstance(hello, Hello) else None), descriptions, near_tick


def _decode(message: bytes | None) -> object:
    try:
        return None if message is None else decode_message(message)
    except (RemoteProtocolError, LocalProtocolError):
        return None
