"""When missing frames are asked for again, and when they are given up, on a manual clock."""

from dataclasses import replace

import pytest

from spikedaq.device.resend import Ask, GiveUp, Resend
from spikedaq.device.seams import Timing
from spikedaq.wire import Connection, Hello, Log, Reply, encode_frame, encode_message

DEPTH = 32
HELLO = Hello(0, 1, 1, "0.3.0", "abc", "native", b"\1\2\3\4", 7, 100, 10, 8, 0, 0, DEPTH, 0, 3, 1024, False)
MS = 1_000_000
TIMING = Timing()


class Rig:
    """A connection and its Resend; frames are lines of log, which need no samples."""

    def __init__(self, **changes):
        self.connection = Connection(reorders=True)
        self.resend = Resend(TIMING)
        self.now_ns = 10**9
        self.request_id = 100
        self.connection.receive(encode_frame(encode_message(replace(HELLO, **changes))))

    def come(self, *seqs):
        for seq in seqs:
            self.connection.receive(encode_frame(encode_message(Log(seq, 20, "x"))))
        return self.next()

    def next(self):
        """What it wants now; a wish is granted, a surrender is carried out."""
        step = self.resend.next(self.connection, self.now_ns)
        if isinstance(step, Ask):
            self.request_id += 1
            self.resend.asked(step, self.request_id, self.now_ns)
        elif isinstance(step, GiveUp):
            self.connection.give_up(step.before_seq)
        return step

    def reply(self, value, code=0):
        return self.resend.answered(Reply(0, self.request_id, code, value), self.now_ns)

    def wait(self):
        """Let the time pass until something is due; return it."""
        assert self.resend.due_ns is not None and self.resend.due_ns >= self.now_ns
        self.now_ns = self.resend.due_ns
        return self.next()


def test_nothing_missing_nothing_due():
    """A link that loses nothing costs no timer."""
    rig = Rig()
    assert rig.come(1, 2, 3) is None
    assert rig.resend.due_ns is None


def test_asks_at_once_and_one_request_at_a_time():
    """The first missing frame is asked for when it is noticed; later ones when that request is done."""
    rig = Rig()
    assert rig.come(1, 4) == Ask(2, 2, 2)
    assert rig.come(5, 9) is None
    assert rig.come(2) is None
    assert rig.come(3) == Ask(6, 3, 3)
    assert rig.come(6, 7, 8) is None
    assert rig.resend.due_ns is None
    assert rig.resend.counters.requests == 2


def test_runs_close_to_each_other_are_asked_for_together():
    """Two frames between them come again; three are too many."""
    rig = Rig()
    rig.connection.receive(b"".join(encode_frame(encode_message(Log(s, 20, "x"))) for s in (1, 3, 4, 7, 8, 9, 11)))
    assert rig.next() == Ask(2, 5, 3)


def test_timeout_follows_the_round_trip_within_bounds():
    """A quick link is asked again after 50 ms, a slow one after 250 ms at most."""
    resend = Resend(TIMING)
    assert 50 * MS <= resend.timeout_ns <= 250 * MS
    resend.round_trip(1 * MS)
    assert resend.timeout_ns == 50 * MS
    for _ in range(50):
        resend.round_trip(100 * MS)
    assert 100 * MS < resend.timeout_ns < 130 * MS
    resend.round_trip(10**10)
    assert resend.timeout_ns == 250 * MS


