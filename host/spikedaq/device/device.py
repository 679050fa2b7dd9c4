"""One device: its link opened again and again, identified, described, started, watched."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import NoReturn

import structlog

from spikedaq.device.clock import ClockKeeper
from spikedaq.device.commands import Commands
from spikedaq.device.greet import greet
from spikedaq.device.identify import Identification
from spikedaq.device.present_link import PresentLink
from spikedaq.device.receive import Receiver
from spikedaq.device.requests import Requests
from spikedaq.device.seams import DeviceListener, DeviceState, JournalOpener, Timing
from spikedaq.device.stock_link import StockLink
from spikedaq.device.translate import Translator
from spikedaq.device.watchdog import Quiet, Watchdog
from spikedaq.link import Finder, Link, PortFinder, host_now_ns, open_link
from spikedaq.model import (
    CommandError,
    CommandRejected,
    ConfigError,
    DeviceInfo,
    LinkLostError,
    LinkOpenError,
    ProtocolError,
    RemoteProtocolError,
    StoreError,
)
from spikedaq.wire import (
    Connection,
    Hello,
    Reply,
    Start,
    Stop,
    check_version,
    device_info,
)

_WATCH_S = 0.25
"""How often the watchdog looks. Counters, not the blocks themselves, tell it that something came."""

log = structlog.get_logger(__name__)


class _Refused(Exception):
    """What answers cannot be used; the text says why."""


class _Elsewhere(_Refused):
    """Another board answers than the one that is looked for."""


class Device:
    """A device by name, wherever its link leads.

    Parameters
    ----------
    name, url : str
    open_journal : JournalOpener
        Called with the hello of whatever board answers, before anything of it is used.
    listener : DeviceListener
    timing : Timing, optional
    opener : callable, optional
        Opens links; another one in tests.
    finder : Finder, optional
        Says where to look for it; by default the URL does.
    settings : mapping, optional
        Parameters that are set whenever it has been connected or has rebooted.

    Attributes
    ----------
    state : DeviceState
    detail : str
        One clear line about the state.
    info : DeviceInfo or None
        What the device said of itself in its present boot, parameters at their newest values.
    commands : Commands
        What else can be asked of it.
    wanted : bool
        Whether it is to stream: started again after a reconnect or a reboot.
    reconnects : int
    settings : mapping
        As given; may be replaced by others at any time.
    watched_s : float
        When its own task looked after it last, by the loop's clock.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        open_journal: JournalOpener,
        listener: DeviceListener,
        timing: Timing | None = None,
        opener: Callable[[str], Awaitable[Link]] = open_link,
        finder: Finder | None = None,
        settings: Mapping[str, float] | None = None,
    ) -> None:
        self.name = name
        self.url = url
        self.state = DeviceState.OPENING
        self.detail = ""
        self.wanted = True
        self.reconnects = 0
        self.watched_s = 0.0
        self._timing = timing or Timing()
        self._opener = opener
        self._open_journal = open_journal
        self._listener = listener
        self._requests = Requests(name, self._timing)
        self.clock = ClockKeeper()
        self.received = Receiver(listener, self._requests, self.clock, self._timing)
        self.commands = Commands(name, self._requests, self.received, refusal=self._refusal)
        self._finder = finder or PortFinder(url)
        self.settings: Mapping[str, float] = dict(settings or {})
        self._unique_id: str | None = None
        self._opened = 0
        self._present = PresentLink(url, self.received, self._requests, self.clock, self._timing)
        self._log = log.bind(device=name)

    # ---- what others ask ----

    @property
    def translator(self) -> Translator | None:
        """What speaks for a board with a stock firmware, or None."""
        link = self._present.link
        return link.translator if isinstance(link, StockLink) else None

    @property
    def port(self) -> str | None:
        """URL of the link in use; None while there is none."""
        return self._present.link.url if self._present.link is not None else None

    @property
    def connection(self) -> Connection:
        """The protocol state, with its counters."""
        return self.received.connection

    @property
    def info(self) -> DeviceInfo | None:
        """Return the description, with the newest parameter values; None before there is one."""
        return self.commands.info

    async def start(self, *, origin: str = "") -> int:
        """Start the blocks; return the first step. The device is kept started from now on."""
        self.commands.checked()
        answer = await self._requests.call(lambda i: Start(i, 0), what="start", origin=origin)
        self.wanted = True
        self._set_state(DeviceState.RUNNING, "")
        self.received.attention.set()
        return answer.value if isinstance(answer, Reply) and isinstance(answer.value, int) else 0

    async def stop(self, *, origin: str = "") -> int:
        """Stop the blocks; return the first step not sent. The device is kept stopped from now on."""
        self.commands.checked()
        wanted, self.wanted = self.wanted, False
        try:
            answer = await self._requests.call(Stop, what="stop", origin=origin)
        except BaseException:
            self.wanted = wanted
            raise
        self._set_state(DeviceState.STOPPED, "")
        self.received.attention.set()
        return answer.value if isinstance(answer, Reply) and isinstance(answer.value, int) else 0

    async def ping(self) -> int | None:
        """Measure one round trip, in nanoseconds; None where no answer came within `Timing.ping_patience_s`."""
        self.commands.checked()
        return await self._present.round_trip_ns()

    def _refusal(self) -> str | None:
        """Return why it takes no commands now, None where it does."""
        connected = self._present.link is not None and self.state in _CONNECTED
        return None if connected else self.detail or f"it is {self.state}"

    # ---- its life ----

    async def run(self) -> None:
        """Serve the device until cancelled; nothing that happens to it ends this."""
        backoff_s = self._timing.backoff_first_s
        while True:
            try:
                if self.state is DeviceState.OPENING:
                    self._set_state(DeviceState.OPENING, f"opening {self.url}")
                await self._serve_any()
            except LinkOpenError as error:
                self._set_state(DeviceState.LOST, str(error))
            except LinkLostError as error:
                if self.received.blocks_this_link:
                    backoff_s = self._timing.backoff_first_s
                self._set_state(DeviceState.LOST, str(error))
            except _Refused as error:
                self._set_state(DeviceState.REFUSED, str(error))
                await asyncio.sleep(self._timing.refused_s)
                continue
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, self._timing.backoff_last_s)

    async def _serve_any(self) -> None:
        """Serve the device at the first port that turns out to be its own."""
        failures: list[LinkOpenError | _Elsewhere] = []
        for url in await asyncio.to_thread(self._finder.candidates):
            try:
                link = await self._opener(url)
            except LinkOpenError as error:
                failures.append(error)
                continue
            try:
                await self._serve(link, moved=url != self.url)
            except _Elsewhere as error:
                failures.append(error)
            finally:
                await self._present.let_go(link)
        if self._finder.is_pattern and self._unique_id:
            tried = "; ".join(str(failure) for failure in failures)
            message = f"board {self._unique_id} is on no port that matches {self.url}: {tried}"
            raise LinkOpenError(message, url=self.url)
        raise failures[-1]

    async def finish(self) -> None:
        """Stop the blocks before the end of the daemon, if the device still listens."""
        if self.state is DeviceState.RUNNING:
            try:
                await self.stop(origin="shutdown")
            except (CommandError, RemoteProtocolError) as error:
                self._log.warning("could not be stopped", reason=str(error))

    def retire(self) -> None:
        """Say that it is no device of the bench any more, after the end of `run`."""
        self._set_state(DeviceState.REMOVED, "")

    async def _serve(self, link: Link, *, moved: bool) -> NoReturn:
        """Use an open link until it is lost or refused; one under another name only if the board is the right one."""
        self._set_state(DeviceState.IDENTIFYING, f"waiting for a hello on {link.detail}")
        found = Identification()
        self.received.hold(found)
        self._present.begin(link)
        link, hello = await self._identify(link, found)
        try:
            check_version(hello)
        except RemoteProtocolError as error:
            raise _Refused(f"{self.name} ({link.detail}) cannot be used: {error}") from error
        answered, wanted = hello.unique_id.hex(), self._finder.unique_id or (self._unique_id if moved else None)
        if wanted is not None and answered != wanted:
            raise _Elsewhere(f"board {answered} answers on {link.url}, and {self.name} is board {wanted}")
        try:
            journal = await self._open_journal(hello)
        except (ConfigError, StoreError) as error:
            raise _Refused(str(error)) from error
        await asyncio.to_thread(self._finder.found, link.url)
        self._unique_id = answered
        self._opened += 1
        self.reconnects = self._opened - 1
        self._requests.attach(self._present.send_request)
        self.received.begin(journal, hello, host_now_ns(), link.url, link.detail)
        while True:
            self.received.rebooted = False
            try:
                await self._set_up()
                await self._watch()
            except (CommandError, ProtocolError) as error:
                self._present.check_lost()
                if not self.received.rebooted:
                    raise LinkLostError(f"{self.name} cannot be set up: {error}", url=self.url) from error
            self._log.warning("rebooted", boot_id=f"{self.received.boot_id:08x}")
            self._set_state(DeviceState.IDENTIFYING, "it has rebooted; host-held parameters are back at its defaults")

    async def _identify(self, link: Link, found: Identification) -> tuple[Link, Hello]:
        link, hello = await greet(link, found, self._present, self._timing)
        if hello is None:
            raise _Refused(found.failure(link.url, self._timing.identify_s))
        return link, hello

    async def _set_up(self) -> None:
        """Describe, fit the clock, start."""
        hello = self.connection.info
        if hello is None:
            raise RemoteProtocolError(f"{self.name} sent no hello that can be used")
        self.commands.described(None)
        self.received.values.clear()
        self._present.ping()
        await self.commands.describe(hello)
        await self._present.quick_pings()
        self.commands.described(device_info(hello, self.connection.descriptions.values()))
        unset = await self._apply_settings()
        # A device that runs already (only this daemon was restarted) is left running: a start would turn what was lost
        # meanwhile into samples that nobody asked for.
        if self.wanted and not hello.running:
            await self._requests.call(lambda i: Start(i, 0), what="start", origin="connect")
        elif hello.running and not self.wanted:
            await self._requests.call(Stop, what="stop", origin="connect")
        self._set_state(DeviceState.RUNNING if self.wanted else DeviceState.STOPPED, unset)

    async def _apply_settings(self) -> str:
        """Set what the configuration says; return what was refused, if anything was: the device runs all the same."""
        refused = []
        for name, value in self.settings.items():
            try:
                await self.commands.set_described({name: value}, origin="configuration")
            except CommandRejected as error:
                refused.append(str(error))
        return f"its configuration asks for what it cannot do: {'; '.join(refused)}" if refused else ""

    async def _watch(self) -> None:
        """Ping and look after the device until it reboots."""
        loop = asyncio.get_running_loop()
        now_s = next_ping_s = asked_s = loop.time()
        watchdog = Watchdog(self._timing, now_s)
        while not self.received.rebooted:
            self._present.check_lost()
            now_s = self.watched_s = loop.time()
            quiet, quiet_s = watchdog.look(
                now_s,
                frames=self.connection.counters.frames,
                blocks=self.received.blocks,
                wanted=self.wanted,
                block_period_s=self.received.block_period_s,
            )
            if quiet is Quiet.GONE:
                raise LinkLostError(
                    f"{self.name} has been silent for {quiet_s:.1f} s; the link is opened again", url=self.url
                )
            if quiet is Quiet.SILENT:
                what = f"nothing has come from it for {quiet_s:.1f} s; check its cable and power"
                self._set_state(DeviceState.SILENT, what)
                next_ping_s = min(next_ping_s, now_s)
            elif quiet is Quiet.STALLED:
                self._set_state(DeviceState.SILENT, f"it answers, but no block has come for {quiet_s:.1f} s")
                if now_s - asked_s >= self._timing.silent_s:
                    asked_s = now_s
                    self._present.ask_hello()
                    await self._requests.call(lambda i: Start(i, 0), what="start", origin="watchdog")
            elif self.state is DeviceState.SILENT:
                self._set_state(DeviceState.RUNNING if self.wanted else DeviceState.STOPPED, "it is back")
            if self.connection.wants_hello and now_s - asked_s >= self._timing.hello_period_s:
                asked_s = now_s
                self._present.ask_hello()
            if now_s >= next_ping_s:
                self._present.ping()
                next_ping_s = now_s + self._timing.ping_period_s
            self.received.attention.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(_WATCH_S, max(0.0, next_ping_s - now_s))):
                    await self.received.attention.wait()

    def _set_state(self, state: DeviceState, detail: str) -> None:
        if not detail and state in _CONNECTED and self.translator is not None:
            detail = self.translator.about
        if state is self.state and (detail == self.detail or state is DeviceState.SILENT):
            self.detail = detail
            return
        self.state, self.detail = state, detail
        level = self._log.warning if state in _ALARMS else self._log.info
        level("device", state=str(state), **({"detail": detail} if detail else {}))
        self._listener.state(state, detail)


_CONNECTED = (DeviceState.RUNNING, DeviceState.STOPPED, DeviceState.SILENT)
_ALARMS = (DeviceState.SILENT, DeviceState.LOST, DeviceState.REFUSED)
