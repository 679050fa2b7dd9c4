"""How one of our parameters is set on a stock board: which command, in which unit, and what it then really is.

Every function here answers with the command lines and the value that the board ends up with. The traps of the stock
parser: a line has 31 characters at most (its buffer is 32, the rest is dropped and the torso executed), numbers go
through `atof` or `atoi` (the latter stops at a point or an ``e``), so nothing is ever written with an exponent, and
wherever it is not known which of the two a firmware uses, a whole number is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from spikedaq.model import ParameterType

MAX_COMMAND_CHARACTERS: Final = 31
Command = Callable[[float], tuple[str, float]]
"""From a value to the command that sets it, and the value that the board then has."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One parameter of a dialect.

    Attributes
    ----------
    name, unit : str
        As in protocol/README.md, section 4.3, where it is one of those.
    type : ParameterType
    minimum, maximum : float
        Ours: inside what the command takes, and inside what does no harm.
    default : float
        What the firmware starts with; NaN where a knob decides it.
    command : callable or None
        From a value to its command and the value that the board then has; None: it can be read only.
    release : str or None
        Hands it back to the knob or the firmware's default; None: there is no such command.
    has_knob : bool
    reason : str
        Why it cannot be set, or handed back; ends an error.
    """

    name: str
    unit: str
    type: ParameterType
    minimum: float
    maximum: float
    default: float
    command: Command | None = None
    release: str | None = None
    has_knob: bool = False
    reason: str = ""


def plain(value: float, decimals: int) -> str:
    """Write a number without exponent, without needless zeros, never as ``-0``."""
    text = f"{value:.{decimals}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def whole(word: str, *, per_unit: int = 1) -> Command:
    """Command with a whole number: ``value = argument / per_unit``."""

    def build(value: float) -> tuple[str, float]:
        argument = round_half_away(value * per_unit)
        return f"{word} {argument}", argument / per_unit

    return build


def divided(word: str, *, divisor: int, offset: int = 0) -> Command:
    """Command whose whole number the board divides without a remainder: ``value = argument // divisor + offset``."""

    def build(value: float) -> tuple[str, float]:
        quotient = round_half_away(value - offset)
        return f"{word} {quotient * divisor}", float(quotient + offset)

    return build


def decimal(word: str, decimals: int) -> Command:
    """Command with a decimal number, as `atof` reads it."""

    def build(value: float) -> tuple[str, float]:
        text = plain(value, decimals)
        return f"{word} {text}", float(text)

    return build


def thousandths(word: str) -> Command:
    """Command that takes 0 to 1000 for a factor of 0 to 1 (a factor itself, 0.995, would be divided by 1000 again)."""

    def build(value: float) -> tuple[str, float]:
        argument = round_half_away(value * 1000)
        return f"{word} {argument}", argument / 1000

    return build


def switch(on: str, off: str) -> Command:
    """Two commands without a number."""

    def build(value: float) -> tuple[str, float]:
        return (on, 1.0) if value else (off, 0.0)

    return build


def period(value: float) -> tuple[str, float]:
    """Square wave's period in steps, as FR1's modifier f: period = 510 + 5 f (a greater f is slower)."""
    modifier = max(-100, min(100, round_half_away((value - PERIOD_CENTRE) / 5)))
    return f"FR1 {modifier}", float(PERIOD_CENTRE + 5 * modifier)


PERIOD_CENTRE: Final = 510


def neuron(word: str, values: tuple[float, ...], tail: str = "") -> tuple[str, tuple[float, ...]]:
    """Command with several numbers, with as many decimals as the 31 characters leave room for.

    Returns
    -------
    command : str
    values : tuple of float
        As the board reads them.

    Raises
    ------
    ValueError
        Not even whole numbers fit.
    """
    for decimals in range(6, -1, -1):
        texts = [plain(value, decimals) for value in values]
        command = " ".join((word, *texts, *((tail,) if tail else ())))
        if len(command) <= MAX_COMMAND_CHARACTERS:
            return command, tuple(float(text) for text in texts)
    raise ValueError(f"{word} with {values} is longer than the {MAX_COMMAND_CHARACTERS} characters a stock board reads")


def round_half_away(value: float) -> int:
    """Round to the nearest whole number, halves away from zero, as one would by hand; -0.5 is -1."""
    return int(value + 0.5) if value >= 0 else -int(-value + 0.5)
