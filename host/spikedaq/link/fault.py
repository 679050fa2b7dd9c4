"""``fault:`` links: any other link through a cable that is bad on purpose, to rehearse with a real board."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from spikedaq.link.base import Link, OnBytes, OnLost, host_now_ns
from spikedaq.link.fault_spec import FaultAction, FaultSpec, parse_script, parse_spec
from spikedaq.link.faults import FaultRandom, FaultSchedule, FaultStream
from spikedaq.link.url import LinkUrl
from spikedaq.model import ConfigError, LinkLostError, LinkOpenError

QUEUE_BYTES = 2**20
"""What a stall or a delay may hold back; a link that would need more is lost, as a hub that gives up a port."""
_MAX_DONE = 10_000

log = structlog.get_logger(__name__)
Opener = Callable[[LinkUrl], Awaitable[Link]]


@dataclass(slots=True)
class FaultCable:
    """A bad cable. It stays when the link through it is lost: time, seed and script go on at the next opening.

    Attributes
    ----------
    to_host, to_device : FaultStream
    stalls, unplugs, refused : int
        So often nothing passed, the link was lost, and it could not be opened.
    done : list
        What the schedule did, as JSON values; the first 10000.
    """

    url: LinkUrl
    spec: FaultSpec
    schedule: FaultSchedule
    report_path: Path | None
    start_ns: int
    to_host: FaultStream = field(init=False)
    to_device: FaultStream = field(init=False)
    random: FaultRandom = field(init=False)
    stalls: int = 0
    unplugs: int = 0
    refused: int = 0
    done: list[dict[str, Any]] = field(default_factory=list)
    stalled_until_s: float = 0.0
    unplugged_until_s: float = 0.0

    def __post_init__(self) -> None:
        """Make both directions."""
        self.to_host = FaultStream(self.spec, 0)
        self.to_device = FaultStream(self.spec, 1)
        self.random = FaultRandom(self.spec.seed * 16 + 7)

    def now_s(self) -> float:
        """Seconds since the cable was first used."""
        return (host_now_ns() - self.start_ns) * 1e-9

    def act(self, now_s: float) -> None:
        """Do what is due by now."""
        for action in self.schedule.due(now_s):
            self._do(action, now_s)

    def _do(self, action: FaultAction, now_s: float) -> None:
        if action.what == "stall":
            self.stalls += 1
            self.stalled_until_s = max(self.stalled_until_s, now_s + action.amount)
        elif action.what == "unplug":
            self.unplugs += 1
            self.unplugged_until_s = max(self.unplugged_until_s, now_s + action.amount)
        elif action.what == "lose":
            self.to_host.lose(int(action.amount))
        else:
            self.spec = self.spec.changed(action.what, action.value)
            self.to_host.change(self.spec)
            self.to_device.change(self.spec)
        entry = {"time_s": round(now_s, 6), "what": action.what, "detail": action.value or f"{action.amount:g}"}
        log.info("fault", link=self.url.text, **entry)
        if len(self.done) < _MAX_DONE:
            self.done.append(entry)

    def delivery_s(self, now_s: float) -> float:
        """When bytes that come now are let out."""
        late_ms = self.spec.delay_ms
        if self.spec.jitter_ms:
            late_ms += self.random.uniform() * self.spec.jitter_ms
        return now_s + late_ms * 1e-3

    def report(self) -> dict[str, Any]:
        """Say what was done, as JSON values; what the virtual board's report says under ``faults``."""
        return {
            "seed": self.spec.seed,
            "to_host": self.to_host.counts.to_map(),
            "to_device": self.to_device.counts.to_map(),
            "stalls": self.stalls,
            "unplugs": self.unplugs,
            "refused": self.refused,
            "actions": self.done,
        }

    def write_report(self) -> None:
        """Write the report where the URL wants it."""
        if self.report_path is None:
            return
        try:
            self.report_path.write_text(json.dumps(self.report(), indent=1) + "\n", "utf-8")
        except OSError as error:
            log.warning("the fault report cannot be written", path=str(self.report_path), reason=error.strerror)


_cables: dict[str, FaultCable] = {}


def cable_of(url: LinkUrl) -> FaultCable:
    """Return the cable of a ``fault:`` URL, which is one and the same for as long as this process lives.

    Raises
    ------
    LinkOpenError
        Its script cannot be read, or has a line that is none.
    """
    found = _cables.get(url.text)
    if found is not None:
        return found
    script = url.option("script", "")
    report = url.option("report", "")
    try:
        text = Path(script).read_text("utf-8") if script else ""
        actions = parse_script(text, script)
        spec = parse_spec((name, value) for name, value in url.options if name not in ("script", "report"))
    except (OSError, UnicodeDecodeError) as error:
        raise LinkOpenError(
            f"the fault script {script} of {url.text} cannot be read ({error})", url=url.text
        ) from error
    except ConfigError as error:
        raise LinkOpenError(f"{url.text}: {error}", url=url.text) from error
    cable = FaultCable(url, spec, FaultSchedule(spec, actions), Path(report) if report else None, host_now_ns())
    _cables[url.text] = cable
    return cable


async def open_fault(url: LinkUrl, opener: Opener) -> FaultLink:
    """Open the link inside a ``fault:`` URL, and put a bad cable before it.

    Raises
    ------
    LinkOpenError
        As the link inside does; and while the cable is unplugged.
    """
    if url.inner is None:
        raise LinkOpenError(f"{url.text!r} names no link behind the fault", url=url.text)
    cable = cable_of(url)
    now_s = cable.now_s()
    cable.act(now_s)
    if now_s < cable.unplugged_until_s:
        cable.refused += 1
        left_s = cable.unplugged_until_s - now_s
        raise LinkOpenError(f"{url.text} is unplugged for another {left_s:.1f} s, as its faults want", url=url.text)
    link = await opener(url.inner)
    return FaultLink(link, cable)


