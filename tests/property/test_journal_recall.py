"""What is known at a place of a segment: found fast, it is what taking in every frame would tell."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from spikedaq.journal.recall import recall
from spikedaq.journal.records import (
    ClockMapRecord,
    NoteRecord,
    ReceivedAt,
    SegmentStart,
    SessionStart,
    SessionStop,
    Snapshot,
    encode_record,
)
from spikedaq.journal.state import HEAD_RECORDS, JournalState
from spikedaq.model import ClockMap
from spikedaq.wire import Description, EventMessage, Hello, Log, Pong, Status, encode_frame, encode_message

NUMBERS = st.sampled_from([0, 1, 2, 127, 128, 255, 256, 0x0200, 0x02000000, 65535, 65536, 2**24, 0x01020304, 2**32 - 1])
TIMES = st.sampled_from([0, 1, 2**16, 2**24, 2**40 + 2])
BOOTS = st.sampled_from([1, 2, 0x00FF0002])


def _hello(boot_id: int, seq: int) -> Hello:
    return Hello(
        seq, 1, 0, "board", "1.0", "hash", b"\x01\x02\x03\x04", boot_id, 100, 8, 1, 1, 1, 100, 0, 0, 64, True, 0
    )


EVENTS = st.builds(
    EventMessage,
    NUMBERS,
    st.integers(0, 5),
    TIMES,
    NUMBERS,
    st.sampled_from([0, 1, 2, 255, 300]),
    st.sampled_from([0.0, 1.5]),
)
MESSAGES = st.one_of(
    EVENTS,
    EVENTS,
    st.builds(_hello, BOOTS, NUMBERS),
    st.builds(
        Description, NUMBERS, NUMBERS, st.sampled_from([0, 3]), st.integers(0, 3), st.just(["vm", "mV", 1, -2, 0])
    ),
    st.builds(
        Description, NUMBERS, NUMBERS, st.just(1), st.integers(0, 3), st.just(["a", "1", 0, 0.0, 1.0, 0.5, 0.5, 0, 0])
    ),
    st.builds(Status, NUMBERS, TIMES, TIMES, *[st.just(0)] * 7, st.just(0)),
    st.builds(Pong, NUMBERS, NUMBERS, TIMES, TIMES),
    st.builds(Log, NUMBERS, st.integers(0, 3), st.text(max_size=5)),
).map(encode_message)
RECORDS = st.one_of(
    st.builds(ReceivedAt, TIMES),
    st.builds(NoteRecord, TIMES, st.text(max_size=300), st.just("me")),
    st.builds(ClockMapRecord, st.builds(ClockMap, BOOTS, TIMES, TIMES, st.just(1000.0), st.just(5)), TIMES),
    st.builds(SessionStart, TIMES, st.sampled_from(["a", "b"]), TIMES, st.just("{}")),
    st.builds(SessionStop, TIMES, st.sampled_from(["a", "b"]), st.just("stopped")),
    st.builds(Snapshot, TIMES, MESSAGES),
    st.builds(
        SegmentStart, TIMES, st.just(1), st.just("a"), st.just("01"), st.just(0), TIMES, st.sampled_from(["x", "y"])
    ),
).map(encode_record)
FRAMES = st.one_of(MESSAGES, RECORDS).map(encode_frame)
DAMAGED = st.builds(
    lambda frame, at, bit: bytes(b ^ (1 << bit) if k == at % len(frame) else b for k, b in enumerate(frame)),
    FRAMES,
    st.integers(0, 40),
    st.integers(0, 7),
)


def _slowly(frames: list[bytes]) -> JournalState:
    state = JournalState()
    for frame in frames:
        state.frame(frame)
    return state


@settings(max_examples=600)
@given(
    frames=st.lists(st.one_of(FRAMES, FRAMES, FRAMES, DAMAGED), max_size=40),
    at=st.integers(0, 40),
    n_bytes=st.sampled_from([1, 7, 64, 10_000]),
)
def test_recalling_takes_in_what_reading_every_frame_would(frames: list[bytes], at: int, n_bytes: int) -> None:
    """Whatever the frames are, however the segment comes in pieces."""
    head = encode_frame(encode_record(SegmentStart(1, 1, "a", "01", 0, 5, "x")))
    after_head = encode_frame(encode_record(ReceivedAt(7)))
    before = [head, after_head, *frames[:at]]
    end = sum(map(len, before))
    data = b"".join([*before, *frames[at:]])
    pieces = [data[k : k + n_bytes] for k in range(0, len(data), n_bytes)]
    state, start = recall(pieces, end)
    # A frame that lost its closing 00 is one with the next: cut where the zeros are.
    whole = [piece + b"\0" for piece in data[:end].split(b"\0")[:-1]]
    assert state == _slowly(whole)
    assert start is not None
    assert start.host_boot_id == "x"


@given(frames=st.lists(FRAMES, min_size=1, max_size=10))
def test_what_follows_the_head_is_not_known_at_its_beginning(frames: list[bytes]) -> None:
    """The head repeats what was known; a boot or a session that comes behind it is not known yet."""
    head = [
        encode_frame(encode_record(r))
        for r in (SegmentStart(1, 1, "a", "01", 0, 5, "x"), Snapshot(1, encode_message(_hello(1, 0))))
    ]
    behind = [f for f in frames if not isinstance(JournalState().frame(f), HEAD_RECORDS)]
    state, _ = recall([b"".join([*head, *behind])], 0)
    assert state == _slowly(head)


def test_no_more_of_a_segment_is_read_than_is_needed() -> None:
    head = encode_frame(encode_record(SegmentStart(1, 1, "a", "01", 0, 5, "x")))
    piece = encode_frame(encode_record(ReceivedAt(7))) * 10
    taken = []

    def pieces():
        for number, data in enumerate([head, piece, piece, piece]):
            taken.append(number)
            yield data

    recall(pieces(), len(head) + len(piece))
    assert taken == [0, 1]
