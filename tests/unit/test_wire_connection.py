"""The connection: boots, sequence, ticks, and everything that must not come through."""

import struct
import zlib
from dataclasses import replace

import msgpack
import numpy as np
import pytest
from cobs import cobs

from spikedaq.model import Block, Event, Gap, GapCause
from spikedaq.wire import (
    BadFrame,
    BlockMessage,
    Connection,
    Description,
    EventMessage,
    FrameDecoder,
    Hello,
    Log,
    Ping,
    Pong,
    Rebooted,
    Status,
    UnknownMessage,
    encode_frame,
    encode_message,
)

HELLO = Hello(0, 1, 0, "0.1.0", "abc", "native", b"\1\2\3\4", 7, 100, 10, 8, 20, 20, 0, 1000, 1, 1024, False)
PAYLOAD = np.arange(80, dtype="<i2").tobytes()


def block(seq, first_step, **changes):
    return replace(BlockMessage(seq, 0, first_step, first_step * 100 % 2**32, 100, 10, 0, PAYLOAD, 0), **changes)


def event(seq, kind=0, step=0, tick=0, index=0, value=1.5):
    return EventMessage(seq, kind, step, tick, index, value)


def status(seq, tick, step=0):
    return Status(seq, tick, step, 0, 0, 0, 0, 0, 0, 0, 0)


def raw_frame(*fields):
    return encode_frame(msgpack.packb(fields))


def data_of(*messages):
    return b"".join(m if isinstance(m, bytes) else encode_frame(encode_message(m)) for m in messages)


def started(*messages, **changes):
    """A connection after hello, and what the messages then gave."""
    connection = Connection()
    connection.receive(data_of(replace(HELLO, **changes)))
    return connection, connection.receive(data_of(*messages))


def names(received):
    return [r.reason if isinstance(r, BadFrame) else type(r).__name__ for r in received]


def test_hello_then_blocks():
    """Blocks come out with their samples, boot, seq and widened tick."""
    connection = Connection()
    hello, first, second = connection.receive(data_of(HELLO, block(1, 0, flags=4), block(2, 10, flags=1)))
    assert hello == HELLO
    assert connection.info == HELLO
    assert connection.n_channels == 8
    assert (first.boot_id, first.seq, first.first_step, first.first_tick, first.step_us) == (7, 1, 0, 0, 100)
    np.testing.assert_array_equal(first.samples, np.arange(80).reshape(8, 10).T)
    assert second.flags == 1
    assert connection.counters.saturated_blocks == 1
    assert connection.counters.blocks == 2
    assert connection.counters.frames == 3


def test_last_frames_are_the_good_ones_with_their_bytes():
    """What a journal keeps: every frame with a good CRC, malformed, doubled or early ones too, and no other."""
    malformed = raw_frame("no")
    data = data_of(block(0, 0), HELLO, malformed, b"\x05\x05\0", block(1, 0), block(1, 0))
    connection = Connection()
    connection.receive(data)
    expected = [block(0, 0), HELLO, malformed, block(1, 0), block(1, 0)]
    assert [f.raw for f in connection.last_frames] == [data_of(m) for m in expected]
    connection.receive(b"")
    assert connection.last_frames == []


def test_frames_before_the_first_hello():
    """Without a hello nobody knows the boot: nothing comes out, everything is counted."""
    connection = Connection()
    assert connection.receive(data_of(block(5, 100), event(6), Pong(7, 1, 1, 1), raw_frame(30, 8))) == []
    assert connection.counters.before_hello == 4
    connection.receive(data_of(replace(HELLO, seq=9), block(10, 140)))
    assert connection.counters.frames_missing == 0
    assert connection.counters.blocks == 1


def test_lost_frame():
    """A gap comes just before the block that shows it, and is counted once."""
    connection, received = started(block(1, 0), block(3, 20), block(4, 30))
    assert names(received) == ["Block", "Gap", "Block", "Block"]
    assert received[1] == Gap(7, 0, 10, 10, 1000, GapCause.LOST)
    assert connection.counters.frames_missing == 1
    assert connection.counters.lost_samples == 10
    assert connection.counters.overrun_samples == 0


