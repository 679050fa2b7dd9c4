"""One bench as it comes: its samples into traces, its events and its state to the viewers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, Protocol

import structlog

from spikedaq.bus import ALARMS, EVENTS, SAMPLES, Message, decode_samples, split_topic
from spikedaq.inlet import Bench, Subscriber, connect
from spikedaq.keys import ClientKey
from spikedaq.model import RemoteProtocolError, SpikedaqError
from spikedaq.scope.traces import Traces

TICK_S = 0.04
"""Blocks are sent on so often: 25 frames a second, which the page draws at the screen's rate."""
LOOK_S = 1.0
_ANSWER_S = 3.0
_MAX_PER_TICK = 2000
"""Messages taken in one go, so that requests are served meanwhile; a backlog is taken over several ticks."""

log = structlog.get_logger(__name__)


class Audience(Protocol):
    """Who is told."""

    def tell(self, bench: str, message: dict[str, Any]) -> None:
        """Take a message for everybody."""

    def show(self, bench: str, device: str, traces: Traces) -> None:
        """Look whether a device's traces have something new for somebody."""


class BenchFeed:
    """Follows one daemon: also over its restarts, and while it is away.

    Parameters
    ----------
    url : str
        The daemon's control endpoint.
    audience : Audience
    key : ClientKey or path, optional
        As for `spikedaq.connect`.

    Attributes
    ----------
    name : str
        Of the bench, the URL until it has said it.
    state : map
        What the page is told once a second: ``{bench, url, here, error, status, clock}``.
    traces : dict of str to Traces
        By device.
    """

    def __init__(self, url: str, audience: Audience, *, key: ClientKey | str | None = None) -> None:
        self.url = url
        self.name = url
        self.key = key
        self.traces: dict[str, Traces] = {}
        self.state: dict[str, Any] = {"bench": url, "url": url, "here": False, "error": "not reached yet"}
        self._audience = audience
        self._subscriber: Subscriber | None = None
        self._epoch: str | None = None

    async def run(self) -> None:
        """Follow the bench until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._look_now_and_then(), name=f"look at {self.url}")
                group.create_task(self._read(), name=f"read {self.url}")
        finally:
            self._unsubscribe()

    async def _look_now_and_then(self) -> None:
        bench: Bench | None = None
        try:
            while True:
                try:
                    if bench is None:
                        bench = await asyncio.to_thread(
                            connect, self.url, timeout_s=_ANSWER_S, key=self.key, name="scope"
                        )
                    await self._look(bench)
                except SpikedaqError as error:
                    self.state = {**self.state, "here": False, "error": str(error)}
                    if bench is not None:
                        bench.close()
                        bench = None
                self._audience.tell(self.name, {"say": "bench", **self.state})
                await asyncio.sleep(LOOK_S)
        finally:
            if bench is not None:
                bench.close()

    async def _look(self, bench: Bench) -> None:
        status, clock = await asyncio.to_thread(lambda: (bench.status(), bench.client.call("clock")))
        if status["epoch"] != self._epoch or self._subscriber is None:
            # A daemon that was started anew may have another name, other devices, another endpoint.
            hello = await asyncio.to_thread(bench.client.call, "hello")
            fresh = Bench(bench.client, hello)
            self._unsubscribe()
            self.name, self._epoch = fresh.name, status["epoch"]
            self._subscriber = Subscriber(fresh.publish_url, [f"{fresh.name}/"], key=fresh.client.key)
            log.info("following a bench", bench=self.name, url=self.url)
        names = {entry["name"] for entry in status["devices"]}
        for gone in set(self.traces) - names:
            del self.traces[gone]
        self.state = {
            "bench": self.name, "url": self.url, "here": True, "error": "", "status": status, "clock": clock,
            "missed": sum(self._subscriber.missed.values()) if self._subscriber else 0,
        }  # fmt: skip

    async def _read(self) -> None:
        next_s = time.monotonic()
        while True:
            self._take_what_came()
            for device, traces in list(self.traces.items()):
                self._audience.show(self.name, device, traces)
            next_s = max(next_s + TICK_S, time.monotonic())
            await asyncio.sleep(next_s - time.monotonic())

    def _take_what_came(self) -> None:
        subscriber = self._subscriber
        for _ in range(_MAX_PER_TICK):
            message = subscriber.recv(0) if subscriber is not None else None
            if message is None:
                return
            with contextlib.suppress(RemoteProtocolError, KeyError):  # not one of ours: the subscriber counts
                self._take(message)

    def _take(self, message: Message) -> None:
        topic = split_topic(message.topic)
        if topic.stream == SAMPLES:
            samples = decode_samples(message)
            traces = self.traces.get(topic.device)
            if traces is None:
                traces = self.traces[topic.device] = Traces(self.name, topic.device)
            traces.take(message.header, samples)
        elif topic.stream == EVENTS:
            self._audience.tell(self.name, {"say": "event", "device": topic.device, "event": _for_page(message.header)})
        elif topic.stream == ALARMS:
            self._audience.tell(self.name, {"say": "alarms", **_for_page(message.header)})

    def _unsubscribe(self) -> None:
        if self._subscriber is not None:
            self._subscriber.close()
            self._subscriber = None


def _for_page(header: dict[str, Any]) -> dict[str, Any]:
    """Return a header with times in milliseconds: a browser's numbers have 53 bits."""
    times = {
        key.removesuffix("_ns") + "_ms": value / 1e6
        for key, value in header.items()
        if key.endswith("_ns") and value is not None
    }
    return {**{key: value for key, value in header.items() if not key.endswith("_ns")}, **times}


Now = Callable[[], float]
