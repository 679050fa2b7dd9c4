"""``fault:`` links: any other link through a cable that is bad on purpose, to rehearse with a real board."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import structlog

from spikedaq.link.base import Link, OnBytes, OnLost, host_now_ns
from spikedaq.link.fault_cable import FaultCable, cable_of
from spikedaq.link.faults import FaultStream
from spikedaq.link.url import LinkUrl
from spikedaq.model import LinkLostError, LinkOpenError

QUEUE_BYTES = 2**20
"""What a stall or a delay may hold back; a link that would need more is lost, as a hub that gives up a port."""

log = structlog.get_logger(__name__)
Opener = Callable[[LinkUrl], Awaitable[Link]]


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
