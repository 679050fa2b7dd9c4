"""What a trigger can be told: the tables ``[[trigger]]`` of spikedaq.toml, which `trigger_arm` takes, too."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field, to_builtins
from msgspec.structs import fields

from spikedaq.model import ConfigError, EventKind, check_session_name
from spikedaq.trigger import Condition, Edge, Level, OnEvent, SpikeCount, StimulusStart

# JSON, which the configuration is stored as in every file, has no infinity.
_MOST = 1e15
_Number = Annotated[float, Meta(ge=-_MOST, le=_MOST)]
_Window = Annotated[float, Meta(ge=0, le=3600)]
EVERY = "*"
MAX_COUNT = 100_000
"""Spikes that a window may ask for: so many steps are kept per trigger and device, 0.8 MB."""
MAX_COMMANDS = 16
MAX_ROWS = 100_000
"""The largest board takes fewer; a definition with more would not fit into a request."""


class TriggerCommand(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A command to a device that is sent when the trigger fires."""

    do: Annotated[
        Literal["set", "start", "stop", "stimulus", "play", "stimulus_stop"],
        Meta(
            description="`set` values; `start` or `stop` the device; `stimulus`: upload rows and play them; `play` "
            "what was uploaded before; `stimulus_stop`: back to the square wave"
        ),
    ]
    device: Annotated[str, Meta(description="to which device; the one that fired where not given")] = ""
    values: Annotated[
        dict[str, _Number | None] | None, Meta(description="with `set`: a table of parameters and their values")
    ] = None
    rows: Annotated[
        Annotated[tuple[int, ...], Meta(max_length=MAX_ROWS)] | None,
        Meta(description="with `stimulus`: whole numbers of 0.01 %, one per step"),
    ] = None
    loop: Annotated[bool, Meta(description="with `stimulus` and `play`: again and again")] = False


class TriggerConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A trigger: a condition on devices, and what is done when it comes true."""

    name: Annotated[str, Meta(description="what everybody calls it")]
    when: Annotated[
        Literal["level", "spikes", "rate", "stimulus", "event", "hand"],
        Meta(
            description="its condition: `level` of a channel, number of `spikes` or their `rate` in a window, start of "
            "a `stimulus` loop, an `event` of the device, or only by `hand`"
        ),
    ]
    devices: Annotated[
        tuple[str, ...],
        Meta(description='on which devices it looks, each by itself; every one where not given, or with `["*"]`'),
    ] = ()
    channel: Annotated[str | None, Meta(description="with `level`: name of the channel")] = None
    level: Annotated[_Number | None, Meta(description="with `level`: in the channel's unit")] = None
    hysteresis: Annotated[
        Annotated[float, Meta(ge=0, le=_MOST)],
        Meta(description="with `level`: how far beyond the level a sample must have been before it fires (again)"),
    ] = 0.0
    edge: Annotated[
        Literal["rising", "falling", "either"],
        Meta(description="with `level`, `spikes`, `rate`: which way the threshold is to be passed"),
    ] = "rising"
    spikes: Annotated[
        Annotated[int, Meta(ge=1, le=MAX_COUNT)] | None, Meta(description="with `spikes`: how many in the window")
    ] = None
    rate_hz: Annotated[
        Annotated[float, Meta(gt=0, le=1e6)] | None, Meta(description="with `rate`: spikes per second in the window")
    ] = None
    window_s: Annotated[
        Annotated[float, Meta(ge=0.0001, le=3600)] | None,
        Meta(description="with `spikes`, `rate`: length of the sliding window, in seconds of the device's clock"),
    ] = None
    event: Annotated[
        str | Annotated[int, Meta(ge=0, le=2**32)] | None,
        Meta(
            description="with `event`: `spike`, `trigger`, `parameter`, `overrun`, `stimulus_end`, `any`, or the "
            "number of a kind"
        ),
    ] = None
    index: Annotated[
        Annotated[int, Meta(ge=0, le=2**32)] | None,
        Meta(description="with `event`: only events of this index, for instance of one parameter"),
    ] = None
    holdoff_s: Annotated[
        Annotated[float, Meta(ge=0.001, le=1e6)],
        Meta(description="after a firing nothing fires for so long, in seconds of the device's clock"),
    ] = 0.001
    pre_s: Annotated[_Window, Meta(description="seconds to record before the instant")] = 0.0
    post_s: Annotated[_Window, Meta(description="seconds to record after it; both 0: it is only marked")] = 0.0
    targets: Annotated[
        tuple[str, ...],
        Meta(description='devices to record or mark; the one that fired where not given, `["*"]` for every one'),
    ] = ()
    commands: Annotated[
        Annotated[tuple[TriggerCommand, ...], Meta(max_length=MAX_COMMANDS)],
        Meta(description="one table per command to a device"),
    ] = field(default=(), name="command")
    within_s: Annotated[
        Annotated[float, Meta(gt=0, le=3600)],
        Meta(description="a command that cannot be sent within so long after the instant is not sent any more"),
    ] = 1.0

    @property
    def window_us(self) -> tuple[int, int]:
        """Window to record before and after the instant, in microseconds."""
        return round(self.pre_s * 1e6), round(self.post_s * 1e6)

    def to_map(self) -> dict[str, Any]:
        """Return it as JSON values, in the form of spikedaq.toml, without what is as by default."""
        values = _given(self)
        if self.commands:
            values["command"] = [_given(command) for command in self.commands]
        return values

    def to_full_map(self) -> dict[str, Any]:
        """Return every key with the value that holds, for the files: a default may be another one some day."""
        values: dict[str, Any] = to_builtins(self)
        return values


def _given(table: Struct) -> dict[str, Any]:
    """Return the keys whose values are not the default ones. msgspec's `omit_defaults` would compare by identity."""
    given = [key for key in fields(table) if getattr(table, key.name) != key.default]
    return {key.encode_name: to_builtins(getattr(table, key.name)) for key in given}


