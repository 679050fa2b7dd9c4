"""The control operations: their arguments checked, then done."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from spikedaq.daemon.bench import Bench
from spikedaq.daemon.data_folder import DataFolder
from spikedaq.daemon.journals import Journals
from spikedaq.daemon.sessions import Sessions
from spikedaq.device import nearest
from spikedaq.link import host_now_ns
from spikedaq.model import CommandRejected, Holder, ParameterType

_MAX_NOTE_CHARS = 10_000

Operation = Callable[..., Awaitable[Any]]


class Commands:
    """Handles what the control server receives.

    Parameters
    ----------
    publish_url : str
        Where the bus is, as bound.
    stop : callable
        Ends the daemon.
    """

    def __init__(
        self,
        bench: Bench,
        sessions: Sessions,
        journals: Journals,
        data: DataFolder,
        *,
        epoch: str,
        publish_url: str,
        stop: Callable[[], None],
    ) -> None:
        self._bench = bench
        self._sessions = sessions
        self._journals = journals
        self._data = data
        self._epoch = epoch
        self._publish_url = publish_url
        self._stop = stop
        self._started_s = time.monotonic()
        # Operation -> what does it, arguments that must be there, arguments that may.
        self._operations: dict[str, tuple[Operation, tuple[str, ...], tuple[str, ...]]] = {
            "hello": (self._hello, (), ()),
            "list": (self._list, (), ()),
            "describe": (self._describe, ("device",), ()),
            "get": (self._get, ("device", "name"), ()),
            "set": (self._set, ("device", "values"), ()),
            "start": (self._start, ("device",), ()),
            "stop": (self._stop_device, ("device",), ()),
            "reset": (self._reset, ("device",), ("scope",)),
            "stimulus": (self._stimulus, ("device",), ("rows", "loop", "stop")),
            "self_test": (self._self_test, ("device",), ()),
            "ping": (self._ping, ("device",), ()),
            "status": (self._status, (), ()),
            "record_start": (self._record_start, ("session",), ("devices", "folder", "roll_s", "notes")),
            "record_stop": (self._record_stop, (), ("session",)),
            "record_status": (self._record_status, (), ()),
            "note": (self._note, ("text",), ("device",)),
            "shutdown": (self._shutdown, (), ()),
        }

    async def handle(self, op: str, args: dict[str, Any], who: str) -> Any:
        """Do one operation; return its value.

        Raises
        ------
        SpikedaqError
            It cannot be done; `CommandRejected` with code ``unknown_op`` or ``bad_arguments`` for the request itself.
        """
        if op not in self._operations:
            raise CommandRejected(f"there is no operation {op!r}; {nearest(op, self._operations)}", code="unknown_op")
        operation, required, optional = self._operations[op]
        missing = [name for name in required if args.get(name) is None]
        if missing:
            raise CommandRejected(f"{op!r} needs {', '.join(map(repr, missing))}", code="bad_arguments")
        for name in args:
            if name not in required and name not in optional:
                text = f"{op!r} has no argument {name!r}; {nearest(str(name), (*required, *optional))}"
                raise CommandRejected(text, code="bad_arguments")
        return await operation(who, **args)

    async def _hello(self, _: str) -> dict[str, Any]:
        return {
            "bench": self._bench.name,
            "version": _version(),
            "epoch": self._epoch,
            "publish": self._publish_url,
            "pid": os.getpid(),
        }

    async def _list(self, _: str) -> list[dict[str, Any]]:
        keys = ("url", "state", "detail", "unique_id", "board", "firmware")
        entries = []
        for member in self._bench.members.values():
            status = member.status_now().to_map()
            entries.append({"name": member.name, **{key: status[key] for key in keys}})
        return entries

    async def _describe(self, _: str, device: str) -> dict[str, Any]:
        found = self._bench.member(device).device
        info = found.info
        if info is None:
            why = found.detail or f"it is {found.state}"
            raise CommandRejected(f"{device} has not been described yet: {why}", code="not_connected")
        value = asdict(info)
        for parameter in value["parameters"]:
            parameter["type"] = ParameterType(parameter["type"]).name.lower()
            parameter["holder"] = Holder(parameter["holder"]).name.lower()
        return {"name": device, "url": found.url, **value}

    async def _get(self, who: str, device: str, name: str) -> dict[str, Any]:
        value, holder = await self._bench.member(device).device.get(_text(name, "name"), origin=who)
        return {"value": value, "holder": holder.name.lower()}

    async def _set(self, who: str, device: str, values: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
            raise CommandRejected("'values' must be a map of parameter names to numbers", code="bad_arguments")
        found = await self._bench.member(device).device.set(values, origin=who)
        return {name: {"value": value, "holder": holder.name.lower()} for name, (value, holder) in found.items()}

    async def _start(self, who: str, device: str) -> dict[str, Any]:
        return {"first_step": await self._bench.member(device).device.start(origin=who)}

    async def _stop_device(self, who: str, device: str) -> dict[str, Any]:
        return {"next_step": await self._bench.member(device).device.stop(origin=who)}

    async def _reset(self, who: str, device: str, scope: str = "neuron") -> None:
        await self._bench.member(device).device.reset(_text(scope, "scope"), origin=who)

    async def _stimulus(
        self, who: str, device: str, rows: Any = None, loop: Any = True, stop: Any = False
    ) -> dict[str, Any]:
        found = self._bench.member(device).device
        if stop:
            await found.stimulus_stop(origin=who)
            return {"rows": 0}
        if not isinstance(rows, list):
            raise CommandRejected("'rows' must be a list of whole numbers of 0.01 %", code="bad_arguments")
        await found.stimulus(rows, loop=bool(loop), origin=who)
        return {"rows": len(rows)}

    async def _self_test(self, who: str, device: str) -> list[dict[str, Any]]:
        return [asdict(reading) for reading in await self._bench.member(device).device.self_test(origin=who)]

    async def _ping(self, _: str, device: str) -> dict[str, Any]:
        return {"round_trip_ns": await self._bench.member(device).device.ping()}

    async def _status(self, _: str) -> dict[str, Any]:
        recording = self._sessions.current
        return {
            "bench": self._bench.name,
            "version": _version(),
            "epoch": self._epoch,
            "pid": os.getpid(),
            "uptime_s": time.monotonic() - self._started_s,
            "data": str(self._data.path),
            "free_bytes": self._data.free_bytes(),
            "tasks": len(asyncio.all_tasks()),
            "devices": [{"name": m.name, **m.status_now().to_map()} for m in self._bench.members.values()],
            "recording": recording.status().to_map() if recording else None,
        }

    async def _record_start(
        self, _: str, session: str, devices: Any = None, folder: Any = None, roll_s: Any = None, notes: Any = ""
    ) -> dict[str, Any]:
        if devices is not None and not (isinstance(devices, list) and all(isinstance(d, str) for d in devices)):
            raise CommandRejected("'devices' must be a list of names", code="bad_arguments")
        number = isinstance(roll_s, int | float) and not isinstance(roll_s, bool) and 0 < roll_s < float("inf")
        if roll_s is not None and not number:
            raise CommandRejected(
                f"'roll_s' is {roll_s!r}; it must be a positive number of seconds", code="bad_arguments"
            )
        if folder is not None:
            _text(folder, "folder")
        name = _text(session, "session")
        status = await self._sessions.start(name, devices, folder, roll_s, _text(notes or "", "notes"))
        return status.to_map()

    async def _record_stop(self, _: str, session: Any = None) -> dict[str, Any]:
        status = await self._sessions.stop(None if session is None else _text(session, "session"))
        return status.to_map()

    async def _record_status(self, _: str) -> dict[str, Any] | None:
        status = self._sessions.status()
        return status.to_map() if status else None

    async def _note(self, who: str, text: str, device: Any = None) -> None:
        if not _text(text, "text").strip() or len(text) > _MAX_NOTE_CHARS:
            raise CommandRejected(f"a note has 1 to {_MAX_NOTE_CHARS} characters", code="bad_arguments")
        members = list(self._bench.members.values()) if device is None else [self._bench.member(device)]
        noted = 0
        for member in members:
            journal = self._journals.get(member.name)
            if journal is not None:
                journal.note(host_now_ns(), text, who)
                member.outlet.note(text, who)
                noted += 1
        if not noted:
            names = ", ".join(member.name for member in members) or "the bench"
            raise CommandRejected(
                f"{names} has not answered yet, so there is no journal for a note", code="not_connected"
            )

    async def _shutdown(self, _: str) -> None:
        self._stop()


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise CommandRejected(f"{name!r} is {value!r}; it must be a text", code="bad_arguments")
    return value


def _version() -> str:
    try:
        return version("spikedaq")
    except PackageNotFoundError:
        return "unknown"
