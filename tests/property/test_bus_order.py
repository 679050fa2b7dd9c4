"""Whatever is missed: blocks, events, gaps and modes come out in order and once, or are said to be missing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedaq.bus import DeviceOrder, Message, Position, Unavailable
from spikedaq.model import RemoteProtocolError

SAMPLES, EVENTS = "bench/alpha/samples/", "bench/alpha/events/"


class Device:
    """Publishes, and remembers in order what it published."""

    def __init__(self) -> None:
        self.published: list[Message] = []
        self.boot, self.seq, self.step = 1, 0, 0
        self.mode = "current"
        self.epoch, self.n = "first", {"samples": 0, "events": 0}

    def put(self, stream: str, **header: Any) -> None:
        other = "events" if stream == "samples" else "samples"
        own = {"v": 1, "n": self.n[stream], "epoch": self.epoch, other: self.n[other]}
        self.n[stream] += 1
        self.published.append(Message(f"bench/alpha/{stream}/", {**own, **header}))

    def act(self, what: str) -> None:
        if what == "block":
            self.put("samples", boot=self.boot, seq=self.seq, step=self.step, count=100, mode=self.mode)
            self.seq, self.step = (self.seq + 1) % 2**32, self.step + 100
        elif what == "spike":
            self.put("events", kind="spike", boot=self.boot, seq=self.seq, step=self.step)
            self.seq = (self.seq + 1) % 2**32
        elif what == "gap":
            self.put("events", kind="gap", boot=self.boot, step=self.step, count=50, cause="lost")
            self.seq, self.step = (self.seq + 1) % 2**32, self.step + 50
            self.act("block")
        elif what == "mode":
            self.mode = "voltage" if self.mode == "current" else "current"
            self.put("events", kind="mode", boot=self.boot, step=self.step, mode=self.mode)
            self.act("block")
        elif what == "note":
            self.put("events", kind="note", text=f"note {len(self.published)}", origin="me", t_ns=1)
        elif what == "link":
            self.put("events", kind="link", state="running", detail=str(len(self.published)), t_ns=1)
        elif what == "pong":
            self.seq = (self.seq + 1) % 2**32
        elif what == "reboot":
            self.boot, self.seq, self.step = self.boot + 1, 0, 0
            self.act("block")
        elif what == "daemon":
            self.epoch, self.n = self.epoch + "'", {"samples": 0, "events": 0}
            self.put("events", kind="link", state="opening", detail=str(len(self.published)), t_ns=1)


def history(published: list[Message], after: Position | None, until: Position | None) -> list[Message]:
    """What the history tells: all but the link's states, between two frames."""

    def at(position: Position) -> int:
        return next(
            i for i, m in enumerate(published) if (m.header.get("boot"), m.header.get("seq")) == tuple(position)
        )

    first = 0 if after is None else at(after) + 1
    last = len(published) if until is None else at(until)
    return [
        Message(m.topic, {**m.header, "n": 0, "epoch": ""})
        for m in published[first:last]
        if m.header.get("kind") != "link"
    ]


def name(message: Message) -> tuple[Any, ...]:
    header = message.header
    return (
        header.get("kind", "block"),
        header.get("boot"),
        header.get("seq"),
        header.get("step"),
        header.get("text") or header.get("detail"),
    )


def follow(order: DeviceOrder, published: list[Message], arrives: list[bool]) -> list[Message]:
    """Give an order what arrives, and from the history what it wants; at the end heal up to the live edge."""
    out: list[Message] = []
    for i, message in enumerate(published):
        if not arrives[i]:
            continue
        out += order.live(message)
        wanted = order.wanted
        if wanted is not None:
            for past in history(published[: i + 1], wanted.after, wanted.until):
                out += order.past(past)
            out += order.healed()
    if order.has_hole:
        for past in history(published, order.to_the_edge().after, None):
            out += order.past(past)
        out += order.healed()
    return out


ACTS = st.lists(
    st.sampled_from(["block"] * 6 + ["spike", "spike", "gap", "mode", "note", "link", "pong", "reboot", "daemon"]),
    min_size=2,
    max_size=80,
)