def test_overrun():
    """The device's own word for it goes to another counter."""
    connection, received = started(block(1, 0), event(2, 3, 10, 1000, 20), block(3, 30, flags=2))
    assert names(received) == ["Block", "Event", "Gap", "Block"]
    assert received[2].cause is GapCause.OVERRUN
    assert (connection.counters.lost_samples, connection.counters.overrun_samples) == (0, 20)


def test_stop_and_start_is_counted_nowhere():
    """Samples that nobody asked for are a gap for the reader and a loss for no counter."""
    connection, received = started(block(1, 0), block(2, 500, flags=4))
    assert received[1].cause is GapCause.STOPPED
    assert (connection.counters.lost_samples, connection.counters.overrun_samples) == (0, 0)


def test_same_frame_twice():
    """A frame that comes twice, or late, is dropped and counted: no sample is doubled."""
    connection, received = started(block(1, 0), block(1, 0), event(2), event(2), block(1, 0), block(3, 10))
    assert names(received) == ["Block", "Event", "Block"]
    assert connection.counters.duplicates == 3
    assert connection.counters.frames_missing == 0


def test_seq_wraps():
    """The sequence wraps without a loss."""
    connection, received = started(block(2**32 - 1, 0), block(0, 10), block(1, 20), seq=2**32 - 2)
    assert names(received) == ["Block"] * 3
    assert connection.counters.frames_missing == 0


def test_reboot():
    """Another boot_id starts afresh: seq, steps, ticks and descriptions, without gap or loss."""
    connection, received = started(
        Pong(1, 0, 2**40, 0),
        block(2, 1000),
        Description(3, 1, 0, 0, ("vm", "mV", 1, -2, 0)),
        replace(HELLO, boot_id=8),
        block(1, 0),
    )
    assert received[3] == Rebooted(replace(HELLO, boot_id=8), 7)
    assert names(received[4:]) == ["Block"]
    assert (received[4].boot_id, received[4].first_tick) == (8, 0)
    assert connection.descriptions == {}
    assert connection.counters.reboots == 1
    assert connection.counters.frames_missing == 0


def test_hello_again_in_the_same_boot():
    """An answer to another hello? is a Hello, not a reboot; it renews the info and counts in the sequence."""
    connection, received = started(block(1, 0), replace(HELLO, seq=3, running=True), block(4, 10))
    assert names(received) == ["Block", "Hello", "Block"]
    assert connection.info.running
    assert connection.counters.frames_missing == 1
    assert connection.counters.reboots == 0


def test_reboot_whose_hello_was_lost():
    """Frames far behind are kept out and a hello is wanted; once it comes, everything is in order."""
    connection, received = started(block(1, 0), block(50_000, 10), block(1, 0), block(2, 10))
    assert names(received) == ["Block", "Block"]
    assert connection.counters.stale == 2
    assert connection.wants_hello
    received = connection.receive(data_of(replace(HELLO, boot_id=8, seq=3), block(4, 30)))
    assert names(received) == ["Rebooted", "Block"]
    assert not connection.wants_hello


def test_reboot_whose_hello_was_lost_and_seq_caught_up():
    """A block whose step lies behind is not believed, even if its seq would fit."""
    connection, received = started(block(1, 1000), block(2, 0), block(3, 10))
    assert names(received)[0] == "Block"
    assert "Block" not in names(received[1:])
    assert connection.counters.blocks == 1
    assert connection.wants_hello


def test_hello_of_the_boot_before():
    """A late hello of the last boot does not switch back; if it insists, it is right."""
    new = replace(HELLO, boot_id=8)
    connection, received = started(block(1, 0), new, replace(HELLO, seq=9), block(1, 0))
    assert names(received) == ["Block", "Rebooted", "Block"]
    assert received[2].boot_id == 8
    assert connection.counters.stale == 1
    received = connection.receive(data_of(replace(HELLO, seq=10)))
    assert received == [Rebooted(replace(HELLO, seq=10), 8)]


def test_same_boot_id_far_behind():
    """A device that begins again with the same boot_id (or a stale frame that took us ahead) is a reboot, too."""
    connection, received = started(block(1, 0), block(9000, 10), HELLO, block(1, 0))
    assert names(received) == ["Block", "Block", "Rebooted", "Block"]
    assert received[2] == Rebooted(HELLO, 7)
    assert connection.counters.reboots == 1


