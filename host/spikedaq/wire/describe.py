"""From a hello and its descriptions to `DeviceInfo` (protocol/README.md, sections 3.1 and 4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from spikedaq.model import (
    ChannelInfo,
    DeviceInfo,
    Holder,
    LocalProtocolError,
    ParameterInfo,
    ParameterType,
    PresetInfo,
    RemoteProtocolError,
)
from spikedaq.wire.messages import PROTOCOL_VERSION, Description, DescriptionKind, Hello

_READ_ONLY = 1
_HAS_KNOB = 2


def check_version(hello: Hello) -> None:
    """Refuse a device of another major version.

    Raises
    ------
    RemoteProtocolError
        Names both versions.
    """
    if hello.major != PROTOCOL_VERSION[0]:
        ours = ".".join(map(str, PROTOCOL_VERSION))
        newer = "this package" if hello.major > PROTOCOL_VERSION[0] else "the device's firmware"
        raise RemoteProtocolError(
            f"the device speaks protocol {hello.major}.{hello.minor} and this package protocol {ours}; update {newer}"
        )


def device_info(hello: Hello, descriptions: Iterable[Description]) -> DeviceInfo:
    """Put together what a device has said of itself.

    Parameters
    ----------
    hello : Hello
    descriptions : iterable of Description
        In any order; of two with one kind and index the later holds. Unknown kinds are left out. Those of a kind must
        have no hole, since their order is that of the indices; its last ones may be absent.

    Raises
    ------
    LocalProtocolError
        A description before one that is there was never asked for.
    RemoteProtocolError
        A parameter of a type or holder that this version does not know.
    """
    latest = {(d.kind, d.index): d for d in descriptions}
    return DeviceInfo(
        unique_id=hello.unique_id.hex(),
        boot_id=hello.boot_id,
        board=hello.board,
        firmware_version=hello.firmware_version,
        build_hash=hello.build_hash,
        protocol_version=(hello.major, hello.minor),
        step_us=hello.step_us,
        block_samples=hello.block_samples,
        resend_depth=hello.resend_depth,
        stimulus_capacity=hello.stimulus_capacity,
        codecs=hello.codecs,
        max_request_bytes=hello.max_request_bytes,
        running=hello.running,
        channels=tuple(ChannelInfo(*body[:5]) for body in _bodies(latest, DescriptionKind.CHANNEL)),
        parameters=tuple(_parameter(body) for body in _bodies(latest, DescriptionKind.PARAMETER)),
        presets=tuple(PresetInfo(*body[:6]) for body in _bodies(latest, DescriptionKind.PRESET)),
        counts=(hello.n_channels, hello.n_parameters, hello.n_presets),
        traits=hello.traits,
        clamp_channels=tuple(ChannelInfo(*body[:5]) for body in _bodies(latest, DescriptionKind.CLAMP_CHANNEL)),
    )


def _bodies(latest: dict[tuple[int, int], Description], kind: DescriptionKind) -> list[tuple[Any, ...]]:
    """Bodies of one kind in the order of their indices."""
    found = {index: d.body for (k, index), d in latest.items() if k == kind}
    for expected, index in enumerate(sorted(found)):
        if expected != index:
            raise LocalProtocolError(
                f"the description of {kind.name.lower()} {expected} is missing, that of {index} is there; ask for all"
            )
    return [cast("tuple[Any, ...]", found[index]) for index in sorted(found)]


def _parameter(body: tuple[Any, ...]) -> ParameterInfo:
    name, unit, type_code, minimum, maximum, default, value, holder, flags = body[:9]
    try:
        return ParameterInfo(
            name=name,
            unit=unit,
            type=ParameterType(type_code),
            minimum=minimum,
            maximum=maximum,
            default=default,
            value=value,
            holder=Holder(holder),
            read_only=bool(flags & _READ_ONLY),
            has_knob=bool(flags & _HAS_KNOB),
        )
    except ValueError as error:
        raise RemoteProtocolError(f"the description of parameter {name!r} cannot be read: {error}") from error
