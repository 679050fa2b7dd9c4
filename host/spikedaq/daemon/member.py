"""One device of a daemon: its outlet, its journal, and how it stands."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable

import structlog

from spikedaq.bus import DeviceStatus
from spikedaq.daemon.config import DeviceConfig
from spikedaq.daemon.journals import Journal, Journals
from spikedaq.daemon.leases import Leases
from spikedaq.daemon.publish import Bus, DeviceOutlet
from spikedaq.daemon.session import Session
from spikedaq.daemon.tee import Tee
from spikedaq.device import Device, DeviceState
from spikedaq.link import AssignedPort, Finder, Link, PortFinder, host_now_ns, open_link
from spikedaq.model import ClampMode
from spikedaq.wire import Hello

_STALLED_S = 1.5  # without a block for longer than this and than three of them take, the rate is 0
_AFTER_DEFECT_S = 5.0

Opener = Callable[[str], Awaitable[Link]]

log = structlog.get_logger(__name__)


class Member:
    """One device of the bench.

    Attributes
    ----------
    config : DeviceConfig
    is_configured : bool
        Somebody named it; else it was found and is used under a name of ours.
    assigned : AssignedPort or None
        Where it is told which port it is on, where the configuration gives no URL.
    tee : Tee
        Who is told what it says; the bus is the first.
    """

    def __init__(
        self,
        config: DeviceConfig,
        bench: str,
        epoch: str,
        bus: Bus,
        journals: Journals,
        *,
        leases: Leases,
        opener: Opener = open_link,
        is_configured: bool = True,
    ) -> None:
        self.name = config.name
        self.config = config
        self.is_configured = is_configured
        self.assigned: AssignedPort | None = None
        finder: Finder
        if config.url is None:
            finder = self.assigned = AssignedPort(config.unique_id or "")
        else:
            finder = PortFinder(config.url, config.unique_id)
        self.outlet = DeviceOutlet(bus, bench, config.name, epoch, host_now_ns)
        self.tee = Tee(self.outlet)
        self.device = Device(
            config.name,
            config.url or f"id:{config.unique_id}",
            open_journal=self._open_journal,
            listener=self.tee,
            opener=opener,
            finder=finder,
            settings=config.parameters,
        )
        self.outlet.info = lambda: self.device.info
        self._journals = journals
        self._leases = leases
        self._counted = (0, 0)
        self._rate_hz = 0.0
        self._free_bytes: int | None = None

    async def _open_journal(self, hello: Hello) -> Journal:
        journal = await self._journals.open(self.name, hello.unique_id.hex())
        journal.on_request = self.outlet.request
        return journal

    async def run(self) -> None:
        """Run the device for good; a defect of ours ends this link, never the other devices."""
        while True:
            try:
                await self.device.run()
            except Exception:
                log.exception("internal error, the device is started again", device=self.name)
                await asyncio.sleep(_AFTER_DEFECT_S)

    def measure(self, session: Session | None, free_bytes: int | None) -> DeviceStatus:
        """Return the status to publish; the rate is that since the last call."""
        # From block to block: a second holds 99 or 101 of them as often as 100, and would show as a rate that wobbles.
        received = self.device.received
        samples, t_ns = received.samples, received.t_newest_ns
        if t_ns > self._counted[1]:
            if rate_hz := self._rate_since():
                self._rate_hz, self._counted = rate_hz, (samples, t_ns)
        elif host_now_ns() - t_ns > 1e9 * max(_STALLED_S, 3 * received.block_period_s):
            self._counted, self._rate_hz, received.begun = (samples, 0), 0.0, None
        self._free_bytes = free_bytes
        return self.status_now(session)

    def _rate_since(self) -> float:
        """Return the rate since the last measurement, or since the first block after a pause."""
        received = self.device.received
        samples, t_ns = self._counted if self._counted[1] else received.begun or (0, 0)
        return (
            (received.samples - samples) * 1e9 / (received.t_newest_ns - t_ns)
            if received.t_newest_ns > t_ns > 0
            else 0.0
        )

    def status_now(self, session: Session | None = None) -> DeviceStatus:
        """Return the status at this moment, with the rate of the last second."""
        device, received = self.device, self.device.received
        counters = received.connection.counters
        info = device.info
        journal = self._journals.get(self.name)
        lease = self._leases.of(self.name)
        file = session.file_status(self.name) if session else None
        translator = device.translator
        uncounted = info is not None and info.is_translated
        streaming = device.state in (DeviceState.RUNNING, DeviceState.STOPPED)
        detail = translator.about if translator is not None and streaming else device.detail
        if journal is not None and journal.writer.failing:
            detail = "its journal cannot be written, samples are being lost: make room on the disk"
        values = {p.name: p.value for p in info.parameters} if info else {}
        step_us = values.get("step_us", info.step_us) if info else 0
        v_hold_mv = values.get("v_hold", math.nan)
        clamped = values.get("clamp_mode") == 1
        return DeviceStatus(
            device=self.name,
            url=device.url,
            state=str(device.state),
            detail=detail,
            unique_id=info.unique_id if info else "",
            board=info.board if info else "",
            firmware=info.firmware_version if info else "",
            boot=info.boot_id if info else None,
            # A second must not pass before a device that streams shows it.
            rate_hz=self._rate_hz if self._counted[1] else self._rate_since(),
            nominal_hz=1e6 / step_us if step_us else 0.0,
            mode=str(ClampMode.VOLTAGE if clamped else ClampMode.CURRENT),
            v_hold_mv=v_hold_mv if clamped and math.isfinite(v_hold_mv) else None,
            samples=received.samples,
            blocks=received.blocks,
            link_bytes=received.n_bytes,
            sequence="none" if uncounted else "counted",
            gaps={
                "lost": None if uncounted else counters.lost_samples,
                "overrun": None if uncounted else counters.overrun_samples,
                "dropped": file["gaps"].get("dropped", 0) if file else 0,
            },
            bad_frames=sum(counters.bad_frames.values()) + counters.malformed,
            saturated_blocks=counters.saturated_blocks,
            link={
                "frames_missing": counters.frames_missing,
                "frames_resent": counters.late,
                "frames_held": len(received.connection.held),
                "duplicates": counters.duplicates,
                "resend_requests": received.resend.counters.requests,
                "resend_given_up": received.resend.counters.given_up,
            },
            clock_u_ns=device.clock.uncertainty_ns,
            reconnects=device.reconnects,
            journal_offset=journal.writer.offset if journal else 0,
            journal_bytes=journal.kept_bytes() if journal else 0,
            recording={"session": session.name, **file} if session and file else None,
            free_bytes=self._free_bytes,
            lease=lease.to_map(host_now_ns(), time.time_ns()) if lease else None,
            stimulus=self.outlet.stimulus.to_map(info.boot_id if info else None),
        )
