"""The benches on one side, the open pages on the other: each frame is made once for all who watch it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import structlog

from spikedaq.bus import SAMPLES
from spikedaq.keys import ClientKey
from spikedaq.scope.asking import Leaseholders
from spikedaq.scope.feed import BenchFeed
from spikedaq.scope.json_text import to_json
from spikedaq.scope.traces import Traces
from spikedaq.scope.viewer import Viewer, Watch

MAX_VIEWERS = 200
FREQUENT = frozenset({"spike", "trigger"})
"""Events that come many times a second; only who watches the device is told."""

log = structlog.get_logger(__name__)


class Hub:
    """All benches and all viewers of one page server.

    Parameters
    ----------
    urls : iterable of str
        Control endpoints of the benches.
    key : ClientKey or path, optional
        As for `spikedaq.connect`.

    Attributes
    ----------
    urls : dict of str to str
        Control endpoint by name of the bench, as far as they are known.
    frames_made, frames_sent : int
        How often a frame was encoded, and how often it was handed to a viewer.
    failure : str
        Why the benches are not followed any more; empty while they are.
    """

    def __init__(self, urls: Iterable[str], *, key: ClientKey | str | None = None) -> None:
        self.key = key
        self.feeds = [BenchFeed(url, self, key=key) for url in dict.fromkeys(urls)]
        self.urls: dict[str, str] = {}
        self.viewers: set[Viewer] = set()
        self.leaseholders = Leaseholders()
        self.frames_made = 0
        self.frames_sent = 0
        self.failure = ""
        self._watching: dict[tuple[str, str, str], dict[tuple[int, bool], set[Viewer]]] = {}

    async def run(self) -> None:
        """Follow every bench until cancelled; what ends it otherwise is a defect, and stands in ``failure``."""
        try:
            async with asyncio.TaskGroup() as group:
                for feed in self.feeds:
                    group.create_task(feed.run(), name=f"follow {feed.url}")
        except ExceptionGroup as group:
            first: BaseException = group
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            self.failure = repr(first)
            log.exception("the benches are not followed any more", error=self.failure)
            raise

    def end(self) -> None:
        """Show nothing more from now on: what is left of the computer's time is for ending in order."""
        for feed in self.feeds:
            feed.end()

    def feed(self, bench: str) -> BenchFeed | None:
        """Return the feed of a bench by its name."""
        return next((feed for feed in self.feeds if feed.name == bench), None)

    def other_of(self, bench: str, url: str) -> str | None:
        """Return the address of another bench that has this name, None where there is none."""
        return next((feed.url for feed in self.feeds if feed.name == bench and feed.url != url), None)

    def tell(self, bench: str, message: dict[str, Any]) -> None:
        """Tell every viewer."""
        if message["say"] == "bench" and message["here"]:
            self.urls.clear()
            self.urls.update({feed.name: feed.url for feed in self.feeds})
            if (feed := self.feed(bench)) is not None:
                self.leaseholders.keep(bench, feed.leased, asked_s=feed.asked_s)
        if self.viewers:
            text = to_json({"bench": bench, **message})
            for viewer in self.viewers:
                viewer.tell(text)

    def tell_events(self, bench: str, device: str, events: list[dict[str, Any]]) -> None:
        """Tell what happened on a device: those who watch it everything, the others what is not about single steps."""
        watching = self.watching(bench, device)
        message = {"say": "events", "bench": bench, "device": device}
        rare = [event for event in events if event.get("kind") not in FREQUENT]
        for viewers, which in ((watching, events), (self.viewers - watching, rare)):
            if viewers and which:
                text = to_json({**message, "events": which})
                for viewer in viewers:
                    viewer.tell(text)

    def watching(self, bench: str, device: str, stream: str = SAMPLES) -> set[Viewer]:
        """Return who watches a stream of a device, at any zoom."""
        levels = self._watching.get((bench, device, stream), {})
        return {viewer for viewers in levels.values() for viewer in viewers}

    def show(self, bench: str, device: str, traces: Traces) -> None:
        """Show each viewer of a stream what came."""
        for (level, is_packed), viewers in self._watching.get((bench, device, traces.stream), {}).items():
            frame = traces.news(level, is_packed=is_packed)
            if frame is None:
                continue
            self.frames_made += 1
            for viewer in viewers:
                self.frames_sent += viewer.show(frame)

    @staticmethod
    def now_ms() -> float:
        """Return this computer's CLOCK_BOOTTIME, which times of samples are on where the daemon runs here, too."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1e6

    def add(self, viewer: Viewer) -> None:
        """Take in a page that was opened: it is told how things stand."""
        self.viewers.add(viewer)
        for feed in self.feeds:
            viewer.tell(to_json({"say": "bench", **feed.state}))

    def remove(self, viewer: Viewer) -> None:
        """Take out a page that was closed."""
        for number in list(viewer.watches):
            self.unwatch(viewer, number)
        self.viewers.discard(viewer)

    def watch(self, viewer: Viewer, number: int, watch: Watch) -> None:
        """From now on show a viewer this device at this zoom, under its own number for it."""
        self.unwatch(viewer, number)
        viewer.watches[number] = watch
        levels = self._watching.setdefault((watch.bench, watch.device, watch.stream), {})
        levels.setdefault((watch.level, watch.is_packed), set()).add(viewer)

    def unwatch(self, viewer: Viewer, number: int) -> None:
        """Show it no more; nothing where it is not watched."""
        watch = viewer.watches.pop(number, None)
        if watch is None or watch in viewer.watches.values():
            return
        key = (watch.bench, watch.device, watch.stream)
        levels, zoom = self._watching[key], (watch.level, watch.is_packed)
        levels[zoom].discard(viewer)
        if not levels[zoom]:
            del levels[zoom]
            feed = self.feed(watch.bench)
            traces = feed.traces_of(watch.device, watch.stream) if feed is not None else None
            if traces is not None:
                traces.forget(watch.level, is_packed=watch.is_packed)
        if not levels:
            del self._watching[key]
