"""From the link's bytes to the journal, and only then to whoever listens. The one path every sample takes."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from spikedaq.clock import Estimate
from spikedaq.device.clock import ClockKeeper
from spikedaq.device.identify import Identification
from spikedaq.device.requests import Requests
from spikedaq.device.resend import GiveUp, Resend
from spikedaq.device.seams import DeviceJournal, DeviceListener, Timing
from spikedaq.link import host_now_ns
from spikedaq.model import Block, Event, EventKind, Gap
from spikedaq.wire import (
    BadFrame,
    Connection,
    Description,
    Hello,
    Log,
    Pong,
    Rebooted,
    Received,
    Reply,
    Status,
)
from spikedaq.wire import Resend as ResendRequest

_MAX_PARAMETERS = 256  # a hello counts them in a u8; what an event says is a u32, and nothing may grow with it
_STALE_NS = 10 * 10**9
"""A block is never under way for longer than this; a device whose newest one is older is stopped."""

_TIMINGS = frozenset({Pong, Status})


class Receiver:
    """What came from a device, over all its links.

    Attributes
    ----------
    connection : Connection
        Lives as long as the same board answers, so that its sequence shows what was lost between two links.
    resend : Resend
        What is asked for again, with its counters.
    n_bytes, blocks, samples : int
        Since the start.
    t_newest_ns : int
        When the newest block came, CLOCK_BOOTTIME.
    begun : tuple of int or None
        ``samples`` and time of the block from which on a rate can be told; where it is None the next block sets it.
    values : dict
        Newest parameter values by index, as events told them since the last description.
    status : Status or None
        The device's newest own status.
    rebooted : bool
        A hello of another boot came; who deals with it takes it back.
    attention, pong : asyncio.Event
        Set when there is something to look at, and when a pong came.
    """

    def __init__(
        self, listener: DeviceListener, requests: Requests, clock: ClockKeeper, timing: Timing | None = None
    ) -> None:
        self.connection = Connection(reorders=True)
        self.resend = Resend(timing or Timing())
        self.n_bytes = 0
        self.blocks = 0
        self.samples = 0
        self.t_newest_ns = 0
        self.begun: tuple[int, int] | None = None
        self.blocks_this_link = 0
        self.values: dict[int, float] = {}
        self.status: Status | None = None
        self.block_period_s = 0.0
        self.rebooted = False
        self.attention = asyncio.Event()
        self.pong = asyncio.Event()
        self._listener = listener
        self._requests = requests
        self._clock = clock
        self._journal: DeviceJournal | None = None
        self._unique_id: bytes | None = None
        self._newest_tick = 0
        self._fit_measured: Estimate | None = None
        self._held: Identification | None = None
        self._resend_timer: asyncio.TimerHandle | None = None
        handlers: dict[type, Callable[[Any, int], None]] = {
            Block: self._block,
            Event: self._event,
            Gap: self._gap,
            BadFrame: self._bad_frame,
            Hello: self._hello,
            Rebooted: self._reboot,
            Description: self._answer,
            Reply: self._answer,
            Pong: self._pong,
            Status: self._status,
            Log: self._log,
        }
        self._handlers = MappingProxyType(handlers)

    @property
    def boot_id(self) -> int:
        """Boot of the newest hello; 0 before one."""
        return self.connection.info.boot_id if self.connection.info else 0

    # ---- a link's beginning and end ----

    def hold(self, found: Identification) -> None:
        """Give all bytes to an identification until `begin`."""
        self._held = found
        self._journal = None
        self.blocks_this_link = 0

    def begin(self, journal: DeviceJournal, hello: Hello, t_host_ns: int, url: str, detail: str) -> None:
        """Take everything held, and from now on what comes, to the journal of the board that answered."""
        found, self._held = self._held, None
        self._journal = journal
        journal.link(found.chunks[0][1] if found and found.chunks else t_host_ns, "opened", url, detail)
        if hello.unique_id != self._unique_id:
            self.connection = Connection(reorders=True)
            self._unique_id = hello.unique_id
            self._go_on(journal, hello, t_host_ns)
        self.bytes_came(b"\0", t_host_ns)  # ends a frame that the last link left unfinished
        for data, t_read_ns in found.chunks if found else ():
            self.bytes_came(data, t_read_ns)

    def _go_on(self, journal: DeviceJournal, hello: Hello, t_host_ns: int) -> None:
        """Go on where an earlier daemon's journal of this boot ends: what was sent since is asked for."""
        next_seq = journal.resume(hello.boot_id) if hello.resend_depth else None
        if next_seq is None:
            return
        timed = journal.timed(hello.boot_id)
        # From the map rather than from an old frame: hours may lie between, in which the 32-bit tick wraps.
        near_tick = timed[0].tick(t_host_ns) if timed else None
        self.connection.seed(hello, near_tick=near_tick, next_seq=next_seq)

    def end(self, t_host_ns: int) -> None:
        """Give out what is held: the link that was to bring what is missing before it is gone."""
        self._stop_timer()
        self.resend.reset()
        self._deliver(self.connection.give_up(), t_host_ns)

    def release(self) -> None:
        """Forget the link's journal; what is still read goes nowhere."""
        self._journal = None
        self._held = None

    def link(self, t_host_ns: int, state: str, url: str, detail: str) -> None:
        """Journal what became of the link."""
        if self._journal is not None:
            self._journal.link(t_host_ns, state, url, detail)

    def request(self, t_host_ns: int, message: bytes, origin: str) -> None:
        """Journal a request."""
        if self._journal is not None:
            self._journal.request(t_host_ns, message, origin)

    def ping_sent(self, t_send_ns: int, token: int) -> None:
        """Journal a ping."""
        if self._journal is not None:
            self._journal.ping(t_send_ns, token)

    # ---- the path ----

    def bytes_came(self, data: bytes, t_host_ns: int) -> None:
        """Take bytes of the link, read at ``t_host_ns``."""
        self.n_bytes += len(data)
        journal = self._journal
        if journal is None:
            if self._held is not None:
                self._held.take(data, t_host_ns)
            return
        self._deliver(self.connection.receive(data, t_host_ns), t_host_ns)
        if self.connection.held:
            self._recover()
        elif self._resend_timer is not None:
            self._stop_timer()
            self.resend.reset()

    def _deliver(self, received: list[Received], t_host_ns: int) -> None:
        """Journal the frames that a connection has just let go, and tell what they hold."""
        journal, frames = self._journal, self.connection.last_frames
        if journal is not None and frames:
            if not self.connection.last_held:
                journal.frames(t_host_ns, frames)
            else:
                for t_read_ns, run in itertools.groupby(frames, key=lambda frame: frame.t_host_ns):
                    journal.frames(t_read_ns, list(run))
        # The frames are in the journal by now, timed by the map as it is: what may change it comes after the blocks.
        timings: list[Received] = []
        for item in received:
            kind = item.__class__
            if kind in _TIMINGS:
                timings.append(item)
                continue
            if kind is Rebooted:
                self._handle(timings, t_host_ns)
                timings.clear()
            handler = self._handlers.get(kind)
            if handler is not None:
                handler(item, t_host_ns)
        self._handle(timings, t_host_ns)

    def _handle(self, received: list[Received], t_host_ns: int) -> None:
        for item in received:
            self._handlers[item.__class__](item, t_host_ns)

    def _recover(self) -> None:
        """Ask for what is missing, or give it up; again when the time comes."""
        self._stop_timer()
        t_host_ns = host_now_ns()  # what is dealt with now may have been read while the journal was being opened
        while (step := self.resend.next(self.connection, t_host_ns)) is not None:
            if isinstance(step, GiveUp):
                self._deliver(self.connection.give_up(step.before_seq), t_host_ns)
                continue
            first_seq, count = step.first_seq, step.count
            request_id = self._requests.post(lambda i, s=first_seq, n=count: ResendRequest(i, s, n), origin="resend")  # type: ignore[misc]
            if request_id is None:
                break  # the link is being lost; its end gives up what is held
            self.resend.asked(step, request_id, t_host_ns)
        due_ns = self.resend.due_ns
        if due_ns is not None:
            delay_s = max(0.0, (due_ns - t_host_ns) * 1e-9)
            self._resend_timer = asyncio.get_running_loop().call_later(delay_s, self._recover)

    def _stop_timer(self) -> None:
        if self._resend_timer is not None:
            self._resend_timer.cancel()
            self._resend_timer = None

    def _block(self, block: Block, t_host_ns: int) -> None:
        n_samples = block.samples.shape[0]
        self.t_newest_ns = t_host_ns
        self.blocks += 1
        self.blocks_this_link += 1
        self.samples += n_samples
        if self.begun is None:
            self.begun = (self.samples, t_host_ns)
        self._newest_tick = block.first_tick + n_samples * block.step_us
        self.block_period_s = n_samples * block.step_us * 1e-6
        self._listener.block(block, self._clock.map)

    def _event(self, event: Event, _: int) -> None:
        if event.kind == EventKind.PARAMETER and event.index < _MAX_PARAMETERS:
            self.values[event.index] = event.value
        self._listener.event(event, self._clock.map)

    def _gap(self, gap: Gap, _: int) -> None:
        self._listener.gap(gap, self._clock.map)

    def _bad_frame(self, bad: BadFrame, t_host_ns: int) -> None:
        # A malformed one had a good CRC and is in the journal itself.
        if bad.reason != "malformed" and self._journal is not None:
            self._journal.bad_frame(t_host_ns, bad.reason, len(bad.raw))

    def _hello(self, hello: Hello, _: int) -> None:
        self.block_period_s = hello.block_samples * hello.step_us * 1e-6
        timed = self._journal.timed(hello.boot_id) if self._journal is not None else None
        self._clock.boot(hello.boot_id, *(timed or ()))

    def _reboot(self, reboot: Rebooted, t_host_ns: int) -> None:
        self._newest_tick = 0
        self.values.clear()
        self._hello(reboot.hello, t_host_ns)
        self.rebooted = True
        self.attention.set()

    def _answer(self, message: Reply | Description, t_host_ns: int) -> None:
        if not self._requests.answered(message) and isinstance(message, Reply):
            self.resend.answered(message, t_host_ns)

    def _pong(self, pong: Pong, t_host_ns: int) -> None:
        piece = self._clock.pong(pong, t_host_ns, self._timed_tick(pong.tick))
        if self._clock.round_trip_ns is not None:
            self.resend.round_trip(self._clock.round_trip_ns)
        measured = self._clock.measured
        if self._journal is not None:
            if measured is not None and measured is not self._fit_measured:
                self._journal.clock_fit(t_host_ns, self.boot_id, measured)
            if piece is not None:
                self._journal.clock_map(t_host_ns, piece)
        self._fit_measured = measured
        self.pong.set()

    def _timed_tick(self, tick: int) -> int:
        """Return the tick from which a new piece of the map may hold, where the device is at ``tick`` now."""
        # A block that is still on its way may be older than that, never older than the end of the newest block.
        return self._newest_tick if (tick - self._newest_tick) * self._clock.ns_per_tick < _STALE_NS else tick

    def _status(self, status: Status, t_host_ns: int) -> None:
        self.status = status
        piece = self._clock.advance(self._timed_tick(status.tick))
        if piece is not None and self._journal is not None:
            self._journal.clock_map(t_host_ns, piece)

    def _log(self, line: Log, _: int) -> None:
        self._listener.log(line)