@settings(max_examples=300, deadline=None)
@given(acts=ACTS, data=st.data())
def test_each_message_once_and_in_order(acts: list[str], data: st.DataObject) -> None:
    """Whatever is missed in the middle, everything with a place in the journal is there at its place."""
    device = Device()
    device.act("block")
    for what in acts:
        device.act(what)
    device.act("block")
    published = device.published
    arrives = data.draw(st.lists(st.booleans(), min_size=len(published), max_size=len(published)))
    arrives[0] = arrives[-1] = True
    out = follow(DeviceOrder(), published, arrives)
    placed = [name(m) for m in out if m.header.get("kind") not in ("note", "link")]
    assert placed == [name(m) for m in published if m.header.get("kind") not in ("note", "link")]
    notes = [name(m) for m in out if m.header.get("kind") == "note"]
    assert sorted(notes) == sorted(name(m) for m in published if m.header.get("kind") == "note")
    links = [name(m) for m in out if m.header.get("kind") == "link"]
    came = [m for m, there in zip(published, arrives, strict=True) if there]
    assert links == [name(m) for m in came if m.header.get("kind") == "link"]


@settings(max_examples=100, deadline=None)
@given(acts=ACTS, more=ACTS, data=st.data())
def test_a_client_that_was_away_goes_on_where_it_was(acts: list[str], more: list[str], data: st.DataObject) -> None:
    """With the position of an earlier client another one gets what came since, once, whatever it misses itself."""
    device = Device()
    device.act("block")
    for what in acts:
        device.act(what)
    before = DeviceOrder()
    first = follow(before, device.published, [True] * len(device.published))
    n_before = len(device.published)
    for what in more:
        device.act(what)
    device.act("block")
    published = device.published
    arrives = data.draw(st.lists(st.booleans(), min_size=len(published), max_size=len(published)))
    arrives[: n_before + len(more) // 2] = [False] * (n_before + len(more) // 2)
    arrives[-1] = True
    out = follow(DeviceOrder(before.position), published, arrives)
    both = [name(m) for m in first + out if m.header.get("kind") not in ("note", "link")]
    assert both == [name(m) for m in published if m.header.get("kind") not in ("note", "link")]


@settings(max_examples=100, deadline=None)
@given(acts=ACTS, data=st.data())
def test_nothing_is_missed_in_silence_where_the_history_fails(acts: list[str], data: st.DataObject) -> None:
    """Samples that come neither live nor from the history are reported, with their number within a boot."""
    device = Device()
    device.act("block")
    for what in acts:
        device.act(what)
    device.act("block")
    published = device.published
    arrives = data.draw(st.lists(st.booleans(), min_size=len(published), max_size=len(published)))
    arrives[0] = True
    order, out = DeviceOrder(), []
    for i, message in enumerate(published):
        if arrives[i]:
            out += order.live(message)
            if order.wanted is not None:
                out += order.failed("the network is down")
    end: tuple[int, int] | None = None
    for item in out:
        if isinstance(item, Unavailable):
            assert item.after == end
            end = item.before
            if item.n_samples is not None:
                assert item.n_samples == item.before[1] - item.after[1] > 0
        elif item.topic == SAMPLES:
            start = item.header["boot"], item.header["step"]
            # Without a word only a reboot may come between, or a gap that was told.
            assert end in (None, start) or start == (end[0] + 1, 0)
            end = start[0], start[1] + item.header["count"]
        elif item.header.get("kind") == "gap" and end == (item.header["boot"], item.header["step"]):
            end = end[0], end[1] + item.header["count"]
    came = [name(m) for m, there in zip(published, arrives, strict=True) if there and "seq" in m.header]
    assert [name(m) for m in out if not isinstance(m, Unavailable) and "seq" in m.header] == came


def test_numbers_that_wrap_are_still_in_order() -> None:
    """A board's frames are counted in 32 bits; after the last comes 0."""
    device = Device()
    device.seq = 2**32 - 3
    for _ in range(8):
        device.act("block")
    arrives = [True, False, False, True, False, True, False, True]
    out = follow(DeviceOrder(), device.published, arrives)
    assert [name(m) for m in out] == [name(m) for m in device.published]


@pytest.mark.parametrize("header", [{}, {"n": True, "epoch": "e"}, {"n": 1}, {"n": "1", "epoch": "e"}])
def test_what_has_no_number_is_refused(header: dict[str, Any]) -> None:
    """Nothing of it is taken."""
    order = DeviceOrder()
    with pytest.raises(RemoteProtocolError):
        order.live(Message(SAMPLES, header))
    assert order.position is None
