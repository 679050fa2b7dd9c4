"""What is known at some place of a segment, from the bytes before it.

A full segment has a million frames, of which a few thousand say what stays true: those are found by their first bytes,
all at once, and only they are decoded. Everybody who begins to read a journal waits for this, a daemon that starts too.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from spikedaq.journal.records import RECORD_TYPES, ClockMapRecord, SegmentStart, SessionStart, SessionStop, Snapshot
from spikedaq.journal.segments import decode_frames
from spikedaq.journal.state import HEAD_RECORDS, JournalState
from spikedaq.model import EventKind
from spikedaq.wire import Frame, FrameType

_Indexes = npt.NDArray[np.intp]
_EVERY = (
    *(int(kind) for kind in (FrameType.HELLO, FrameType.DESCRIPTION)),
    *(RECORD_TYPES[kind] for kind in (SegmentStart, SessionStart, SessionStop, Snapshot)),
)
"""Types of which every one counts."""
_NEWEST = ((int(FrameType.STATUS), int(FrameType.PONG)), (RECORD_TYPES[ClockMapRecord],))
"""Types of which only the newest of each group that can be read counts."""
_MIN_FRAME_BYTES = 5  # code, array, type, CRC
_LONGEST_NUMBER_BYTES = 5  # a seq in msgpack
_ROUND = 128


def recall(pieces: Iterable[bytes], end: int) -> tuple[JournalState, SegmentStart | None]:
    """State at position ``end`` of a segment.

    Parameters
    ----------
    pieces : iterable of bytes
        The segment from its first byte on, at least up to ``end``; no more of it is taken than is needed. What else of
        its head they hold (start and snapshots) is taken in as well, since it says nothing new.
    end : int
        Behind a frame, or within the head.

    Returns
    -------
    state : JournalState
    start : SegmentStart or None
        None where the first record is damaged.
    """
    state = JournalState()
    start: SegmentStart | None = None
    rest, position, in_head = b"", 0, True
    for piece in pieces:
        data = rest + piece
        used = 0
        while in_head and (stop := data.find(b"\0", used) + 1):
            raw = data[used:stop]
            if position + stop > end and not isinstance(JournalState().frame(raw), HEAD_RECORDS):
                return state, start
            record = state.frame(raw)
            in_head = isinstance(record, HEAD_RECORDS)
            if start is None and isinstance(record, SegmentStart):
                start = record
            used = stop
        if not in_head:
            stop = data.rfind(b"\0", used, max(used, end - position)) + 1
            if stop:
                _take_in(state, data[used:stop])
                used = stop
        rest = data[used:]
        position += used
        if not in_head and position + len(rest) >= end:
            break
    return state, start


def _take_in(state: JournalState, data: bytes) -> None:
    """Take in whole frames, those that count."""
    starts, stops = _bounds(data)
    kinds = _kinds(data, starts)
    counts = (kinds < 0) | np.isin(kinds, _EVERY)
    events = _padded(np.flatnonzero(kinds == FrameType.EVENT))
    counts[events[_are_of_parameters(data, starts[events])]] = True
    for group in _NEWEST:
        for number in np.flatnonzero(np.isin(kinds, group))[::-1]:
            if isinstance(decode_frames(data[starts[number] : stops[number]])[0], Frame):
                counts[number] = True
                break
    for number in np.flatnonzero(counts):
        state.frame(data[starts[number] : stops[number]])


def _bounds(data: bytes) -> tuple[_Indexes, _Indexes]:
    """Return where frames begin and end, the 00 included; without what is too short to be one."""
    stops = np.flatnonzero(np.frombuffer(data, np.uint8) == 0) + 1
    starts = np.concatenate([np.zeros(1, np.intp), stops[:-1]])
    long_enough = stops - starts > _MIN_FRAME_BYTES
    return starts[long_enough], stops[long_enough]


def _kinds(data: bytes, starts: _Indexes) -> npt.NDArray[np.int16]:
    """Return the type of each frame; -1 where its first bytes do not tell (see `carries_state`)."""
    raw = np.frombuffer(data, np.uint8)
    kinds = raw[starts + 2].astype(np.int16)
    return np.where(raw[starts + 1] & 0xF0 == 0x90, kinds, np.int16(-1))


def _padded(indexes: _Indexes) -> _Indexes:
    """Return indexes with some of them again, so that arrays made of them have one of few lengths.

    NumPy keeps seven freed blocks of each size below a kilobyte, up to 3.6 MB: pieces with 3 to 120 events fill that.
    """
    return np.resize(indexes, -(-len(indexes) // _ROUND) * _ROUND)


def _are_of_parameters(data: bytes, starts: _Indexes) -> npt.NDArray[np.bool_]:
    """Tell which events are changes of parameters: by the byte behind the seq, where that byte was none of zero.

    COBS leaves all bytes but zeros in place and puts in place of a zero how far it is to the next one: a spike's kind
    is zero, and may look like any other.
    """
    raw = np.frombuffer(data, np.uint8)
    widths = np.select([raw[starts + 3] == marker for marker in (0xCC, 0xCD, 0xCE)], [2, 3, 5], 1)
    kind_at = starts + 3 + widths
    last = len(raw) - 1
    zero_at = starts.copy()
    for _ in range(3 + _LONGEST_NUMBER_BYTES):
        before = zero_at < kind_at
        zero_at = np.where(before, np.minimum(zero_at + raw[np.minimum(zero_at, last)], last + 1), zero_at)
    is_parameter = raw[np.minimum(kind_at, last)] == EventKind.PARAMETER
    result: npt.NDArray[np.bool_] = is_parameter & (zero_at != kind_at)
    return result
