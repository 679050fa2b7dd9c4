"""One bench as it comes: its samples into traces, its events and its state to the viewers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from spikedaq.bus import ALARMS, EVENTS, SAMPLES, Message, decode_derived, decode_samples, split_topic
from spikedaq.inlet import Bench, ClockReading, Subscriber, connect
from spikedaq.keys import ClientKey
from spikedaq.model import ConfigError, RemoteProtocolError, SpikedaqError
from spikedaq.scope.clock_offset import ClockOffset
from spikedaq.scope.event_log import EventLog, for_page
from spikedaq.scope.line import Line
from spikedaq.scope.traces import Traces

TICK_S = 0.04
"""Blocks are sent on so often: 25 frames a second, which the page draws at the screen's rate."""
LOOK_S = 1.0
_ANSWER_S = 3.0
DERIVED = frozenset({"imaging"})
"""Derived streams that the page shows, whoever publishes them."""
_MAX_PER_TICK = 500
"""Messages taken in one go, some 30 ms of work, so that requests are served meanwhile: a backlog is taken over several
ticks. Twelve devices with 100 blocks and 100 events a second each send 100 a tick."""

log = structlog.get_logger(__name__)


class Audience(Protocol):
    """Who is told."""

    def tell(self, bench: str, message: dict[str, Any]) -> None:
        """Take a message for everybody."""

    def tell_events(self, bench: str, device: str, events: list[dict[str, Any]]) -> None:
        """Take what happened on a device since the last time."""

    def show(self, bench: str, device: str, traces: Traces) -> None:
        """Look whether a device's traces have something new for somebody."""

    def other_of(self, bench: str, url: str) -> str | None:
        """Return the address of another bench that has this name, None where there is none."""


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
        What the page is told once a second: ``{bench, url, here, error, status, clock, missed}``. ``clock`` is the
        daemon's ``{utc_ns, host_ns}``, and ``offset_ms``, ``uncertainty_ms``: its CLOCK_BOOTTIME less this computer's.
    traces : dict of str to Traces
        By device.
    derived : dict of (str, str) to Traces
        By device and stream, of `DERIVED`.
    events : dict of str to EventLog
        By device.
    leased : set of str
        Devices that somebody has the lease of, "" for the bench.
    asked_s : float
        Monotonic clock, of when the daemon was asked for what ``state`` tells.
    odd : int
        Messages of the bus that were left out because they are not what such a message is.
    """

    def __init__(self, url: str, audience: Audience, *, key: ClientKey | str | None = None) -> None:
        self.url = url
        self.name = url
        self.key = key
        self.traces: dict[str, Traces] = {}
        self.derived: dict[tuple[str, str], Traces] = {}
        self.events: dict[str, EventLog] = {}
        self.state: dict[str, Any] = {"bench": url, "url": url, "here": False, "error": "not reached yet"}
        self.leased: set[str] = set()
        self.asked_s = 0.0
        self.odd = 0
        self._audience = audience
        self._subscriber: Subscriber | None = None
        self._epoch: str | None = None
        self._offset = ClockOffset()
        self._happened: dict[str, list[dict[str, Any]]] = {}
        self._missed: dict[str, int] = {}
        self._is_ending = False

    def end(self) -> None:
        """Take nothing more from the bus; `run` goes on until it is cancelled."""
        self._is_ending = True

    async def run(self) -> None:
        """Follow the bench until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._look_now_and_then(), name=f"look at {self.url}")
                group.create_task(self._read(), name=f"read {self.url}")
        finally:
            self._unsubscribe()

    async def _look_now_and_then(self) -> None:
        line = self._line()
        try:
            while True:
                is_same = False
                try:
                    looked = await asyncio.to_thread(line.use, _ask)
                    self._see(looked)
                    is_same = looked.is_same
                except SpikedaqError as error:
                    self._is_away(str(error))
                except (KeyError, TypeError, ValueError, AttributeError) as error:
                    self._is_away(
                        f"what answers at {self.url} is no daemon that this page understands ({error!r}); use the same "
                        "version of spikedaq on both sides"
                    )
                if not is_same:
                    line.close()
                    line = self._line()
                self._audience.tell(self.name, {"say": "bench", **self.state})
                await asyncio.sleep(LOOK_S)
        finally:
            line.close()

    def _line(self) -> Line[Bench]:
        return Line(lambda: connect(self.url, timeout_s=_ANSWER_S, key=self.key, name="scope"))

    def _is_away(self, why: str) -> None:
        self.state = {**self.state, "here": False, "error": why}

    def _see(self, looked: _Look) -> None:
        """Take what a daemon says of itself; raises where it is none, before anything is changed."""
        status = looked.status
        names = {entry["name"] for entry in status["devices"]}
        standing = [lease["device"] for lease in status["leases"]]
        if status["epoch"] != self._epoch or self._subscriber is None:
            # A daemon that was started anew may have another name, other devices, another endpoint.
            self._follow(looked.bench, status["epoch"])
        for gone in set(self.traces) - names:
            del self.traces[gone]
            self.events.pop(gone, None)
        for key in [key for key in self.derived if key[0] not in names]:
            del self.derived[key]
        self.leased = {device or "" for device in standing}
        self._offset.take(looked.reading)
        self.asked_s = looked.asked_s
        self.state = {
            "bench": self.name, "url": self.url, "here": True, "error": "", "status": status,
            "clock": {"utc_ns": looked.utc_ns, "host_ns": looked.reading.theirs_ns, **self._offset.told()},
            "missed": sum(self._subscriber.missed.values()) if self._subscriber else 0,
        }  # fmt: skip

    def _follow(self, bench: Bench, epoch: str) -> None:
        if (other := self._audience.other_of(bench.name, self.url)) is not None:
            # Whatever is asked of one of them could be done by the other.
            raise ConfigError(
                f"the daemons at {other} and {self.url} are both called {bench.name!r}, and only the first is shown; "
                f"give this one another name (bench = ... in its spikedaq.toml) and start it again"
            )
        self._unsubscribe()
        if bench.name != self.name:
            self.traces.clear()
            self.derived.clear()
            self.events.clear()
            self._happened.clear()
        self.name, self._epoch = bench.name, epoch
        self._offset = ClockOffset()
        self._missed = {}
        self._subscriber = Subscriber(bench.publish_url, [f"{bench.name}/"], key=bench.client.key)
        log.info("following a bench", bench=self.name, url=self.url)

    async def _read(self) -> None:
        next_s = time.monotonic()
        while not self._is_ending:
            self._take_what_came()
            happened, self._happened = self._happened, {}
            for device, events in happened.items():
                self._audience.tell_events(self.name, device, events)
            for traces in (*self.traces.values(), *self.derived.values()):
                self._audience.show(self.name, traces.device, traces)
            next_s = max(next_s + TICK_S, time.monotonic())
            await asyncio.sleep(next_s - time.monotonic())

    def _take_what_came(self) -> None:
        subscriber = self._subscriber
        for _ in range(_MAX_PER_TICK):
            message = subscriber.recv(0) if subscriber is not None else None
            if message is None:
                return
            try:
                self._take(message)
            except (RemoteProtocolError, KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
                self.odd += 1
                if self.odd & (self.odd - 1) == 0:  # the first, and ever fewer: a publisher at fault sends many
                    log.warning("a message of the bus was left out", topic=message.topic, error=repr(error), n=self.odd)

    def _take(self, message: Message) -> None:
        topic = split_topic(message.topic)
        if topic.stream == SAMPLES:
            samples = decode_samples(message)
            traces = self.traces.get(topic.device)
            if traces is None:
                traces = self.traces[topic.device] = Traces(self.name, topic.device)
            self._note_missed(topic.device, traces, message)
            traces.take(message.header, samples)
            self._log_of(topic.device).see(message.header["boot"], message.header["step"])
        elif topic.stream in DERIVED:
            values = decode_derived(message)
            derived = self.derived.get((topic.device, topic.stream))
            if derived is None:
                derived = self.derived[topic.device, topic.stream] = Traces(self.name, topic.device, topic.stream)
            derived.take(message.header, values)
        elif topic.stream == EVENTS:
            event = for_page(message.header)
            if self._has_missed(message.topic):
                traces = self.traces.get(topic.device)
                self._log_of(topic.device).missed(traces.end if traces is not None else None)
            self._log_of(topic.device).take(event)
            self._happened.setdefault(topic.device, []).append(event)
        elif topic.stream == ALARMS:
            self._audience.tell(self.name, {"say": "alarms", **for_page(message.header)})

    def _has_missed(self, topic: str) -> bool:
        """Tell whether this server did not keep up with a topic since it was last asked."""
        missed = self._subscriber.missed.get(topic, 0) if self._subscriber is not None else 0
        before, self._missed[topic] = self._missed.get(topic, missed), missed
        return missed > before

    def _note_missed(self, device: str, traces: Traces, message: Message) -> None:
        """Tell of blocks that this server did not keep up with as of a gap: the page would draw nothing there."""
        stretch = traces.missing_before(message.header)
        if self._has_missed(message.topic) and stretch is not None:
            step, count = stretch
            traces.note_missed(step + count)
            event = {"kind": "gap", "boot": message.header["boot"], "step": step, "count": count, "cause": "missed"}
            self._log_of(device).take(event)
            self._happened.setdefault(device, []).append(event)

    def traces_of(self, device: str, stream: str) -> Traces | None:
        """Return a stream of a device, None where nothing came of it."""
        return self.traces.get(device) if stream == SAMPLES else self.derived.get((device, stream))

    def _log_of(self, device: str) -> EventLog:
        log = self.events.get(device)
        if log is None:
            log = self.events[device] = EventLog()
        return log

    def _unsubscribe(self) -> None:
        if self._subscriber is not None:
            self._subscriber.close()
            self._subscriber = None


@dataclass(frozen=True, slots=True)
class _Look:
    """What a daemon said when it was asked at ``asked_s`` on the monotonic clock.

    Not ``is_same`` where it was started anew since the connection was made.
    """

    bench: Bench
    status: dict[str, Any]
    reading: ClockReading
    utc_ns: int
    asked_s: float
    is_same: bool


def _ask(bench: Bench) -> _Look:
    """Ask a daemon how it is; blocking."""
    asked_s = time.monotonic()
    status = bench.status()
    is_same = status["epoch"] == bench.hello.get("epoch")
    if not is_same:
        bench = Bench(bench.client, bench.client.call("hello"))
    asked_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    clock = bench.client.call("clock")
    half_ns = (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - asked_ns + 1) // 2
    reading = ClockReading(asked_ns + half_ns, int(clock["host_ns"]), half_ns)
    return _Look(bench, status, reading, int(clock["utc_ns"]), asked_s, is_same)
