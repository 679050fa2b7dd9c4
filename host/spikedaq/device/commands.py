"""What can be asked of a connected device, and what it said of itself: parameters, resets, waveforms, the self-test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from spikedaq.device.parameters import checked_pairs, parameter_index
from spikedaq.device.receive import Receiver
from spikedaq.device.requests import Requests
from spikedaq.device.selftest import read_inputs
from spikedaq.device.stimulus import play, upload
from spikedaq.model import CommandRejected, DeviceInfo, Holder, InputReading, RemoteProtocolError, Trait
from spikedaq.wire import (
    Describe,
    DescriptionKind,
    Get,
    Hello,
    Reply,
    Reset,
    Set,
    StimulusStop,
    device_info,
)

RESET_SCOPES = {"neuron": 0, "parameters": 1, "reboot": 2}
_SET_OVERHEAD_BYTES = 16
_PAIR_BYTES = 7  # index (2) and f32 (5)


class Commands:
    """The commands of one device. Every one raises `CommandRejected`, `CommandTimeout` or `RemoteProtocolError`.

    Parameters
    ----------
    device : str
        For errors.
    refusal : callable
        Returns why the device takes no commands now, None where it does.
    """

    def __init__(
        self, device: str, requests: Requests, received: Receiver, *, refusal: Callable[[], str | None]
    ) -> None:
        self._device = device
        self._requests = requests
        self._received = received
        self._refusal = refusal
        self._info: DeviceInfo | None = None

    def described(self, info: DeviceInfo | None) -> None:
        """Take what the device said of itself in its present boot; None while it has not."""
        self._info = info

    @property
    def info(self) -> DeviceInfo | None:
        """Return the description, with the newest parameter values."""
        if self._info is None:
            return None
        parameters = list(self._info.parameters)
        for index, value in self._received.values.items():
            if index < len(parameters):
                parameters[index] = replace(parameters[index], value=value)
        return replace(self._info, parameters=tuple(parameters))

    async def describe(self, hello: Hello) -> None:
        """Have the device describe all that it has."""
        counts = [(DescriptionKind.CHANNEL, hello.n_channels), (DescriptionKind.PARAMETER, hello.n_parameters),
                  (DescriptionKind.PRESET, hello.n_presets)]  # fmt: skip
        if hello.traits & Trait.VOLTAGE_CLAMP:
            counts.append((DescriptionKind.CLAMP_CHANNEL, hello.n_channels))
        for kind, count in counts:
            for index in range(count):
                what = f"describe {kind.name.lower()} {index}"
                await self._requests.call(lambda i, k=kind, n=index: Describe(i, k, n), what=what, origin="connect")  # type: ignore[misc]

    def checked(self) -> DeviceInfo:
        """Return the description of a device that takes commands now, else raise `CommandRejected`."""
        info, refusal = self.info, self._refusal()
        if info is None or refusal is not None:
            message = f"{self._device} takes no commands now: {refusal or 'it has not been described yet'}"
            raise CommandRejected(message, code="not_connected")
        return info

    async def get(self, name: str, *, origin: str = "") -> tuple[float, Holder]:
        """Read a parameter from the device: its value and who holds it."""
        info = self.checked()
        index = parameter_index(self._device, info, name)
        answer = await self._requests.call(lambda i: Get(i, index), what=f"get {name}", origin=origin)
        value = answer.value if isinstance(answer, Reply) else None
        if not isinstance(value, tuple | list) or len(value) < 2 or not isinstance(value[0], int | float):
            raise RemoteProtocolError(
                f"{self._device} answered 'get {name}' with {value!r}, not with a value and its holder"
            )
        holder = Holder.HOST if value[1] else Holder.KNOB
        self._remember(index, float(value[0]), holder)
        return float(value[0]), holder

    async def set(self, values: Mapping[str, Any], *, origin: str = "") -> dict[str, tuple[float, Holder]]:
        """Set parameters (None hands one back to its knob) and read them back.

        Everything is checked before anything is sent; a board with short requests gets several, in the order given.
        """
        self.checked()
        return await self.set_described(values, origin=origin)

    def check_settings(self, values: Mapping[str, float]) -> None:
        """Raise `CommandRejected` for values that the device, as it described itself, would refuse."""
        if self._info is not None and values:
            checked_pairs(self._device, self._info, values)

    async def set_described(self, values: Mapping[str, Any], *, origin: str) -> dict[str, tuple[float, Holder]]:
        """Do as `set` does, also while the device is being set up."""
        info = self.info
        if info is None:
            raise CommandRejected(f"{self._device} has not been described yet", code="not_connected")
        pairs = checked_pairs(self._device, info, values)
        per_request = max(1, (info.max_request_bytes - _SET_OVERHEAD_BYTES) // _PAIR_BYTES)
        what = "set " + ", ".join(values)
        for first in range(0, len(pairs), per_request):
            flat = tuple(item for pair in pairs[first : first + per_request] for item in pair)
            await self._requests.call(lambda i, flat=flat: Set(i, flat), what=what, origin=origin)  # type: ignore[misc]
        return {name: await self._described_anew(name, info, origin=origin) for name in values}

    async def _described_anew(self, name: str, info: DeviceInfo, *, origin: str) -> tuple[float, Holder]:
        """Read a parameter back as a description, so that the journal knows its new holder, too."""
        index = parameter_index(self._device, info, name)
        what = f"describe {name}"
        await self._requests.call(lambda i: Describe(i, DescriptionKind.PARAMETER, index), what=what, origin=origin)
        hello = self._received.connection.info
        if hello is None or hello.boot_id != info.boot_id:
            raise RemoteProtocolError(f"{self._device} rebooted while {name} was being set; set it again")
        parameter = device_info(hello, self._received.connection.descriptions.values()).parameters[index]
        self._remember(index, parameter.value, parameter.holder)
        return parameter.value, parameter.holder

    async def reset(self, scope: str, *, origin: str = "") -> None:
        """Reset the neuron, its parameters too, or reboot the board."""
        self.checked()
        if scope not in RESET_SCOPES:
            raise CommandRejected(f"there is no reset {scope!r}; use {', '.join(RESET_SCOPES)}", code="bad_arguments")
        number = RESET_SCOPES[scope]
        await self._requests.call(lambda i: Reset(i, number), what=f"reset {scope}", origin=origin)
        if scope == "parameters" and (info := self.info) is not None:
            # The device tells the values by itself, but not that they are the knobs' again.
            for parameter in info.parameters:
                if parameter.holder is Holder.HOST:
                    await self._described_anew(parameter.name, info, origin=origin)

    async def stimulus(self, rows: Sequence[int] | bytes, *, loop: bool, origin: str = "") -> None:
        """Upload a waveform (0.01 % per row) and play it from the next step on."""
        await self.stimulus_upload(rows, origin=origin)
        await play(self._requests, loop=loop, origin=origin)

    async def stimulus_upload(
        self, rows: Sequence[int] | bytes, *, first_row: int = 0, n_rows: int | None = None, origin: str = ""
    ) -> int:
        """Upload a waveform, or a part of one, without playing it; see `spikedaq.device.stimulus.upload`."""
        info = self.checked()
        return await upload(self._device, info, self._requests, rows, first_row=first_row, n_rows=n_rows, origin=origin)

    async def stimulus_play(self, *, loop: bool, origin: str = "") -> None:
        """Play the waveform that was uploaded last from the next step on."""
        self.checked()
        await play(self._requests, loop=loop, origin=origin)

    async def stimulus_stop(self, *, origin: str = "") -> None:
        """Go back to the square wave."""
        self.checked()
        await self._requests.call(StimulusStop, what="stimulus stop", origin=origin)

    async def self_test(self, *, origin: str = "") -> list[InputReading]:
        """Read every input of the board once; it changes nothing."""
        return await read_inputs(self._device, self.checked(), self._requests, origin=origin)

    def _remember(self, index: int, value: float, holder: Holder) -> None:
        self._received.values[index] = value
        if self._info is not None and index < len(self._info.parameters):
            parameters = list(self._info.parameters)
            parameters[index] = replace(parameters[index], value=value, holder=holder)
            self._info = replace(self._info, parameters=tuple(parameters))
