"""What a stream says of a trial: literal messages, in every order and with every fault that may come."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedaq.bus import Message
from spikedaq.experiment.watch import TrialWatch
from spikedaq.model import ChannelInfo

CHANNELS = {
    mode: [ChannelInfo("vm", "mV", 1, -2), ChannelInfo(name, unit, 1, exponent), ChannelInfo("trigger", "1", 1, 0)]
    for mode, name, unit, exponent in (("current", "stimulus", "%", 0), ("voltage", "v_command", "mV", -2))
}
ROWS = np.array([100, 250, -250, 49, 10_000], np.int16)
SHOWN = [1, 3, -3, 0, 100]


def block(step: int, stimulus: list[int], marks: list[int] | None = None, **header: Any) -> Message:
    n = len(stimulus)
    samples = np.array([[-7000] * n, stimulus, marks or [0] * n], "<i2")
    tick = header.pop("tick", 1_000_000 + 100 * step)
    values = {
        "boot": 7, "step": step, "tick": tick, "step_us": 100, "count": n, "channels": 3,
        "layout": "channel-major", "mode": "current", "t_ns": tick * 1000, "u_ns": 5_000, **header,
    }  # fmt: skip
    return Message("b/alpha/samples/", values, samples.tobytes())


def event(kind: str, step: int, value: float = 1, **header: Any) -> Message:
    values = {
        "kind": kind,
        "boot": 7,
        "step": step,
        "tick": 1_000_000 + 100 * step,
        "index": 0,
        "value": value,
        **header,
    }
    return Message("b/alpha/events/", values, b"")


def watch(*messages: Message, arm_after: int = 1) -> TrialWatch:
    w = TrialWatch("alpha", ROWS, CHANNELS)
    for number, message in enumerate(messages):
        if number == arm_after:
            w.arm()
        w.take(message)
    return w


def test_the_event_says_where_it_began_and_every_row_is_compared() -> None:
    """Rows 1 to 5 at steps 12 to 16, in two blocks; the event may come before its block or behind it."""
    first, second = block(10, [0, 0, *SHOWN[:3]], [0, 0, 1, 0, 0]), block(15, [*SHOWN[3:], 0])
    for messages in ([first, event("trigger", 12), second], [event("trigger", 12), first, second]):
        w = watch(block(0, [0] * 10), *messages, event("stimulus_end", 17))
        assert (w.first_step, w.first_tick, w.first_step_us) == (12, 1_001_200, 100)
        assert (w.end_step, w.end_tick) == (17, 1_001_700)
        assert (w.n_seen, w.n_different, w.has_channel, w.fault) == (5, 0, True, None)


def test_what_was_not_played_right_is_counted() -> None:
    """One row off by more than the rounding of the channel, one that is missing altogether."""
    w = watch(block(0, [0] * 10), event("trigger", 10), block(10, [1, 1, -3]), block(14, [100, 0]))
    assert (w.n_seen, w.n_different) == (4, 1)


def test_square_waves_and_what_was_before_the_order_to_play_do_not_count() -> None:
    """The square wave's event has the value 0; one of a waveform before is of a step before."""
    w = watch(block(0, [0] * 10), event("trigger", 12, value=0), event("trigger", 9), event("trigger", 12, boot=6))
    assert (w.first_step, w.fault) == (None, None)
    unarmed = watch(event("trigger", 3), block(0, [0] * 10), arm_after=99)
    assert unarmed.first_step is None


def test_an_event_that_was_discarded_is_made_up_for_by_the_mark() -> None:
    """After a second of the device's clock without it; the rows before that are compared all the same."""
    blocks = [block(10 + 100 * k, [0] * 100) for k in range(1, 102)]
    w = watch(block(0, [0] * 10), block(10, [*SHOWN, *[0] * 95], [1, *[0] * 99]), *blocks)
    assert (w.first_step, w.first_tick) == (10, 1_001_000)
    assert (w.n_seen, w.n_different, w.end_tick) == (5, 0, 1_001_500)


