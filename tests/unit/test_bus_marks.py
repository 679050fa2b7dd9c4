"""Notes, logs and fired triggers in a hole: what the bus told is not told again, and nothing else is taken for it."""

from __future__ import annotations

from typing import Any

from spikedaq.bus import DeviceOrder, Message, Position

SAMPLES, EVENTS = "bench/alpha/samples/", "bench/alpha/events/"
SECOND_NS = 1_000_000_000
LATE_NS = 300_000  # publishing follows journalling


def note(t_ns: int, text: str = "trial start", **header: Any) -> Message:
    return Message(EVENTS, {"n": 0, "epoch": "", "kind": "note", "text": text, "origin": "me", "t_ns": t_ns, **header})


def fired(t_ns: int, step: int, device: str = "alpha") -> Message:
    header = {"kind": "fired", "trigger": "t", "device": device, "boot": 1, "step": step, "t_ns": t_ns}
    return Message(EVENTS, {"n": 0, "epoch": "", **header})


def after_live(*messages: Message) -> DeviceOrder:
    """Return an order that was told these by the bus, and fetches what came before."""
    order = DeviceOrder(Position(1, 0))
    for n, message in enumerate(messages):
        assert order.live(Message(EVENTS, {**message.header, "n": n, "epoch": "e"}))
    return order


def test_a_remark_that_is_made_again_is_told_again() -> None:
    """The same text minutes later is another note, though the first was told."""
    order = after_live(note(10 * SECOND_NS))
    assert order.past(note(10 * SECOND_NS - LATE_NS)) == []
    again = note(70 * SECOND_NS)
    assert order.past(again) == [again]
    assert order.past(note(70 * SECOND_NS)) == []  # fetched twice


def test_one_that_was_told_stands_for_one_of_the_history() -> None:
    """Of two alike within a second of which one was missed, one is told."""
    order = after_live(note(10 * SECOND_NS))
    missed = note(10 * SECOND_NS + SECOND_NS // 2)
    assert order.past(note(10 * SECOND_NS - LATE_NS)) == []
    assert order.past(missed) == [missed]


def test_each_of_several_alike_is_told_once() -> None:
    """Those that came by the bus are known again one by one, by the nearest time."""
    times = [10 * SECOND_NS, 11 * SECOND_NS, 12 * SECOND_NS]
    order = after_live(*[note(t_ns + LATE_NS) for t_ns in times])
    assert [order.past(note(t_ns)) for t_ns in times * 2] == [[]] * 6


def test_another_text_or_writer_is_another_note() -> None:
    """Both are what tells a note from one at the same time."""
    order = after_live(note(SECOND_NS))
    others = [note(SECOND_NS, text="trial end"), note(SECOND_NS, origin="you")]
    assert [order.past(other) for other in others] == [[other] for other in others]


def test_what_fires_at_another_instant_has_fired_again() -> None:
    """A trigger's instant is known exactly: neither a millisecond more nor another device's step is the same."""
    order = after_live(fired(SECOND_NS, 100), fired(SECOND_NS, 0, device=""))
    assert order.past(fired(SECOND_NS, 100)) == []
    assert order.past(fired(SECOND_NS, 0, device="")) == []
    others = [fired(SECOND_NS, 100, device="beta"), fired(SECOND_NS + 1_000_000, 0, device="")]
    assert [order.past(other) for other in others] == [[other] for other in others]


def test_a_line_that_waited_for_frames_before_it_is_told_once() -> None:
    """The journal has when it came, seconds before it could be published."""
    order = after_live(note(10 * SECOND_NS, kind="log", level=20))
    assert order.past(note(5 * SECOND_NS, kind="log", level=20)) == []
