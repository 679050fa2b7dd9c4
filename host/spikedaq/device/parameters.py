"""Names and values checked against what the device described, before anything is sent."""

from __future__ import annotations

import difflib
import math
import struct
from collections.abc import Iterable, Mapping

from spikedaq.model import CommandRejected, DeviceInfo, ParameterInfo, ParameterType


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of an error about an unknown name: the nearest valid one, or all of them."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"there are: {', '.join(names)}" if names else "there are none"


def parameter_index(device: str, info: DeviceInfo, name: str) -> int:
    """Return a parameter's index.

    Raises
    ------
    CommandRejected
        Unknown, code ``unknown_parameter``.
    """
    for index, parameter in enumerate(info.parameters):
        if parameter.name == name:
            return index
    message = f"{device} has no parameter {name!r}; {nearest(name, (p.name for p in info.parameters))}"
    raise CommandRejected(message, code="unknown_parameter")


def checked_pairs(device: str, info: DeviceInfo, values: Mapping[str, object]) -> list[tuple[int, float | None]]:
    """Return (index, value) of what is to be set, in the order given.

    Raises
    ------
    CommandRejected
        An unknown name, a value of the wrong type or outside the range, a read-only parameter; nothing at all.
    """
    if not values:
        raise CommandRejected("nothing to set; give name=value", code="bad_arguments")
    pairs = []
    for name, value in values.items():
        index = parameter_index(device, info, name)
        pairs.append((index, _checked(device, info.parameters[index], value)))
    return pairs


def _checked(device: str, parameter: ParameterInfo, value: object) -> float | None:
    what = f"{parameter.name} of {device}"
    if parameter.read_only:
        raise CommandRejected(f"{what} can only be read", code="read_only")
    if value is None:
        return None
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise CommandRejected(f"{what} cannot be {value!r}; give a number{_range(parameter)}", code="bad_arguments")
    if parameter.type is not ParameterType.FLOAT and value != int(value):
        raise CommandRejected(
            f"{what} cannot be {value!r}; give a whole number{_range(parameter)}", code="out_of_range"
        )
    # Limits come as f32: 0.1 is above the f32 nearest to 0.1 or below it, and must pass in either case.
    if not parameter.minimum <= value <= parameter.maximum:
        try:
            rounded = struct.unpack("<f", struct.pack("<f", value))[0]
        except OverflowError:
            rounded = math.inf
        if not parameter.minimum <= rounded <= parameter.maximum:
            raise CommandRejected(f"{what} cannot be {value!r}; give a value{_range(parameter)}", code="out_of_range")
    return float(value) if parameter.type is ParameterType.FLOAT else int(value)


def _range(parameter: ParameterInfo) -> str:
    unit = "" if parameter.unit == "1" else f" {parameter.unit}"
    return f" from {parameter.minimum:g} to {parameter.maximum:g}{unit}"
