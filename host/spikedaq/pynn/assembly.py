"""A bench, or a session, as PyNN handles an assembly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from spikedaq.model import ConfigError
from spikedaq.pynn.handle import Handle
from spikedaq.pynn.population import Population


class Assembly(Handle):
    """Several devices. Made by `spikedaq.pynn.open` and `connect`, by slicing one, or of populations.

    Parameters
    ----------
    *populations : Population
        Of one session, or of running benches; no two alike.
    label : str, optional

    Attributes
    ----------
    populations : list of Population
    """

    def __init__(self, *populations: Population, label: str | None = None) -> None:
        devices = [device for population in populations for device in population._devices]  # noqa: SLF001
        if len({id(device) for device in devices}) != len(devices):
            raise ConfigError("an assembly has each device once")
        if len({device.reference_utc_ns for device in devices}) > 1 or len({d.is_live for d in devices}) > 1:
            raise ConfigError(
                "these devices have no clock in common; an assembly is of one session, or of live benches"
            )
        super().__init__(devices, label or ";".join(population.label for population in populations) or "assembly")
        self.populations = list(populations)

    def get_population(self, label: str) -> Population:
        """Return a device by name. Raises KeyError where there is none such."""
        for population in self.populations:
            if population.label == label:
                return population
        raise KeyError(
            f"{self.label} has no population {label!r}; it has {', '.join(p.label for p in self.populations)}"
        )

    @property
    def benches(self) -> dict[str, Assembly]:
        """The devices of each bench, by its name."""
        names = dict.fromkeys(population.bench for population in self.populations)
        return {name: self._part([p for p in self.populations if p.bench == name], name) for name in names}

    def __iter__(self) -> Iterator[int]:
        return self.all()

    def __getitem__(self, index: Any) -> Any:
        """Return a Population for a number or a name, an Assembly for a slice, a list, a tuple or an array.

        An array of truth values, one for each device, chooses those that are true.
        """
        if isinstance(index, str):
            return self.get_population(index)
        if isinstance(index, int | np.integer):
            return self.populations[int(index)]
        if isinstance(index, slice):
            return self._part(self.populations[index])
        chosen = np.asarray(index)
        if chosen.dtype == bool:
            if chosen.shape != (self.size,):
                raise IndexError(f"there are {self.size} devices and {chosen.size} truth values")
            chosen = np.flatnonzero(chosen)
        return self._part([self.populations[int(k)] for k in chosen])

    def __add__(self, other: Handle) -> Assembly:
        if isinstance(other, Population):
            return Assembly(*self.populations, other)
        if isinstance(other, Assembly):
            return Assembly(*self.populations, *other.populations)
        return NotImplemented

    def _part(self, populations: Sequence[Population], label: str | None = None) -> Assembly:
        part = Assembly(*populations, label=label)
        part.annotations = self.annotations
        return part

    def __repr__(self) -> str:
        return f"Assembly({self.label!r}, {', '.join(population.label for population in self.populations)})"
