"""Genetically encoded calcium indicators, as the stock software's imaging page lists them."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from spikedaq.model import ConfigError


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator.

    Attributes
    ----------
    kd_um : float
        Calcium at half saturation, micromolar.
    hill : float
        Hill coefficient.
    rise_ms, decay_ms : float
        Time constants of its saturation, milliseconds of model time.
    dff_max : float
        Fluorescence at full saturation over that without calcium, minus one.
    """

    name: str
    kd_um: float
    hill: float
    rise_ms: float
    decay_ms: float
    dff_max: float


GENERIC = Indicator("Generic", 0.200, 2.0, 50.0, 300.0, 20.0)

INDICATORS: tuple[Indicator, ...] = (
    GENERIC,
    Indicator("GCaMP2", 0.146, 3.8, 150.0, 1200.0, 3.9),
    Indicator("GCaMP6s", 0.144, 3.0, 125.0, 580.0, 60.0),
    Indicator("GCaMP6m", 0.167, 3.0, 90.0, 220.0, 55.0),
    Indicator("GCaMP6f", 0.375, 3.0, 60.0, 140.0, 50.0),
    Indicator("R-GECO1", 0.480, 2.0, 200.0, 1500.0, 30.0),
    Indicator("jRGECO1a", 0.161, 1.8, 200.0, 314.0, 13.0),
    Indicator("jRCaMP1a", 0.141, 1.5, 200.0, 327.0, 6.0),
    Indicator("f-RGECO1", 1.200, 3.0, 120.0, 83.0, 9.0),
    Indicator("f-RGECO2", 1.300, 5.8, 120.0, 77.0, 13.0),
    Indicator("f-RCaMP1", 0.520, 2.3, 150.0, 211.0, 5.0),
    Indicator("f-RCaMP2", 0.785, 3.5, 150.0, 140.0, 5.0),
)
"""Source: the table of the stock software's imaging simulation, December 2025."""

_BY_NAME = {indicator.name.lower(): indicator for indicator in INDICATORS}


def indicator_named(name: str) -> Indicator:
    """Return an indicator; upper and lower case are the same.

    Raises
    ------
    ConfigError
        There is none of this name; the text says which there are.
    """
    found = _BY_NAME.get(name.strip().lower())
    if found is None:
        near = get_close_matches(name.strip().lower(), _BY_NAME, n=1)
        hint = f"did you mean {_BY_NAME[near[0]].name}? " if near else ""
        names = ", ".join(indicator.name for indicator in INDICATORS)
        raise ConfigError(f"there is no indicator {name[:40]!r}; {hint}there are {names}")
    return found
