"""The control operations: their arguments checked, then done."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from spikedaq.daemon.alarms import Alarms
from spikedaq.daemon.bench import Bench
from spikedaq.daemon.commands.configuration import ConfigurationCommands
from spikedaq.daemon.commands.derived import DerivedCommands
from spikedaq.daemon.commands.devices import DeviceCommands
from spikedaq.daemon.commands.leases import LeaseCommands
from spikedaq.daemon.commands.operation import Operation, shown
from spikedaq.daemon.commands.ports import PortCommands
from spikedaq.daemon.commands.recordings import RecordingCommands
from spikedaq.daemon.commands.status import StatusCommands
from spikedaq.daemon.commands.triggers import TriggerCommands
from spikedaq.daemon.data_folder import DataFolder
from spikedaq.daemon.derived import DerivedStreams
from spikedaq.daemon.disk import DiskWatch
from spikedaq.daemon.history_process import HistoryProcess
from spikedaq.daemon.journals import Journals
from spikedaq.daemon.leases import BENCH, Leases
from spikedaq.daemon.reload import Reloader
from spikedaq.daemon.sessions import Sessions
from spikedaq.daemon.triggers import TriggerEngine
from spikedaq.daemon.version import version
from spikedaq.device import nearest
from spikedaq.link import host_now_ns
from spikedaq.model import CommandRejected
from spikedaq.outlet import Peer

__all__ = ["Commands", "Operation", "PortCommands"]


class Commands:
    """Handles what the control server receives.

    Parameters
    ----------
    publish_url : str
        Where the bus is, as bound.
    history : HistoryProcess
    stop : callable
        Ends the daemon.
    """

    def __init__(
        self,
        bench: Bench,
        sessions: Sessions,
        journals: Journals,
        data: DataFolder,
        alarms: Alarms,
        *,
        triggers: TriggerEngine,
        reloader: Reloader,
        disk: DiskWatch,
        ports: PortCommands,
        derived: DerivedStreams,
        epoch: str,
        publish_url: str,
        history: HistoryProcess,
        leases: Leases,
        stop: Callable[[], None],
    ) -> None:
        self._bench = bench
        self._leases = leases
        self._epoch = epoch
        self._publish_url = publish_url
        self._history = history
        self._stop = stop
        self.status = StatusCommands(bench, sessions, data, alarms, disk, leases=leases, epoch=epoch)
        self._operations: dict[str, Operation] = {
            "hello": Operation(self._hello),
            "list": Operation(self._list),
            "operations": Operation(self._tell_operations),
            "clock": Operation(self._clock),
            "shutdown": Operation(self._shutdown, changes=True, every_lease=True),
            **self.status.operations(),
            **DeviceCommands(bench, derived).operations(),
            **DerivedCommands(bench, derived).operations(),
            **ConfigurationCommands(reloader).operations(),
            **LeaseCommands(bench, leases).operations(),
            **ports.operations(),
            **RecordingCommands(bench, sessions, journals, triggers).operations(),
            **TriggerCommands(bench, triggers, leases, data.path).operations(),
        }

    @property
    def operations(self) -> Mapping[str, Operation]:
        """Return every operation by name."""
        return self._operations

    def changes(self, op: str) -> bool:
        """Whether an operation changes something; False for one that is not there."""
        operation = self._operations.get(op)
        return operation is not None and operation.changes

    async def handle(self, op: str, args: dict[str, Any], peer: Peer) -> Any:
        """Do one operation; return its value.

        Raises
        ------
        SpikedaqError
            It cannot be done; `CommandRejected` with code ``unknown_op`` or ``bad_arguments`` for the request itself,
            ``not_allowed`` for an observer who wants to change something, ``leased`` where somebody else has the lease.
        """
        operation = self._operations.get(op)
        if operation is None:
            text = f"there is no operation {shown(op)}; {nearest(op[:80], self._operations)}"
            raise CommandRejected(text, code="unknown_op")
        if operation.changes and not peer.may_change:
            text = (
                f"the key of {peer.who} is for watching, and {op!r} changes something; ask for a controller's key "
                "(spikedaq keys allow NAME KEY --role controller)"
            )
            raise CommandRejected(text, code="not_allowed")
        missing = [name for name in operation.needs if args.get(name) is None]
        if missing:
            raise CommandRejected(f"{op!r} needs {', '.join(map(repr, missing))}", code="bad_arguments")
        known = (*operation.needs, *operation.takes)
        for name in args:
            if name not in known:
                text = f"{op!r} has no argument {shown(name)}; {nearest(str(name)[:80], known)}"
                raise CommandRejected(text, code="bad_arguments")
        if operation.changes and operation.asks_lease:
            device = args.get("device")
            # Whether there is such a device is the operation's to say.
            held = [lease.device for lease in self._leases.standing()] if operation.every_lease else []
            for name in (*held, device if isinstance(device, str) else BENCH):
                self._leases.check(name, peer.holder)
        return await operation.run(peer if operation.wants_peer else peer.who, **args)

    async def _hello(self, _: str) -> dict[str, Any]:
        return {
            "bench": self._bench.name,
            "version": version(),
            "epoch": self._epoch,
            "publish": self._publish_url,
            "history": self._history.endpoint,
            "pid": os.getpid(),
        }

    async def _clock(self, _: str) -> dict[str, int]:
        return {"utc_ns": time.time_ns(), "host_ns": host_now_ns()}

    async def _list(self, _: str) -> list[dict[str, Any]]:
        keys = ("url", "state", "detail", "unique_id", "board", "firmware")
        entries = []
        for member in self._bench.members.values():
            status = member.status_now().to_map()
            entry = {"name": member.name, **{key: status[key] for key in keys}}
            entry["unique_id"] = entry["unique_id"] or member.config.unique_id or ""
            entries.append(
                {
                    **entry,
                    "port": member.device.port,
                    "configured": member.is_configured,
                    "record": member.config.record,
                }
            )
        return entries

    async def _tell_operations(self, _: str) -> list[dict[str, Any]]:
        return [
            {"op": op, "needs": list(each.needs), "takes": list(each.takes), "changes": each.changes}
            for op, each in sorted(self._operations.items())
        ]

    async def _shutdown(self, _: str) -> None:
        self._stop()
