"""From a recording's parameter rows to a state at the start and a list of changes, each with its origin."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from spikedaq.formats.hardware_state import SHAPE, UNKNOWN, HardwareState
from spikedaq.model import DeviceInfo
from spikedaq.store import StoredParameter

# A change that the device reports this long after a request, or less, is that request's. The host repeats an unanswered
# request for no longer than this.
REQUEST_S = 2.0

# A board reports a new preset and its a to v_rest one after the other.
NEURON_STEPS = 100

_NEURON = ("preset", *SHAPE)


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is different from ``step`` on.

    ``step`` is None where only the host's time is known. ``origin`` is "knob", "default", "host", "board" or "unknown";
    ``by`` says who asked, where somebody did. ``settings`` has the new values by name.
    """

    step: int | None
    wall_s: float
    origin: str
    by: str | None
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Request:
    wall_s: float
    value: float | None
    by: str


class History:
    """Follows the parameters of one boot through its files.

    Parameters
    ----------
    info : DeviceInfo
        As the first file has it: values as that file starts.
    first_step : int
        Step of the first sample. Changes before it belong to the state at the start.
    """

    def __init__(self, info: DeviceInfo, first_step: int) -> None:
        self._state = HardwareState(info.parameters, info.presets)
        self._first_step = first_step
        self._start: dict[str, Any] | None = None
        self._pending: dict[str, _Request] = {}
        self._neuron: tuple[int, str, str | None] | None = None
        self._reset: _Request | None = None
        self.changes: list[Change] = []
        self.requests: list[Change] = []

    @property
    def start(self) -> dict[str, Any]:
        """The state at the first sample."""
        return self._state.snapshot() if self._start is None else self._start

    def file_starts(self, info: DeviceInfo, step: int, wall_s: float) -> None:
        """Take the values that a later file of the same boot starts with; one that nobody reported is a change."""
        for parameter in info.parameters:
            if self._state.value(parameter.name) != self._state.tidied(parameter.name, parameter.value):
                settings = self._state.apply(parameter.name, parameter.value, UNKNOWN)
                self._note(Change(step, wall_s, UNKNOWN, None, settings))

    def row(self, row: StoredParameter) -> None:
        """Take one row of the parameter table, in the order of the journal."""
        if row.origin == "initial":
            return
        if row.is_request:
            self._pending[row.name] = _Request(row.time_s, row.value, row.origin)
            value = None if row.value is None else self._state.tidied(row.name, row.value)
            self.requests.append(Change(row.step, row.time_s, "host", row.origin, {row.name: value}))
            return
        if row.step is not None and row.step >= self._first_step:
            self._begin()
        origin, by = self._origin_of(row)
        # No value from the device: a knob that cannot be read decides it now (a stock board's).
        settings = self._state.apply(row.name, math.nan if row.value is None else row.value, origin)
        if row.name in _NEURON and row.step is not None:
            self._neuron = (row.step, origin, by)
        if settings:
            self._note(Change(row.step, row.time_s, origin, by, settings))

    def stimulus(
        self, step: int, wall_s: float, source: str, waveform: Any, *, origin: str, by: str | None = None
    ) -> None:
        """Take what the stimulus generator plays from ``step`` on."""
        if step >= self._first_step:
            self._begin()
        settings = self._state.play(source, waveform)
        if settings:
            self._note(Change(step, wall_s, origin, by, settings))

    def stimulus_from_start(self, source: str, waveform: Any) -> None:
        """Take what the stimulus generator must have played at the first sample, as later events show."""
        settings = self._state.play(source, waveform)
        if self._start is not None:
            self._start["stimulus"].update(settings)

    def reset(self, wall_s: float, by: str) -> None:
        """Take a request to reset the board: what changes next is its doing."""
        self._reset = _Request(wall_s, None, by)

    def _begin(self) -> None:
        if self._start is None:
            self._start = self._state.snapshot()

    def _note(self, change: Change) -> None:
        if change.step is None or change.step >= self._first_step:
            self._begin()
            self.changes.append(change)

    def _origin_of(self, row: StoredParameter) -> tuple[str, str | None]:
        request = self._pending.get(row.name)
        if request is not None and self._is_recent(request, row):
            if request.value is None:
                del self._pending[row.name]
                return self._state.base(row.name), request.by  # handed back
            if self._state.tidied(row.name, request.value) == self._state.tidied(row.name, row.value or 0.0):
                del self._pending[row.name]
                return "host", request.by
        if row.name in _NEURON:
            # One request changes several of these: a preset its a to v_rest, and each of them the preset.
            if self._neuron is not None and row.step is not None and row.step - self._neuron[0] <= NEURON_STEPS:
                return self._neuron[1:]
            asked = [r for name, r in self._pending.items() if name in _NEURON and self._is_recent(r, row)]
            if asked:
                return "host", asked[-1].by
        if self._reset is not None and self._is_recent(self._reset, row):
            return "host", self._reset.by
        return ("knob" if self._state.knob_decides(row.name) else UNKNOWN), None

    @staticmethod
    def _is_recent(request: _Request, row: StoredParameter) -> bool:
        return abs(row.time_s - request.wall_s) <= REQUEST_S
