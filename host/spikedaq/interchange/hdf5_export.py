"""Spike trains into HDF5, in the four layouts that SpikeLab reads."""

from __future__ import annotations

import math
import warnings
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.interchange.errors import UnwrittenWarning
from spikedaq.interchange.hdf5_layout import OWN_GROUP, STYLES, Style, checked_names, pairs_of, ragged_index
from spikedaq.interchange.places import PathOrUrl, write_to
from spikedaq.interchange.plain import to_json
from spikedaq.interchange.spikelab import as_trains
from spikedaq.interchange.times import TimeUnit, checked_unit, from_ms, to_ms
from spikedaq.interchange.window import window_read_back
from spikedaq.model import ArgumentError

FORMAT_VERSION = 1
_TEXT = h5py.string_dtype("utf-8")

_Datasets = dict[str, tuple[npt.NDArray[Any], dict[str, Any]]]


def export_spikedata_to_hdf5(
    sd: SpikeTrains | Any,
    filepath: PathOrUrl,
    *,
    style: Style = "ragged",
    raster_dataset: str = "raster",
    raster_bin_size_ms: float | None = None,
    spike_times_dataset: str = "spike_times",
    spike_times_index_dataset: str = "spike_times_index",
    spike_times_unit: TimeUnit = "s",
    fs_Hz: float | None = None,  # noqa: N803 - SpikeLab's name
    group_per_unit: str = "units",
    group_time_unit: TimeUnit = "s",
    idces_dataset: str = "idces",
    times_dataset: str = "times",
    times_unit: TimeUnit = "ms",
    raw_dataset: str | None = None,
    raw_time_dataset: str | None = None,
    raw_time_unit: TimeUnit = "ms",
    overwrite: bool = False,
) -> None:
    """Write spike trains as SpikeLab does; see docs/reference/interchange.md for the layouts.

    Parameters
    ----------
    sd : SpikeTrains
        Or a SpikeData of SpikeLab.
    filepath : path or URL
    style : {"ragged", "group", "paired", "raster"}
    raster_bin_size_ms : float
        Width of a bin; ``raster`` needs it.
    spike_times_unit, group_time_unit, times_unit, raw_time_unit : {"s", "ms", "samples"}
        Of the layouts ragged, group and paired, and of the raw traces.
    fs_Hz : float
        Sampling rate in Hz; ``samples`` need it.
    raw_dataset, raw_time_dataset : str, optional
        Where raw traces and their times go. They are written only if they are named.
    overwrite : bool
        Replace a file that is there.

    Raises
    ------
    ArgumentError
        A combination that makes no sense; no file has been touched.
    StoreError
        The file exists, or cannot be written.
    """
    trains = as_trains(sd)
    if style not in STYLES:
        raise ArgumentError(f"style is {style!r}; it is one of {', '.join(STYLES)}")
    if (raw_dataset is None) != (raw_time_dataset is None):
        raise ArgumentError("raw_dataset and raw_time_dataset belong together; name both, or neither")
    unit, keyword = {
        "ragged": (spike_times_unit, "spike_times_unit"),
        "group": (group_time_unit, "group_time_unit"),
        "paired": (times_unit, "times_unit"),
        "raster": ("ms", "times_unit"),
    }[style]
    unit = checked_unit(unit, keyword, fs_Hz)
    raw_unit = checked_unit(raw_time_unit, "raw_time_unit", fs_Hz) if raw_dataset is not None else "ms"
    names = {
        "ragged": {
            "spike_times_dataset": spike_times_dataset,
            "spike_times_index_dataset": spike_times_index_dataset,
        },
        "group": {"group_per_unit": group_per_unit},
        "paired": {"idces_dataset": idces_dataset, "times_dataset": times_dataset},
        "raster": {"raster_dataset": raster_dataset},
    }[style]
    raw_names = (
        {}
        if raw_dataset is None or raw_time_dataset is None
        else {"raw_dataset": raw_dataset, "raw_time_dataset": raw_time_dataset}
    )
    checked_names({**names, **raw_names})

    marks: dict[str, Any] = {"unit": unit, **({"fs_Hz": float(fs_Hz)} if unit == "samples" and fs_Hz else {})}
    values = [from_ms(train, unit, fs_Hz) for train in trains.trains]
    start_ms, length_ms = window_read_back(trains, [to_ms(v, unit, fs_Hz) for v in values])
    datasets: _Datasets
    if style == "ragged":
        index = ragged_index([len(v) for v in values])
        datasets = {spike_times_dataset: (_joined(values, unit), marks), spike_times_index_dataset: (index, {})}
    elif style == "group":
        datasets = {f"{group_per_unit}/{n}": (v, {}) for n, v in enumerate(values)}
    elif style == "paired":
        datasets = {idces_dataset: (pairs_of(values), {}), times_dataset: (_joined(values, unit), marks)}
        _warn_of_pairs(trains, filepath)
    else:
        bin_ms = _checked_bin(raster_bin_size_ms)
        of_bins = {"bin_size_ms": bin_ms, "time_origin_ms": trains.start_time}
        start_ms, length_ms = trains.start_time, trains.length
        datasets = {raster_dataset: (trains.raster(bin_ms), of_bins)}
    if raw_names and trains.raw_data.size:
        raw_marks = {"unit": raw_unit, **({"fs_Hz": float(fs_Hz)} if raw_unit == "samples" and fs_Hz else {})}
        raw_times = from_ms(np.asarray(trains.raw_time, dtype=np.float64), raw_unit, fs_Hz)
        datasets[raw_names["raw_dataset"]] = (trains.raw_data, {})
        datasets[raw_names["raw_time_dataset"]] = (raw_times.astype(np.float64), raw_marks)
    elif raw_names:
        warnings.warn(f"{filepath}: there are no raw traces to write", UnwrittenWarning, stacklevel=2)

    with write_to(filepath, overwrite=overwrite) as path, h5py.File(path, "w") as file:
        if style == "group":
            file.require_group(group_per_unit).attrs.update(marks)
        for name, (data, attributes) in datasets.items():
            file.create_dataset(name, data=data).attrs.update(attributes)
        file.attrs["start_time"], file.attrs["length_ms"] = float(start_ms), float(length_ms)
        _put_own(file, trains, {"style": style, **names, **raw_names})


