"""Where the imaging simulation gets membrane potentials from: recordings, and CSV files of the stock software."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from spikedaq.analysis.imaging_block import vm_of
from spikedaq.formats.number_csv import FloatArray, grid_steps, open_numbers
from spikedaq.formats.sources import Run, find_runs
from spikedaq.model import MODEL_STEP_MS, ChannelInfo, StoreError
from spikedaq.store import FileMeta, open_recording

CHUNK_ROWS = 1 << 15
_VM_COLUMNS = (
    ("Spikeling Vm (mV)", "Synapse 1 Vm (mV)", "Synapse 2 Vm (mV)"),
    ("Vm1 (mV)", "Vm2 (mV)", "Vm3 (mV)"),
    ("Spikeling Vm (mV)", "Neuron Aux1 Vm (mV)", "Neuron Aux2 Vm (mV)"),
)
"""Recordings of the stock software, and its imaging files of December 2025 and of v2.4; the first one must be there."""
_STIMULUS_COLUMNS = ("Stimulus (%)", "Stim")
_TIME_COLUMN, _TRIGGER_COLUMN = "Time (ms)", "Trigger"
_MAX_STEPS = 2.0**53
"""As many as a float counts."""


@dataclass(frozen=True, slots=True, eq=False)
class SourceBlock:
    """Samples that a simulation is fed with.

    Attributes
    ----------
    vm_mv : float64 array, shape (n_samples, 3)
    stimulus, trigger : float64 arrays, shape (n_samples,)
        Percent, and 1 at the first step of a stimulus loop; NaN where there is none.
    times_s : float64 array, shape (n_samples,)
        Seconds since the source's reference time.
    """

    boot_id: int
    first_step: int
    vm_mv: FloatArray
    stimulus: FloatArray
    trigger: FloatArray
    times_s: FloatArray

    def __len__(self) -> int:
        return len(self.vm_mv)

    def since(self, step: int) -> SourceBlock | None:
        """Return the part from a step on, None where there is none."""
        skip = max(0, step - self.first_step)
        if skip >= len(self):
            return None
        cut = (self.vm_mv[skip:], self.stimulus[skip:], self.trigger[skip:], self.times_s[skip:])
        return SourceBlock(self.boot_id, self.first_step + skip, *cut)


def source_block(
    boot_id: int,
    first_step: int,
    samples: npt.NDArray[np.int16],
    channels: Sequence[ChannelInfo],
    times_s: FloatArray,
) -> SourceBlock:
    """Make one of raw samples, shape (n_samples, n_channels); raises as `vm_of` does."""
    found = {}
    for index, channel in enumerate(channels):
        if channel.name in ("stimulus", "trigger"):
            found[channel.name] = samples[:, index] * channel.scale + channel.offset
    none = np.full(len(samples), np.nan)
    vm_mv = vm_of(samples, channels)
    return SourceBlock(boot_id, first_step, vm_mv, found.get("stimulus", none), found.get("trigger", none), times_s)


@dataclass(frozen=True, slots=True)
class ImagingSource:
    """One boot of one device in a recording, or one CSV.

    Attributes
    ----------
    name : str
        Of the files to be made, without their ends.
    folder : Path
        Where they go unless told otherwise.
    suffix : str
        What tells it from the first boot of this device.
    runs : tuple of Run
        Its files; none for a CSV.
    meta : FileMeta or None
        None for a CSV.
    n_rows : int
        Samples, 0 where they were not counted.
    """

    name: str
    folder: Path
    suffix: str
    device: str
    boot_id: int
    runs: tuple[Run, ...]
    meta: FileMeta | None
    csv: Path | None
    n_rows: int

    def blocks(self) -> Iterator[SourceBlock]:
        """Yield its samples in order, in pieces.

        Raises
        ------
        StoreError
            Files that cannot be read.
        ConfigError
            A recording without a membrane potential.
        """
        if self.csv is not None:
            yield from _csv_blocks(self.csv)
        for run in self.runs:
            for path in run.files:
                yield from _file_blocks(path, self.boot_id)


def find_sources(path: Path, device: str | None = None) -> list[ImagingSource]:
    """Find what can be simulated from: a session's or device's folder, one recording file, or one CSV.

    Raises
    ------
    StoreError
        Nothing there, or nothing of that device.
    """
    if path.suffix.lower() == ".csv":
        if not path.is_file():
            raise StoreError(f"cannot read {path}: there is no such file")
        return [ImagingSource(f"{path.stem}_imaging", path.parent, "", path.stem, 0, (), None, path, 0)]
    groups: list[list[Run]] = []
    for run in find_runs(path, device):
        # A change of clamp mode changes neither the neuron nor its steps.
        if groups and (groups[-1][0].device, groups[-1][0].boot_id) == (run.device, run.boot_id):
            groups[-1].append(run)
        else:
            groups.append([run])
    sources = []
    for group in groups:
        first = group[0]
        boots = [other[0].boot_id for other in groups if other[0].device == first.device]
        number = boots.index(first.boot_id) + 1
        suffix = f"_boot{number}" if number > 1 else ""
        with open_recording(first.files[0]) as recording:
            meta = recording.meta
        base = first.files[0].stem if path.is_file() else f"{meta.session}_{meta.device}"
        n_rows = sum(run.n_rows for run in group)
        name = f"{base}_imaging"
        sources.append(
            ImagingSource(name, first.folder, suffix, first.device, first.boot_id, tuple(group), meta, None, n_rows)
        )
    return sources


def _file_blocks(path: Path, boot_id: int) -> Iterator[SourceBlock]:
    with open_recording(path) as recording:
        for start in range(0, recording.n_samples, CHUNK_ROWS):
            stop = min(start + CHUNK_ROWS, recording.n_samples)
            steps, times_s = recording.steps(start, stop), recording.timestamps(start, stop)
            samples = recording.samples(start, stop)
            edges = [0, *(np.flatnonzero(np.diff(steps) != 1) + 1).tolist(), len(steps)]
            for a, b in pairwise(edges):
                yield source_block(boot_id, int(steps[a]), samples[a:b], recording.channels, times_s[a:b])


def _csv_blocks(path: Path) -> Iterator[SourceBlock]:
    before = -1.0
    for rows in read_columns(path):
        time_ms, vm = rows[:, 0], rows[:, 3:]
        steps, well = grid_steps(time_ms)
        well &= (steps >= 0) & (steps < _MAX_STEPS) & ~np.isnan(vm[:, 0])
        well &= np.diff(steps, prepend=before) > 0
        before = float(steps[-1])
        if not well.all():
            row = int(np.flatnonzero(~well)[0])
            _refuse(path, float(time_ms[row]), float(vm[row, 0]))
        edges = [0, *(np.flatnonzero(np.diff(steps) != 1) + 1).tolist(), len(steps)]
        for a, b in pairwise(edges):
            yield SourceBlock(0, int(steps[a]), vm[a:b], rows[a:b, 1], rows[a:b, 2], time_ms[a:b] / 1000.0)


def _refuse(path: Path, time_ms: float, vm_mv: float) -> NoReturn:
    """Say what is wrong with a row."""
    where = f"{path}, {_TIME_COLUMN} {time_ms:.12g}"
    if math.isnan(vm_mv):
        raise StoreError(f"{where}: it has no membrane potential, which must be a number; mend the row or cut it out")
    if time_ms < 0 or time_ms / MODEL_STEP_MS >= _MAX_STEPS:
        raise StoreError(f"{where}: model time begins at 0, and no recording is so long; mend the times")
    raise StoreError(
        f"{where} is not in steps of {MODEL_STEP_MS} ms of model time; give the recording itself, or export it with "
        "--time model or --time stock"
    )


def read_columns(path: Path) -> Iterator[FloatArray]:
    """Yield a CSV's time (ms), stimulus, trigger and three potentials (mV), float64 arrays, shape (n, 6), n >= 1.

    What is not there or empty is NaN; times rise.

    Raises
    ------
    StoreError
        As `open_numbers` and `NumberCsv.rows`, or another kind of CSV.
    """
    with open_numbers(path) as file:
        at = _positions(path, file.names)
        for rows in file.rows(time_column=at[0]):
            none = np.full(len(rows), np.nan)
            table = np.column_stack([none if k is None else rows[:, k] for k in at])
            for start in range(0, len(table), CHUNK_ROWS):
                yield table[start : start + CHUNK_ROWS]


def _positions(path: Path, header: list[str]) -> list[int | None]:
    at = {name: index for index, name in enumerate(header)}
    layouts = [names for names in _VM_COLUMNS if names[0] in at]
    if _TIME_COLUMN not in at or not layouts:
        raise StoreError(
            f"{path} is no recording of the stock software: it has no column {_TIME_COLUMN!r} with "
            f"{_VM_COLUMNS[0][0]!r} or {_VM_COLUMNS[1][0]!r}"
        )
    vm = max(layouts, key=lambda names: sum(name in at for name in names))
    stimulus = next((at[name] for name in _STIMULUS_COLUMNS if name in at), None)
    return [at[_TIME_COLUMN], stimulus, at.get(_TRIGGER_COLUMN), *(at.get(name) for name in vm)]
