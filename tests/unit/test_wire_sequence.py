"""What is missing between blocks, and why: protocol/README.md, section 5, case by case."""

import numpy as np
import pytest

from spikedaq.model import Block, BlockFlag, Event, EventKind, GapCause, RemoteProtocolError
from spikedaq.wire import SequenceTracker

LOST, OVERRUN, STOPPED = GapCause.LOST, GapCause.OVERRUN, GapCause.STOPPED


def block(seq, first_step, n=10, flags=0, tick=None, step_us=100, stream=0):
    tick = first_step * 100 if tick is None else tick
    return Block(7, seq, stream, first_step, tick, step_us, BlockFlag(flags), np.zeros((n, 8), np.int16))


def overrun(seq, step, n_samples):
    return Event(7, seq, EventKind.OVERRUN, step, step * 100, n_samples, 0.0)


def run(*items):
    """Feed blocks and events by their seq; give (cause, first step, steps) of every gap."""
    tracker = SequenceTracker(7)
    gaps = []
    for item in items:
        tracker.frame(item.seq)
        if isinstance(item, Event):
            tracker.event(item)
        else:
            gaps += tracker.block(item)
    assert tracker.lost_samples == sum(g.n_steps for g in gaps if g.cause is LOST)
    assert tracker.overrun_samples == sum(g.n_steps for g in gaps if g.cause is OVERRUN)
    return [(g.cause, g.first_step, g.n_steps) for g in gaps]


def test_seamless():
    """Blocks that follow each other have no gap; the first has none whatever its step."""
    assert run(block(5, 1000), block(6, 1010), block(7, 1020)) == []


def test_lost():
    """A missing frame and missing samples: lost."""
    assert run(block(0, 0), block(2, 20)) == [(LOST, 10, 10)]


def test_lost_frame_without_samples():
    """A missing frame that was not a block leaves no gap."""
    assert run(block(0, 0), block(2, 10)) == []


def test_overrun_without_missing_frames():
    """No frame is missing: overrun, whether the block says so or not, whether the event came or not."""
    for flags in (0, 2):
        assert run(block(0, 0), block(1, 30, flags=flags)) == [(OVERRUN, 10, 20)]
        assert run(block(0, 0), overrun(1, 10, 20), block(2, 30, flags=flags)) == [(OVERRUN, 10, 20)]


def test_block_says_overrun_and_its_event_was_lost():
    """The flag suffices when the event is the frame that is missing."""
    assert run(block(0, 0), block(2, 30, flags=2)) == [(OVERRUN, 10, 20)]


def test_lost_and_overrun_together():
    """Where frames are missing, the event tells which samples the device discarded; the rest is lost."""
    assert run(block(0, 0), overrun(2, 20, 5), block(3, 25, flags=2)) == [(LOST, 10, 10), (OVERRUN, 20, 5)]
    assert run(block(0, 0), overrun(1, 10, 5), block(3, 25)) == [(OVERRUN, 10, 5), (LOST, 15, 10)]
    assert run(block(0, 0), overrun(2, 15, 5), block(4, 40)) == [(LOST, 10, 5), (OVERRUN, 15, 5), (LOST, 20, 20)]


def test_two_overruns_in_one_gap():
    """Each event accounts for its own range; ranges that overlap are not counted twice."""
    assert run(block(0, 0), overrun(2, 12, 4), overrun(3, 20, 5), block(4, 30)) == [
        (LOST, 10, 2), (OVERRUN, 12, 4), (LOST, 16, 4), (OVERRUN, 20, 5), (LOST, 25, 5),
    ]  # fmt: skip
    assert run(block(0, 0), overrun(2, 12, 6), overrun(3, 15, 5), block(4, 30)) == [
        (LOST, 10, 2), (OVERRUN, 12, 8), (LOST, 20, 10),
    ]  # fmt: skip


def test_overrun_event_beyond_the_gap():
    """An event never accounts for more than is missing, nor for samples outside the gap."""
    assert run(block(0, 0), overrun(2, 5, 1000), block(3, 20)) == [(OVERRUN, 10, 10)]
    assert run(block(0, 0), overrun(2, 0, 10), block(3, 20)) == [(LOST, 10, 10)]


