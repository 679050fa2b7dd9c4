"""What a trigger waits for, as plain values (docs/reference/triggers.md)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Edge(StrEnum):
    """Which way a quantity has to pass its threshold."""

    RISING = "rising"
    FALLING = "falling"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Level:
    """A channel passes a level: rising to it or above, falling to it or below.

    Attributes
    ----------
    channel : str
        By name; in a clamp mode that has no channel of this name nothing fires.
    level, hysteresis : float
        In the channel's unit. Before it can fire (again), a rising condition needs a sample below level - hysteresis,
        a falling one a sample above level + hysteresis.
    """

    channel: str
    level: float
    edge: Edge = Edge.RISING
    hysteresis: float = 0.0


@dataclass(frozen=True, slots=True)
class SpikeCount:
    """The number of spikes that are younger than ``window_us`` reaches ``count`` (rising), or falls below it.

    Attributes
    ----------
    window_us : int
        In microseconds of the device's clock.
    as_rate : bool
        Firings say their value in spikes per second instead of spikes.
    """

    count: int
    window_us: int
    edge: Edge = Edge.RISING
    as_rate: bool = False


@dataclass(frozen=True, slots=True)
class StimulusStart:
    """A loop of the stimulus begins."""


@dataclass(frozen=True, slots=True)
class OnEvent:
    """The device reports an event; None for any kind, or any index."""

    kind: int | None = None
    index: int | None = None


Condition = Level | SpikeCount | StimulusStart | OnEvent


@dataclass(frozen=True, slots=True)
class Firing:
    """The instant at which a condition came true; ``tick`` is widened, in microseconds."""

    boot_id: int
    step: int
    tick: int
    value: float
    """The sample's value, the count or rate, the event's value; NaN for a stimulus."""
