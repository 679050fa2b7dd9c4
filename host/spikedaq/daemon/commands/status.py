"""Operations that tell how everything is."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

from spikedaq.daemon.alarms import Alarms
from spikedaq.daemon.bench import Bench
from spikedaq.daemon.commands.leases import as_map
from spikedaq.daemon.commands.operation import Operation
from spikedaq.daemon.data_folder import DataFolder
from spikedaq.daemon.disk import DiskWatch
from spikedaq.daemon.leases import Leases
from spikedaq.daemon.sessions import Sessions
from spikedaq.daemon.version import version


class StatusCommands:
    """Tells the state of the daemon, its devices and recordings, and what is wrong."""

    def __init__(
        self,
        bench: Bench,
        sessions: Sessions,
        data: DataFolder,
        alarms: Alarms,
        disk: DiskWatch,
        *,
        leases: Leases,
        epoch: str,
    ) -> None:
        self._bench = bench
        self._sessions = sessions
        self._data = data
        self._alarms = alarms
        self._disk = disk
        self._leases = leases
        self._epoch = epoch
        self._started_s = time.monotonic()
        self.metrics_url: str | None = None

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        return {"status": Operation(self._status), "alarms": Operation(self._standing)}

    async def _status(self, _: str) -> dict[str, Any]:
        recording = self._sessions.current
        members = self._bench.members.values()
        statuses = [(member.name, member.status_now(self._sessions.of(member.name))) for member in members]
        return {
            "bench": self._bench.name,
            "version": version(),
            "epoch": self._epoch,
            "pid": os.getpid(),
            "uptime_s": time.monotonic() - self._started_s,
            "data": str(self._data.path),
            "free_bytes": self._data.free_bytes(),
            "disk": self._disk.status.to_map(),
            "metrics": self.metrics_url,
            "tasks": len(asyncio.all_tasks()),
            "devices": [{"name": name, **status.to_map()} for name, status in statuses],
            "recording": recording.status().to_map() if recording else None,
            "leases": [as_map(lease) for lease in self._leases.standing()],
            "alarms": self._alarm_maps(),
        }

    async def _standing(self, _: str) -> dict[str, Any]:
        raised = {str(kind): n for kind, n in self._alarms.raised.items()}
        return {"alarms": self._alarm_maps(), "raised": raised}

    def _alarm_maps(self) -> list[dict[str, Any]]:
        now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        standing = self._alarms.standing.values()
        return [{**alarm.to_map(), "age_s": (now_ns - alarm.since_ns) / 1e9} for alarm in standing]
