"""What a recording's start asks for: its mode and how its files roll, from the request and the configuration."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from spikedaq.daemon.config import RecordingConfig
from spikedaq.daemon.trigger_config import TriggerConfig
from spikedaq.device import nearest
from spikedaq.journal import read_host_boot_id
from spikedaq.link import host_now_ns
from spikedaq.model import CommandRejected, ConfigError
from spikedaq.recorder import Mode, Triggered, clock_roll, mode_from

LOCAL = "local"
MAX_END_AFTER_S = 366 * 86_400.0
"""A year; a longer one is a mistyped number, and no end."""
_LOOK_AT_CLOCK_S = 30.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Mode and rolling of a session, checked, as they go into its plan; and how long it is to last, None for no end.

    ``armed`` are the bench's triggers that are armed as it begins, whether or not they have windows in it.
    """

    mode: Mode
    roll: dict[str, Any]
    end_after_s: float | None = None
    armed: tuple[TriggerConfig, ...] = ()

    def to_map(self) -> dict[str, Any]:
        """Return all of it as JSON values, for the files."""
        return {
            "mode": self.mode.to_json(),
            "roll": self.roll,
            "end_after_s": self.end_after_s,
            "triggers": [trigger.to_full_map() for trigger in self.armed],
        }


def wanted(
    config: RecordingConfig,
    *,
    mode: Any = None,
    roll_s: float | None = None,
    roll_aligned: str | None = None,
    end_after_s: float | None = None,
    triggers: Mapping[str, TriggerConfig] | None = None,
) -> Wanted:
    """Return what a recording is to be.

    Parameters
    ----------
    mode : map, optional
        As `record_start` takes it; the configuration's where it is not given.
    triggers : map, optional
        Those of the bench, by name; without them names are not checked.

    Raises
    ------
    ConfigError
        It cannot be meant.
    CommandRejected
        A trigger that the bench does not have.
    """
    asked = mode_of(config) if mode is None else mode
    if isinstance(asked, Mapping) and asked.get("zone") == LOCAL:
        asked = {**asked, "zone": local_zone()}
    chosen = mode_from(asked)
    if isinstance(chosen, Triggered) and triggers is not None:
        chosen = _with_triggers(chosen, triggers, has_max="max_pre_s" in asked)
    seconds = config.roll_s if roll_s is None else roll_s
    zone = config.roll_aligned if roll_aligned is None else roll_aligned
    if zone is not None:
        zone = local_zone() if zone.casefold() == LOCAL else "UTC" if zone.casefold() == "utc" else zone
        clock_roll(seconds, zone)
    if end_after_s is not None and end_after_s > MAX_END_AFTER_S:
        raise ConfigError(f"a recording cannot be told to end after {end_after_s:g} s, at most {MAX_END_AFTER_S:.0f} s")
    return Wanted(chosen, {"seconds": seconds, "bytes": config.roll_bytes, "aligned": zone}, end_after_s)


def mode_of(config: RecordingConfig) -> dict[str, Any]:
    """Return the configuration's mode as `record_start` takes it."""
    values: dict[str, Any] = to_builtins(config.mode)
    return {key: value for key, value in values.items() if value is not None}


def _with_triggers(mode: Triggered, triggers: Mapping[str, TriggerConfig], *, has_max: bool) -> Triggered:
    """Check the names, and keep as much of the past as the longest of their windows asks for."""
    for name in mode.triggers or ():
        if name not in triggers:
            raise CommandRejected(f"there is no trigger {name!r}; {nearest(name, triggers)}", code="unknown_trigger")
    chosen = [triggers[name] for name in mode.triggers or triggers]
    if mode.pre_us is None and mode.post_us is None and mode.triggers and not any(any(t.window_us) for t in chosen):
        names = ", ".join(mode.triggers)
        raise ConfigError(f"{names} only marks: give the recording pre_s and post_s, or the trigger a window")
    if mode.pre_us is not None or has_max:
        return mode
    return replace(mode, max_pre_us=max([mode.max_pre_us, *(t.window_us[0] for t in chosen)]))


@dataclass(frozen=True, slots=True)
class End:
    """The instant at which a session ends by itself, on both clocks of this computer as they stood at its start."""

    utc_ns: int
    host_ns: int
    host_boot_id: str

    @classmethod
    def after(cls, seconds: float, *, utc_ns: int, host_ns: int) -> End:
        """Return the instant so long after another."""
        length_ns = round(seconds * 1e9)
        return cls(utc_ns + length_ns, host_ns + length_ns, read_host_boot_id())

    @classmethod
    def from_plan(cls, value: Any) -> End | None:
        """Read it from a session's plan; None where it says nothing that can be understood."""
        try:
            end = cls(int(value["utc_ns"]), int(value["host_ns"]), str(value["host_boot_id"]))
        except (KeyError, TypeError, ValueError, OverflowError):
            return None
        return end if 0 <= end.utc_ns < 2**63 else None

    async def comes(self) -> None:
        """Wait for it.

        By the clock that nobody sets: a computer without one of its own begins in 1970, until NTP answers. After a
        reboot only the wall clock knows.
        """
        if self.host_boot_id != read_host_boot_id():
            await wall_clock_reaches(self.utc_ns / 1e9)
            return
        # It counts through a suspend, and the event loop's clock does not.
        while True:
            left_s = (self.host_ns - host_now_ns()) / 1e9
            if left_s <= 0:
                return
            await asyncio.sleep(min(left_s, _LOOK_AT_CLOCK_S))


async def wall_clock_reaches(utc_s: float) -> None:
    """Wait for a time of the wall clock, which may be set meanwhile."""
    while True:
        left_s = utc_s - time.time()
        if left_s <= 0:
            return
        await asyncio.sleep(min(left_s, _LOOK_AT_CLOCK_S))


def local_zone() -> str:
    """Return the name of this computer's time zone.

    Raises
    ------
    ConfigError
        It has one without a name.
    """
    name = os.environ.get("TZ", "").lstrip(":")
    if not name:
        path = Path("/etc/localtime")
        if not path.exists():
            return "UTC"
        _, found, name = str(path.resolve()).partition("zoneinfo/")
        if not found:
            raise ConfigError("the time zone of this computer has no name; give one such as Europe/Berlin, or UTC")
    return "UTC" if name in ("Etc/UTC", "UTC", "Etc/UCT", "Universal", "Zulu") else name.removeprefix("posix/")
