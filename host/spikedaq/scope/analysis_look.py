"""What a page asks of a recording that it analyses: checked, with everything that is left out filled in."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from spikedaq.analysis import DEFAULT_THRESHOLD_MV
from spikedaq.formats.found_spikes import NEURON_CHANNELS, STEP_UNITS, SpikeRule
from spikedaq.formats.loop_averages import LoopRule
from spikedaq.model import ConfigError

MAX_STA_MS = 1000.0
"""Each step of it is an average of its own."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a recording.

    Attributes
    ----------
    part : str or None
        As `list_parts` names it; None for a CSV, which has no parts.
    start_s, stop_s : float or None
        As for `read_samples`.
    channel : str
        One of `NEURON_CHANNELS`.
    sta_ms : float
        How far back the stimulus before spikes is averaged.
    fi : str
        One of `STEP_UNITS`: the channel whose steps make the F-I curve.
    bin_ms : float or None
        Of the rate over time; None chooses one.
    near_mv_per_ms : float or None
        The phase plane shows derivatives up to this; None shows all.
    """

    part: str | None = None
    start_s: float | None = None
    stop_s: float | None = None
    channel: str = "vm"
    rule: SpikeRule = field(default_factory=SpikeRule)
    loops: LoopRule = field(default_factory=LoopRule)
    sta_ms: float = 50.0
    fi: str = "stimulus"
    bin_ms: float | None = None
    near_mv_per_ms: float | None = None

    @property
    def window(self) -> tuple[str | None, float | None, float | None]:
        """What has to be read for it."""
        return self.part, self.start_s, self.stop_s


def parse_look(said: Any) -> Look:
    """Read a look that a page asks for.

    Raises
    ------
    ConfigError
        Something in it makes no sense; the text names it.
    """
    if not isinstance(said, dict):
        raise ConfigError("a look at a recording is a map")
    known = {
        "part", "start_s", "stop_s", "channel", "threshold_mv", "falling", "hysteresis_mv", "refractory_ms",
        "length_ms", "tolerance_ms", "sta_ms", "fi", "bin_ms", "near_mv_per_ms", "table", "first_ms", "last_ms",
        "columns",
    }  # fmt: skip
    if unknown := sorted(set(said) - known):
        raise ConfigError(f"{unknown[0][:40]!r} is nothing that a look has")
    part = said.get("part")
    if part is not None and not isinstance(part, str):
        raise ConfigError("the part of a recording is named by a text")
    falling = said.get("falling", False)
    if not isinstance(falling, bool):
        raise ConfigError("'falling' is true or false")
    start_s, stop_s = number(said, "start_s"), number(said, "stop_s")
    if start_s is not None and stop_s is not None and start_s >= stop_s:
        raise ConfigError(f"the time range begins at {start_s:g} s and ends at {stop_s:g} s; its end must come later")
    is_auto = said.get("threshold_mv") == "auto"
    return Look(
        part,
        start_s,
        stop_s,
        _one_of(said, "channel", NEURON_CHANNELS, "vm"),
        SpikeRule(
            None if is_auto else _given(number(said, "threshold_mv"), DEFAULT_THRESHOLD_MV),
            falling,
            _given(number(said, "hysteresis_mv", least=0.0), 0.0),
            _given(number(said, "refractory_ms", least=0.0), 0.0),
        ),
        LoopRule(
            number(said, "length_ms", least=0.1),
            _given(number(said, "tolerance_ms", least=0.0), 0.0),
        ),
        _given(number(said, "sta_ms", least=0.1, most=MAX_STA_MS), 50.0),
        _one_of(said, "fi", STEP_UNITS, "stimulus"),
        number(said, "bin_ms", least=0.1),
        number(said, "near_mv_per_ms", least=0.1),
    )


def number(said: dict[str, Any], name: str, *, least: float | None = None, most: float | None = None) -> float | None:
    """Return a number that was given, None where it was not.

    Raises
    ------
    ConfigError
        It is no finite number, or out of its range.
    """
    value = said.get(name)
    if value is None:
        return None
    try:
        wrong = isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)
    except OverflowError:
        wrong = True
    if wrong:
        raise ConfigError(f"{name} is no number")
    if least is not None and value < least:
        raise ConfigError(f"{name} is {value:g}; it must be {least:g} or more")
    if most is not None and value > most:
        raise ConfigError(f"{name} is {value:g}; it can be at most {most:g}")
    return float(value)


def _given(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _one_of(said: dict[str, Any], name: str, known: Any, otherwise: str) -> str:
    value = said.get(name, otherwise)
    if not isinstance(value, str) or value not in known:
        raise ConfigError(f"{name} is one of {', '.join(known)}")
    return value
