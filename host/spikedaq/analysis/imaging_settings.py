"""The settings of the imaging simulation: each with its unit, range and default."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any

from spikedaq.analysis.indicators import GENERIC, Indicator
from spikedaq.model import MODEL_STEP_MS, ConfigError

RESPONSES = ("hill", "sigmoid", "linear")
"""How calcium becomes saturation; ``linear``: fluorescence follows calcium itself."""

_STEPS_PER_S = 1000.0 / MODEL_STEP_MS


def _number(default: float, minimum: float, maximum: float, unit: str, about: str) -> Any:
    metadata = {"minimum": minimum, "maximum": maximum, "unit": unit, "about": about}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class SettingInfo:
    """One setting for people and panels; ``minimum`` and ``maximum`` are None where it is one of ``choices``."""

    name: str
    unit: str
    default: float | str
    about: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagingSettings:
    """Settings of one simulation; all times are model time. `setting_infos` has units, ranges and meanings.

    The ranges are those of the stock sliders, wider where its own indicators or sense need it.

    Raises
    ------
    ConfigError
        Values that are no finite numbers within their ranges; the text names all of them.
    """

    frame_rate_hz: float = _number(100.0, 1.0, 10_000.0, "Hz", "frames per second of model time")
    laser: float = _number(1.0, 0.0, 2.0, "1", "laser power; above 1 it bleaches")
    pmt: float = _number(1.0, 0.0, 2.0, "1", "gain of the photomultiplier; above 1 it adds noise")
    ca_baseline_um: float = _number(0.05, 0.0, 0.5, "uM", "calcium at rest")
    ca_per_spike_um: float = _number(0.01, 0.0, 0.5, "uM", "what each spike adds, before rise and decay")
    ca_rise_ms: float = _number(20.0, 1.0, 250.0, "ms", "time constant of calcium's rise")
    ca_decay_ms: float = _number(200.0, 1.0, 250.0, "ms", "time constant of calcium's decay")
    ca_noise: float = _number(0.0, 0.0, 10.0, "uM/sqrt(s)", "noise of calcium, times the root of a step")
    response: str = field(default="hill", metadata={"about": "how calcium saturates the indicator"})
    kd_um: float = _number(GENERIC.kd_um, 0.01, 10.0, "uM", "calcium at half saturation")
    hill: float = _number(GENERIC.hill, 0.5, 8.0, "1", "Hill coefficient")
    rise_ms: float = _number(GENERIC.rise_ms, 0.0, 500.0, "ms", "time constant of the indicator's rise")
    decay_ms: float = _number(GENERIC.decay_ms, 0.0, 2000.0, "ms", "time constant of the indicator's decay")
    dff_max: float = _number(GENERIC.dff_max, 0.0, 100.0, "1", "dF/F0 between no calcium and saturation")
    scale: float = _number(5.0, 0.0, 10.0, "a.u.", "fluorescence without calcium, above the offset")
    offset: float = _number(1.0, 0.0, 20.0, "a.u.", "fluorescence in the dark")
    floor_noise: float = _number(0.004, 0.0, 0.02, "a.u.", "standard deviation of the reading noise")
    shot_noise: float = _number(0.0002, 0.0, 0.001, "sqrt(a.u.)", "shot noise, times the root of fluorescence")

    def __post_init__(self) -> None:
        wrong = [text for each in fields(self) if (text := _wrong(each.name, getattr(self, each.name)))]
        if wrong:
            raise ConfigError(f"these settings of the imaging simulation cannot be: {'; '.join(wrong)}")
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, int):
                object.__setattr__(self, each.name, float(value))

    @property
    def steps_per_frame(self) -> int:
        """Model steps from frame to frame: the whole number nearest to what ``frame_rate_hz`` says."""
        return max(1, round(_STEPS_PER_S / self.frame_rate_hz))

    @property
    def true_frame_rate_hz(self) -> float:
        """Frame rate that ``steps_per_frame`` gives."""
        return _STEPS_PER_S / self.steps_per_frame

    def with_indicator(self, indicator: Indicator) -> ImagingSettings:
        """Return the settings with an indicator's constants, each where it belongs and none of them cut."""
        return replace(
            self,
            kd_um=indicator.kd_um,
            hill=indicator.hill,
            rise_ms=indicator.rise_ms,
            decay_ms=indicator.decay_ms,
            dff_max=indicator.dff_max,
        )

    def changed(self, values: Mapping[str, float | str]) -> ImagingSettings:
        """Return the settings with some of them changed; numbers may be given as texts.

        Raises
        ------
        ConfigError
            Names that are no settings, or values as in the constructor.
        """
        known = {each.name for each in fields(self)}
        unknown = [name for name in values if name not in known]
        if unknown:
            near = get_close_matches(unknown[0], known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ConfigError(
                f"the imaging simulation has no setting {unknown[0][:40]!r}; {hint}there are {', '.join(sorted(known))}"
            )
        read: dict[str, Any] = {name: _read(name, value) for name, value in values.items()}
        return replace(self, **read)

    def to_map(self) -> dict[str, float | str]:
        """Return them by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


def setting_infos() -> list[SettingInfo]:
    """Return what can be set, in the order of the light's way."""
    infos = []
    for each in fields(ImagingSettings):
        about: Any = each.metadata
        default: Any = each.default
        if "unit" in about:
            infos.append(
                SettingInfo(each.name, about["unit"], default, about["about"], about["minimum"], about["maximum"])
            )
        else:
            infos.append(SettingInfo(each.name, "", default, about["about"], choices=RESPONSES))
    return infos


_INFOS = {info.name: info for info in setting_infos()}


def _read(name: str, value: float | str) -> float | str:
    """Return a value as the setting needs it; what is no number stays, and is refused with the others."""
    if _INFOS[name].choices or not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value


def _wrong(name: str, value: object) -> str:
    """Return what is wrong with a value, empty where nothing is."""
    info = _INFOS[name]
    if info.choices:
        return "" if value in info.choices else f"{name} is {value!r:.40}, and must be one of {', '.join(info.choices)}"
    minimum, maximum = info.minimum or 0.0, info.maximum or 0.0
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if number and minimum <= float(value) <= maximum:  # type: ignore[arg-type]
        return ""
    unit = "" if info.unit == "1" else f" {info.unit}"
    return f"{name} is {value!r:.40}, and must be a number from {minimum:g} to {maximum:g}{unit}"
