"""What the bench publishes about one device."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

from spikedaq.bus import (
    BUS_VERSION,
    EVENTS,
    SAMPLES,
    STATUS,
    DeviceStatus,
    encode,
    event_header,
    gap_header,
    mode_header,
    payload_of,
    samples_header,
    status_header,
    topic_for,
)
from spikedaq.daemon.playing import PlayingStimulus
from spikedaq.device import DeviceState
from spikedaq.journal import ASKED_NS, BOARD, TriggerRecord
from spikedaq.model import Block, ClampMode, ClockMap, DeviceInfo, Event, EventKind, Gap, ProtocolError
from spikedaq.wire import Log, Set, decode_message


class Bus(Protocol):
    """Takes encoded messages; never waits, never raises."""

    def publish(self, topic: str, message: bytes) -> bool:
        """Publish one."""


class DeviceOutlet:
    """Publishes one device: a `DeviceListener`, called after the journal has what it publishes.

    Parameters
    ----------
    epoch : str
        Which start of the daemon this is; message numbers count from 0 in each.
    now_ns : callable
        Host clock, CLOCK_BOOTTIME.

    Attributes
    ----------
    stimulus : PlayingStimulus
    """

    def __init__(self, bus: Bus, bench: str, device: str, epoch: str, now_ns: Callable[[], int]) -> None:
        self._publish = bus.publish
        self._epoch = epoch
        self._now_ns = now_ns
        self._samples_topic = topic_for(bench, device, SAMPLES)
        self._events_topic = topic_for(bench, device, EVENTS)
        self._status_topic = topic_for(bench, device, STATUS)
        self._n_samples = self._n_events = self._n_status = 0
        self._mode: ClampMode | None = None
        self._asked: dict[int, tuple[str, int]] = {}
        self._newest_request: bytes = b""
        self.stimulus = PlayingStimulus()
        self.info: Callable[[], DeviceInfo | None] = lambda: None

    def block(self, block: Block, clock_map: ClockMap | None) -> None:
        """Publish a block."""
        if clock_map is None:
            t_ns = u_ns = None
        else:
            t_ns, u_ns = clock_map.host_ns(block.first_tick), clock_map.uncertainty_ns
        if block.mode is not self._mode:
            if self._mode is not None:
                self._send_event(mode_header(block, n=self._n_events, epoch=self._epoch, t_ns=t_ns, u_ns=u_ns))
            self._mode = block.mode
        topic = self._samples_topic
        header = samples_header(block, n=self._n_samples, epoch=self._epoch, t_ns=t_ns, u_ns=u_ns)
        header[EVENTS] = self._n_events
        self._publish(topic, encode(topic, header, payload_of(block)))
        self._n_samples += 1

    def event(self, event: Event, clock_map: ClockMap | None) -> None:
        """Publish a device's event."""
        t_ns, u_ns = _time_of(event.tick, clock_map)
        self.stimulus.event(event, t_ns)
        header = event_header(event, n=self._n_events, epoch=self._epoch, t_ns=t_ns, u_ns=u_ns)
        if event.kind == EventKind.PARAMETER:
            header["name"] = self._name(event.index)
            origin, asked_ns = self._asked.pop(event.index, (BOARD, 0))
            header["origin"] = origin if self._now_ns() - asked_ns < ASKED_NS else BOARD
        self._send_event(header)

    def request(self, message: bytes, origin: str) -> None:
        """Take each message to the device, once the journal has it; publish that somebody sets parameters."""
        if message == self._newest_request:
            return  # sent again, because no reply came
        self._newest_request = message
        try:
            request = decode_message(message)
        except ProtocolError:
            return
        if not isinstance(request, Set):
            self.stimulus.request(request, origin)
            return
        pairs = [
            (int(index or 0), value) for index, value in zip(request.pairs[::2], request.pairs[1::2], strict=False)
        ]
        for index, _ in pairs:
            self._asked[index] = (origin, self._now_ns())
        self._send_own("set", origin=origin, values={self._name(index): value for index, value in pairs})

    def _name(self, index: int) -> str:
        info = self.info()
        return info.parameters[index].name if info and index < len(info.parameters) else f"parameter {index}"

    def lease(self, what: str, lease: dict[str, Any]) -> None:
        """Publish what became of a lease."""
        self._send_own("lease", what=what, **lease)

    def derived(self, what: str, stream: dict[str, Any]) -> None:
        """Publish what became of a derived stream."""
        self._send_own("derived", what=what, stream=stream["stream"], publisher=stream["publisher"])

    def gap(self, gap: Gap, clock_map: ClockMap | None) -> None:
        """Publish a gap."""
        t_ns, u_ns = _time_of(gap.first_tick, clock_map)
        self._send_event(gap_header(gap, n=self._n_events, epoch=self._epoch, t_ns=t_ns, u_ns=u_ns))

    def log(self, log: Log) -> None:
        """Publish a line that the device says."""
        self._send_own("log", level=log.level, text=log.text)

    def state(self, state: DeviceState, detail: str) -> None:
        """Publish a change of state."""
        self._send_own("link", state=str(state), detail=detail)

    def note(self, text: str, origin: str) -> None:
        """Publish a user's remark."""
        self._send_own("note", text=text, origin=origin)

    def fired(self, record: TriggerRecord, number: int, u_ns: int | None) -> None:
        """Publish that a trigger fired; ``number`` counts its firings."""
        self._send_event(
            {
                "v": BUS_VERSION,
                "n": self._n_events,
                "epoch": self._epoch,
                "kind": "fired",
                "trigger": record.trigger,
                "number": number,
                "device": record.device,
                "boot": record.boot_id,
                "step": record.step,
                "tick": record.tick,
                "value": None if math.isnan(record.value) else record.value,
                "pre_us": record.pre_us,
                "post_us": record.post_us,
                "t_ns": record.t_trigger_ns,
                "u_ns": u_ns,
            }
        )

    def status(self, status: DeviceStatus) -> None:
        """Publish the status."""
        header = status_header(status, n=self._n_status, epoch=self._epoch, t_ns=self._now_ns())
        self._publish(self._status_topic, encode(self._status_topic, header))
        self._n_status += 1

    def _send_own(self, kind: str, **values: Any) -> None:
        head = {"v": BUS_VERSION, "n": self._n_events, "epoch": self._epoch, "kind": kind, "t_ns": self._now_ns()}
        self._send_event({**head, **values})

    def _send_event(self, header: dict[str, Any]) -> None:
        header[SAMPLES] = self._n_samples
        self._publish(self._events_topic, encode(self._events_topic, header))
        self._n_events += 1


def _time_of(tick: int, clock_map: ClockMap | None) -> tuple[int | None, int | None]:
    return (None, None) if clock_map is None else (clock_map.host_ns(tick), clock_map.uncertainty_ns)
