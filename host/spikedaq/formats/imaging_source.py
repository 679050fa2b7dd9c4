"""Where the imaging simulation gets membrane potentials from: recordings, and CSV files of the stock software."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spikedaq.analysis.imaging_block import vm_of
from spikedaq.formats.sources import Run, find_runs
from spikedaq.model import MODEL_STEP_MS, ChannelInfo, StoreError
from spikedaq.store import FileMeta, open_recording

FloatArray = npt.NDArray[np.float64]

CHUNK_ROWS = 1 << 15
_VM_COLUMNS = (
    ("Spikeling Vm (mV)", "Synapse 1 Vm (mV)", "Synapse 2 Vm (mV)"),
    ("Vm1 (mV)", "Vm2 (mV)", "Vm3 (mV)"),
    ("Spikeling Vm (mV)", "Neuron Aux1 Vm (mV)", "Neuron Aux2 Vm (mV)"),
)
"""Recordings of the stock software, and its imaging files of December 2025 and of v2.4; the first one must be there."""
_STIMULUS_COLUMNS = ("Stimulus (%)", "Stim")
_TIME_COLUMN, _TRIGGER_COLUMN = "Time (ms)", "Trigger"
_GRID_TOLERANCE_STEPS = 1e-3


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
    next_step: int | None = None
    for rows in read_columns(path):
        time_ms, vm = rows[:, 0], rows[:, 3:]
        steps = np.rint(time_ms / MODEL_STEP_MS)
        on_grid = np.abs(time_ms / MODEL_STEP_MS - steps) < _GRID_TOLERANCE_STEPS
        rises = np.diff(steps, prepend=steps[0] - 1 if next_step is None else next_step - 1) > 0
        if not (on_grid & rises).all():
            row = int(np.flatnonzero(~(on_grid & rises))[0])
            raise StoreError(
                f"{path}: {_TIME_COLUMN} {time_ms[row]:g} does not go on in steps of {MODEL_STEP_MS} ms of model time; "
                "give the recording itself, or export it with --time model or --time stock"
            )
        edges = [0, *(np.flatnonzero(np.diff(steps) != 1) + 1).tolist(), len(steps)]
        for a, b in pairwise(edges):
            yield SourceBlock(0, int(steps[a]), vm[a:b], rows[a:b, 1], rows[a:b, 2], time_ms[a:b] / 1000.0)
        next_step = int(steps[-1]) + 1


def read_columns(path: Path) -> Iterator[FloatArray]:
    """Yield a CSV's time (ms), stimulus, trigger and three potentials (mV), float64 arrays, shape (n, 6), n >= 1.

    What is not there or empty is NaN; time and the first potential must be there.

    Raises
    ------
    StoreError
        No such file, another kind of CSV, or what is no number; the text names the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = [name.strip() for name in next(reader, [])]
            at = _positions(path, header)
            rows: list[list[float]] = []
            for cells in reader:
                if not cells:
                    continue
                rows.append(_row(path, reader.line_num, cells, at, len(header)))
                if len(rows) == CHUNK_ROWS:
                    yield np.array(rows)
                    rows = []
            if rows:
                yield np.array(rows)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StoreError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def _positions(path: Path, header: list[str]) -> list[int | None]:
    at = {name: index for index, name in reversed(list(enumerate(header)))}
    layouts = [names for names in _VM_COLUMNS if names[0] in at]
    if _TIME_COLUMN not in at or not layouts:
        raise StoreError(
            f"{path} is no recording of the stock software: it has no column {_TIME_COLUMN!r} with "
            f"{_VM_COLUMNS[0][0]!r} or {_VM_COLUMNS[1][0]!r}"
        )
    vm = max(layouts, key=lambda names: sum(name in at for name in names))
    stimulus = next((at[name] for name in _STIMULUS_COLUMNS if name in at), None)
    return [at[_TIME_COLUMN], stimulus, at.get(_TRIGGER_COLUMN), *(at.get(name) for name in vm)]


def _row(path: Path, line: int, cells: list[str], at: list[int | None], width: int) -> list[float]:
    if len(cells) != width:
        raise StoreError(f"{path}, line {line}: it has {len(cells)} columns, and the header {width}")
    try:
        row = [float(cells[k]) if k is not None and cells[k].strip() else np.nan for k in at]
    except ValueError as error:
        raise StoreError(f"{path}, line {line}: {error}; it must be a number") from error
    if not np.isfinite(row[0]) or not np.isfinite(row[3]):
        raise StoreError(f"{path}, line {line}: time and membrane potential must be numbers")
    return row
