"""Devices as the cells of PyNN: numbered, described, and what of them is recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from spikedaq.model import ConfigError
from spikedaq.pynn.device import DeviceData
from spikedaq.pynn.variables import Variables, canonical, named, variables_of


class Cells:
    """Devices as cells: their ids, their names, and what of them is recorded.

    Attributes
    ----------
    label : str
    annotations : dict
        Of every block that is made of it.
    """

    def __init__(self, devices: Sequence[DeviceData], label: str) -> None:
        self._devices = list(devices)
        self.label = label
        self.annotations: dict[str, Any] = {}

    # -- what it is

    @property
    def size(self) -> int:
        """Number of cells: of devices."""
        return len(self._devices)

    local_size = size

    def __len__(self) -> int:
        return self.size

    @property
    def all_cells(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Ids of its cells, int64 array: their numbers on the bench or in the session, from 0."""
        return np.array([device.cell_id for device in self._devices], np.int64)

    local_cells = all_cells
    source_ids = all_cells

    def all(self) -> Iterator[int]:
        """Go through the ids of its cells."""
        return iter(self.all_cells.tolist())

    @property
    def first_id(self) -> int:
        """The lowest id."""
        return int(self.all_cells.min())

    @property
    def last_id(self) -> int:
        """The highest id."""
        return int(self.all_cells.max())

    def id_to_index(self, id: Any) -> Any:  # noqa: A002  as PyNN calls it
        """Return the place of a cell, or of several, by id.

        Raises
        ------
        ConfigError
            It has no such cell.
        """
        if np.ndim(id):
            return np.array([self.id_to_index(one) for one in id])
        found = np.flatnonzero(self.all_cells == int(id))
        if not len(found):
            raise ConfigError(f"{self.label} has no cell {id}; it has {', '.join(map(str, self.all()))}")
        return int(found[0])

    @property
    def is_live(self) -> bool:
        """Whether its devices are those of a running bench."""
        return any(device.is_live for device in self._devices)

    def annotate(self, **annotations: Any) -> None:
        """Annotate every block that is made of it from now on."""
        self.annotations.update(annotations)

    def describe(self) -> str:
        """Return what it is, in words."""
        kind = "live" if self.is_live else "recorded"
        of = ", ".join(f"{d.label} ({', '.join(possible_of(d))})" for d in self._devices)
        return f"{self.label}: {self.size} {kind} Spikeling device{'s' if self.size != 1 else ''}: {of}"

    # -- what is recorded

    def can_record(self, variable: str) -> bool:
        """Whether every device of it has a variable."""
        possible = [{canonical(one) for one in possible_of(device)} for device in self._devices]
        return all(canonical(variable) in names for names in possible)

    def find_units(self, variable: str) -> str:
        """Return the unit of a variable, as the device says it. Raises ConfigError where there is none such."""
        for device in self._devices:
            for channel in device.channels:
                if canonical(channel.name) == canonical(variable):
                    return channel.unit
        raise ConfigError(f"{self.label} cannot record {variable!r}")

    def record(
        self,
        variables: Variables,
        to_file: None = None,
        sampling_interval: float | None = None,
        locations: None = None,
    ) -> None:
        """Say what is recorded: at first everything is, from the first call on what was named.

        Parameters
        ----------
        variables : str, sequence of str, or None
            ``v``, ``spikes``, any channel by its name, or ``"all"``. None: nothing, until something is named.
        to_file : None
            PyNN writes when the simulation ends; call `write_data` instead.
        sampling_interval : float, optional
            Only every so many milliseconds a sample: a multiple of the device's own. Nothing is smoothed.
        locations : None
            The neurons are points.

        Raises
        ------
        ConfigError
            A variable that a device does not have, or a request that makes no sense here.
        """
        if to_file is not None:
            raise ConfigError("nothing ends here that could write a file; call write_data(file name)")
        if locations is not None:
            raise ConfigError("the neurons are points and have no locations")
        if sampling_interval is not None and not sampling_interval > 0:
            raise ConfigError(f"the sampling interval is in ms and above 0, not {sampling_interval!r}")
        for device in self._devices:
            named(variables, possible_of(device), device.label)
        for device in self._devices:
            device.selection.add(variables, possible_of(device), device.label)
            if sampling_interval is not None:
                device.selection.sampling_interval_ms = float(sampling_interval)


def possible_of(device: DeviceData) -> list[str]:
    """Return the variables that a device can record."""
    return variables_of((channel.name for channel in device.channels), has_spikes=device.has_spikes)
