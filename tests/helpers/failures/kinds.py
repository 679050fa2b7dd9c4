"""The list of kinds, and how long an alarm or a refusal took."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from helpers.configured_daemon import ConfiguredDaemon
from spikedaq.model import CommandError

LIMIT_S = 2.0 * float(os.environ.get("SPIKEDAQ_SLACK", "1"))
Failure = Callable[[Path], None]


@dataclass
class Kind:
    """One kind of failure.

    Attributes
    ----------
    raises : tuple of str
        The alarms of which it must raise one; empty where what was asked for is refused, or goes on all the same.
    since : str
        From when the time counts, where the daemon cannot know at once: "" is the failure itself.
    told, refused : list of float
        What came of it: seconds until the alarm stood, and until a request was refused.
    """

    name: str
    run: Failure
    raises: tuple[str, ...]
    since: str
    quick: bool
    told: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)


KINDS: list[Kind] = []


def failure(name: str, *raises: str, since: str = "", quick: bool = False) -> Callable[[Failure], Failure]:
    """Add a kind."""

    def add(run: Failure) -> Failure:
        assert name not in {kind.name for kind in KINDS}, name
        KINDS.append(Kind(name, run, raises, since, quick))
        return run

    return add


def alarm(name: str, daemon: ConfiguredDaemon, since_s: float) -> None:
    """Wait for the alarm of a kind, and hold against the limit how long after ``since_s`` (monotonic) it was raised."""
    kind = next(kind for kind in KINDS if kind.name == name)
    seconds, raised = daemon.alarm_after(kind.raises, since_s)
    seconds = max(0.0, seconds)  # it may stand already when the daemon answers
    kind.told.append(seconds)
    print(f"1 x {name}: {raised} after {seconds:.2f} s{f', counted from {kind.since}' if kind.since else ''}")
    assert seconds <= LIMIT_S, f"{name}: {raised} took {seconds:.2f} s"


def refused(name: str, daemon: ConfiguredDaemon, words: str, op: str, **args: object) -> None:
    """A request that cannot be done says so, within the limit: never ok without its effect."""
    begin = time.monotonic()
    with pytest.raises(CommandError, match=words):
        daemon.call(op, **args)
    was_refused(name, time.monotonic() - begin, f"{op} is refused")


def was_refused(name: str, seconds: float, what: str, *, limit_s: float = LIMIT_S) -> None:
    """Hold against a limit how long something took that ends in no alarm."""
    kind = next(kind for kind in KINDS if kind.name == name)
    kind.refused.append(seconds)
    print(f"1 x {name}: {what} after {seconds:.2f} s")
    assert seconds <= limit_s, f"{name}: {what} took {seconds:.2f} s"
