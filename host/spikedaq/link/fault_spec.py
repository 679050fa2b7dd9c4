"""What is to go wrong with a link: the words of a spec and the lines of a script.

They are those of the virtual board's ``--fault`` (firmware/boards/native/fault_spec.h), but for what only a board can
do: reboot, change its port's name, run its clock wrong.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Final

from spikedaq.model import ConfigError

_MAX_SEED: Final = 2**64 - 1
_DAY_S: Final = 86400.0

# Name -> largest value; all are at least 0.
_NUMBERS: Final[Mapping[str, float]] = {
    "flip": 1.0,
    "drop": 1.0,
    "drop_frame": 1.0,
    "duplicate": 1.0,
    "truncate": 1.0,
    "delay_ms": 60000.0,
    "jitter_ms": 60000.0,
    "stall_every_s": _DAY_S,
    "stall_for_s": _DAY_S,
    "unplug_every_s": _DAY_S,
    "unplug_for_s": _DAY_S,
}
_SETTABLE: Final = tuple(_NUMBERS)[:7]
_ONLY_BOARD: Final = (
    *("reboot", "rename", "reboot_every_s", "rename_every_s"),
    *("skew_ppm", "skew_ramp_ppm_h", "skew_swing_ppm", "skew_period_s"),
)


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """What is to go wrong.

    Attributes
    ----------
    seed : int
        The same seed damages the same bytes, however they are cut into reads.
    flip, drop : float
        Probability per bit of being turned over, and per byte of being lost.
    drop_frame, duplicate, truncate : float
        Probability per frame of being lost, of coming twice, of ending early.
    delay_ms, jitter_ms : float
        Each delivery comes so much later, and up to so much more, in order all the same.
    stall_every_s, unplug_every_s : float
        Mean time between stalls (nothing passes) and unplugs (the link is lost); 0 for never.
    stall_for_s, unplug_for_s : float
        And for how long.
    """

    seed: int = 0
    flip: float = 0.0
    drop: float = 0.0
    drop_frame: float = 0.0
    duplicate: float = 0.0
    truncate: float = 0.0
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    stall_every_s: float = 0.0
    stall_for_s: float = 0.5
    unplug_every_s: float = 0.0
    unplug_for_s: float = 0.5

    @property
    def touches_frames(self) -> bool:
        """Whether the frames' beginnings and ends matter."""
        return self.drop_frame > 0 or self.duplicate > 0 or self.truncate > 0

    def __str__(self) -> str:
        """Return it as it would be given, without what it leaves as it is."""
        given = [f"{f.name}={getattr(self, f.name):g}" for f in fields(self) if getattr(self, f.name) != f.default]
        return ",".join(given) or "no faults"

    def changed(self, name: str, value: str) -> FaultSpec:
        """Return it with one number changed, both as texts.

        Raises
        ------
        ConfigError
            No such fault, or no such value; the text says what there is.
        """
        if name == "seed":
            if not value.isdecimal() or int(value) > _MAX_SEED:
                raise ConfigError(f"seed={value}: must be a whole number")
            return replace(self, seed=int(value))
        if name in _ONLY_BOARD:
            raise ConfigError(
                f"{name} happens to a board, not to a cable; a virtual one takes it (spikedaq-device --help)"
            )
        if name not in _NUMBERS:
            raise ConfigError(f"{name}: there is no such fault; there are seed, {', '.join(_NUMBERS)}")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not 0 <= number <= _NUMBERS[name]:
            raise ConfigError(f"{name}={value}: must be a number from 0 to {_NUMBERS[name]:g}")
        changed: dict[str, float] = {name: number}
        return replace(self, **changed)  # type: ignore[arg-type]


def parse_spec(pairs: Iterable[tuple[str, str]]) -> FaultSpec:
    """Make a spec of names and values; raises as `FaultSpec.changed` does."""
    spec = FaultSpec()
    for name, value in pairs:
        spec = spec.changed(name, value)
    return spec


@dataclass(frozen=True, slots=True)
class FaultAction:
    """One line of a script: ``time_s what arguments``.

    Attributes
    ----------
    what : str
        stall, unplug, lose, or the name of a spec's number.
    amount : float
        Seconds, or frames to lose.
    value : str
        The number's new value.
    """

    time_s: float
    what: str
    amount: float = 0.0
    value: str = ""


def parse_script(text: str, source: str) -> list[FaultAction]:
    """Read a script: one action per line, by time; ``#`` begins a remark.

    Raises
    ------
    ConfigError
        A line that is none; the text names it.
    """
    actions = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if words:
            try:
                actions.append(_action(words))
            except ConfigError as error:
                raise ConfigError(f"{source}, line {number}: {error}") from error
    return sorted(actions, key=attrgetter("time_s"))


def _action(words: list[str]) -> FaultAction:
    time, what, arguments = words[0], words[1] if len(words) > 1 else "", words[2:]
    time_s = 0.0 if time == "now" else _number(time)
    if not 0 <= time_s < math.inf:
        raise ConfigError(f"{time!r} is not a time; a line is: time_s what arguments, as in: 2.5 unplug 0.3")
    argument = arguments[0] if len(arguments) == 1 else ""
    if what in ("stall", "unplug"):
        seconds = _number(argument)
        if not 0 <= seconds <= _DAY_S:
            raise ConfigError(f"{what} needs a time in seconds, as in: 2.5 {what} 0.3")
        return FaultAction(time_s, what, seconds)
    if what == "lose":
        if not argument.isdecimal() or int(argument) < 1:
            raise ConfigError("lose needs a number of frames, as in: 2.5 lose 3")
        return FaultAction(time_s, what, float(argument))
    if what not in _SETTABLE and what not in _ONLY_BOARD:
        raise ConfigError(f"{what!r}: there are stall, unplug, lose, {', '.join(_SETTABLE)}")
    FaultSpec().changed(what, argument)
    return FaultAction(time_s, what, value=argument)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
