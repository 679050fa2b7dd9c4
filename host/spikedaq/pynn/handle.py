"""What a population and an assembly have in common beyond their cells: their data, and a live bench."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from spikedaq.model import ConfigError, RecordingWarning
from spikedaq.pynn.block import find_runs, make_block
from spikedaq.pynn.cells import Cells, possible_of
from spikedaq.pynn.control import PATIENCE_S, live_devices, reset, run
from spikedaq.pynn.device import DeviceData
from spikedaq.pynn.plotting import Figure, plot
from spikedaq.pynn.variables import Variables
from spikedaq.pynn.writing import write_data


class Handle(Cells):
    """What a population and an assembly have in common: cells, their data, and what can be done with a live bench."""

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
        chosen = [device.selection.chosen(variables, possible_of(device), device.label) for device in self._devices]
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

    def plot(self, filename: str | Path | None = None, *, title: str | None = None, segment: int = 0) -> Figure:
        """Draw everything of one run; see `spikedaq.pynn.plot`."""
        return plot(self, filename, title=title, segment=segment)

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
