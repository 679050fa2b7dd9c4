"""Electrodes of units: one table of them, and which of them each unit is at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.model import ArgumentError

_AXES = 3


@dataclass(slots=True)
class Electrode:
    """One electrode: what it is called, and where it is (x, y, z in the unit of the source, usually µm)."""

    name: int | str
    location: tuple[float, ...] = ()
    label: str = "unknown"


@dataclass(slots=True)
class ElectrodeTable:
    """Electrodes in order of their names, and for each unit the row of its own; None where it has none."""

    rows: list[Electrode] = field(default_factory=list)
    of_units: list[int | None] = field(default_factory=list)

    @property
    def n_axes(self) -> int:
        """How many of x, y, z any of them has."""
        return max((len(row.location) for row in self.rows), default=0)

    @property
    def ids(self) -> list[int]:
        """Numbers for them: their names, where all of those are numbers; else their rows."""
        names = [row.name for row in self.rows]
        if all(isinstance(name, int) for name in names):
            return [int(name) for name in names]
        return list(range(len(names)))


def electrodes_of(trains: SpikeTrains) -> ElectrodeTable:
    """Collect the electrodes that units name, and those at the places of units that name none.

    Of units at one electrode the first says where it is.

    Raises
    ------
    ArgumentError
        A location that is no row of one to three numbers.
    """
    found: dict[int | str, Electrode] = {}
    unnamed: list[tuple[int, Electrode]] = []
    names: list[int | str | None] = []
    for number, attributes in enumerate(trains.neuron_attributes or [{}] * trains.N):
        place = _location(number, attributes)
        label = next((str(attributes[key]) for key in ("location_label", "region") if key in attributes), "unknown")
        name = electrode_name(attributes)
        names.append(name)
        if name is None:
            if place:
                unnamed.append((number, Electrode("", place, label)))
            continue
        known = found.setdefault(name, Electrode(name, place, label))
        if not known.location:
            known.location = place
    rows = sorted(found.values(), key=lambda one: (isinstance(one.name, str), one.name))
    row_of = {one.name: row for row, one in enumerate(rows)}
    of_units: list[int | None] = [None if name is None else row_of[name] for name in names]
    numbers = [one.name for one in rows if isinstance(one.name, int)]
    free = max(numbers, default=-1) + 1
    for number, electrode in unnamed:
        same = next((row for row in range(len(row_of), len(rows)) if rows[row].location == electrode.location), None)
        if same is None:
            electrode.name = free
            free += 1
            rows.append(electrode)
            same = len(rows) - 1
        of_units[number] = same
    return ElectrodeTable(rows, of_units)


def electrode_name(attributes: Any) -> int | str | None:
    """Return the electrode that a unit names, a number where it is one."""
    value = next((attributes[key] for key in ("electrode", "channel", "ch") if key in attributes), None)
    if value is None:
        return None
    if isinstance(value, str):
        return value
    flat = np.asarray(value).ravel()
    if flat.size == 0:
        return None
    first = flat[0].item()
    if isinstance(first, float) and not first.is_integer():
        return str(first)
    return int(first) if isinstance(first, int | float) else str(first)


def _location(number: int, attributes: Any) -> tuple[float, ...]:
    value: Any = next((attributes[key] for key in ("location", "position") if key in attributes), None)
    if value is None and "x" in attributes and "y" in attributes:
        value = [attributes[key] for key in ("x", "y", "z") if key in attributes]
    if value is None:
        return ()
    try:
        place = np.asarray(value, dtype=np.float64).ravel()
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"the location of unit {number} is {value!r}; give two or three numbers") from error
    if not 0 < len(place) <= _AXES:
        raise ArgumentError(f"the location of unit {number} has {len(place)} numbers; give two or three")
    return tuple(float(x) for x in place)


def distinct_ids(trains: SpikeTrains) -> Sequence[int]:
    """Return the units' own numbers (``unit_id``) where each has one and they differ; else 0, 1, 2, ..."""
    found = [attributes.get("unit_id") for attributes in trains.neuron_attributes or ()]
    if found and all(isinstance(i, int | np.integer) and not isinstance(i, bool) and i >= 0 for i in found):
        ids = [int(i) for i in found if i is not None]
        if len(set(ids)) == trains.N:
            return ids
    return list(range(trains.N))
