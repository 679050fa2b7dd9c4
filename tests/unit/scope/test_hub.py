"""Each frame is made once for all who watch, and nobody is told what is not for it."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import numpy as np

from spikedaq.bus import Message
from spikedaq.inlet import ClockReading
from spikedaq.scope.access import WebRole
from spikedaq.scope.clock_offset import ClockOffset
from spikedaq.scope.frames import decode_bins
from spikedaq.scope.hub import Hub
from spikedaq.scope.traces import Traces
from spikedaq.scope.viewer import Viewer, Watch


def block(step: int, count: int = 100, **more: Any) -> tuple[dict[str, Any], Any]:
    header = {"boot": 7, "step": step, "step_us": 100, "mode": "current", "t_ns": step * 100_000, "epoch": "e"}
    return {**header, **more}, np.arange(step, step + count, dtype=np.int16)[:, None] * np.ones((1, 2), np.int16)


def received(viewer: Viewer) -> list[str | bytes]:
    async def take() -> list[str | bytes]:
        items: list[str | bytes] = []
        while viewer._texts or viewer._frames:
            items.append(await viewer.next())
        return items

    return asyncio.run(take())


def hub_with(n: int) -> tuple[Hub, list[Viewer]]:
    hub = Hub([])
    viewers = [Viewer(f"v{k}", WebRole.VIEWER) for k in range(n)]
    for viewer in viewers:
        hub.add(viewer)
    return hub, viewers


def test_one_frame_serves_all_who_watch_a_zoom() -> None:
    """Thirty viewers at one level cost one encoding; those at another have their own."""
    hub, viewers = hub_with(30)
    traces = Traces("lab", "alpha")
    for viewer in viewers:
        hub.watch(viewer, 1, Watch("lab", "alpha", 3))
    hub.watch(viewers[0], 2, Watch("lab", "alpha", 0))
    traces.take(*block(0))
    hub.show("lab", "alpha", traces)
    assert (hub.frames_made, hub.frames_sent) == (2, 31)
    (first,), (second,) = received(viewers[1]), received(viewers[2])
    assert first is second
    assert len(received(viewers[0])) == 2


def test_what_nobody_watches_is_not_made_and_not_sent_later() -> None:
    """Whoever comes back to a zoom begins with what is new then."""
    hub, (viewer,) = hub_with(1)
    feed_traces = Traces("lab", "alpha")
    hub.watch(viewer, 1, Watch("lab", "alpha", 0))
    feed_traces.take(*block(0))
    hub.show("lab", "alpha", feed_traces)
    hub.unwatch(viewer, 1)
    hub.unwatch(viewer, 1)
    received(viewer)
    feed_traces.take(*block(100))
    hub.show("lab", "alpha", feed_traces)
    assert received(viewer) == []
    assert hub._watching == {}


def test_the_same_zoom_under_two_numbers_comes_once_and_stays_until_both_ended() -> None:
    hub, (viewer,) = hub_with(1)
    traces = Traces("lab", "alpha")
    hub.watch(viewer, 1, Watch("lab", "alpha", 0))
    hub.watch(viewer, 2, Watch("lab", "alpha", 0))
    hub.unwatch(viewer, 1)
    traces.take(*block(0))
    hub.show("lab", "alpha", traces)
    assert len(received(viewer)) == 1
    hub.remove(viewer)
    assert hub._watching == {}
    assert hub.viewers == set()


def test_spikes_are_told_to_those_who_watch_and_gaps_to_everybody() -> None:
    hub, (watching, other) = hub_with(2)
    hub.watch(watching, 1, Watch("lab", "alpha", 5))
    spike, gap = {"kind": "spike", "step": 5}, {"kind": "gap", "step": 9}
    hub.tell_events("lab", "alpha", [spike, gap])
    hub.tell_events("lab", "alpha", [spike])
    said = [json.loads(text) for text in received(watching)]
    assert [message["events"] for message in said] == [[spike, gap], [spike]]
    assert said[0] == {"say": "events", "bench": "lab", "device": "alpha", "events": [spike, gap]}
    assert [json.loads(text)["events"] for text in received(other)] == [[gap]]


def test_a_frame_begins_with_the_bin_that_was_not_whole() -> None:
    """Together the frames have every sample, although the newest bin was sent before it was whole."""
    traces = Traces("lab", "alpha")
    low: dict[int, int] = {}
    high: dict[int, int] = {}
    for step in range(0, 1000, 50):
        traces.take(*block(step, 50))
        frame = traces.news(5)
        assert frame is not None
        _, bins = decode_bins(frame)
        for k in range(bins.low.shape[1]):
            number = bins.first + k
            low[number] = min(low.get(number, 32767), int(bins.low[0, k]))
            high[number] = max(high.get(number, -32768), int(bins.high[0, k]))
    # Watching began with the bin that step 49 is in: number 1, steps 32 to 63.
    assert low == {k: 32 * k for k in range(1, 32)}
    assert high == {k: min(999, 32 * k + 31) for k in range(1, 32)}


def test_another_boot_mode_or_period_is_another_run() -> None:
    traces = Traces("lab", "alpha")
    runs = []
    for more in ({}, {"epoch": "f"}, {"boot": 8}, {"mode": "voltage"}, {"step_us": 2000}):
        traces.take(*block(0, **{"boot": 7, **more}))
        runs.append(traces.run)
    assert runs == [1, 1, 2, 3, 4]


def test_the_best_reading_of_a_clock_counts_and_ages() -> None:
    """A worse reading is taken only once the better one is too old; one clock shows no offset."""
    offset = ClockOffset()
    assert offset.told() == {"offset_ms": 0.0, "uncertainty_ms": None}
    offset.take(ClockReading(1_000_000, 5_001_000_000, 200_000))
    assert offset.told() == {"offset_ms": 5000.0, "uncertainty_ms": 0.2}
    offset.take(ClockReading(1_000_000, 5_002_000_000, 900_000))
    assert offset.told()["offset_ms"] == 5000.0
    for _ in range(40):
        offset.take(ClockReading(1_000_000, 5_002_000_000, 900_000))
    assert offset.told()["offset_ms"] == 5001.0
    same = ClockOffset()
    same.take(ClockReading(1_000_000, 1_150_000, 200_000))
    assert same.told()["offset_ms"] == 0.0


def test_what_the_server_missed_on_the_bus_is_told_as_a_gap() -> None:
    """Only what the bus's numbers say was missed: a device's own gap comes with an event of its own."""
    hub = Hub(["tcp://127.0.0.1:9"])
    feed = hub.feeds[0]
    counters = SimpleNamespace(missed={})
    feed._subscriber = counters  # type: ignore[assignment]
    for n, step, missed in ((0, 0, 0), (1, 100, 0), (2, 500, 0), (7, 1000, 4)):
        header, samples = block(step)
        counters.missed = {"lab/alpha/samples/": missed}
        more = {"count": 100, "channels": 2, "layout": "channel-major", "n": n}
        feed._take(Message("lab/alpha/samples/", {**header, **more}, samples.T.tobytes()))
    gap = {"kind": "gap", "boot": 7, "step": 600, "count": 400, "cause": "missed"}
    assert feed._happened == {"alpha": [gap]}
    assert feed.events["alpha"].between(0, 9999) == [gap]


def test_what_the_server_missed_is_fetched_from_the_history_and_not_told_as_nothing() -> None:
    """Its own bins are empty there: only from behind the hole on may it say that it has everything."""
    hub = Hub(["tcp://127.0.0.1:9"])
    feed = hub.feeds[0]
    counters = SimpleNamespace(missed={})
    feed._subscriber = counters  # type: ignore[assignment]
    for n, step, missed in ((0, 0, 0), (1, 100, 0), (7, 1000, 5), (8, 1100, 5)):
        header, samples = block(step)
        counters.missed = {"lab/alpha/samples/": missed}
        more = {"count": 100, "channels": 2, "layout": "channel-major", "n": n}
        feed._take(Message("lab/alpha/samples/", {**header, **more}, samples.T.tobytes()))
    traces = feed.traces["alpha"]
    assert [traces.has(7, 0, first) for first in (0, 150, 999, 1000, 1150)] == [False, False, False, True, True]
    assert [traces.has(7, 3, first) for first in (124, 125)] == [False, True]
    frame = traces.past(0, 1000, None)
    assert frame is not None
    assert decode_bins(frame)[0]["oldest"] == 1000
    traces.take(*block(0, boot=8))
    assert traces.has(8, 0, 0), "another boot has all of its own"


def test_events_that_the_server_missed_are_not_claimed_to_be_all() -> None:
    """A rate that is read from the list would be wrong without a word."""
    hub = Hub(["tcp://127.0.0.1:9"])
    feed = hub.feeds[0]
    counters = SimpleNamespace(missed={})
    feed._subscriber = counters  # type: ignore[assignment]

    def spike(step: int, missed: int) -> None:
        counters.missed = {"lab/alpha/events/": missed}
        feed._take(Message("lab/alpha/events/", {"kind": "spike", "boot": 7, "step": step}))

    header, samples = block(0, 1000)
    more = {"count": 1000, "channels": 2, "layout": "channel-major", "n": 0}
    feed._take(Message("lab/alpha/samples/", {**header, **more}, samples.T.tobytes()))
    spike(500, 0)
    assert feed.events["alpha"].has(7, 0)
    spike(1200, 3)
    assert [feed.events["alpha"].has(7, step) for step in (0, 999, 1000)] == [False, False, True]
    feed.traces.clear()
    spike(1300, 4)
    assert [feed.events["alpha"].has(7, step) for step in (0, 1299, 1300)] == [False, False, True]
