"""A stock board's parameters as far as they are known, and the commands that change them.

A stock board answers nothing and cannot be asked, so what a knob or its own buttons decide is unknown (NaN) until the
host sets it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from spikedaq.model import Holder
from spikedaq.stock.dialects import Dialect
from spikedaq.stock.settings import Setting, neuron

CUSTOM_PRESET: Final = 255.0
_SHAPE: Final = ("a", "b", "c", "d")
_PAIRS: Final = {"vc_kp": ("VPID", "vc_kp", "vc_ki"), "vc_ki": ("VPID", "vc_kp", "vc_ki"),
                 "vc_i_min": ("VIL", "vc_i_min", "vc_i_max"), "vc_i_max": ("VIL", "vc_i_min", "vc_i_max")}  # fmt: skip
_NO_LED: Final = "99"  # v2.4 takes a fifth number for its mode LEDs; this one puts them out


class Refusal(Exception):
    """A request that cannot be done; ``code`` is the name of a reply code of the protocol."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Change:
    """Command lines, without their line feeds, and what is true once the board has obeyed them."""

    commands: tuple[str, ...]
    values: dict[str, float] = field(default_factory=dict)
    holders: dict[str, Holder] = field(default_factory=dict)


class StockBoard:
    """Parameters of one boot of a board.

    Attributes
    ----------
    settings : tuple of Setting
        In the order of their indices.
    """

    def __init__(self, dialect: Dialect, *, step_us: int) -> None:
        self.dialect = dialect
        self.settings = dialect.settings
        self._at = {setting.name: setting for setting in self.settings}
        self._values = {s.name: s.default if not s.has_knob else math.nan for s in self.settings}
        self._values["step_us"] = float(step_us)
        self._holders = {s.name: Holder.KNOB for s in self.settings}

    def value(self, name: str) -> float:
        """Value of a parameter, NaN where it is not known."""
        return self._values[name]

    def holder(self, name: str) -> Holder:
        """Who holds it."""
        return self._holders[name]

    @property
    def in_clamp(self) -> bool:
        """Whether the host has put the board in voltage clamp."""
        return self._values.get("clamp_mode") == 1.0

    def measured(self, step_us: int) -> None:
        """Take over a measured step period."""
        self._values["step_us"] = float(step_us)

    def obeyed(self, change: Change) -> list[tuple[int, float]]:
        """Take over a change; return index and value of what is different now."""
        different = []
        for index, setting in enumerate(self.settings):
            name = setting.name
            if name in change.values:
                old = (self._values[name], self._holders[name])
                new = (change.values[name], change.holders[name])
                self._values[name], self._holders[name] = new
                if old != new and not (math.isnan(old[0]) and math.isnan(new[0]) and old[1] == new[1]):
                    different.append((index, new[0]))
        return different

    def set(self, pairs: Sequence[tuple[int, float | None]]) -> Change:
        """Build the commands for ``(index, value)`` pairs; None hands a parameter back.

        Raises
        ------
        Refusal
            One of them cannot be set; then none is.
        """
        commands: list[str] = []
        values: dict[str, float] = {}
        holders: dict[str, Holder] = {}
        shape: dict[str, float] = {}
        joint: dict[str, dict[str, float]] = {}
        mode = self._mode_after(pairs)
        for index, value in pairs:
            if not 0 <= index < len(self.settings):
                raise Refusal(
                    "out_of_range", f"{self.dialect.name} has {len(self.settings)} parameters, no number {index}"
                )
            setting = self.settings[index]
            name = setting.name
            holders[name] = Holder.KNOB if value is None else Holder.HOST
            if value is None:
                commands.append(self._release(setting))
                values[name] = setting.default if not setting.has_knob else math.nan
                continue
            self._check(setting, value)
            if name in _SHAPE:
                shape[name] = value
            elif name == "preset":
                commands.append(self._preset(round(value), values, holders))
            elif name in _PAIRS:
                joint.setdefault(_PAIRS[name][0], {})[name] = value
            else:
                self._check_mode(name, mode)
                command, values[name] = setting.command(value) if setting.command else ("", math.nan)
                commands.append(command)
        if shape:
            commands.append(self._neuron(shape, values, holders))
        for word, given in joint.items():
            commands.append(self._joint(word, given, values, holders))
        return Change(tuple(commands), values, holders)

    def reset(self, *, everything: bool) -> Change:
        """Build the commands that put the neuron's state, or all parameters too, back.

        Raises
        ------
        Refusal
        """
        if not any(setting.command for setting in self.settings):
            raise Refusal("unsupported", self.settings[0].reason)
        values: dict[str, float] = {}
        holders: dict[str, Holder] = {}
        preset = self._values.get("preset", math.nan)
        if everything:
            preset = 0.0
        if math.isnan(preset):
            raise Refusal("wrong_state", "which neuron the board runs is not known; set preset, which resets it")
        if preset == CUSTOM_PRESET:
            commands = [self._neuron({}, values, holders)]
        else:
            commands = [self._preset(int(preset), values, holders)]
        if everything:
            for setting in self.settings:
                if setting.release is not None and setting.name != "v_hold":
                    commands.append(setting.release)
                    values[setting.name] = setting.default if not setting.has_knob else math.nan
                    holders[setting.name] = Holder.KNOB
            if "clamp_mode" in self._at:
                commands.append("VCM 0")
                values["clamp_mode"], holders["clamp_mode"] = 0.0, Holder.HOST
        return Change(tuple(commands), values, holders)

    # ---- pieces ----

    def _release(self, setting: Setting) -> str:
        if setting.command is None:
            raise Refusal("read_only", f"{setting.name} can only be read: {setting.reason}")
        if setting.release is None:
            raise Refusal("unsupported", f"{setting.name} cannot be handed back: {setting.reason}")
        return setting.release

    def _check(self, setting: Setting, value: float) -> None:
        if setting.command is None:
            raise Refusal("read_only", f"{setting.name} can only be read: {setting.reason}")
        if not setting.minimum <= value <= setting.maximum:
            limits = f"{setting.minimum:g} to {setting.maximum:g}"
            raise Refusal("out_of_range", f"{setting.name} cannot be {value:g}; give a value from {limits}")

    def _mode_after(self, pairs: Sequence[tuple[int, float | None]]) -> float:
        """Clamp mode once the pairs are set."""
        mode = self._values.get("clamp_mode", 0.0)
        for index, value in pairs:
            if 0 <= index < len(self.settings) and self.settings[index].name == "clamp_mode" and value is not None:
                mode = value
        return mode

    def _check_mode(self, name: str, mode: float) -> None:
        # PC1 is the injected current in one mode and the holding potential in the other.
        if name == "i_clamp" and mode == 1.0 and self.dialect.neuron_word == "NE":
            raise Refusal(
                "wrong_state", "in voltage clamp the board's one command for both sets v_hold; set clamp_mode=0"
            )
        if name == "v_hold" and mode != 1.0:
            raise Refusal(
                "wrong_state", "in current clamp the board's one command for both sets i_clamp; set clamp_mode=1"
            )

    def _preset(self, index: int, values: dict[str, float], holders: dict[str, Holder]) -> str:
        known = self.dialect.presets[index]
        self._note(values, holders, preset=float(index), a=known.a, b=known.b, c=known.c, d=known.d)
        if "v_rest" in self._at:
            self._note(values, holders, v_rest=known.v_rest)
        if self.dialect.neuron_word == "NEU":
            command, _ = neuron("NEU", (known.a, known.b, known.c, known.d), str(index))
            return command
        return f"NEU {index}"

    def _neuron(self, shape: dict[str, float], values: dict[str, float], holders: dict[str, Holder]) -> str:
        whole = {name: shape.get(name, values.get(name, self._values[name])) for name in _SHAPE}
        missing = [name for name, value in whole.items() if math.isnan(value)]
        if missing:
            raise Refusal(
                "wrong_state",
                f"the board takes a, b, c and d together, and its {', '.join(missing)} are not known; set all four",
            )
        word = self.dialect.neuron_word
        try:
            command, really = neuron(word, tuple(whole.values()), _NO_LED if word == "NEU" else "")
        except ValueError as error:
            raise Refusal("out_of_range", str(error)) from error
        self._note(values, holders, preset=CUSTOM_PRESET, **dict(zip(_SHAPE, really, strict=True)))
        return command

    def _joint(self, word: str, given: dict[str, float], values: dict[str, float], holders: dict[str, Holder]) -> str:
        first, second = next(pair[1:] for pair in _PAIRS.values() if pair[0] == word)
        both = (given.get(first, self._values[first]), given.get(second, self._values[second]))
        if word == "VIL" and not both[0] < both[1]:
            raise Refusal("out_of_range", f"vc_i_min {both[0]:g} is not below vc_i_max {both[1]:g}")
        command, really = neuron(word, both)
        self._note(values, holders, **{first: really[0], second: really[1]})
        return command

    def _note(self, values: dict[str, float], holders: dict[str, Holder], /, **new: float) -> None:
        for name, value in new.items():
            values[name] = value
            holders[name] = Holder.HOST
