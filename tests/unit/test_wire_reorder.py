"""Frames that wait for missing ones: order, release, giving up, bounds, boots."""

from dataclasses import replace

import msgpack
import numpy as np
import pytest

from spikedaq.model import Block, Gap, GapCause
from spikedaq.wire import (
    BadFrame,
    BlockMessage,
    Connection,
    EventMessage,
    FrameDecoder,
    Hello,
    Log,
    Pong,
    Rebooted,
    Status,
    encode_frame,
    encode_message,
)
from spikedaq.wire.held import MAX_HELD_BYTES, HeldFrame, HeldFrames

DEPTH = 32
HELLO = Hello(0, 1, 1, "0.3.0", "abc", "native", b"\1\2\3\4", 7, 100, 10, 8, 20, 20, DEPTH, 1000, 3, 1024, False)
PAYLOAD = np.arange(80, dtype="<i2").tobytes()


def block(seq, first_step=None, **changes):
    first_step = (seq - 1) * 10 if first_step is None else first_step
    return replace(BlockMessage(seq, 0, first_step, first_step * 100 % 2**32, 100, 10, 0, PAYLOAD, 0), **changes)


def event(seq, kind=0, step=0, index=0):
    return EventMessage(seq, kind, step, step * 100, index, 1.5)


def raw(message):
    return message if isinstance(message, bytes) else encode_frame(encode_message(message))


def started(*messages, **changes):
    connection = Connection(reorders=True)
    connection.receive(raw(replace(HELLO, **changes)))
    return connection, connection.receive(b"".join(map(raw, messages)))


def names(received):
    return [r.reason if isinstance(r, BadFrame) else type(r).__name__ for r in received]


def seqs(received):
    return [r.seq for r in received if isinstance(r, Block)]


def kept(connection):
    """Numbers of the frames that a journal gets."""
    return [msgpack.unpackb(frame.message)[1] for frame in connection.last_frames]


def test_blocks_wait_for_a_missing_one():
    """What follows a missing block comes out after it, in order, and nothing is a gap."""
    connection, received = started(block(1), block(3), event(4), block(5, 30))
    assert seqs(received) == [1]
    assert connection.missing() == [(2, 1)]
    assert (len(connection.held), connection.counters.frames_missing) == (3, 0)
    received = connection.receive(raw(block(2)))
    assert names(received) == ["Block", "Block", "Event", "Block"]
    assert seqs(received) == [2, 3, 5]
    assert kept(connection) == [2, 3, 4, 5]
    assert connection.missing() == []
    assert (connection.held.n_bytes, connection.counters.late, connection.counters.frames_missing) == (0, 1, 0)


def test_frames_keep_the_time_at_which_they_came():
    """A journal says of each frame when it was read, though it writes it later."""
    connection, _ = started(block(1))
    connection.receive(raw(block(3)), 300)
    assert connection.last_frames == []
    connection.receive(raw(block(4)), 400)
    assert not connection.last_held
    connection.receive(raw(block(2)) + raw(block(5)), 500)
    assert connection.last_held
    assert [(f.t_host_ns, seq) for f, seq in zip(connection.last_frames, kept(connection), strict=True)] == [
        (500, 2),
        (300, 3),
        (400, 4),
        (500, 5),
    ]


