"""Spike trains out of HDF5, in the four layouts that SpikeLab writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.interchange.errors import ContentError, MissingContentError
from spikedaq.interchange.hdf5_file import dataset_of, group_of, number_of, open_hdf5, own_of, text_of, values_of
from spikedaq.interchange.hdf5_layout import (
    OWN_GROUP,
    checked_raster,
    in_number_order,
    split_pairs,
    split_ragged,
)
from spikedaq.interchange.places import PathOrUrl, absolute, read_from
from spikedaq.interchange.times import TimeUnit, checked_fs_hz, checked_unit, to_ms
from spikedaq.interchange.window import Content, trains_of
from spikedaq.model import ArgumentError

_SHOULD_BE_MS = "it would be within it in ms: give the unit, such as times_unit='ms'"


def load_spikedata_from_hdf5(
    filepath: PathOrUrl,
    *,
    raster_dataset: str | None = None,
    raster_bin_size_ms: float | None = None,
    spike_times_dataset: str | None = None,
    spike_times_index_dataset: str | None = None,
    spike_times_unit: TimeUnit | None = None,
    fs_Hz: float | None = None,  # noqa: N803 - SpikeLab's name
    group_per_unit: str | None = None,
    group_time_unit: TimeUnit | None = None,
    idces_dataset: str | None = None,
    times_dataset: str | None = None,
    times_unit: TimeUnit | None = None,
    raw_dataset: str | None = None,
    raw_time_dataset: str | None = None,
    raw_time_unit: TimeUnit | None = None,
    length_ms: float | None = None,
    metadata: Mapping[str, Any] | None = None,
    n_units: int | None = None,
    leading_zero: bool | None = None,
) -> SpikeTrains:
    """Read spike trains as SpikeLab does; see docs/reference/interchange.md for the layouts.

    Exactly one layout must be named: ``raster_dataset`` and its bin; ``spike_times_dataset`` and its index;
    ``group_per_unit``; or ``idces_dataset`` and ``times_dataset``.

    Parameters
    ----------
    filepath : path or URL
    spike_times_unit, group_time_unit, times_unit, raw_time_unit : {"s", "ms", "samples"}, optional
        Default: what the file says, else s.
    fs_Hz : float, optional
        Sampling rate in Hz; ``samples`` need it, unless the file says it.
    length_ms : float, optional
        Later spikes are left out and counted in ``metadata["n_after_length"]``.
    metadata : mapping, optional
        Added to the metadata.
    n_units : int, optional
        Of a list of pairs, which cannot tell of units without spikes behind the last one with spikes.
    leading_zero : bool, optional
        Whether a ragged index has a 0 before the ends of the units. Default: found out.

    Raises
    ------
    ArgumentError
        None or several layouts, an unknown unit, samples without a rate.
    MissingFileError, MissingContentError
        They are FileNotFoundError and KeyError, too.
    ContentError
        A file that contradicts itself, with the place.
    """
    style = _style(
        {
            "raster": (raster_dataset,),
            "ragged": (spike_times_dataset, spike_times_index_dataset),
            "group": (group_per_unit,),
            "paired": (idces_dataset, times_dataset),
        }
    )
    if raw_dataset is None and raw_time_dataset is not None:
        raise ArgumentError("raw_time_dataset is given without raw_dataset; name both, or neither")
    with read_from(filepath) as path, open_hdf5(path) as file:
        known_units, own = own_of(file, path)
        n_units = known_units if n_units is None else n_units
        source = _Source(path, file, fs_Hz)
        start_ms = number_of(file.attrs, "start_time", str(path))
        said_ms = number_of(file.attrs, "length_ms", str(path))
        by_exporter = start_ms is not None and said_ms is not None
        if style == "raster":
            content = _raster(source, str(raster_dataset), raster_bin_size_ms, start_ms, said_ms)
        else:
            content = Content(str(path), [], start_ms, said_ms)
            if style == "ragged":
                data, place = source.values(str(spike_times_dataset))
                index, at = source.values(str(spike_times_index_dataset))
                unit, fs_hz = source.unit_of(file[spike_times_dataset], spike_times_unit, "spike_times_unit")
                # SpikeLab's exporter writes the ends alone, so a 0 at the start is an empty unit. Its loader loses it.
                if leading_zero is None and n_units is None and by_exporter:
                    leading_zero = False
                pieces = split_ragged(data, index, at, n_units=n_units, leading_zero=leading_zero)
            elif style == "group":
                group = group_of(file, str(group_per_unit), path)
                names = in_number_order(n for n in group if isinstance(group[n], h5py.Dataset))
                unit, fs_hz = source.unit_of(group, group_time_unit, "group_time_unit")
                pieces = [source.values(f"{group_per_unit}/{name}")[0] for name in names]
                place = f"{path}, {group_per_unit!r}"
                if names != [str(n) for n in range(len(names))]:
                    content.attributes = [{"unit_id": int(name) if name.isdigit() else name} for name in names]
            else:
                data, place = source.values(str(times_dataset))
                numbers, at = source.values(str(idces_dataset))
                unit, fs_hz = source.unit_of(file[times_dataset], times_unit, "times_unit")
                pieces = split_pairs(numbers, data, at, n_units=n_units)
                if not known_units and times_unit is None and by_exporter and _fits(pieces, start_ms, said_ms, 1000.0):
                    content.place = place
                    content.flag(
                        "times_unit is not given, so times are taken to be in s; SpikeLab writes ms by default"
                    )
            content.place = place
            content.trains_ms = [to_ms(piece, unit, fs_hz) for piece in pieces]
            if unit == "s":
                content.hint = _SHOULD_BE_MS if _fits(pieces, start_ms, said_ms, 1.0) else ""
        if raw_dataset is not None:
            _raw(source, content, raw_dataset, raw_time_dataset, raw_time_unit)
    attributes = own.get("neuron_attributes", content.attributes)
    if attributes is not None and len(attributes) != len(content.trains_ms):
        raise ContentError(
            f"{filepath}: attributes of {len(attributes)} units for {len(content.trains_ms)}; it is damaged"
        )
    content.attributes = attributes
    content.metadata = {**own.get("metadata", {}), "source_file": absolute(filepath), **content.metadata}
    trains = trains_of(content, length_ms=length_ms, metadata=metadata)
    if "gaps_ms" in own:
        trains.gaps_ms = own["gaps_ms"]
    return trains


class _Source:
    """An open file, and what the caller said of its units."""

    def __init__(self, path: Path, file: Any, fs_hz: float | None) -> None:
        self.path = path
        self.file = file
        self.fs_hz = None if fs_hz is None else checked_fs_hz(fs_hz, "the file")

    def values(self, name: str) -> tuple[Any, str]:
        """Return the numbers of a dataset, and what to call it."""
        place = f"{self.path}, {name!r}"
        dataset = dataset_of(self.file, name, self.path)
        return (values_of(dataset, place) if dataset.size else np.empty(0, dataset.dtype)), place

    def unit_of(self, item: Any, given: str | None, keyword: str) -> tuple[TimeUnit, float | None]:
        """Return the unit of times, as given, else as the file says, else s; and their sampling rate."""
        said = text_of(item.attrs, "unit") if OWN_GROUP in self.file else None
        if given is not None and said is not None and given != said:
            raise ArgumentError(
                f"{keyword} is {given!r}, and {self.path} says that its times are in {said}; leave it out"
            )
        fs_hz = self.fs_hz
        if fs_hz is None:
            fs_hz = number_of(item.attrs, "fs_Hz", str(self.path))
        return checked_unit(given or said or "s", keyword, fs_hz), fs_hz


def _style(named: Mapping[str, tuple[str | None, ...]]) -> str:
    """Return the one layout whose names are all given."""
    chosen = [style for style, names in named.items() if None not in names]
    half = any(None in names and any(names) for names in named.values())
    if len(chosen) != 1 or half:
        raise ArgumentError(
            "name exactly one layout: raster_dataset, or spike_times_dataset with "
            "spike_times_index_dataset, or group_per_unit, or idces_dataset with times_dataset; "
            f"{'half of one is' if half else ', '.join(chosen) or 'none is'} named"
        )
    return chosen[0]


def _raster(source: _Source, name: str, bin_ms: float | None, start_ms: float | None, said_ms: float | None) -> Content:
    counts, place = source.values(name)
    said_bin = number_of(source.file[name].attrs, "bin_size_ms", place)
    bin_ms = said_bin if bin_ms is None else bin_ms
    if bin_ms is None:
        raise ArgumentError(f"{place}: raster_bin_size_ms is needed; the file does not say the width of a bin")
    origin_ms = number_of(source.file[name].attrs, "time_origin_ms", place)
    start_ms = origin_ms if origin_ms is not None else start_ms
    if counts.size == 0:
        counts = np.zeros(source.file[name].shape, np.int64)
    try:
        trains = SpikeTrains.from_raster(checked_raster(counts, place), bin_ms, start_time=start_ms or 0.0)
    except ArgumentError as error:
        raise ContentError(f"{place}: {error}") from error
    content = Content(place, list(trains.trains), start_ms, trains.length)
    last = max((float(t[-1]) for t in trains.trains if len(t)), default=-np.inf)
    # The last bin may reach beyond the window that was binned; spikes are spread over all of it.
    if (
        said_ms is not None
        and trains.length - bin_ms <= said_ms <= trains.length
        and last <= trains.start_time + said_ms
    ):
        content.length_ms = said_ms
    return content


def _raw(source: _Source, content: Content, name: str, time_name: str | None, unit: str | None) -> None:
    data, place = source.values(name)
    if time_name is None:
        if source.fs_hz is None:
            raise ArgumentError("raw_dataset needs raw_time_dataset, or fs_Hz to count its samples by")
        content.raw_data, content.raw_time_ms = data, np.arange(data.shape[-1]) / source.fs_hz * 1000.0
        return
    times, _ = source.values(time_name)
    known, fs_hz = source.unit_of(source.file[time_name], unit, "raw_time_unit")
    if len(times) != data.shape[-1]:
        raise ContentError(f"{place} has {data.shape[-1]} samples, and {time_name!r} has {len(times)} times")
    content.raw_data, content.raw_time_ms = data, to_ms(times, known, fs_hz)


def _fits(pieces: list[Any], start_ms: float | None, length_ms: float | None, factor: float) -> bool:
    """Say whether all times are in the window, once they are multiplied."""
    if length_ms is None or not any(len(piece) for piece in pieces):
        return False
    last = max(float(np.max(piece)) for piece in pieces if len(piece)) * factor
    return last <= (start_ms or 0.0) + length_ms + 1e-9


def layout_of(path: Path) -> dict[str, Any]:
    """Return the keywords that name the layout of a file: as it says itself, else by the usual names.

    Raises
    ------
    MissingContentError
        It has none of the usual names.
    ContentError
        It has several layouts.
    """
    with open_hdf5(path) as file:
        own = file.get(OWN_GROUP)
        if isinstance(own, h5py.Group) and "style" in own.attrs:
            return {key: str(value) for key, value in own.attrs.items() if key.endswith("_dataset") or
                    key == "group_per_unit"}  # fmt: skip
        usual: list[dict[str, Any]] = []
        if {"spike_times", "spike_times_index"} <= set(file):
            usual.append({"spike_times_dataset": "spike_times", "spike_times_index_dataset": "spike_times_index"})
        if isinstance(file.get("units"), h5py.Group):
            usual.append({"group_per_unit": "units"})
        if {"idces", "times"} <= set(file):
            # SpikeLab's exporter writes ms unless told otherwise.
            unit = {"times_unit": "ms"} if "length_ms" in file.attrs else {}
            usual.append({"idces_dataset": "idces", "times_dataset": "times", **unit})
        if isinstance(file.get("raster"), h5py.Dataset):
            usual.append({"raster_dataset": "raster"})
    if not usual:
        raise MissingContentError(f"{path} has no spikes under the usual names; name its datasets in Python")
    if len(usual) > 1:
        raise ContentError(f"{path} has spikes in {len(usual)} layouts; name the datasets of one in Python")
    return usual[0]
