"""Spike events and averaged traces in CSV files: what the stock software and `spikedaq` write, read back."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.formats.number_csv import open_numbers
from spikedaq.interchange.errors import ContentError, UnwrittenWarning
from spikedaq.interchange.places import PathOrUrl, absolute, read_from, write_to
from spikedaq.interchange.spikelab import as_trains
from spikedaq.interchange.times import FloatArray, checked_fs_hz
from spikedaq.interchange.window import Content, trains_of
from spikedaq.model import MODEL_STEP_MS

_STOCK_SPIKES = re.compile(r"(.+) Spike Events \(timepoints\)")
_STOCK_FS_HZ = 1000.0 / MODEL_STEP_MS
_TIME, _UNIT = "time (ms)", "unit"
_LOOP_TIMES = ("time in loop (ms)", "time from spike (ms)")
_STOCK_MEANS = re.compile(r".+ (SpikeRate|Vm|Current) Average")


@dataclass(frozen=True, slots=True, eq=False)
class AveragedTraces:
    """Traces averaged over stimulus loops.

    Attributes
    ----------
    times_ms : float64 array, shape (n,)
        Since the loop began, or from the spike.
    traces : dict of str to float64 array, shape (n,)
        By what heads their columns, with the unit where the file says it: ``vm (mV) mean``, ``vm (mV) sd``.
    """

    times_ms: FloatArray
    traces: dict[str, FloatArray]


def load_spikes_from_csv(
    *paths: PathOrUrl,
    fs_Hz: float = _STOCK_FS_HZ,  # noqa: N803 - as elsewhere in this room
    length_ms: float | None = None,
) -> SpikeTrains:
    """Read spike events.

    Parameters
    ----------
    *paths : path or URL
        Each ``Spikeling_spike.csv`` of the stock software (rows of spikes), ``spikes.csv`` of `spikedaq spikes` (a row
        with its time for each spike), or what `export_spikes_to_csv` wrote. Each file of the first two kinds is a unit.
    fs_Hz : float
        Rows per second, for the stock software's. Default: 10000, a row per 0.1 ms.
    length_ms : float, optional
        Later spikes are left out and counted. Default: up to the last spike.

    Raises
    ------
    MissingFileError
        There is no such file.
    ContentError
        It has no spikes under a header that is known.
    """
    fs_hz = checked_fs_hz(fs_Hz, "rows of spikes")
    content = Content(" and ".join(str(path) for path in paths), [])
    attributes: list[dict[str, Any]] = []
    for source in paths:
        with read_from(source) as path:
            names, rows = _numbers(path)
            stock = _STOCK_SPIKES.fullmatch(names[0]) if len(names) == 1 else None
            found: list[tuple[dict[str, Any], FloatArray]]
            if stock:
                found = [({"name": stock[1]}, rows[:, 0] / fs_hz * 1000.0)]
            elif _TIME in names and _UNIT in names:
                found = _by_unit(path, rows[:, names.index(_UNIT)], rows[:, names.index(_TIME)])
            elif _TIME in names and "spike" in names:
                found = [({"name": path.stem}, rows[:, names.index(_TIME)])]
            elif "Trigger" in names:
                raise ContentError(f"{path} is a recording; find its spikes: spikedaq export {path} --to FORMAT")
            else:
                raise ContentError(
                    f"{path} has the columns {', '.join(names)}, no spikes; name a Spikeling_spike.csv, or a "
                    "spikes.csv of spikedaq spikes --out"
                )
        for about, times_ms in found:
            attributes.append(about)
            content.trains_ms.append(times_ms)
    content.attributes = attributes
    content.metadata = {"source_file": ", ".join(absolute(path) for path in paths), "source_format": "CSV"}
    return trains_of(content, length_ms=length_ms)


def export_spikes_to_csv(sd: SpikeTrains | Any, filepath: PathOrUrl, *, overwrite: bool = False) -> None:
    """Write spike events, a row with ``unit`` and ``time (ms)`` for each, unit after unit.

    A CSV has no place for the window, for units without spikes at the end, nor for what is known of units; where
    there is something of it a warning says so.

    Raises
    ------
    StoreError
        The file exists, or cannot be written.
    """
    trains = as_trains(sd)
    lost = []
    if trains.N and not len(trains.trains[-1]):
        lost.append("units without spikes at the end")
    if trains.neuron_attributes:
        lost.append("attributes of units")
    with write_to(filepath, overwrite=overwrite) as path, path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"{_UNIT},{_TIME}\n")
        for number, train in enumerate(trains.trains):
            file.write("".join([f"{number},{time!r}\n" for time in train.tolist()]))
    if lost:
        warnings.warn(f"{filepath} has no place for {' and '.join(lost)}", UnwrittenWarning, stacklevel=2)


def load_averages_from_csv(path_or_url: PathOrUrl) -> AveragedTraces:
    """Read averaged traces: ``averages.csv`` of `spikedaq average`, or ``Spikeling_means.csv`` as we write it.

    Raises
    ------
    MissingFileError
        There is no such file.
    ContentError
        It has none. The stock software's own ``*_means.csv`` are of this kind: one empty cell.
    """
    with read_from(path_or_url) as path:
        names, rows = _numbers(path)
    time = next((name for name in _LOOP_TIMES if name in names), None)
    if time is not None:
        traces = {name: rows[:, k] for k, name in enumerate(names) if name != time}
        return AveragedTraces(rows[:, names.index(time)], traces)
    if not all(_STOCK_MEANS.fullmatch(name) for name in names):
        raise ContentError(
            f"{path} has the columns {', '.join(names) or 'none'}, no averages; name an averages.csv of spikedaq "
            "average --out (the stock software's own *_means.csv are empty)"
        )
    times_ms = np.round(np.arange(len(rows)) * MODEL_STEP_MS, 9)
    return AveragedTraces(times_ms, {name: rows[:, k] for k, name in enumerate(names)})


def _numbers(path: Path) -> tuple[list[str], FloatArray]:
    with open_numbers(path) as file:
        pieces = list(file.rows())
        names = file.names
    rows = np.concatenate(pieces) if pieces else np.empty((0, len(names)))
    return names, rows


def _by_unit(path: Path, units: FloatArray, times_ms: FloatArray) -> list[tuple[dict[str, Any], FloatArray]]:
    if len(units) and not ((units >= 0) & (units == np.floor(units)) & (units < 1e7)).all():
        raise ContentError(f"{path}: the column {_UNIT} must have whole numbers from 0")
    n_units = int(units.max()) + 1 if len(units) else 0
    return [({}, times_ms[units == number]) for number in range(n_units)]
