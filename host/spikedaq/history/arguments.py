"""The arguments of the history's requests, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spikedaq.bus import EVENTS, SAMPLES
from spikedaq.history.past import Bounds
from spikedaq.journal import Moment
from spikedaq.model import ClampMode, CommandRejected

_STARTS = ("after", "step", "t_ns")
_ENDS = ("until_seq", "until_step", "until_t_ns")
_MAX_DEVICES = 256
_DEFAULT_BYTES = 2**19


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where an earlier request for the same ended."""

    offset: int
    begun: bool
    mode: ClampMode | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a `read` asks for."""

    bounds: Bounds
    streams: tuple[str, ...]
    mode: ClampMode | None
    cursor: Cursor | None
    max_bytes: int

    @property
    def is_from_somewhere(self) -> bool:
        """Whether a beginning is named."""
        bounds = self.bounds
        return bounds.after is not None or bounds.step is not None or bounds.t_ns is not None


def parse_wanted(args: dict[str, Any]) -> Wanted:
    """Return what a `read` asks for.

    Raises
    ------
    CommandRejected
        ``bad_arguments``, naming the one at fault.
    """
    known = (*_STARTS, *_ENDS, "streams", "mode", "cursor", "max_bytes")
    for name in args:
        if name not in known:
            raise _bad(f"'read' has no argument {name!r}; it has {', '.join(known)}")
    if sum(args.get(name) is not None for name in _STARTS) > 1:
        raise _bad(f"'read' begins at one of {', '.join(_STARTS)}")
    bounds = Bounds(
        after=_pair(args, "after"),
        step=_pair(args, "step"),
        t_ns=None if args.get("t_ns") is None else integer(args["t_ns"], "t_ns"),
        until_seq=_pair(args, "until_seq"),
        until_step=_pair(args, "until_step"),
        until_t_ns=None if args.get("until_t_ns") is None else integer(args["until_t_ns"], "until_t_ns"),
    )
    streams = args.get("streams", [SAMPLES, EVENTS])
    if not isinstance(streams, list) or not streams or any(s not in (SAMPLES, EVENTS) for s in streams):
        raise _bad(f"'streams' is {streams!r}; it must be a list of {SAMPLES!r} and {EVENTS!r}")
    max_bytes = integer(args.get("max_bytes", _DEFAULT_BYTES), "max_bytes")
    return Wanted(bounds, tuple(sorted(set(streams))), _mode(args.get("mode")), _cursor(args.get("cursor")), max_bytes)


def offsets_by_device(value: Any) -> dict[str, int]:
    """Return a map of device names to journal offsets; raises as `parse_wanted` does."""
    if not isinstance(value, dict) or not 0 < len(value) <= _MAX_DEVICES:
        raise _bad(f"'offsets' must be a map of 1 to {_MAX_DEVICES} device names to journal offsets")
    return {device: integer(offset, f"offsets of {device!r}") for device, offset in value.items()}


def integer(value: Any, name: str) -> int:
    """Return an argument that must be an integer from 0 to 2**62; raises as `parse_wanted` does."""
    if type(value) is not int or not 0 <= value <= 2**62:
        raise _bad(f"{name!r} is {value!r}; it must be an integer from 0 to 2**62")
    return value


def moment(value: Any) -> Moment:
    """Return a moment by the clocks of the daemon's computer; raises as `parse_wanted` does."""
    if not isinstance(value, list) or len(value) != 3 or not isinstance(value[0], str):
        raise _bad(f"'after' is {value!r}; it must be a list of the computer's boot id, CLOCK_BOOTTIME and UTC")
    return Moment(value[0], integer(value[1], "after"), integer(value[2], "after"))


def _pair(args: dict[str, Any], name: str) -> tuple[int, int] | None:
    value = args.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2:
        raise _bad(f"{name!r} is {value!r}; it must be a list of the boot and a number")
    return integer(value[0], name), integer(value[1], name)


def _mode(value: Any) -> ClampMode | None:
    try:
        return None if value is None else ClampMode(value)
    except ValueError as error:
        raise _bad(f"'mode' is {value!r}; it must be 'current' or 'voltage'") from error


def _cursor(value: Any) -> Cursor | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("begun"), bool):
        raise _bad("'cursor' must be what the reply before gave")
    return Cursor(integer(value.get("offset"), "cursor"), value["begun"], _mode(value.get("mode")))


def _bad(text: str) -> CommandRejected:
    return CommandRejected(text, code="bad_arguments")
