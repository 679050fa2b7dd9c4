"""The daemon itself: everything put together, run until told to end, ended in order."""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import structlog

from spikedaq.daemon.alarms import AlarmKind, Alarms
from spikedaq.daemon.bench import Bench
from spikedaq.daemon.board_names import BoardNames
from spikedaq.daemon.commands import Commands, PortCommands
from spikedaq.daemon.config import DaemonConfig
from spikedaq.daemon.data_folder import DataFolder
from spikedaq.daemon.derived import DerivedStreams
from spikedaq.daemon.discovery import Discovery
from spikedaq.daemon.disk import DiskWatch
from spikedaq.daemon.guard import kept_going
from spikedaq.daemon.health import Health
from spikedaq.daemon.held_links import HeldLinks
from spikedaq.daemon.history_process import HistoryProcess, default_endpoints
from spikedaq.daemon.journals import Journals
from spikedaq.daemon.leases import Leases
from spikedaq.daemon.live_config import LiveConfig
from spikedaq.daemon.log_setup import set_up_logging
from spikedaq.daemon.recorder_process import KILL_S
from spikedaq.daemon.reload import Loader, Reloader, tell_changes
from spikedaq.daemon.retention import Retention
from spikedaq.daemon.sessions import Sessions
from spikedaq.daemon.triggers import SavedTriggers, TriggerEngine, load_triggers
from spikedaq.keys import KeyRing
from spikedaq.library import LibraryConfig
from spikedaq.link import PortScanner, host_now_ns
from spikedaq.memory import give_memory_back, keep_returning, leave_start_out
from spikedaq.model import ConfigError, StoreError
from spikedaq.outlet import ControlServer, Gate, Publisher, check_endpoint

EXIT_OK = 0
EXIT_CONFIG = 2
_PERIOD_S = 1.0
_TRIM_PERIOD_S = 30.0
_MAX_THREADS = 12
"""A disk that hangs keeps a few for good; asyncio has six on a computer of two cores."""

log = structlog.get_logger(__name__)


