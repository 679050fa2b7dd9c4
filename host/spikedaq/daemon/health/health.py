"""Everything about the daemon's health, put together: looked after, told, measured, kept alive."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import structlog

from spikedaq.bus import DeviceStatus
from spikedaq.daemon.alarms import AlarmKind, Alarms
from spikedaq.daemon.bench import Bench
from spikedaq.daemon.config import AlarmsConfig, DaemonConfig
from spikedaq.daemon.disk import DiskWatch
from spikedaq.daemon.guard import AFTER_DEFECT_S
from spikedaq.daemon.health.announce import Announcer
from spikedaq.daemon.health.command import AlarmCommand
from spikedaq.daemon.health.life import is_alive, summary
from spikedaq.daemon.health.watcher import PERIOD_S, Watcher
from spikedaq.daemon.journals import Journals
from spikedaq.daemon.service_manager import ServiceManager
from spikedaq.daemon.sessions import Sessions
from spikedaq.daemon.version import version
from spikedaq.link import host_now_ns
from spikedaq.outlet import ControlServer, Publisher

_LOOKS_PER_REPEAT = 4

log = structlog.get_logger(__name__)


class Health:
    """Looks after the bench, and tells everybody who is to know.

    Attributes
    ----------
    manager : ServiceManager
    metrics_url : str or None
    """

    def __init__(
        self,
        config: DaemonConfig,
        alarms: Alarms,
        *,
        bench: Bench,
        sessions: Sessions,
        journals: Journals,
        disk: DiskWatch,
        publisher: Publisher,
        control: ControlServer,
        epoch: str,
        log_lines_lost: Callable[[], int] = lambda: 0,
    ) -> None:
        self.manager = ServiceManager()
        self.metrics_url: str | None = None
        self._config = config
        self._alarms = alarms
        self._bench = bench
        self._sessions = sessions
        self._disk = disk
        self._publisher = publisher
        self._control = control
        self._log_lines_lost = log_lines_lost
        self._watcher = Watcher(config.alarms, alarms, bench, sessions=sessions, journals=journals, viewers=publisher)
        self._announcer = Announcer(publisher, bench.name, epoch, alarms, host_now_ns)
        self._command = AlarmCommand(config.alarms, bench.name)
        self._started_s = time.monotonic()
        self._server: Any = None
        alarms.listeners += [self._announcer.changed, self._command.changed]
        for alarm in alarms.standing.values():  # raised while everything else was being made
            self._command.changed(alarm, raised=True)

    async def start(self) -> None:
        """Bind what is to be bound.

        Raises
        ------
        ConfigError
            The metrics port cannot be had.
        """
        if self._config.metrics is not None:
            # A library that only this needs.
            from spikedaq.daemon.health.metrics_server import MetricsServer  # noqa: PLC0415

            self._server = MetricsServer(self._config.metrics, self.snapshot)
            await self._server.start()
            self.metrics_url = self._server.url

    def configure(self, config: AlarmsConfig) -> None:
        """Use other thresholds, and another command, from now on: the configuration was read anew."""
        self._alarms.clear(AlarmKind.CONFIG_REFUSED)
        self._watcher.configure(config)
        self._command.config = config

    def config_refused(self, reason: str | None) -> None:
        """Take what came of reading the configuration anew: why it was not taken up, None where it was."""
        if reason is not None:
            self._alarms.clear(AlarmKind.CONFIG_REFUSED)  # another reason may hold now
            text = f"the configuration was not read anew, the old one holds: {reason}"
            self._alarms.put(AlarmKind.CONFIG_REFUSED, "", text)

    async def run(self) -> None:
        """Look after everything until cancelled."""
        try:
            while True:
                now_s = time.monotonic()
                pause_s = PERIOD_S
                try:
                    self._look()
                except Exception:
                    log.exception("internal error in a look at the bench's health, the next comes later")
                    pause_s = AFTER_DEFECT_S
                if is_alive(self._bench, now_s):
                    self.manager.alive(now_s)
                await asyncio.sleep(pause_s)
        finally:
            await self._watcher.close()

    def _look(self) -> None:
        self._watcher.look()
        if self._watcher.looks % _LOOKS_PER_REPEAT == 0:
            self._announcer.repeat()
            self.manager.status(summary(self._bench, self._sessions, self._alarms))

    async def close(self) -> None:
        """Let go of ports and programs."""
        if self._server is not None:
            await self._server.close()
        await self._command.close()
        self.manager.close()

    def snapshot(self) -> Any:
        """Return the figures of this moment for the metrics."""
        from spikedaq.daemon.health.metrics import Snapshot  # noqa: PLC0415

        recording = self._sessions.current
        publisher, control, command = self._publisher, self._control, self._command
        return Snapshot(
            version=version(),
            bench=self._bench.name,
            uptime_s=time.monotonic() - self._started_s,
            late_s=self._watcher.late_s,
            devices=self.device_statuses(),
            alarms=list(self._alarms.standing.values()),
            raised=dict(self._alarms.raised),
            totals={
                "bus_messages": publisher.published,
                "bus_bytes": publisher.published_bytes,
                "bus_viewer_drops": publisher.viewer_drops,
                "control_requests": control.requests,
                "control_refused": control.refused,
                "alarm_command_runs": command.runs,
                "alarm_command_failures": command.failures,
                "alarm_command_skipped": command.skipped,
                "log_lines_lost": self._log_lines_lost(),
            },
            free_bytes=self._disk.status.free_bytes,
            time_left_s=self._disk.status.time_left_s,
            other_disks=self._disk.status.elsewhere,
            session=recording.name if recording else "",
            recorder_restarts=recording.recorder.restarts if recording else None,
        )

    def device_statuses(self) -> list[DeviceStatus]:
        """Return the status of every device at this moment."""
        return [member.status_now(self._sessions.of(name)) for name, member in self._bench.members.items()]
