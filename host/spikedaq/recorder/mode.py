"""What of a session is recorded: everything, windows around triggers, or windows on a schedule."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from spikedaq.journal import TriggerRecord
from spikedaq.model import ConfigError
from spikedaq.recorder.schedule import Periods, Schedule, zone_named

MAX_PRE_S = 60.0
"""The longest window before a trigger where a session says nothing: so long its samples stay in the journal."""
MAX_WINDOW_S = 7 * 86_400.0
KINDS = ("continuous", "triggered", "scheduled")
_KEYS = {
    "continuous": (),
    "triggered": ("triggers", "pre_s", "post_s", "max_pre_s"),
    "scheduled": ("every_s", "for_s", "from", "until", "zone"),
}


@dataclass(frozen=True, slots=True)
class Continuous:
    """Everything."""

    def to_json(self) -> dict[str, Any]:
        """Return it as it stands in session.json."""
        return {"kind": "continuous"}


@dataclass(frozen=True, slots=True)
class Triggered:
    """Windows around triggers.

    Attributes
    ----------
    triggers : tuple of str or None
        Those that have windows; None: all.
    pre_us, post_us : int or None
        The window; None: as each trigger says of itself.
    max_pre_us : int
        What a trigger asks for before this is not recorded: it may have left the journal.
    """

    triggers: tuple[str, ...] | None = None
    pre_us: int | None = None
    post_us: int | None = None
    max_pre_us: int = round(MAX_PRE_S * 1e6)

    def window(self, record: TriggerRecord) -> tuple[int, int]:
        """Return how many microseconds to record before and after a trigger; both 0 where it is only marked."""
        if self.triggers is not None and record.trigger not in self.triggers:
            return 0, 0
        pre_us = record.pre_us if self.pre_us is None else self.pre_us
        post_us = record.post_us if self.post_us is None else self.post_us
        return min(max(pre_us, 0), self.max_pre_us), max(post_us, 0)

    def to_json(self) -> dict[str, Any]:
        """Return it as it stands in session.json."""
        return {
            "kind": "triggered",
            "triggers": None if self.triggers is None else list(self.triggers),
            "pre_s": None if self.pre_us is None else self.pre_us / 1e6,
            "post_s": None if self.post_us is None else self.post_us / 1e6,
            "max_pre_s": self.max_pre_us / 1e6,
        }


@dataclass(frozen=True, slots=True)
class Scheduled:
    """Windows at clock times."""

    schedule: Schedule

    def to_json(self) -> dict[str, Any]:
        """Return it as it stands in session.json; ``from`` and ``until`` with their offset from UTC."""
        s = self.schedule
        return {
            "kind": "scheduled",
            "every_s": s.periods.every_s,
            "for_s": s.for_ns / 1e9,
            "from": _text(s.from_ns, s.periods.zone),
            "until": _text(s.until_ns, s.periods.zone),
            "zone": s.periods.zone,
        }


Mode = Continuous | Triggered | Scheduled


def mode_from(raw: Any) -> Mode:
    """Read and check a mode, as `record_start` takes it and session.json holds it; None is continuous.

    Raises
    ------
    ConfigError
        It cannot be meant; the text says what would do.
    """
    if raw is None:
        return Continuous()
    if not isinstance(raw, Mapping) or raw.get("kind") not in KINDS:
        kind = raw.get("kind") if isinstance(raw, Mapping) else raw
        raise ConfigError(f"the recording mode {kind!r} is not known; it is one of {', '.join(KINDS)}")
    kind = raw["kind"]
    for key in raw:
        if key != "kind" and key not in _KEYS[kind]:
            allowed = ", ".join(_KEYS[kind]) or "nothing else"
            raise ConfigError(f"a {kind} recording has no {key!r}; it takes {allowed}")
    if kind == "continuous":
        return Continuous()
    return _triggered(raw) if kind == "triggered" else _scheduled(raw)


def _triggered(raw: Mapping[str, Any]) -> Triggered:
    names = raw.get("triggers")
    if names is not None and not (isinstance(names, list | tuple) and names and all(isinstance(n, str) for n in names)):
        raise ConfigError(f"the triggers of a recording are {names!r}; give a list of names, or leave them out for all")
    pre_us, post_us = _microseconds(raw, "pre_s"), _microseconds(raw, "post_s")
    if pre_us == 0 and post_us == 0:
        raise ConfigError("a window of 0 s before and 0 s after a trigger holds nothing; give pre_s or post_s")
    longest_us = _microseconds(raw, "max_pre_s")
    if longest_us is None:
        longest_us = round(MAX_PRE_S * 1e6) if pre_us is None else pre_us
    return Triggered(None if names is None else tuple(names), pre_us, post_us, max(longest_us, pre_us or 0))


def _microseconds(raw: Mapping[str, Any], key: str) -> int | None:
    seconds = raw.get(key)
    if seconds is None:
        return None
    return round(_number(seconds, key, at_least=0.0, at_most=MAX_WINDOW_S) * 1e6)


def _number(value: Any, name: str, *, at_least: float, at_most: float) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or not at_least <= value <= at_most:
        raise ConfigError(f"{name!r} is {value!r}; give a number of seconds from {at_least:g} to {at_most:g}")
    return float(value)


def _scheduled(raw: Mapping[str, Any]) -> Scheduled:
    zone = raw.get("zone") or "UTC"
    if not isinstance(zone, str):
        raise ConfigError(f"the time zone {zone!r} is no text; name one such as Europe/Berlin, or UTC")
    every_s = _number(raw.get("every_s"), "every_s", at_least=1, at_most=366 * 86_400)
    if every_s != int(every_s):
        raise ConfigError(f"'every_s' is {every_s:g}; give whole seconds")
    for_s = _number(raw.get("for_s"), "for_s", at_least=0.001, at_most=366 * 86_400)
    if for_s >= every_s:
        raise ConfigError(
            f"{for_s:g} s every {every_s:g} s leaves nothing out; make 'for_s' shorter, or record continuously"
        )
    from_ns, until_ns = (_instant(raw.get(key), key, zone) for key in ("from", "until"))
    if from_ns is not None and until_ns is not None and from_ns >= until_ns:
        raise ConfigError(f"the schedule ends ({raw['until']}) before it begins ({raw['from']}); give a later 'until'")
    return Scheduled(Schedule(Periods(int(every_s), zone, from_ns), round(for_s * 1e9), from_ns, until_ns))


def _instant(text: Any, key: str, zone: str) -> int | None:
    """UTC nanoseconds of an ISO 8601 date and time; without an offset it is one of the zone's."""
    there = zone_named(zone)
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{key!r} is {text!r}; write a date and time such as 2026-05-01T09:00") from error
    since = (time if time.tzinfo else time.replace(tzinfo=there)).astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return ((since.days * 86_400 + since.seconds) * 10**6 + since.microseconds) * 1000


def _text(utc_ns: int | None, zone: str) -> str | None:
    if utc_ns is None:
        return None
    return datetime.fromtimestamp(utc_ns / 1e9, UTC).astimezone(zone_named(zone)).isoformat()