class Daemon:
    """One bench, served. Run it once.

    Parameters
    ----------
    loader : callable, optional
        Reads the configuration anew for a reload.
    scanner : PortScanner, optional
        Lists ports; another one in tests.
    log_lines_lost : callable, optional
        How many lines of the log nobody took.

    Attributes
    ----------
    epoch : str
        Identity of this start; sequence numbers on the bus count within it.
    ready : asyncio.Event
        Set once the control endpoint answers.
    control_url, publish_url : str
        The endpoints as bound.
    alarms : Alarms

    Raises
    ------
    ConfigError
        From `run`: an endpoint or data folder is in use, or cannot be used.
    """

    def __init__(
        self,
        config: DaemonConfig,
        loader: Loader | None = None,
        scanner: PortScanner | None = None,
        *,
        log_lines_lost: Callable[[], int] = lambda: 0,
    ) -> None:
        self.config = config
        self._live = LiveConfig(config)
        self._loader = loader
        self._scanner = scanner
        self._log_lines_lost = log_lines_lost
        self.epoch = f"{time.time_ns():x}-{secrets.token_hex(4)}"
        self.ready = asyncio.Event()
        self.control_url = config.control
        self.publish_url = config.publish
        self.alarms = Alarms(host_now_ns)
        self._stop = asyncio.Event()
        self._is_left = False

    def stop(self) -> None:
        """End it, and the recording with it: `run` returns once everything is in order."""
        self._stop.set()

    def leave(self) -> None:
        """End it as for a restart: files are closed, and the next daemon goes on with the recording."""
        self._is_left = True
        self._stop.set()

    async def run(self) -> None:
        """Serve until `stop` (or SIGINT, Ctrl-C), or `leave` (or SIGTERM, as of a service manager)."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_MAX_THREADS))
        if self.config.history:
            check_endpoint(self.config.history, keys=self.config.security.keys is not None)
        data = DataFolder(self.config.data)
        try:
            gate = Gate(KeyRing(self.config.security.keys)) if self.config.security.keys else None
            publisher = Publisher(self.config.publish, gate=gate)
            try:
                await self._serve(data, publisher, gate)
            finally:
                publisher.close()
        finally:
            data.close()

    async def _serve(self, data: DataFolder, publisher: Publisher, gate: Gate | None) -> None:
        journals = Journals(data.journal, self.config.journal)
        leases = Leases(host_now_ns)
        held = HeldLinks()
        bench = Bench(self._live, journals, publisher, self.epoch, leases=leases, opener=held.open)
        derived = DerivedStreams(publisher, bench.name, self.epoch, now_ns=host_now_ns, tell=bench.tell_derived)
        bench.goings.append(lambda member: derived.forget(member.name))
        names = await asyncio.to_thread(BoardNames, data.path)
        discovery = Discovery(self._live, bench, names, held, scanner=self._scanner)
        sessions = Sessions(self._live, data, journals, bench, self.alarms)
        sessions.listeners.append(partial(tell_recorded, bench, sessions))
        disk = DiskWatch(self._live, data, journals, sessions, self.alarms)
        retention = Retention(self._live, data, sessions, self.alarms)
        reloader = Reloader(self._live, bench, journals, self._loader)
        endpoints = [self.config.history] if self.config.history else default_endpoints(self.config.control)
        keys = self.config.security.keys
        library = LibraryConfig(
            recordings=data.recordings,
            folders=self.config.recording.folders or (),
            used=data.used_folders,
            journals=data.journal,
            needed_bytes=self.config.disk.restart_bytes,
            reserve_bytes=self.config.disk.reserve_bytes,
        )
        history = HistoryProcess(data.journal, self.config.bench, endpoints, self.alarms, keys=keys, library=library)
        triggers = TriggerEngine(
            self.config,
            bench,
            journals,
            self.alarms,
            saved=self._saved_triggers(data),
            leases=leases,
            now_ns=host_now_ns,
        )
        commands = Commands(
            bench,
            sessions,
            journals,
            data,
            self.alarms,
            triggers=triggers,
            reloader=reloader,
            disk=disk,
            ports=PortCommands(bench, discovery, names),
            derived=derived,
            epoch=self.epoch,
            publish_url=publisher.endpoint,
            history=history,
            leases=leases,
            stop=self.stop,
        )
        control = ControlServer(self.config.control, commands.handle, gate=gate, once=commands.changes)
        self.control_url, self.publish_url = control.endpoint, publisher.endpoint
        health = Health(
            self.config,
            self.alarms,
            bench=bench,
            sessions=sessions,
            journals=journals,
            disk=disk,
            publisher=publisher,
            control=control,
            epoch=self.epoch,
            log_lines_lost=self._log_lines_lost,
        )
        tell_changes(self._live, journals=journals, discovery=discovery, triggers=triggers, health=health)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self.stop)
        loop.add_signal_handler(signal.SIGTERM, self.leave)
        reload_asked = asyncio.Event()
        loop.add_signal_handler(signal.SIGHUP, reload_asked.set)
        tasks: list[asyncio.Task[None]] = []
        try:
            await health.start()
            commands.status.metrics_url = health.metrics_url
            async with asyncio.TaskGroup() as group:
                tasks.append(group.create_task(control.run(), name="control"))
                tasks.append(group.create_task(kept_going("history", history.run), name="history"))
                await sessions.left.resume()
                tasks.append(group.create_task(triggers.run(), name="triggers"))
                tasks.append(group.create_task(bench.run(), name="devices"))
                tasks.append(group.create_task(_reload_when(reload_asked, reloader, health), name="reload"))
                auxiliary: dict[str, Callable[[], Awaitable[None]]] = {
                    "sessions": sessions.left.run,
                    "discovery": discovery.run,
                    "status": partial(self._report, bench, sessions, data),
                    "disk": disk.run,
                    "subscribers and leases": partial(self._tend, publisher, leases, derived),
                    "retention": retention.run,
                    "sync": partial(self._sync, journals),
                    "trim": partial(self._trim, journals, sessions),
                    "memory": keep_returning,
                }
                tasks += [group.create_task(kept_going(name, run), name=name) for name, run in auxiliary.items()]
                tasks.append(group.create_task(health.run(), name="health"))
                urls = {"control": self.control_url, "publish": self.publish_url, "metrics": health.metrics_url}
                log.info("ready", **urls, data=str(data.path))
                self.ready.set()
                health.manager.ready()
                await self._stop.wait()
                log.info("ending")
                health.manager.stopping()
                if self._is_left:
                    # Boards are left running: what they keep of the time between, the next daemon asks for.
                    await sessions.abandon()
                else:
                    await sessions.finish("shutdown")
                    await asyncio.gather(*(member.device.finish() for member in bench.members.values()))
                for task in tasks:
                    task.cancel()
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.remove_signal_handler(number)
            control.close()
            await sessions.abandon(KILL_S)  # left by now, but after an internal error
            await journals.close()
            await health.close()

    def _saved_triggers(self, data: DataFolder) -> SavedTriggers:
        """Return what requests changed before the last end; where nobody can know, the bench goes on without."""
        try:
            return load_triggers(data.path)
        except StoreError as error:
            self.alarms.put(AlarmKind.TRIGGER_UNUSABLE, "", str(error))
            return SavedTriggers()

    async def _report(self, bench: Bench, sessions: Sessions, data: DataFolder) -> None:
        """Publish every device's status once a second."""
        while True:
            free_bytes = data.free_bytes()
            for member in bench.members.values():
                member.outlet.status(member.measure(sessions.of(member.name), free_bytes))
            await asyncio.sleep(_PERIOD_S)

    async def _tend(self, publisher: Publisher, leases: Leases, derived: DerivedStreams) -> None:
        """Look after the subscribers, and end the leases and derived streams that ran out."""
        while True:
            publisher.tend()
            leases.expire()
            derived.expire()
            await asyncio.sleep(_PERIOD_S)

    async def _sync(self, journals: Journals) -> None:
        """Bring the journals to the disk itself at most once a second."""
        while True:
            await asyncio.sleep(_PERIOD_S)
            await journals.sync()

    async def _trim(self, journals: Journals, sessions: Sessions) -> None:
        """Trim the journals now and then."""
        while True:
            await asyncio.sleep(_TRIM_PERIOD_S)
            await journals.trim(sessions.needed_from)