def test_in_voltage_clamp_nothing_is_compared_and_the_event_holds() -> None:
    w = watch(block(0, [0] * 10, mode="voltage"), event("trigger", 10), block(10, [9] * 10, mode="voltage"))
    assert (w.first_step, w.end_tick, w.has_channel, w.n_seen) == (10, 1_001_500, False, 0)


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([block(10, [0] * 10, boot=8)], "alpha rebooted"),
        (
            [event("trigger", 10), block(10, [0] * 2), event("stimulus_end", 12)],
            "stopped the stimulus after 2 of 5 rows",
        ),
        ([event("trigger", 10), block(10, [0] * 3), event("trigger", 13)], "another stimulus meanwhile, at step 13"),
    ],
)
def test_what_cannot_go_on_is_said(messages: list[Message], text: str) -> None:
    w = watch(block(0, [0] * 10), *messages)
    assert w.fault is not None
    assert text in w.fault


def test_the_end_of_another_waveform_is_not_its_end() -> None:
    """That of the row of 0, told late; and its own, which comes when it should."""
    w = watch(block(0, [0] * 10), event("stimulus_end", 9), event("trigger", 10), block(10, [*SHOWN, 0]),
              event("stimulus_end", 15))  # fmt: skip
    assert w.fault is None


def test_gaps_count_from_the_baseline_on() -> None:
    w = TrialWatch("alpha", ROWS, CHANNELS)
    w.take(block(0, [0] * 10))
    w.take(event("gap", 10, count=5, cause="lost"))
    # Steps 20 to 29 begin at 2 ms of host time, and the recording at 2.5 ms.
    w.recorded_from(1_002_500_000)
    w.take(block(20, [0] * 10))
    assert w.recorded_tick is None
    w.take(block(30, [0] * 10))
    assert (w.recorded_tick, w.gaps) == (1_003_000, {})
    w.take(event("gap", 40, count=5, cause="lost"))
    w.take(event("gap", 45, count=2, cause="overrun"))
    w.take(event("gap", 47, count=1, cause="lost"))
    w.missing(3, "deleted")
    assert w.gaps == {"lost": 6, "overrun": 2, "dropped": 3}
    w.missing(None, "deleted")
    assert "rebooted" in str(w.fault)


def test_without_a_clock_the_second_block_counts() -> None:
    """The first may have been under way when the recording began."""
    w = TrialWatch("alpha", ROWS, CHANNELS)
    w.recorded_from(10**18)
    for step in (0, 10, 20):
        w.take(block(step, [0] * 10, t_ns=None, u_ns=None))
    assert w.recorded_tick == 1_001_000


def test_the_uncertainty_of_the_clock_is_allowed_for() -> None:
    w = TrialWatch("alpha", ROWS, CHANNELS)
    w.recorded_from(1_000_999_000)
    w.take(block(10, [0] * 10, u_ns=2_000))
    assert w.recorded_tick is None
    w.take(block(20, [0] * 10, u_ns=2_000))
    assert w.recorded_tick == 1_002_000


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(0, 12))
def test_however_it_is_cut_into_blocks_it_is_found_the_same(sizes: list[int], event_at: int) -> None:
    """Steps 10 to at least 30 in any blocks, the event among them anywhere at or before its second block."""
    stimulus, marks = [0] * 3 + SHOWN + [0] * 112, [0] * 3 + [1] + [0] * 116
    messages, at = [], 0
    for size in [*sizes, 20]:
        messages.append(block(10 + at, stimulus[at : at + size], marks[at : at + size]))
        at += size
    messages.insert(min(event_at, len(messages)), event("trigger", 13))
    w = watch(block(0, [0] * 10), *messages)
    if w.end_tick is not None:
        assert (w.first_step, w.end_tick, w.n_seen, w.n_different) == (13, 1_001_800, 5, 0)
    assert w.fault is None
