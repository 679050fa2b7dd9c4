"""What a generator can be told: names, units, ranges and defaults as data, and values checked against them."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from spikedaq.model import ConfigError

Value = float | int
Build = Callable[[], npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Plan:
    """A waveform that is yet to be computed: how many rows, and the function that gives them in per cent."""

    n_rows: int
    build: Build


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number that a generator takes.

    Attributes
    ----------
    name : str
    unit : str
        ``%``, ``ms``, ``Hz``, ``deg``, or ``1`` for a pure number. Times are model time, whole tenths of a millisecond.
    type : {"float", "integer"}
    minimum, maximum, default : float
        In ``unit``; both ends are allowed.
    description : str
        One line, for a form or a help text.
    """

    name: str
    unit: str
    type: Literal["float", "integer"]
    minimum: float
    maximum: float
    default: Value
    description: str

    def checked(self, value: object, of: str) -> Value:
        """Return a value that this parameter of the generator ``of`` can have.

        Raises
        ------
        ConfigError
            No number, no whole number where one is needed, outside the range, or a time between two rows.
        """
        what = f"{self.name} of {of}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"{what} is {shown(value)}; give a number {self.range_text()}")
        if not self.minimum <= value <= self.maximum:  # NaN is in no range
            raise ConfigError(f"{what} is {shown(value)}; give a number {self.range_text()}")
        if self.type == "integer":
            if value != int(value):
                raise ConfigError(f"{what} is {shown(value)}; give a whole number {self.range_text()}")
            return int(value)
        if self.unit == "ms" and abs(value * 10 - round(value * 10)) > 1e-6:
            raise ConfigError(f"{what} is {shown(value)} ms; a row is 0.1 ms, so write {round(value * 10) / 10:g}")
        return float(value)

    def range_text(self) -> str:
        """Return the range in words."""
        unit = "" if self.unit == "1" else f" {self.unit}"
        return f"from {self.minimum:g} to {self.maximum:g}{unit}"


@dataclass(frozen=True, slots=True)
class Generator:
    """One kind of waveform.

    Attributes
    ----------
    name : str
        As specifications and commands call it.
    title, description : str
        For people.
    parameters : tuple of Parameter
    plan : callable
        From the checked values by name to the `Plan`.
    """

    name: str
    title: str
    description: str
    parameters: tuple[Parameter, ...]
    plan: Callable[[Mapping[str, Any]], Plan]

    def checked(self, values: Mapping[str, object]) -> dict[str, Value]:
        """Return a value for every parameter: those given, checked, and the defaults of the others.

        Raises
        ------
        ConfigError
            A name that it does not have, or a value that it cannot have.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(shown(name).strip("'"), known, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known)}"
                raise ConfigError(f"the generator {self.name!r} has no parameter {shown(name)}; {hint}")
        return {name: parameter.checked(values.get(name, parameter.default), self.name)
                for name, parameter in known.items()}  # fmt: skip

    def to_map(self) -> dict[str, Any]:
        """Return all that a form needs, as plain values."""
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "parameters": [asdict(parameter) for parameter in self.parameters],
        }


def shown(value: object) -> str:
    """Return a value for an error's text: short, however long or deep it is."""
    try:
        return _SHORT.repr(value)
    except ValueError:  # Python writes no whole number of more than 4300 digits
        return "a number of thousands of digits"


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60
