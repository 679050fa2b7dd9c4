"""What the model's a and b were in a part of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spikedaq.formats.hardware_state import UNKNOWN, HardwareState
from spikedaq.formats.sources import find_runs
from spikedaq.store import open_recording

_SHAPE = ("a", "b")


@dataclass(frozen=True, slots=True)
class NeuronShape:
    """The model's a and b at the beginning of a part; ``changed``: not to its end."""

    a: float
    b: float
    changed: bool


def shape_in(path: Path, part: str, *, start_s: float | None = None, stop_s: float | None = None) -> NeuronShape | None:
    """Return a and b of one part of a recording, as `list_parts` names them; None where nobody knows them.

    Parameters
    ----------
    path : Path
        As for `list_parts`.
    start_s, stop_s : float, optional
        Of which time, as for `read_samples`.

    Raises
    ------
    StoreError
        Something that cannot be read.
    """
    files = [file for run in find_runs(Path(path), None) if run.name == part for file in run.files]
    return _shape(files, start_s, stop_s)


def _shape(files: Sequence[Path], start_s: float | None, stop_s: float | None) -> NeuronShape | None:
    state: HardwareState | None = None
    at_start: tuple[float, float] | None = None
    changed = False
    for number, path in enumerate(files):
        with open_recording(path) as recording:
            first_s = float(recording.timestamps(0, 1)[0])
            begin_s = first_s if start_s is None else start_s
            if state is None:
                state = HardwareState(recording.device_info.parameters, recording.device_info.presets)
            for row in recording.parameters:
                # A file repeats what stood when it was begun.
                if row.value is None or (number and row.origin == "initial"):
                    continue
                if stop_s is not None and row.time_s >= stop_s:
                    break
                if row.time_s > begin_s and row.origin != "initial" and at_start is None:
                    at_start = _known(state)
                state.apply(row.name, row.value, UNKNOWN)
                changed = changed or (at_start is not None and _known(state) != at_start)
    if state is None:
        return None
    known = at_start or _known(state)
    return None if known is None else NeuronShape(*known, changed)


def _known(state: HardwareState) -> tuple[float, float] | None:
    a, b = (state.value(name) for name in _SHAPE)
    return None if UNKNOWN in (a, b) else (float(a), float(b))
