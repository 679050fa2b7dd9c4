"""Boards by identity: looks at ports as they come and go, asks who is there, and tells the device it belongs to."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import structlog

from spikedaq.daemon.bench import Bench
from spikedaq.daemon.board_names import BoardNames
from spikedaq.daemon.config import DeviceConfig
from spikedaq.daemon.held_links import HeldLinks
from spikedaq.daemon.live_config import LiveConfig
from spikedaq.daemon.member import Member
from spikedaq.device import DeviceState, HeldLink, NotABoard, Timing, probe
from spikedaq.link import FoundPort, PortScanner, covers, open_link
from spikedaq.model import LinkError, LinkOpenError

MAX_ADOPTED = 64
"""Boards used without a name of their own; each costs a journal."""
_MAX_PROBES = 4
"""Ports opened at a time; opening may hold one of the few threads there are for as long as a driver likes."""
_BUSY_S = 2.0
_KNOWN_S = 5.0
_STRANGER_S = (5.0, 30.0)
"""Opening a port resets what is behind it, and it may be anybody's: a stranger is asked three times, then left alone
until it is plugged in again."""
_LOST_LOOKS = 2

log = structlog.get_logger(__name__)


class PortState(StrEnum):
    """What became of a port that was found."""

    ASKING = "asking"
    USED = "used"
    UNNAMED = "unnamed"
    """A board that no device is, while unnamed boards are not used."""
    REFUSED = "refused"
    BUSY = "busy"
    """It cannot be opened."""
    IDLE = "idle"
    """It was not opened: every device is here already."""


@dataclass(slots=True, eq=False)
class Port:
    """A port and what is known of it."""

    found: FoundPort
    state: PortState = PortState.IDLE
    detail: str = ""
    unique_id: str = ""
    board: str = ""
    device: str = ""
    asked: int = 0
    again_s: float | None = 0.0
    """When to ask (again), in seconds of the monotonic clock; None for never."""
    known: bool = False
    lost_looks: int = 0
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    def to_map(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "url": self.found.url,
            "usb": self.found.usb,
            "description": self.found.description,
            "state": str(self.state),
            "detail": self.detail,
            "unique_id": self.unique_id,
            "board": self.board,
            "device": self.device,
        }

    def put(self, state: PortState, detail: str = "") -> None:
        """Change the state, and say so."""
        if (state, detail) != (self.state, self.detail):
            level = log.warning if state in (PortState.REFUSED, PortState.BUSY) else log.info
            level("port", url=self.found.url, state=str(state), **({"detail": detail} if detail else {}))
        self.state, self.detail = state, detail


class Discovery:
    """Finds the boards of one bench.

    Parameters
    ----------
    held : HeldLinks
        Where links wait for the devices that they were opened for.
    scanner : PortScanner, optional
    timing : Timing, optional
    now_s : callable, optional
        Monotonic clock.
    """

    def __init__(
        self,
        live: LiveConfig,
        bench: Bench,
        names: BoardNames,
        held: HeldLinks,
        *,
        scanner: PortScanner | None = None,
        timing: Timing | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._live = live
        self._bench = bench
        self._names = names
        self._held = held
        self._scanner = scanner or PortScanner()
        self._timing = timing or Timing()
        self._now_s = now_s
        self._ports: dict[str, Port] = {}
        self._probes = asyncio.Semaphore(_MAX_PROBES)
        self._wake = asyncio.Event()

    @property
    def ports(self) -> list[Port]:
        """The ports that there are."""
        return list(self._ports.values())

    def rescan(self) -> None:
        """Ask on every port that is not in use, strangers too, at once."""
        for port in self._ports.values():
            if port.state is not PortState.USED:
                port.asked, port.again_s = 0, 0.0
        self.look_soon()

    def look_soon(self) -> None:
        """Look now and not in a period's time: another configuration may look elsewhere, or more often."""
        self._wake.set()

    async def run(self) -> None:
        """Look until cancelled."""
        try:
            while True:
                self._wake.clear()  # before the look: what is asked for meanwhile is another one
                await self.look()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._live.now.discovery.period_s):
                        await self._wake.wait()
        finally:
            tasks = [port.task for port in self._ports.values() if port.task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._held.close()

    async def look(self) -> None:
        """Look once: take up what came, let go what went."""
        config = self._live.now.discovery
        try:
            found = await asyncio.to_thread(self._scanner.scan, config.usb, config.links)
        except OSError as error:
            log.warning("the ports cannot be listed", reason=str(error))
            return
        there = {port.key: port for port in found if not self._is_claimed(port)}
        for key in self._ports.keys() - there.keys():
            await self._gone(self._ports.pop(key))
        for key, port in there.items():
            if key not in self._ports:
                log.info("port found", url=port.url, usb=port.usb, description=port.description)
                self._ports[key] = Port(port)
        for port_now in self.ports:
            self._review(port_now)

    # ---- one port ----

    def _is_claimed(self, port: FoundPort) -> bool:
        """Whether a device looks at this port by itself."""
        return any(m.config.url is not None and covers(m.config.url, port.url) for m in self._bench.members.values())

    async def _gone(self, port: Port) -> None:
        log.info("port gone", url=port.found.url, device=port.device)
        if port.task is not None:
            port.task.cancel()
            await asyncio.gather(port.task, return_exceptions=True)
        self._unassign(port)
        await self._held.drop(port.found.url)
        for other in self._ports.values():
            if port.unique_id and other.unique_id == port.unique_id and other.state is PortState.REFUSED:
                other.again_s = 0.0  # the board that was here may be there now

    def _unassign(self, port: Port) -> None:
        member = self._bench.members.get(port.device)
        if member is not None and member.assigned is not None and member.assigned.url == port.found.url:
            member.assigned.url = None
        port.device = ""

    def _review(self, port: Port) -> None:
        if port.task is not None and not port.task.done():
            return
        if port.state is PortState.USED:
            self._review_used(port)
        elif port.state is PortState.UNNAMED and (self._adopts() or self._home(port.unique_id)):
            port.again_s = 0.0  # it has got a name meanwhile, or needs none any more
        if port.state is PortState.USED or port.again_s is None or self._now_s() < port.again_s:
            return
        if not port.known and not self._wants_more():
            port.put(PortState.IDLE, "not opened: every configured device is here, and no other board is to be used")
            return
        port.put(PortState.ASKING)
        port.task = asyncio.create_task(self._ask(port), name=f"probe {port.found.url}")

    def _review_used(self, port: Port) -> None:
        """See that the device still has its port; a board that is found there again may be another one."""
        member = self._bench.members.get(port.device)
        ours = member is not None and member.assigned is not None and member.assigned.url == port.found.url
        if ours and member is not None:
            waits = port.found.url in self._held or member.device.state not in (DeviceState.LOST, DeviceState.REFUSED)
            port.lost_looks = 0 if waits else port.lost_looks + 1
            if port.lost_looks < _LOST_LOOKS:
                return
            detail = member.device.detail
        else:
            detail = ""
        self._unassign(port)
        port.lost_looks, port.asked, port.again_s = 0, 0, 0.0
        port.put(PortState.BUSY if detail else PortState.IDLE, detail)

    def _wants_more(self) -> bool:
        """Whether a board that nobody has asked yet could be of use."""
        missing = any(m.assigned is not None and m.assigned.url is None for m in self._bench.members.values())
        return missing or self._adopts()

    def _adopts(self) -> bool:
        """Whether a board that nobody named is used."""
        adopted = sum(not member.is_configured for member in self._bench.members.values())
        return self._live.now.adopts and adopted < MAX_ADOPTED

    async def _ask(self, port: Port) -> None:
        url = port.found.url
        try:
            async with self._probes:
                held = await probe(await open_link(url), self._timing)
        except LinkOpenError as error:
            port.again_s = self._now_s() + _BUSY_S
            port.put(PortState.BUSY, str(error))
        except (NotABoard, LinkError) as error:
            self._postpone(port, str(error))
        except Exception:
            log.exception("internal error, the port is left alone", url=url)
            port.again_s = None
            port.put(PortState.REFUSED, "an error inside spikedaqd; its log has the details")
        else:
            try:
                async with self._bench.changing:
                    await self._settle(port, held)
            except BaseException:
                await held.close()
                raise

    def _postpone(self, port: Port, why: str) -> None:
        """Ask again later, or not at all."""
        wait_s: float | None = _KNOWN_S
        if not port.known:
            wait_s = _STRANGER_S[port.asked] if port.asked < len(_STRANGER_S) else None
        port.asked += 1
        port.again_s = None if wait_s is None else self._now_s() + wait_s
        later = "" if wait_s is not None else "; left alone until it is plugged in again or `spikedaq devices --rescan`"
        port.put(PortState.REFUSED, why + later)

    async def _settle(self, port: Port, held: HeldLink) -> None:
        """Give a board's link to the device that it is."""
        port.unique_id, port.board = held.hello.unique_id.hex(), held.hello.board
        port.known, port.asked = True, 0
        refusal = self._refusal(port)
        member = None if refusal else self._home(port.unique_id) or self._adopt(port)
        if member is None or member.assigned is None:
            await held.close()
            if refusal:
                port.known, port.again_s = False, None
                port.put(PortState.REFUSED, refusal)
            else:
                port.again_s = None
                other = (
                    f"; {MAX_ADOPTED} boards without a name are in use, which is as many as there may be"
                    if self._live.now.adopts
                    else ", or set [discovery] enabled = true"
                )
                port.put(
                    PortState.UNNAMED,
                    f"board {port.unique_id} is no device of this bench; to use it, give it a [[device]] with "
                    f'unique_id = "{port.unique_id}"{other}',
                )
            return
        self._held.put(held)
        member.assigned.url = port.found.url
        port.device = member.name
        port.put(PortState.USED)

    def _refusal(self, port: Port) -> str:
        """Why a board that answered cannot be used; "" if it can."""
        for other in self._bench.members.values():
            info = other.device.info
            served = info is not None and info.unique_id == port.unique_id and other.device.port is not None
            elsewhere = other.assigned is not None and other.assigned.url not in (None, port.found.url)
            if served or (elsewhere and other.config.unique_id == port.unique_id):
                at = other.device.port or (other.assigned.url if other.assigned else "")
                return (
                    f"board {port.unique_id} answers at {at} already, as {other.name!r}: one board on two ports, or "
                    "two boards with one id; unplug one, or give one's port in the configuration (url)"
                )
        return ""

    def _home(self, unique_id: str) -> Member | None:
        """Return the device that a board is."""
        return next((m for m in self._bench.members.values() if m.assigned and m.config.unique_id == unique_id), None)

    def _adopt(self, port: Port) -> Member | None:
        """Make a board that nobody named a device."""
        if not self._adopts():
            return None
        name = self._names.of(port.unique_id, self._bench.members)
        return self._bench.add(DeviceConfig(name, unique_id=port.unique_id), is_configured=False)