def test_asks_again_with_growing_patience_then_gives_up():
    """No answer at all: a bounded number of requests within about a second, then the frames are lost."""
    rig = Rig()
    rig.resend.round_trip(1 * MS)
    start_ns = rig.now_ns
    assert isinstance(rig.come(1, 3), Ask)
    times, step = [], None
    while not isinstance(step, GiveUp):
        step = rig.wait()
        times.append((rig.now_ns - start_ns) // MS)
    assert times == [50, 150, 350, 600, 850, 1000]
    assert step == GiveUp(3)
    assert rig.connection.counters.frames_missing == rig.resend.counters.given_up == 1
    assert rig.next() is None
    assert rig.resend.due_ns is None


def test_what_keeps_coming_is_waited_for_longer_but_not_forever():
    """Each frame that comes renews the patience, up to five seconds."""
    rig = Rig()
    assert rig.come(1, 31) == Ask(2, 29, 29)
    start_ns, seq, given_up_ns = rig.now_ns, 2, None
    while given_up_ns is None:
        step = rig.wait()
        if isinstance(step, GiveUp):
            given_up_ns = rig.now_ns
        elif rig.now_ns - start_ns > seq * 400 * MS:
            rig.come(seq)
            seq += 1
    assert 2.5e9 < given_up_ns - start_ns <= 5e9 + 1
    assert rig.connection.missing() == []


def test_what_the_device_has_no_more_is_given_up_at_once():
    """A reply of 2 of 5: the three oldest are gone, the two others are waited for."""
    rig = Rig()
    assert rig.come(1, 7) == Ask(2, 5, 5)
    assert rig.reply(2)
    assert rig.next() == GiveUp(5)
    assert rig.next() is None
    assert rig.connection.missing() == [(5, 2)]
    assert rig.come(5, 6) is None
    assert rig.resend.counters.given_up == 3


@pytest.mark.parametrize(("value", "code"), [(0, 0), ("no", 4), (None, 0), (-3, 0)])
def test_a_device_that_has_none(value, code):
    """A reply of 0, and any refusal, end the waiting."""
    rig = Rig()
    assert rig.come(1, 4) == Ask(2, 2, 2)
    assert rig.reply(value, code)
    assert rig.next() == GiveUp(4)
    assert rig.next() is None


def test_replies_to_others_are_not_taken():
    """An answer to a request that timed out, or to somebody else's."""
    rig = Rig()
    assert rig.come(1, 4) == Ask(2, 2, 2)
    assert not rig.resend.answered(Reply(0, 5, 0, 0), rig.now_ns)
    assert rig.next() is None


def test_after_a_long_break_only_what_it_can_remember_is_asked_for():
    """The newest frames within its depth; the reply shows that those before them are gone."""
    rig = Rig()
    assert rig.come(1, 501) == Ask(501 - DEPTH + 1, DEPTH - 1, DEPTH - 1, older_too=True)
    assert rig.reply(DEPTH - 1)
    assert rig.next() == GiveUp(501 - DEPTH + 1)
    assert rig.next() is None
    assert rig.connection.missing() == [(501 - DEPTH + 1, DEPTH - 1)]


def test_a_jump_that_the_device_knows_nothing_of():
    """It has none of the frames before a frame far ahead: perhaps that one is wrong, so a hello may still tell."""
    rig = Rig()
    assert isinstance(rig.come(1, 5000), Ask)
    rig.reply(0)
    assert rig.next() is None
    assert rig.connection.wants_hello
    rig.connection.receive(encode_frame(encode_message(replace(HELLO, seq=2))))
    assert rig.next() is None
    assert rig.resend.due_ns is None
    # Without a hello, patience ends it.
    rig = Rig()
    start_ns = rig.now_ns
    rig.come(1, 5000)
    while not isinstance(rig.wait(), GiveUp):
        rig.reply(0)
    assert 500 * MS < rig.now_ns - start_ns <= 1000 * MS


def test_frames_that_left_the_memory_while_waiting_are_given_up():
    """Nothing is asked for that is further back than the device can remember."""
    rig = Rig(resend_depth=4)
    assert rig.come(1, 3) == Ask(2, 1, 1)
    assert rig.come(4, 5, 6, 7) is None
    assert rig.wait() == GiveUp(3)


def test_a_later_loss_has_its_own_time():
    """What was lost while an older loss was waited for is not given up with it."""
    rig = Rig()
    rig.resend.round_trip(1 * MS)
    assert rig.come(1, 3) == Ask(2, 1, 1)
    rig.now_ns += 40 * MS
    assert rig.come(9) is None
    step = None
    while not isinstance(step, GiveUp):
        step = rig.wait()
    assert step == GiveUp(3)
    assert rig.next() == Ask(4, 5, 5)
    assert rig.resend.due_ns - rig.now_ns == 50 * MS


def test_a_lost_link_ends_what_is_under_way():
    """After it, nothing is due, and a late reply is nobody's."""
    rig = Rig()
    rig.come(1, 3)
    rig.resend.reset()
    assert rig.resend.due_ns is None
    assert not rig.reply(1)


def test_order_and_counts_across_the_wrap():
    """Numbers that wrap are asked for as any others."""
    rig = Rig(seq=2**32 - 3)
    assert rig.come(2**32 - 2, 2) == Ask(2**32 - 1, 3, 3)
    assert rig.come(0) is None
    rig.reply(1)
    assert rig.next() == GiveUp(1)
    assert rig.come(1) is None
    assert rig.connection.missing() == []
