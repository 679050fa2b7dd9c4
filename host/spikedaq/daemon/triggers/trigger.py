"""One trigger of the bench: what it is told, and what became of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from spikedaq.daemon.trigger_config import EVERY, TriggerConfig, condition_of
from spikedaq.trigger import Condition


@dataclass(slots=True, eq=False)
class Trigger:
    """One trigger.

    Attributes
    ----------
    is_configured : bool
        It stands in the configuration; else somebody armed it by a request.
    armed_by : str or None
        Who armed it, as `Peer.holder`; None for the configuration. While somebody else has the lease of a device, it
        sends no commands there.
    firings : int
        Since the daemon's start, over all devices.
    suppressed : int
        Left out by the hold-off on watches that are over; those that go on count themselves.
    last : dict or None
        Where and when it fired last.
    commands : Counter
        ``done``, and those that were not carried out: ``failed`` (refused, or no answer), ``late``, ``dropped`` (too
        many waited).
    absent : list of str
        What it names and the bench does not have, in words.
    problems : dict
        By device: why it cannot look there.
    """

    config: TriggerConfig
    is_configured: bool
    armed: bool = True
    armed_by: str | None = None
    firings: int = 0
    suppressed: int = 0
    last: dict[str, Any] | None = None
    commands: Counter[str] = field(default_factory=Counter)
    absent: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    condition: Condition | None = field(init=False)

    def __post_init__(self) -> None:
        self.condition = condition_of(self.config)

    @property
    def name(self) -> str:
        """Its name."""
        return self.config.name

    def looks_at(self, device: str) -> bool:
        """Whether it is armed with a condition on this device."""
        return self.armed and self.condition is not None and (not self.devices or device in self.devices)

    @property
    def devices(self) -> tuple[str, ...]:
        """On which devices it looks; none for every one."""
        return () if EVERY in self.config.devices else self.config.devices

    def commanded(self, bench: list[str], *, by_hand: bool) -> set[str]:
        """Return the devices that it sends commands to when it comes true anywhere, or is fired by hand."""
        unnamed = self.targets("", bench) if by_hand else self.devices or bench
        return {name for c in self.config.commands for name in ([c.device] if c.device else unnamed)}

    def targets(self, fired: str, bench: list[str]) -> list[str]:
        """Return which devices it records or marks, where ``fired`` fired; "" for by hand."""
        targets = self.config.targets or ((fired,) if fired else self.config.devices or (EVERY,))
        return bench if EVERY in targets else list(dict.fromkeys(targets))

    def to_map(self) -> dict[str, Any]:
        """Return it as JSON values."""
        commands = {name: self.commands[name] for name in ("done", "failed", "late", "dropped")}
        return {
            "name": self.name,
            "state": "armed" if self.armed else "disarmed",
            "configured": self.is_configured,
            "definition": self.config.to_map(),
            "firings": self.firings,
            "suppressed": self.suppressed,
            "last": self.last,
            "commands": commands,
            "problems": [*self.absent, *self.problems.values()],
        }