def _joined(values: list[npt.NDArray[Any]], unit: TimeUnit) -> npt.NDArray[Any]:
    return np.concatenate([np.empty(0, np.int64 if unit == "samples" else np.float64), *values])


def _checked_bin(bin_size_ms: float | None) -> float:
    if bin_size_ms is None or not (math.isfinite(bin_size_ms) and bin_size_ms > 0):
        raise ArgumentError(f"style='raster' needs raster_bin_size_ms, the width of a bin in ms; it is {bin_size_ms}")
    return float(bin_size_ms)


def _warn_of_pairs(trains: SpikeTrains, filepath: PathOrUrl) -> None:
    n_last = next((n for n, train in enumerate(reversed(trains.trains)) if len(train)), trains.N)
    if n_last:
        warnings.warn(
            f"{filepath}: the last {n_last} units have no spikes, and a list of pairs has no place for them: SpikeLab "
            "will read them as not there (spikedaq reads their number beside the list); use another style",
            UnwrittenWarning,
            stacklevel=3,
        )


def _put_own(file: Any, trains: SpikeTrains, layout: dict[str, str]) -> None:
    """Keep what the layouts have no place for."""
    own = file.create_group(OWN_GROUP)
    own.attrs["format_version"] = FORMAT_VERSION
    own.attrs["n_units"] = trains.N
    for keyword, name in layout.items():
        own.attrs[keyword] = name
    if len(trains.gaps_ms):
        own.create_dataset("gaps_ms", data=trains.gaps_ms)
    if trains.neuron_attributes is not None:
        own.create_dataset("neuron_attributes", data=to_json(trains.neuron_attributes), dtype=_TEXT)
    if trains.metadata:
        own.create_dataset("metadata", data=to_json(trains.metadata), dtype=_TEXT)