# What each condition needs; what it may have as well. No other condition's keys may stand beside them.
_NEEDS: dict[str, tuple[str, ...]] = {
    "level": ("channel", "level"),
    "spikes": ("spikes", "window_s"),
    "rate": ("rate_hz", "window_s"),
    "stimulus": (),
    "event": ("event",),
    "hand": (),
}
_MAY: dict[str, tuple[str, ...]] = {
    "level": ("edge", "hysteresis"),
    "spikes": ("edge",),
    "rate": ("edge",),
    "event": ("index",),
}
_CONDITION_KEYS = frozenset(key for keys in (*_NEEDS.values(), *_MAY.values()) for key in keys)
_COMMAND_KEYS = {"set": ("values",), "stimulus": ("rows",)}


def condition_of(config: TriggerConfig) -> Condition | None:
    """Return a trigger's condition, None where it fires by hand only.

    Raises
    ------
    ConfigError
        A name that cannot be one, keys missing or not belonging to its condition, an unknown event, a bad command.
    """
    check_session_name(config.name, "trigger name")
    what = f"trigger {config.name!r}"
    when, given = config.when, config.to_map()
    for key in _NEEDS[when]:
        if key not in given:
            raise ConfigError(f"{what} waits for {when!r}, so it needs {key!r}")
    for key in _CONDITION_KEYS.intersection(given):
        if key not in (*_NEEDS[when], *_MAY.get(when, ())):
            raise ConfigError(f"{what} waits for {when!r}, for which {key!r} means nothing; leave it out")
    for command in config.commands:
        _check_command(command, what)
    edge = Edge(config.edge)
    if config.channel is not None and config.level is not None:
        return Level(config.channel, config.level, edge, config.hysteresis)
    if config.window_s is not None:
        window_us = round(config.window_s * 1e6)
        if config.rate_hz is None:
            return SpikeCount(config.spikes or 1, window_us, edge)
        count = math.ceil(Fraction(str(config.rate_hz)) * window_us / 1_000_000)
        if count > MAX_COUNT:
            raise ConfigError(f"{what} asks for {count} spikes in its window; at most {MAX_COUNT} are possible")
        return SpikeCount(count, window_us, edge, as_rate=True)
    if config.event is not None:
        return OnEvent(_event_kind(config.event, what), config.index)
    return StimulusStart() if when == "stimulus" else None


def _event_kind(event: str | int, what: str) -> int | None:
    if isinstance(event, int):
        return event
    kinds = {kind.name.lower(): int(kind) for kind in EventKind}
    if event != "any" and event not in kinds:
        raise ConfigError(f"{what}: a device has no event {event!r}; there are {', '.join(kinds)}, any, or a number")
    return kinds.get(event)


def _check_command(command: TriggerCommand, what: str) -> None:
    if command.device == EVERY:
        raise ConfigError(f"{what}: the command {command.do!r} names no one device; give each device one of its own")
    for do, keys in _COMMAND_KEYS.items():
        for key in keys:
            if (command.do == do) is not bool(getattr(command, key)):
                verb = "needs" if command.do == do else "takes no"
                raise ConfigError(f"{what}: the command {command.do!r} {verb} {key!r}")
    if command.loop and command.do not in ("stimulus", "play"):
        raise ConfigError(f"{what}: the command {command.do!r} takes no 'loop'")