def test_hello_of_another_major_version():
    """It comes out, so that it can be refused by name, and nothing of that device is read."""
    connection = Connection()
    received = connection.receive(data_of(raw_frame(1, 0, 2, 0, "odd")) + data_of(block(1, 0)))
    assert names(received) == ["Hello"]
    assert received[0].major == 2
    assert connection.info is None
    assert connection.counters.before_hello == 1


def test_tick_is_widened_through_its_wrap():
    """Blocks across 2**32 µs go on without a jump."""
    near = 2**32 - 500
    received = started(block(1, 0, first_tick=near), block(2, 10, first_tick=(near + 1000) % 2**32))[1]
    assert [b.first_tick for b in received] == [near, near + 1000]


def test_tick_near_a_pong():
    """The high word comes from a pong or a status; a block may lie a little before it, across the wrap too."""
    received = started(Pong(1, 0, 3 * 2**32 + 5, 0), block(2, 0, first_tick=2**32 - 10), event(3, tick=7))[1]
    assert received[1].first_tick == 3 * 2**32 - 10
    assert received[2].tick == 3 * 2**32 + 7
    assert started(status(1, 2**40), block(2, 0, first_tick=3))[1][1].first_tick == 2**40 + 3


def test_tick_after_a_long_stop():
    """Hours without blocks are bridged by the statuses between."""
    messages = [block(1, 0, first_tick=0)]
    messages += [status(2 + k, (k + 1) * 10**9) for k in range(20)]
    received = started(*messages, block(22, 500, first_tick=20 * 10**9 % 2**32 + 5, flags=4))[1]
    assert received[-1].first_tick == 20 * 10**9 + 5


def test_running_device_without_a_known_tick():
    """What a device already running sends is kept out until its 64-bit tick is known, since its time is not."""
    connection, received = started(block(1, 0), event(2), Pong(3, 0, 2**33, 0), block(4, 20), running=True)
    assert names(received) == ["Pong", "Block"]
    assert received[1].first_tick == 2**33 + 2000
    assert connection.counters.before_tick == 2


def test_tick_that_goes_back():
    """A tick behind that of the block before is a violation; the samples count as lost, the next block is good."""
    connection, received = started(block(1, 0, first_tick=10**6), block(2, 10, first_tick=5), block(3, 20))
    assert names(received) == ["Block", "malformed", "Gap", "Block"]
    assert received[2].cause is GapCause.LOST
    assert connection.counters.malformed == 1


def test_block_of_wrong_length_is_lost():
    """It is told as malformed with its bytes, and its samples are a gap of cause lost."""
    bad = block(2, 10, payload=PAYLOAD[:-2])
    connection, received = started(block(1, 0), bad, block(3, 20))
    assert names(received) == ["Block", "malformed", "Gap", "Block"]
    assert received[1].raw == data_of(bad)
    assert received[2].cause is GapCause.LOST
    assert connection.counters.frames_missing == 0


def test_unknown_codec():
    """It is counted by itself and its samples are missing, as the protocol says."""
    connection, received = started(block(1, 0), block(2, 10, codec=3), block(3, 20))
    assert names(received) == ["Block", "malformed", "Gap", "Block"]
    assert connection.counters.unknown_codec == 1


@pytest.mark.parametrize(
    ("position", "value"),
    [(1, -1), (1, None), (3, 2**63), (3, "1"), (4, 2**32), (5, 1.0), (6, 0), (6, True), (7, -1), (8, "text"), (9, 256)],
)
def test_block_with_a_bad_field(position, value):
    """Each field of a block is checked on the quick path, too."""
    fields = [3, 1, 0, 0, 0, 100, 10, 0, PAYLOAD, 0]
    fields[position] = value
    assert names(started(raw_frame(*fields))[1]) == ["malformed"]
    assert names(started(raw_frame(*fields[:-1]))[1]) == ["malformed"]


def test_numbers_beyond_every_clock():
    """Steps and ticks of 2**62 and more would break arrays of int64 further on: malformed."""
    connection, received = started(
        Pong(1, 0, 2**62, 0), Pong(2, 0, 0, 2**64 - 1), status(3, 2**63), event(4, step=2**62), block(5, 2**62)
    )
    assert names(received) == ["malformed"] * 5
    assert connection.counters.malformed == 5