def test_answers_are_given_out_at_once_and_keep_their_place():
    """The reply to a request for missing frames does not wait for them; a journal still gets all in order, once."""
    status = Status(5, 10**6, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    connection, received = started(block(1), block(3), Log(4, 20, "x"), status, Pong(6, 1, 10**6, 0), block(7, 30))
    assert names(received) == ["Block", "Log", "Status", "Pong"]
    received = connection.receive(raw(block(2)))
    assert names(received) == ["Block", "Block", "Block"]
    assert kept(connection) == [2, 3, 4, 5, 6, 7]


def test_an_early_hello_of_the_same_boot_is_given_out_at_once():
    """After a reopened link the hello comes first, and tells what is missing before it."""
    connection, _ = started(block(1))
    received = connection.receive(raw(replace(HELLO, seq=4, running=True)) + raw(block(5, 30)))
    assert names(received) == ["Hello"]
    assert connection.info.running
    assert connection.missing() == [(2, 2)]
    received = connection.receive(raw(block(2)) + raw(block(3)))
    assert seqs(received) == [2, 3, 5]
    assert kept(connection) == [2, 3, 4, 5]


def test_giving_up_all():
    """What cannot be had becomes a lost gap with its exact first step and count."""
    connection, _ = started(block(1), block(4, 30), block(6, 50))
    received = connection.give_up()
    assert names(received) == ["Gap", "Block", "Gap", "Block"]
    assert received[0] == Gap(7, 0, 10, 20, 1000, GapCause.LOST)
    assert received[2] == Gap(7, 0, 40, 10, 4000, GapCause.LOST)
    assert kept(connection) == [4, 6]
    assert (connection.counters.frames_missing, connection.counters.lost_samples) == (3, 30)
    assert connection.give_up() == []


def test_giving_up_a_part():
    """Frames before a number are given up, those after it are still waited for; the gap is exact."""
    connection, _ = started(block(1), block(5, 40), block(8, 70))
    assert connection.give_up(3) == []
    assert connection.missing() == [(3, 2), (6, 2)]
    assert seqs(connection.receive(raw(block(2)))) == []
    assert connection.counters.duplicates == 1
    received = connection.receive(raw(block(3)) + raw(block(4)))
    assert names(received) == ["Gap", "Block", "Block", "Block"]
    assert received[0] == Gap(7, 0, 10, 10, 1000, GapCause.LOST)
    assert names(connection.give_up(7)) == []
    assert connection.missing() == [(7, 1)]
    assert connection.give_up(7) == []
    assert names(connection.give_up(8)) == ["Gap", "Block"]
    assert connection.counters.frames_missing == 3


def test_an_overrun_that_was_missing_is_still_an_overrun():
    """The event that tells the cause is asked for as well as any block."""
    connection, _ = started(block(1), block(3, 30, flags=2))
    received = connection.receive(raw(event(2, 3, 10, 20)))
    assert names(received) == ["Event", "Gap", "Block"]
    assert received[1].cause is GapCause.OVERRUN
    assert connection.counters.lost_samples == 0


@pytest.mark.parametrize("twice", [block(1), block(3), block(2)])
def test_doubles_never_come_out(twice):
    """Neither one of a frame that is out, nor of one that is held, nor of one that filled a hole."""
    connection, received = started(block(1), block(3), twice, twice)
    received += connection.receive(raw(twice) + raw(block(2)) + raw(twice))
    assert seqs(received) == [1, 2, 3]
    assert connection.counters.duplicates >= 3


def test_without_depth_nothing_is_held():
    """A device that cannot send again is followed as it speaks; so is every journal."""
    connection, received = started(block(1), block(3), resend_depth=0)
    assert names(received) == ["Block", "Gap", "Block"]
    assert not connection.held
    connection = Connection()
    assert names(connection.receive(raw(HELLO) + raw(block(1)) + raw(block(3)))) == ["Hello", "Block", "Gap", "Block"]


def test_number_of_frames_is_bounded():
    """Once more is held than the device remembers twice over, the oldest missing frame is given up and counted."""
    connection, received = started(block(1), *(block(seq) for seq in range(3, 3 + 2 * DEPTH + 64)))
    assert seqs(received) == [1]
    received = connection.receive(raw(block(3 + 2 * DEPTH + 64)))
    assert names(received)[:2] == ["Gap", "Block"]
    assert not connection.held
    assert connection.counters.overflows == connection.counters.frames_missing == 1


def test_number_of_bytes_is_bounded():
    """Long frames of a device with a long memory are bounded by their bytes."""
    held = HeldFrames(65535)
    long = bytes(4000)
    (frame,) = FrameDecoder().feed(encode_frame(long))
    for seq in range(MAX_HELD_BYTES // 4000 + 2):
        held.add(seq, HeldFrame(frame), 0)
        if held.overfull:
            break
    assert len(held) * 4000 <= MAX_HELD_BYTES + 4100
    assert held.overfull


def test_reboot_releases_what_is_held_first():
    """What waited in the old boot comes out with its gaps, then the new boot starts."""
    connection, received = started(block(1), block(3), block(4))
    received = connection.receive(raw(replace(HELLO, boot_id=8)) + raw(block(1)) + raw(block(3)))
    assert names(received) == ["Gap", "Block", "Block", "Rebooted", "Block"]
    assert [r.boot_id for r in received if isinstance(r, Block)] == [7, 7, 8]
    assert received[3] == Rebooted(replace(HELLO, boot_id=8), 7)
    assert kept(connection) == [3, 4, 0, 1]
    assert connection.missing() == [(2, 1)]


def test_a_frame_far_ahead_is_cleared_by_a_hello():
    """A frame that no frame of this boot can be: once a hello shows where the device is, nothing waits for it."""
    connection, _ = started(block(1), block(5000, 0))
    assert connection.wants_hello
    assert connection.missing() == [(2, 4998)]
    assert seqs(connection.receive(raw(block(2)))) == [2]
    assert names(connection.receive(raw(replace(HELLO, seq=3)))) == ["Hello"]
    assert connection.missing() == []
    assert connection.counters.stale == 1
    assert seqs(connection.receive(raw(block(4, 20)))) == [4]


def test_much_that_is_missing_is_confirmed_by_a_hello():
    """The same after a long break of the link: the hello lies behind what came, so it stays."""
    connection, _ = started(block(1), block(500))
    received = connection.receive(raw(replace(HELLO, seq=501)) + raw(block(502, 5000)))
    assert names(received) == ["Hello"]
    assert names(connection.give_up(500)) == ["Gap", "Block", "Block"]


def test_another_frame_with_the_number_of_a_held_one():
    """Two frames cannot have one number: somebody has rebooted, a hello is wanted."""
    connection, _ = started(block(1), block(3), block(3, 500))
    assert connection.wants_hello
    assert connection.counters.duplicates == 1


def test_malformed_frames_take_their_place():
    """A frame with a good CRC would come again just as it is, so nobody waits for it; its samples are lost."""
    bad = encode_frame(msgpack.packb([3, 2, 0, "no"]))
    connection, received = started(block(1), bad, block(3))
    assert names(received) == ["Block", "malformed", "Gap", "Block"]
    assert kept(connection) == [1, 2, 3]
    connection, received = started(block(1), block(3), encode_frame(msgpack.packb([5, 4, "no"])), bad, block(5))
    assert names(received) == ["Block", "malformed", "malformed", "Gap", "Block", "Gap", "Block"]
    assert connection.missing() == []


def test_what_has_no_number_waits_for_nothing():
    """Echoes and rubbish with a good CRC pass; what a journal could take for its own record never reaches it."""
    echo, rubbish = encode_frame(msgpack.packb([34, 5])), encode_frame(msgpack.packb("x"))
    record = encode_frame(msgpack.packb([72, 1, "session", "because"]))
    connection, received = started(block(1), block(3), echo, rubbish, record, encode_frame(msgpack.packb([3, -1])))
    assert names(received) == ["Block", "UnknownMessage", "malformed", "UnknownMessage", "malformed"]
    assert [f.raw for f in connection.last_frames[1:]] == [echo, rubbish, encode_frame(msgpack.packb([3, -1]))]


def test_order_across_the_wrap_of_the_numbers():
    """Numbers wrap while frames are held."""
    connection, received = started(block(2**32 - 2, 0), block(0, 20), block(2, 40), seq=2**32 - 3)
    assert connection.missing() == [(2**32 - 1, 1), (1, 1)]
    received += connection.receive(raw(block(1, 30)) + raw(block(2**32 - 1, 10)))
    assert seqs(received) == [2**32 - 2, 2**32 - 1, 0, 1, 2]


def test_seeded_with_what_a_journal_has():
    """A new daemon in the same boot waits for what was sent while none was there."""
    connection = Connection(reorders=True)
    connection.seed(replace(HELLO, running=True), near_tick=5 * 2**32, next_seq=40)
    received = connection.receive(raw(block(43, 30)) + raw(replace(HELLO, seq=44, running=True)) + raw(block(45, 40)))
    assert names(received) == ["Hello"]
    assert connection.missing() == [(40, 3)]
    received = connection.receive(b"".join(raw(block(seq, 10 * (seq - 40))) for seq in (40, 41, 42)))
    assert seqs(received) == [40, 41, 42, 43, 45]
    assert received[0].first_tick == 5 * 2**32
    # Without the number, the first frame that comes is the start.
    connection = Connection(reorders=True)
    connection.seed(HELLO)
    assert seqs(connection.receive(raw(block(43, 30)))) == [43]
