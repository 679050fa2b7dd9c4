"""Commands that triggers send to one device: a bounded queue, worked off one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from spikedaq.daemon.alarms import AlarmKind, Alarms
from spikedaq.daemon.leases import Leases
from spikedaq.daemon.member import Member
from spikedaq.daemon.trigger_config import TriggerCommand
from spikedaq.daemon.triggers.trigger import Trigger
from spikedaq.device import Device
from spikedaq.model import SpikedaqError

MAX_WAITING = 16
"""A device answers a command in a few milliseconds; where so many wait, they come faster than it can take them."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """One command to be sent, and the instant that asked for it, CLOCK_BOOTTIME.

    Attributes
    ----------
    by : str or None
        In whose name, as `Peer.holder`: of whom fired it by hand, else of whom armed the trigger.
    """

    trigger: Trigger
    command: TriggerCommand
    t_trigger_ns: int
    by: str | None


class OrderQueue:
    """The orders for one device. A full queue refuses the newest; what has become too old is not sent.

    None of it can disturb the acquisition: `put` never waits, and whatever goes wrong is counted with its trigger and
    raises an alarm about the device, which stands until a command of a trigger is done there again, or no armed trigger
    has one for it.

    Parameters
    ----------
    now_ns : callable
        CLOCK_BOOTTIME.
    """

    def __init__(self, member: Member, alarms: Alarms, leases: Leases, now_ns: Callable[[], int]) -> None:
        self._member = member
        self._leases = leases
        self._alarms = alarms
        self._now_ns = now_ns
        self._waiting: asyncio.Queue[Order] = asyncio.Queue(MAX_WAITING)

    def put(self, order: Order) -> None:
        """Take an order, or count that there is no room for it."""
        try:
            self._waiting.put_nowait(order)
        except asyncio.QueueFull:
            self._failed(order, "dropped", f"{MAX_WAITING} commands of triggers wait for it already; fire more seldom")

    def close(self) -> None:
        """Count what waits as not carried out: the device is being removed."""
        while not self._waiting.empty():
            self._waiting.get_nowait().trigger.commands["failed"] += 1

    async def run(self) -> None:
        """Send what is to be sent until cancelled."""
        while True:
            order = await self._waiting.get()
            age_ns = self._now_ns() - order.t_trigger_ns
            if age_ns > order.trigger.config.within_s * 1e9:
                text = f"it could not be sent within {order.trigger.config.within_s:g} s, and was left out"
                self._failed(order, "late", text)
                continue
            if refusal := self._leases.refusal(self._member.name, order.by):
                self._failed(order, "failed", refusal)
                continue
            try:
                await carry_out(self._member.device, order.command, origin=f"trigger {order.trigger.name}")
            except asyncio.CancelledError:
                order.trigger.commands["failed"] += 1
                raise
            except SpikedaqError as error:
                self._failed(order, "failed", str(error))
            except Exception as error:
                log.exception("internal error in a command of a trigger", trigger=order.trigger.name)
                self._failed(order, "failed", f"an internal error ({type(error).__name__}), see the log")
            else:
                order.trigger.commands["done"] += 1
                self._alarms.clear(AlarmKind.TRIGGER_COMMAND, self._member.name)

    def _failed(self, order: Order, how: str, why: str) -> None:
        order.trigger.commands[how] += 1
        if not order.trigger.armed:
            return  # disarmed meanwhile: nothing would end the alarm
        what = f"the command {order.command.do!r} of trigger {order.trigger.name!r} to {self._member.name}"
        self._alarms.put(AlarmKind.TRIGGER_COMMAND, self._member.name, f"{what} was not carried out: {why}")


async def carry_out(device: Device, command: TriggerCommand, *, origin: str) -> None:
    """Do one command; raises `CommandError` or `ProtocolError` as the device does."""
    match command.do:
        case "set":
            await device.commands.set(command.values or {}, origin=origin)
        case "start":
            await device.start(origin=origin)
        case "stop":
            await device.stop(origin=origin)
        case "stimulus":
            await device.commands.stimulus(command.rows or (), loop=command.loop, origin=origin)
        case "play":
            await device.commands.stimulus_play(loop=command.loop, origin=origin)
        case "stimulus_stop":
            await device.commands.stimulus_stop(origin=origin)
