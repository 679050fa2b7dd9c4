"""A device as PyNN handles a population: of one cell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from spikedaq.pynn.cells import possible_of
from spikedaq.pynn.device import DeviceData
from spikedaq.pynn.handle import Handle


class Population(Handle):
    """One device: a population of one cell. Made by `spikedaq.pynn.open` and `connect`, as parts of an assembly."""

    def __init__(self, device: DeviceData) -> None:
        super().__init__([device], device.label)

    @property
    def bench(self) -> str:
        """Name of its bench."""
        return self._devices[0].bench

    @property
    def variables(self) -> list[str]:
        """What it can record."""
        return possible_of(self._devices[0])

    def __iter__(self) -> Iterator[int]:
        return self.all()

    def __getitem__(self, index: Any) -> Population:
        """Return it itself for its one cell, or for any slice that the cell is in."""
        if isinstance(index, slice):
            if range(*index.indices(1)):
                return self
        elif int(index) in (0, -1):
            return self
        raise IndexError(f"{self.label} has one cell, 0")

    def __add__(self, other: Handle) -> Handle:
        from spikedaq.pynn.assembly import Assembly  # noqa: PLC0415  which is made of populations

        return Assembly(self) + other

    def __repr__(self) -> str:
        return f"Population({self.label!r}, {'live' if self.is_live else 'recorded'}, {', '.join(self.variables)})"