def test_overrun_event_ahead_of_its_block():
    """An event that overtakes blocks queued before it waits for the block it speaks of."""
    assert run(block(0, 0), overrun(1, 20, 5), block(2, 10), block(4, 35)) == [(OVERRUN, 20, 5), (LOST, 25, 10)]


def test_overrun_event_is_used_once():
    """An event explains one gap, not the next one, too."""
    assert run(block(0, 0), overrun(1, 10, 10), block(2, 20, flags=2), block(4, 40)) == [
        (OVERRUN, 10, 10),
        (LOST, 30, 10),
    ]


def test_stopped_is_no_loss():
    """After a start nobody asked for what is between, even where frames are missing."""
    assert run(block(0, 0), block(1, 5000, flags=4)) == [(STOPPED, 10, 4990)]
    assert run(block(0, 0), block(9, 5000, flags=4)) == [(STOPPED, 10, 4990)]
    assert run(block(0, 0), block(1, 10, flags=4)) == []


def test_loss_before_the_previous_block_is_not_blamed_again():
    """Missing frames count for the gap they lie in only."""
    assert run(block(0, 0), block(2, 20), block(3, 50)) == [(LOST, 10, 10), (OVERRUN, 30, 20)]


def test_seq_wraps():
    """2**32 - 1 is followed by 0, and losses across the wrap are counted."""
    tracker = SequenceTracker(7)
    assert [tracker.frame(seq) for seq in (2**32 - 2, 2**32 - 1, 0, 1)] == [0, 0, 0, 0]
    tracker = SequenceTracker(7)
    assert [tracker.frame(seq) for seq in (2**32 - 2, 1)] == [0, 2]
    assert tracker.frames_missing == 2
    assert tracker.behind(2**32 - 1) == 3
    assert tracker.behind(2) == tracker.behind(5) == 0


def test_unreadable_samples_are_lost():
    """A block that arrived and could not be read leaves a loss, though no frame is missing."""
    tracker = SequenceTracker(7)
    tracker.frame(0)
    tracker.block(block(0, 0))
    tracker.frame(1)
    tracker.unreadable()
    tracker.frame(2)
    (gap,) = tracker.block(block(2, 20))
    assert gap.cause is LOST
    assert tracker.frames_missing == 0


def test_streams_apart():
    """Each stream has its own steps."""
    assert run(block(0, 0), block(1, 500, stream=1), block(2, 10), block(3, 520, stream=1)) == [(OVERRUN, 510, 10)]


def test_steps_that_go_back():
    """A block that starts before the end of the one before is refused and changes nothing."""
    tracker = SequenceTracker(7)
    tracker.frame(0)
    tracker.block(block(0, 100))
    tracker.frame(1)
    for step in (0, 100, 109):
        with pytest.raises(RemoteProtocolError, match="before step 110"):
            tracker.block(block(1, step))
    assert tracker.block(block(2, 110)) == []


def test_gap_ticks():
    """A gap's first tick is that of its first missing sample, and never past the block that ends it."""
    tracker = SequenceTracker(7)
    for item in (block(0, 0, tick=1000), overrun(2, 20, 5)):
        tracker.frame(item.seq)
        _ = tracker.event(item) if isinstance(item, Event) else tracker.block(item)
    tracker.frame(3)
    lost, discarded = tracker.block(block(3, 25, tick=3500))
    assert (lost.first_tick, discarded.first_tick) == (2000, 3000)
    tracker.frame(5)
    (gap,) = tracker.block(block(5, 40, tick=4400))
    assert gap.first_tick == 4400


def test_overrun_events_do_not_pile_up():
    """A device that only ever sends overrun events does not fill the memory."""
    tracker = SequenceTracker(7)
    for seq in range(10_000):
        tracker.frame(seq)
        tracker.event(overrun(seq, seq * 10, 5))
    assert len(tracker._overruns) <= 256
