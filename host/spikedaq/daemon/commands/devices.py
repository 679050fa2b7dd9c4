"""Operations on one device."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from spikedaq.daemon.bench import Bench
from spikedaq.daemon.commands.operation import Operation, flag, text, whole
from spikedaq.daemon.derived import DerivedStreams
from spikedaq.device import Device
from spikedaq.model import CommandRejected, Holder, ParameterType

_MAX_NAME = 80


class DeviceCommands:
    """Looks at devices, sets them, drives their stimulus."""

    def __init__(self, bench: Bench, derived: DerivedStreams) -> None:
        self._bench = bench
        self._derived = derived

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        return {
            "describe": Operation(self._describe, ("device",)),
            "get": Operation(self._get, ("device", "name")),
            "ping": Operation(self._ping, ("device",)),
            "self_test": Operation(self._self_test, ("device",)),
            "set": Operation(self._set, ("device", "values"), changes=True),
            "start": Operation(self._start, ("device",), changes=True),
            "stop": Operation(self._stop, ("device",), changes=True),
            "reset": Operation(self._reset, ("device",), ("scope",), changes=True),
            "stimulus": Operation(
                self._stimulus,
                ("device",),
                ("rows", "loop", "stop", "play", "first_row", "n_rows", "name"),
                changes=True,
            ),
        }

    def _device(self, name: str) -> Device:
        return self._bench.member(name).device

    async def _describe(self, _: str, device: str) -> dict[str, Any]:
        found = self._device(device)
        info = found.info
        if info is None:
            why = found.detail or f"it is {found.state}"
            raise CommandRejected(f"{device} has not been described yet: {why}", code="not_connected")
        value = asdict(info)
        for parameter in value["parameters"]:
            parameter["type"] = ParameterType(parameter["type"]).name.lower()
            parameter["holder"] = Holder(parameter["holder"]).name.lower()
        return {"name": device, "url": found.url, **value, "derived": self._derived.of(device)}

    async def _get(self, who: str, device: str, name: str) -> dict[str, Any]:
        value, holder = await self._device(device).commands.get(text(name, "name"), origin=who)
        return {"value": value, "holder": holder.name.lower()}

    async def _set(self, who: str, device: str, values: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
            raise CommandRejected("'values' must be a map of parameter names to numbers", code="bad_arguments")
        found = await self._device(device).commands.set(values, origin=who)
        return {name: {"value": value, "holder": holder.name.lower()} for name, (value, holder) in found.items()}

    async def _start(self, who: str, device: str) -> dict[str, Any]:
        return {"first_step": await self._device(device).start(origin=who)}

    async def _stop(self, who: str, device: str) -> dict[str, Any]:
        return {"next_step": await self._device(device).stop(origin=who)}

    async def _reset(self, who: str, device: str, scope: str = "neuron") -> None:
        await self._device(device).commands.reset(text(scope, "scope"), origin=who)

    async def _stimulus(
        self,
        who: str,
        device: str,
        *,
        rows: Any = None,
        loop: Any = True,
        stop: Any = False,
        play: Any = None,
        first_row: Any = 0,
        n_rows: Any = None,
        name: Any = None,
    ) -> dict[str, Any]:
        member = self._bench.member(device)
        commands = member.device.commands
        called = None if name is None else _stimulus_name(name)
        if flag(stop, "stop"):
            await commands.stimulus_stop(origin=who)
            return {"rows": 0}
        plays, loops = play is None or flag(play, "play"), flag(loop, "loop")
        n_uploaded = 0
        if rows is not None:
            n_uploaded = await commands.stimulus_upload(
                _rows(rows),
                first_row=whole(first_row, "first_row"),
                n_rows=None if n_rows is None else whole(n_rows, "n_rows"),
                origin=who,
            )
        elif play is None or not plays:
            message = "'rows' must be a list of whole numbers of 0.01 %; or say 'play' for the waveform that is there"
            raise CommandRejected(message, code="bad_arguments")
        if plays:
            member.outlet.stimulus.call_next(called)
            try:
                await commands.stimulus_play(loop=loops, origin=who)
            finally:
                # Where it was never asked to play, the name is not that of what a trigger plays later.
                member.outlet.stimulus.take_back(called)
        return {"rows": n_uploaded}

    async def _self_test(self, who: str, device: str) -> list[dict[str, Any]]:
        return [asdict(reading) for reading in await self._device(device).commands.self_test(origin=who)]

    async def _ping(self, _: str, device: str) -> dict[str, Any]:
        return {"round_trip_ns": await self._device(device).ping()}


def _rows(value: Any) -> list[int] | bytes:
    if not isinstance(value, list | bytes):
        raise CommandRejected("'rows' must be a list of whole numbers of 0.01 %, or their bytes", code="bad_arguments")
    return value


def _stimulus_name(value: Any) -> str:
    name = text(value, "name")
    if len(name) > _MAX_NAME or not name.isprintable():
        message = f"'name' of a stimulus must be at most {_MAX_NAME} printable characters"
        raise CommandRejected(message, code="bad_arguments")
    return name