def tell_recorded(bench: Bench, sessions: Sessions, devices: Sequence[str]) -> None:
    """Publish at once how devices stand whose recording has begun or is over: who watches need not wait a second."""
    for name in devices:
        member = bench.members.get(name)
        if member is not None:
            member.outlet.status(member.status_now(sessions.of(name)))


async def _reload_when(asked: asyncio.Event, reloader: Reloader, health: Health) -> None:
    while True:
        await asked.wait()
        asked.clear()
        health.manager.reloading()
        try:
            refused = await reloader.reload_logged()
        except Exception as error:
            log.exception("internal error, the configuration was not read anew")
            refused = f"an internal error ({type(error).__name__}), see the log"
        health.config_refused(refused)
        health.manager.ready()


def run(config: DaemonConfig, loader: Loader | None = None) -> int:
    """Run a daemon with its log on stderr; return the exit status: 0, or 2 where it cannot be started like this."""
    give_memory_back()
    log_writer = set_up_logging()
    leave_start_out()
    try:
        asyncio.run(Daemon(config, loader, log_lines_lost=lambda: log_writer.lost).run())
    except ConfigError as error:
        log_writer.close()
        sys.stderr.write(f"spikedaqd: {error}\n")
        return EXIT_CONFIG
    finally:
        log_writer.close()
    return EXIT_OK
