"""What the hardware is set to, as one state that takes changes. What nobody said is the word "unknown"."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from spikedaq.model import Holder, ParameterInfo, ParameterType, PresetInfo

UNKNOWN = "unknown"
CUSTOM_PRESET = 255  # protocol/README.md, section 4.3

SHAPE = ("a", "b", "c", "d", "v_rest")
"""The parameters that make a neuron; a preset stands for one value of each."""

# Where each normative parameter (protocol/README.md, section 4.3) stands in the JSON.
_GROUPS = {
    "neuron": ("preset", *SHAPE),
    "clamp": ("i_clamp", "clamp_mode", "v_hold", "vc_kp", "vc_ki", "vc_i_min", "vc_i_max", "vc_span"),
    "noise": ("noise_sd",),
    "photodiode": ("photo_gain", "photo_decay", "photo_recovery"),
    "synapses": ("syn1_gain", "syn1_decay", "syn2_gain", "syn2_decay"),
    "stimulus": ("stim_strength", "stim_period"),
    "timing": ("step_us",),
}
_NAMED = frozenset(name for names in _GROUPS.values() for name in names)


class HardwareState:
    """The values of a device's parameters, who set them, and what the stimulus generator plays.

    Parameters
    ----------
    parameters : sequence of ParameterInfo
        As described, with the values at the start.
    presets : sequence of PresetInfo
        As described; the value of ``preset`` is an index into them.
    """

    def __init__(self, parameters: Sequence[ParameterInfo], presets: Sequence[PresetInfo]) -> None:
        self._infos = {p.name: p for p in parameters}
        self._presets = tuple(presets)
        self._values: dict[str, Any] = {p.name: tidy(p.value, p.type) for p in parameters}
        self._origins = {p.name: _first_origin(p) for p in parameters}
        self._stimulus: dict[str, Any] = {"source": UNKNOWN, "waveform": UNKNOWN}

    def value(self, name: str) -> Any:
        """Value of a parameter, or "unknown"."""
        return self._values.get(name, UNKNOWN)

    def tidied(self, name: str, value: float) -> Any:
        """``value`` as this state would hold it."""
        return tidy(value, self._infos[name].type if name in self._infos else ParameterType.FLOAT)

    def knob_decides(self, name: str) -> bool:
        """Whether a parameter has a knob, and the knob held it last."""
        return name in self._infos and self._infos[name].has_knob and self._origins[name] == "knob"

    def base(self, name: str) -> str:
        """Return who decides a parameter that no host holds: "knob", or "default" where there is no knob."""
        return "knob" if name in self._infos and self._infos[name].has_knob else "default"

    def apply(self, name: str, value: float, origin: str) -> dict[str, Any]:
        """Take one change.

        Parameters
        ----------
        name : str
        value : float
            New value, in the parameter's unit.
        origin : str
            "knob", "default", "host" or "unknown".

        Returns
        -------
        dict
            What is different now, by name: the parameter, and what follows from it by the protocol (a preset stands for
            ``a`` to ``v_rest``; setting one of these makes the neuron a custom one). Empty where nothing is.
        """
        before = self._settings()
        if name == "preset" and math.isfinite(value):
            self._take_preset(round(value), origin)
        else:
            self._put(name, self.tidied(name, value), origin)
            if name in SHAPE and "preset" in self._values and not self._has_shape_of_preset():
                self._put("preset", CUSTOM_PRESET, origin)
        after = self._settings()
        return {key: new for key, new in after.items() if before.get(key) != new}

    def play(self, source: str, waveform: Any = None) -> dict[str, Any]:
        """Take what the stimulus generator plays from now on; return what is different now."""
        new = {"source": source, "waveform": waveform}
        changed = {key: value for key, value in new.items() if self._stimulus[key] != value}
        self._stimulus = new
        return changed

    def snapshot(self) -> dict[str, Any]:
        """Return everything, in groups; every normative name is there, "unknown" where nobody said."""
        groups: dict[str, dict[str, Any]] = {
            group: {name: self.value(name) for name in names} for group, names in _GROUPS.items()
        }
        groups["neuron"] = {"preset_name": self._preset_name(), **groups["neuron"]}
        groups["clamp"] = {"mode": self._clamp_mode(), **groups["clamp"]}
        groups["stimulus"] = {**self._stimulus, **groups["stimulus"]}
        groups["other"] = {name: value for name, value in self._values.items() if name not in _NAMED}
        return {**groups, "set_by": dict(self._origins)}

    def _clamp_mode(self) -> str:
        mode = self._values.get("clamp_mode")
        if mode is None:  # a board that has no other clamp than an injected current
            return "current" if "i_clamp" in self._values else UNKNOWN
        return {0: "current", 1: "voltage"}.get(mode, UNKNOWN)

    def _settings(self) -> dict[str, Any]:
        return {"preset_name": self._preset_name(), **self._values}

    def _put(self, name: str, value: Any, origin: str) -> None:
        self._values[name] = value
        self._origins[name] = origin

    def _take_preset(self, index: int, origin: str) -> None:
        self._put("preset", index, origin)
        if index == CUSTOM_PRESET:
            return  # a to v_rest come as changes of their own
        known = self._presets[index] if 0 <= index < len(self._presets) else None
        for name in SHAPE:
            if name in self._values:
                self._put(name, UNKNOWN if known is None else tidy(getattr(known, name)), origin)

    def _has_shape_of_preset(self) -> bool:
        """Whether a to v_rest are those of the preset: a board may report each of them after a change of preset."""
        index = self._values["preset"]
        if not isinstance(index, int) or not 0 <= index < len(self._presets):
            return bool(index == CUSTOM_PRESET)
        preset = self._presets[index]
        return all(self._values.get(name) in (tidy(getattr(preset, name)), None) for name in SHAPE)

    def _preset_name(self) -> str:
        index = self._values.get("preset", UNKNOWN)
        if index == CUSTOM_PRESET:
            return "custom"
        if isinstance(index, int) and 0 <= index < len(self._presets):
            return self._presets[index].name
        return UNKNOWN


def _first_origin(parameter: ParameterInfo) -> str:
    if parameter.holder is Holder.HOST:
        return "host"
    if parameter.has_knob:
        return "knob"
    return "default" if parameter.value == parameter.default else UNKNOWN


def tidy(value: float, kind: ParameterType = ParameterType.FLOAT) -> Any:
    """Return a value as people write it: an integer, a boolean, or the shortest decimal of a 32-bit float.

    NaN, which is how a translated board describes what nobody can know, is "unknown".
    """
    if math.isnan(value):
        return UNKNOWN
    if kind is ParameterType.BOOLEAN:
        return bool(value)
    if kind is ParameterType.INTEGER:
        return round(value)
    narrow = np.float32(value)
    return float(str(narrow)) if float(narrow) == value else float(value)
