"""A device as PyNN handles a population, and several as it handles an assembly."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from spikedaq.model import ConfigError, RecordingWarning
from spikedaq.pynn.block import find_runs, make_block
from spikedaq.pynn.control import PATIENCE_S, live_devices, reset, run
from spikedaq.pynn.device import DeviceData
from spikedaq.pynn.variables import SPIKES, Variables, canonical, named, variables_of
from spikedaq.pynn.writing import write_data


class Handle:
    """What a population and an assembly have in common: devices, what of them is recorded, and their data.

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
        of = ", ".join(f"{d.label} ({', '.join(variables_of(c.name for c in d.channels))})" for d in self._devices)
        return f"{self.label}: {self.size} {kind} Spikeling device{'s' if self.size != 1 else ''}: {of}"

    # -- what is recorded

    def can_record(self, variable: str) -> bool:
        """Whether every device of it has a variable."""
        possible = [{canonical(one) for one in _possible(device)} for device in self._devices]
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
            named(variables, _possible(device), device.label)
        for device in self._devices:
            device.selection.add(variables, _possible(device), device.label)
            if sampling_interval is not None:
                device.selection.sampling_interval_ms = float(sampling_interval)

    # -- data

    def get_data(
        self,
        variables: Variables = "all",
        gather: bool = True,
        clear: bool = False,
        annotations: dict[str, Any] | None = None,
    ) -> Any:
        """Return what was recorded as a ``neo.Block`` with one Segment per run.

        Parameters
        ----------
        variables : str or sequence of str
            Those that are recorded, or some of them. The others stay where they are, for another call.
        gather : bool
            All benches in one block. False: of this bench only, where there are several that is an error.
        clear : bool
            Forget it afterwards: this handle's memory, never a file or a journal.
        annotations : map, optional
            Of the block.

        Returns
        -------
        neo.Block
            Times are ms since the beginning of the run. In each Segment is one AnalogSignal per variable, (time, cell),
            and one SpikeTrain per cell.

        Raises
        ------
        ConfigError
            A variable that is not recorded, or a block that would not fit in memory.
        CommandError
            A live bench that does not answer.
        MissingExtraError
            Neo is not installed.
        """
        if not gather and len(self._by_bench()) > 1:
            benches = ", ".join(self._by_bench())
            raise ConfigError(f"{self.label} is of several benches, {benches}; take one of them, or gather")
        chosen = [device.selection.chosen(variables, _possible(device), device.label) for device in self._devices]
        for device in self._devices:
            device.refresh()
            _warn(device)
        about = self._annotations()
        about.update(self.annotations)
        about.update(annotations or {})
        block, runs = make_block(self._devices, chosen, name=self.label, description=self.describe(), annotations=about)
        if clear:
            self._forget(runs)
        return block

    def write_data(
        self,
        io: Any,
        variables: Variables = "all",
        gather: bool = True,
        clear: bool = False,
        annotations: dict[str, Any] | None = None,
        *,
        overwrite: bool = False,
    ) -> list[Path]:
        """Write what `get_data` returns.

        Parameters
        ----------
        io : str, Path, or an IO of Neo
            A name's extension says what is written: ``.nix``, ``.h5``, ``.nwb``, ``.mat``, ``.npz``, ``.pkl``,
            ``.pickle``, ``.txt``. An IO of Neo writes in its own way.
        gather : bool
            False: a file for each bench, ``data_<bench>.nix`` for ``data.nix``.
        clear : bool
            Forget it afterwards, once it is written: this handle's memory, never a file or a journal.
        overwrite : bool
            Replace files that are there.

        Returns
        -------
        list of Path
            The files; empty where an IO wrote them.

        Raises
        ------
        StoreError
            A file is there, or cannot be written; what was there stays as it was.
        ConfigError
            As `get_data`; or an extension that says nothing.
        """
        parts = {"": self} if gather else self._by_bench()
        blocks = {bench: partial(part.get_data, variables, annotations=annotations) for bench, part in parts.items()}
        written = write_data(io, blocks, overwrite)
        if clear:
            self._forget(find_runs(self._devices))
        return written

    def get_spike_counts(self, gather: bool = True) -> dict[int, int]:
        """Return the number of spikes of each cell in all runs that are there, by id."""
        for device in self._devices:
            device.refresh()
        runs = find_runs(self._devices)
        return {
            device.cell_id: sum(len(run.spikes_s[k]) for run in runs if run.stretches[k])
            for k, device in enumerate(self._devices)
        }

    def mean_spike_count(self, gather: bool = True) -> float:
        """Return the mean of `get_spike_counts`; NaN without a cell."""
        counts = list(self.get_spike_counts(gather).values())
        return float(np.mean(counts)) if counts else float("nan")

    # -- a live bench

    def run(self, simtime: float, *, patience_s: float = PATIENCE_S) -> None:
        """Wait until every device has sent samples for ``simtime`` ms from now on. For a live bench.

        Raises
        ------
        CommandTimeout
            ``patience_s`` seconds passed after that, and a device had not sent them.
        ConfigError
            It is recorded.
        """
        run(self._devices, simtime, patience_s)

    def reset(self, annotations: Mapping[str, Any] | None = None, *, model: bool = True) -> None:
        """End the run, and begin a new one with the model in its first state. For a live bench.

        The board's model goes to where it starts from (parameters and stimulus stay), and a note in the journal says
        so: whoever opens a recording of it by `spikedaq.pynn.open` finds the same runs with the same annotations. What
        the board sent while it was done, some milliseconds, belongs to neither run.

        Parameters
        ----------
        annotations : map, optional
            Of the segment of the run that ends; quantities, too.
        model : bool
            False: leave the model as it is, and begin a new run only.

        Raises
        ------
        ConfigError
            It is recorded, or Neo does not take the annotations.
        CommandError
            A device refused, or did not answer; the message says which ones have a new run all the same.
        """
        reset(self._devices, annotations, model=model)

    def set(self, **parameters: float) -> None:
        """Set parameters of every device, in the units that the device says. For a live bench."""
        for device in live_devices(self._devices, "set()"):
            device.connection.set(device.device, **parameters)

    def get(self, parameter: str) -> list[float] | float:
        """Return a parameter's value: of one device a number, of several a list. For a live bench."""
        live = live_devices(self._devices, "get()")
        values = [device.connection.get(device.device, parameter) for device in live]
        return values[0] if len(values) == 1 else values

    def close(self) -> None:
        """Let go of files and connections."""
        for device in self._devices:
            device.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _by_bench(self) -> dict[str, Handle]:
        benches = dict.fromkeys(device.bench for device in self._devices)
        return {
            bench: self._of([d for d in self._devices if d.bench == bench], bench or self.label) for bench in benches
        }

    def _of(self, devices: Sequence[DeviceData], label: str) -> Handle:
        part = Handle(devices, label)
        part.annotations = self.annotations
        return part

    def _forget(self, runs: Sequence[Any]) -> None:
        last = runs[-1]
        for device in self._devices:
            device.forget(last.number, None if last.is_empty else last.origin_s)

    def _annotations(self) -> dict[str, Any]:
        steps_us = {device.step_us for device in self._devices}
        dropped = {name: sum(getattr(d, name) for d in self._devices) for name in _COUNTERS}
        return {
            "size": self.size,
            "first_index": 0,
            "last_index": self.size,
            "first_id": self.first_id if self.size else -1,
            "last_id": self.last_id if self.size else -1,
            "label": self.label,
            "simulator": "spikedaq",
            "dt": min(steps_us) / 1000 if steps_us else 0.0,
            "mpi_processes": 1,
            **dropped,
        }


_COUNTERS = ("dropped_samples", "dropped_spikes", "unavailable")


def _warn(device: DeviceData) -> None:
    """Say what is not there and should be."""
    if device.dropped_samples or device.dropped_spikes:
        warnings.warn(
            f"{device.label}: {device.dropped_samples} samples and {device.dropped_spikes} spikes were let go, the "
            "oldest first; call get_data(clear=True) more often, or connect with a larger memory_bytes",
            RecordingWarning,
            stacklevel=3,
        )
    if device.unavailable:
        warnings.warn(
            f"{device.label}: {device.unavailable} times the journal had deleted what came before it was fetched",
            RecordingWarning,
            stacklevel=3,
        )


def _possible(device: DeviceData) -> list[str]:
    return variables_of(channel.name for channel in device.channels)


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
        return _possible(self._devices[0])

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


__all__ = ["SPIKES", "Handle", "Population"]
