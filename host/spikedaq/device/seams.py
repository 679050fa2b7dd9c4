"""What a device needs from its surroundings, and how long it waits for what."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from spikedaq.clock import Estimate
from spikedaq.model import Block, ClockMap, Event, Gap
from spikedaq.wire import Frame, Hello, Log


class DeviceState(StrEnum):
    """Where a device stands."""

    OPENING = "opening"
    IDENTIFYING = "identifying"
    RUNNING = "running"
    STOPPED = "stopped"
    SILENT = "silent"
    """Connected, and nothing has come for `Timing.silent_s`."""
    LOST = "lost"
    """The link cannot be opened, or ended; it is opened again by itself."""
    REFUSED = "refused"
    """Something answers that cannot be used: another version, another board, another protocol."""
    REMOVED = "removed"
    """No device of the bench any more."""


class DeviceJournal(Protocol):
    """Where a device's log goes. Nothing here may raise or wait."""

    def frames(self, t_host_ns: int, frames: list[Frame]) -> None:
        """Keep good frames, read at ``t_host_ns``."""

    def bad_frame(self, t_host_ns: int, reason: str, n_bytes: int) -> None:
        """Keep that a bad frame came."""

    def link(self, t_host_ns: int, state: str, url: str, detail: str) -> None:
        """Keep what became of the link: opened, lost or closed."""

    def request(self, t_host_ns: int, message: bytes, origin: str) -> None:
        """Keep what was sent to the device."""

    def ping(self, t_send_ns: int, token: int) -> None:
        """Keep that a ping was sent."""

    def clock_map(self, t_host_ns: int, clock_map: ClockMap) -> None:
        """Keep the map that holds from the next block on."""

    def clock_fit(self, t_host_ns: int, boot_id: int, measured: Estimate) -> None:
        """Keep what was measured of the clock."""

    def resume(self, boot_id: int) -> int | None:
        """Return the number of the first frame of a boot that no earlier daemon journalled, if one knew the boot."""

    def timed(self, boot_id: int) -> tuple[ClockMap, int] | None:
        """Return the newest map of a boot in the journal, and a tick that no sample timed by it lies beyond."""


class JournalOpener(Protocol):
    """Opens the journal of the board that answered, once per link."""

    async def __call__(self, hello: Hello) -> DeviceJournal:
        """Return the journal, or raise: `ConfigError` for a board that must not be used now, `StoreError`."""


class DeviceListener(Protocol):
    """Who is told at once, inside the read callback. Nothing here may raise or wait."""

    def block(self, block: Block, clock_map: ClockMap | None) -> None:
        """Take a block that is already in the journal."""

    def event(self, event: Event, clock_map: ClockMap | None) -> None:
        """Take an event."""

    def gap(self, gap: Gap, clock_map: ClockMap | None) -> None:
        """Take a gap."""

    def log(self, log: Log) -> None:
        """Take a line that the device says."""

    def state(self, state: DeviceState, detail: str) -> None:
        """Take a change of state, with one clear line about it."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Periods and patience of a device, in seconds of host time."""

    hello_period_s: float = 0.5
    identify_s: float = 6.0
    """A Nano's boot loader listens for 2 s after the port is opened, before the firmware can answer."""
    stock_after: int = 2
    """So many hello? stay unanswered before a stock board is believed: a running spikedaq board answers the first."""
    other_baud_s: float = 2.5
    """At each further baud rate; changing it resets no board, so none has to boot."""
    stock_ready_s: float = 4.0
    """A recognised stock board's step period is measured for a second."""
    resend_first_s: float = 0.05
    resend_last_s: float = 0.25
    """Bounds of the time after which missing frames are asked for again; in between it follows the round trip."""
    resend_tries: int = 8
    resend_patience_s: float = 1.0
    """Without one of the missing frames, before they are given up."""
    resend_longest_s: float = 5.0
    """For missing frames that keep coming in: 128 long ones take a second and a half at 921600 baud."""
    reply_s: float = 0.4
    tries: int = 4
    """Together less than the 2 s in which whoever asks is to know that a board does not answer."""
    quick_pings: int = 8
    quick_ping_s: float = 0.0237
    """Between them: from pings in one instant nobody knows how fast the device's clock runs."""
    quick_pong_s: float = 0.2
    ping_period_s: float = 0.937
    """Not round, so that it beats with no other period (USB frames, status, a user's stimulus)."""
    ping_patience_s: float = 1.0
    """For somebody who measures round trips; one that took longer is as good as none."""
    silent_s: float = 2.0
    reopen_s: float = 5.0
    stall_s: float = 2.0
    """Without a block although it answers, and at least four block periods, before it is started again."""
    backoff_first_s: float = 0.2
    backoff_last_s: float = 1.0
    """A board that is plugged in again is to stream within 3 s: this, and then some 0.4 s to describe it and to fit its
    clock. An attempt at a port that is not there costs one look at the file system."""
    refused_s: float = 5.0
    """Before a board that answered and cannot be used is asked again: opening its port may reset it."""
