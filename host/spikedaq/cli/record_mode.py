"""The options of `spikedaq record start` that say what of a session is recorded."""

from __future__ import annotations

import argparse
import math
import re
from typing import Any

from spikedaq.model import ConfigError

ANY = "any"
_UNITS_S = {"": 1, "s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")


def duration(text: str) -> float:
    """Read a time above 0 such as 5, 0.5s, 5min, 1h or 2d; in seconds."""
    match = _DURATION.fullmatch(text.strip().lower())
    seconds = float(match[1]) * _UNITS_S[match[2]] if match and match[2] in _UNITS_S else math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time above 0; write for instance 5, 0.5s, 5min, 1h or 2d")
    return seconds


def duration_or_none(text: str) -> float:
    """Read a time such as `duration` does, or 0."""
    return 0.0 if text.strip() in ("0", "0s") else duration(text)


def add_mode_options(parser: argparse.ArgumentParser) -> None:
    """Add options of triggered and of scheduled recordings."""
    around = parser.add_argument_group("record only around triggers")
    around.add_argument(
        "--triggered", action="append", metavar="TRIGGER", help=f"this one (again for more), or {ANY}: each that fires"
    )
    around.add_argument("--pre", type=duration_or_none, metavar="TIME", help="before each; else as the trigger says")
    around.add_argument("--post", type=duration_or_none, metavar="TIME", help="after each; else as the trigger says")
    clock = parser.add_argument_group("record only at clock times")
    clock.add_argument("--every", type=duration, metavar="TIME", help="for instance 1h: at each full hour")
    clock.add_argument("--for", type=duration, metavar="TIME", dest="for_s", help="so long each time: 5min")
    clock.add_argument("--from", metavar="DATE", dest="from_time", help="not before: 2026-05-01T09:00")
    clock.add_argument("--until", metavar="DATE", help="end the session then")
    clock.add_argument("--zone", metavar="ZONE", help="of all times: local (the daemon's, the default), UTC, a name")


def mode_of(arguments: argparse.Namespace) -> dict[str, Any] | None:
    """Return the mode that the options ask for, None where they say nothing.

    Raises
    ------
    ConfigError
        Options that contradict each other.
    """
    a = arguments
    around = {"--triggered": a.triggered, "--pre": a.pre, "--post": a.post}
    clock = {"--every": a.every, "--for": a.for_s, "--from": a.from_time, "--until": a.until, "--zone": a.zone}
    given = [[name for name, value in group.items() if value is not None] for group in (around, clock)]
    if given[0] and given[1]:
        raise ConfigError(
            f"{given[0][0]} and {given[1][0]} do not go together; record around triggers, or by the clock"
        )
    if given[0]:
        if a.triggered is None:
            raise ConfigError(f"{given[0][0]} is about triggers; say which, with --triggered NAME or --triggered {ANY}")
        names = None if ANY in a.triggered else a.triggered
        return _without_none({"kind": "triggered", "triggers": names, "pre_s": a.pre, "post_s": a.post})
    if given[1]:
        if a.every is None or a.for_s is None:
            missing = "--every" if a.every is None else "--for"
            raise ConfigError(f"{given[1][0]} is about a schedule, which lacks {missing}; write --every 1h --for 5min")
        times = {"every_s": a.every, "for_s": a.for_s, "from": a.from_time, "until": a.until}
        return _without_none({"kind": "scheduled", **times, "zone": a.zone or "local"})
    return None


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