class _Lane:
    """One direction: damages what comes, and lets it out in order and in time."""

    def __init__(self, stream: FaultStream, cable: FaultCable, out: Callable[[bytes, int], None]) -> None:
        self._stream = stream
        self._cable = cable
        self._out = out
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._n_bytes = 0

    def take(self, data: bytes, t_host_ns: int) -> bool:
        """Take bytes; False where too many wait."""
        damaged = self._stream.take(data)
        if not damaged:
            return True
        now_s = self._cable.now_s()
        due_s = self._cable.delivery_s(now_s)
        if not self._waiting and due_s <= now_s and now_s >= self._cable.stalled_until_s:
            self._out(damaged, t_host_ns)
            return True
        self._waiting.append((max(due_s, self._waiting[-1][0] if self._waiting else 0.0), damaged))
        self._n_bytes += len(damaged)
        return self._n_bytes <= QUEUE_BYTES

    def release(self, now_s: float) -> None:
        """Let out what is due."""
        if now_s < self._cable.stalled_until_s:
            return
        while self._waiting and self._waiting[0][0] <= now_s:
            _, data = self._waiting.popleft()
            self._n_bytes -= len(data)
            self._out(data, host_now_ns())

    def next_s(self) -> float | None:
        """When the next bytes are due."""
        return max(self._waiting[0][0], self._cable.stalled_until_s) if self._waiting else None

    def restart(self) -> None:
        """Forget what is on its way."""
        self._waiting.clear()
        self._n_bytes = 0
        self._stream.restart()


class FaultLink:
    """A `Link` through a bad cable."""

    def __init__(self, link: Link, cable: FaultCable) -> None:
        self.url = cable.url.text
        self.detail = f"{link.detail}, with faults ({cable.spec})"
        self.cable = cable
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._on_bytes: OnBytes | None = None
        self._on_lost: OnLost | None = None
        self._lost: LinkLostError | None = None
        self._closed = False
        self._to_host = _Lane(cable.to_host, cable, self._deliver)
        self._to_device = _Lane(cable.to_device, cable, self._send)

    @property
    def baud(self) -> int | None:
        """Baud rate of the link behind it, where that has one."""
        found: int | None = getattr(self._link, "baud", None)
        return found

    def set_baud(self, baud: int) -> None:
        """Change it, where there is one."""
        change = getattr(self._link, "set_baud", None)
        if change is not None:
            change(baud)

    def start(self, on_bytes: OnBytes, on_lost: OnLost) -> None:
        """Begin to deliver."""
        self._on_bytes, self._on_lost = on_bytes, on_lost
        self._link.start(self._came, self._inner_lost)
        self._set_timer()

    def write(self, data: bytes) -> None:
        """Send, without waiting."""
        if self._lost is not None or self._closed:
            raise self._lost or LinkLostError(f"{self.url} is closed", url=self.url)
        if not self._to_device.take(data, host_now_ns()):
            raise self._lose(f"{self.url} takes no more bytes: {QUEUE_BYTES} wait in its bad cable")
        self._set_timer()

    async def close(self) -> None:
        """End it, and the link behind it."""
        if not self._closed:
            self._detach()
            self._closed = True
            self.cable.write_report()
            log.info("fault cable", link=self.url, **{k: v for k, v in self.cable.report().items() if k != "actions"})
        await self._link.close()

    def _came(self, data: bytes, t_host_ns: int) -> None:
        if self._lost is None and not self._to_host.take(data, t_host_ns):
            self._lose(f"{self.url} delivers no more: {QUEUE_BYTES} bytes wait in its bad cable")
        self._set_timer()

    def _deliver(self, data: bytes, t_host_ns: int) -> None:
        if self._on_bytes is not None:
            self._on_bytes(data, t_host_ns)

    def _send(self, data: bytes, _: int) -> None:
        if self._lost is None and not self._closed:
            self._link.write(data)

    def _inner_lost(self, error: LinkLostError) -> None:
        self._end(error)

    def _tick(self) -> None:
        self._timer = None
        cable = self.cable
        now_s = cable.now_s()
        cable.act(now_s)
        if now_s < cable.unplugged_until_s:
            self._lose(f"{self.url} was unplugged, as its faults want")
            return
        try:
            self._to_device.release(now_s)
        except LinkLostError as error:
            self._end(error)
            return
        self._to_host.release(now_s)
        self._set_timer()

    def _set_timer(self) -> None:
        """Wake up when the next thing is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._lost is not None or self._closed or self._on_bytes is None:
            return
        times = [self.cable.schedule.next_s()]
        times += [due_s for lane in (self._to_host, self._to_device) if (due_s := lane.next_s()) is not None]
        wait_s = min(times) - self.cable.now_s()
        if wait_s < 86400:
            self._timer = self._loop.call_later(max(0.0, wait_s), self._tick)

    def _lose(self, what: str) -> LinkLostError:
        return self._end(LinkLostError(f"{what}; it is opened again by itself", url=self.url))

    def _end(self, error: LinkLostError) -> LinkLostError:
        if self._lost is None:
            self._lost = error
            on_lost = self._on_lost
            self._detach()
            if on_lost is not None:
                self._loop.call_soon(on_lost, error)
        return self._lost

    def _detach(self) -> None:
        self._on_bytes = self._on_lost = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._to_host.restart()
        self._to_device.restart()
