"""Units as the package `quantities` has them.

Only those named here are looked up: a unit comes out of a file, and text of a file is not for a parser of expressions.
"""

from __future__ import annotations

from typing import Any

from spikedaq.model import require

KNOWN = {
    "V": "V", "mV": "mV", "uV": "uV", "µV": "uV", "A": "A", "mA": "mA", "uA": "uA", "nA": "nA", "pA": "pA",
    "s": "s", "ms": "ms", "us": "us", "Hz": "Hz", "kHz": "kHz", "%": "percent", "percent": "percent", "uM": "uM",
    "uS": "uS", "nS": "nS", "degC": "degC",
}  # fmt: skip
"""Unit of a channel to its name in `quantities`; all others, such as a.u., are dimensionless there."""

UV_PER_UNIT = {"V": 1e6, "mV": 1e3, "uV": 1.0, "µV": 1.0}


def quantity_unit(unit: str) -> Any:
    """Return a channel's unit as a quantity; dimensionless where it is none of `KNOWN`."""
    pq = require("quantities", "neo")
    return pq.Quantity(1, KNOWN.get(unit, "dimensionless")).units


def is_known(unit: str) -> bool:
    """Whether `quantity_unit` says all that the unit says."""
    return unit in KNOWN or unit in ("", "1", "dimensionless")