def test_unknown_types():
    """Later types and echoed host messages come out as unknown; a device's count in the sequence."""
    connection, received = started(
        raw_frame(30, 1, "new"), Ping(5), raw_frame(64, 1), raw_frame(-1), block(2, 0), raw_frame(30, 2)
    )
    assert received[:4] == [
        UnknownMessage(30, (1, "new")),
        UnknownMessage(34, (5,)),
        UnknownMessage(64, (1,)),
        UnknownMessage(-1, ()),
    ]
    assert names(received[4:]) == ["Block"]
    assert connection.counters.unknown == 4
    assert connection.counters.duplicates == 1
    assert connection.counters.frames_missing == 0


def test_block_of_another_stream():
    """Streams that no hello told of are unknown, not mixed with stream 0."""
    connection, received = started(block(1, 0), block(2, 0, stream=1), block(3, 10))
    assert names(received) == ["Block", "UnknownMessage", "Block"]
    assert connection.counters.unknown == 1


def test_bad_frames_by_reason():
    """Each reason has its own count."""
    wrong_crc = cobs.encode(b"\x92\x05\x01" + struct.pack("<I", zlib.crc32(b"?"))) + b"\0"
    connection, received = started(b"\x05\0", b"\x02\x01\0", wrong_crc, b"\x01" * 5000 + b"\0", raw_frame("x"))
    assert names(received) == ["cobs", "short", "crc", "oversize", "malformed"]
    assert connection.counters.bad_frames == {"cobs": 1, "short": 1, "crc": 1, "oversize": 1}
    assert connection.counters.malformed == 1


def test_descriptions_are_remembered():
    """The newest of each kind and index, of this boot."""
    first = Description(1, 1, 0, 0, ("vm", "mV", 1, -2, 0))
    second = replace(first, seq=2, body=("vm", "mV", 1, -1, 0))
    assert started(first, second)[0].descriptions == {(0, 0): second}


def test_seed():
    """A snapshot sets what the device is and leaves the sequence open; the first frame starts it."""
    description = Description(3, 1, 0, 0, ("vm", "mV", 1, -2, 0))
    connection = Connection()
    connection.seed(replace(HELLO, running=True), [description], near_tick=5 * 2**32)
    received = connection.receive(data_of(block(1000, 500), block(1002, 520)))
    assert names(received) == ["Block", "Gap", "Block"]
    assert received[0].first_tick == 5 * 2**32 + 50_000
    assert connection.counters.frames_missing == 1
    assert connection.descriptions == {(0, 0): description}
    # Seeding again in mid-stream, as at each segment of a journal, disturbs nothing.
    connection.seed(HELLO, [description])
    (nothing_missing,) = connection.receive(data_of(block(1003, 530)))
    assert isinstance(nothing_missing, Block)
    assert connection.receive(data_of(replace(HELLO, boot_id=8)))[0] == Rebooted(replace(HELLO, boot_id=8), 7)


def test_preset_channels():
    """The number of channels may be known before any hello; the hello has the last word."""
    connection = Connection(n_channels=3)
    assert connection.n_channels == 3
    connection.receive(data_of(HELLO))
    assert connection.n_channels == 8


def test_event_fields():
    """An event comes out with its boot and a wide tick; kinds of a later version pass."""
    _, (received,) = started(event(1, kind=9, step=5, tick=6, index=7, value=2))
    assert received == Event(7, 1, 9, 5, 6, 7, 2.0)


def test_log_passes():
    """Text of the device reaches the host."""
    assert started(Log(1, 30, "hot"))[1] == [Log(1, 30, "hot")]


def test_receive_frame_is_the_same_machine():
    """Frames of a journal give what the bytes gave."""
    data = data_of(HELLO, block(1, 0), block(3, 20), event(4), replace(HELLO, boot_id=9), raw_frame("x"))
    live, replayed = Connection(), Connection()
    expected = live.receive(data)
    frames = FrameDecoder().feed(data)
    received = [item for frame in frames for item in replayed.receive_frame(frame)]
    assert [repr(r) for r in received] == [repr(r) for r in expected]
    assert replayed.counters == live.counters
