"""The layout of NWB's units without the rest of NWB: what SpikeLab writes, and what is left where PyNWB is absent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.interchange.electrodes import ElectrodeTable, distinct_ids
from spikedaq.interchange.errors import ContentError, MissingContentError
from spikedaq.interchange.hdf5_file import contents, values_of
from spikedaq.interchange.hdf5_layout import split_ragged
from spikedaq.interchange.times import to_ms
from spikedaq.interchange.window import Content

ELECTRODES = "general/extracellular_ephys/electrodes"
_AXES = ("x", "y", "z")
NOTE = "plain HDF5 in the layout of NWB's units; not a valid NWB file"


def write_plain(path: Path, trains: SpikeTrains, table: ElectrodeTable, names: Mapping[str, str]) -> None:
    """Write units, and the electrodes that they name by number, by h5py alone."""
    with h5py.File(path, "w") as file:
        file.attrs["start_time"], file.attrs["length_ms"] = trains.start_time, trains.length
        file.attrs["note"] = NOTE
        units = file.create_group(names["group"])
        units[names["spike_times_dataset"]] = np.concatenate([np.empty(0), *trains.trains]) / 1000.0
        # The units' numbers say how many there are, so the index needs no 0 before it.
        units[names["spike_times_index_dataset"]] = np.cumsum([len(t) for t in trains.trains], dtype=np.int64)
        units["id"] = np.array(distinct_ids(trains), dtype=np.int64)
        if table.rows:
            ids = table.ids
            own = [[] if row is None else [ids[row]] for row in table.of_units]
            units["electrodes"] = np.array([i for one in own for i in one], dtype=np.int64)
            units["electrodes_index"] = np.cumsum([len(one) for one in own], dtype=np.int64)
            group = file.create_group(ELECTRODES)
            group["id"] = np.array(ids, dtype=np.int64)
            for axis, name in enumerate(_AXES[: table.n_axes]):
                where = [row.location[axis] if axis < len(row.location) else np.nan for row in table.rows]
                group[name] = np.array(where, dtype=np.float64)


def read_plain(file: Any, path: Path, names: Mapping[str, str]) -> Content:
    """Read units by h5py alone, of valid NWB and of what only has its layout.

    Raises
    ------
    MissingContentError
        There are no units, or no spikes of them.
    ContentError
        A table that contradicts itself.
    """
    units = file.get(names["group"])
    if not isinstance(units, h5py.Group):
        raise ContentError(
            f"{path} has no units ({'/' + names['group']}); it has {', '.join(contents(file)) or 'nothing'}. Of a "
            "recording, find the spikes first: spikedaq export --to nwb"
        )
    times_name, index_name = names["spike_times_dataset"], names["spike_times_index_dataset"]
    if times_name not in units or index_name not in units:
        times_name = next((n for n in units if n.endswith("spike_times")), "")
        index_name = next((n for n in units if n.endswith("spike_times_index")), "")
        if not times_name or not index_name:
            # PyNWB gives a table without units no column of times.
            if isinstance(units.get("id"), h5py.Dataset) and not units["id"].size:
                return Content(str(path), [], attributes=[])
            raise MissingContentError(f"{path}: its units have no spike_times; they have {', '.join(units)}")
    place = f"{path}, '{names['group']}/{times_name}'"
    ids = _array(units, "id", path)
    n_units = None if ids is None else len(ids)
    pieces = split_ragged(_numbers(units, times_name, path), _numbers(units, index_name, path), place, n_units=n_units)
    unit_ids: list[Any] = list(range(len(pieces))) if ids is None else [_plain(i) for i in ids.tolist()]
    content = Content(place, [to_ms(piece, "s", None) for piece in pieces])
    content.attributes = [{"unit_id": unit_id, **more} for unit_id, more in
                          zip(unit_ids, _electrodes(file, units, path, len(pieces)), strict=True)]  # fmt: skip
    return content


def _electrodes(file: Any, units: Any, path: Path, n_units: int) -> list[dict[str, Any]]:
    """Return electrode and location of each unit, as far as they are there."""
    table = file.get(ELECTRODES)
    is_nwb = "neurodata_type" in units.attrs
    ids = None if table is None else _array(table, "id", path)
    axes = [] if table is None else [a for a in (_array(table, name, path) for name in _AXES) if a is not None]
    n_rows = len(ids) if ids is not None else max(map(len, axes), default=0)
    row_of = {_plain(i): row for row, i in enumerate(ids.tolist() if ids is not None else range(n_rows))}
    flat, index = _array(units, "electrodes", path), _array(units, "electrodes_index", path)
    found: list[dict[str, Any]] = [{} for _ in range(n_units)]
    if flat is None or index is None:
        # SpikeLab writes a row for each unit where units have places and no electrodes.
        if not is_nwb and axes and n_rows == n_units:
            return [{"location": _place(axes, row)} for row in range(n_units)]
        return found
    cut = np.minimum(index.astype(np.int64), len(flat))
    pieces = split_ragged(flat, cut, f"{path}, 'units/electrodes_index'", n_units=n_units)
    for one, piece in zip(found, pieces, strict=True):
        if not len(piece):
            continue
        first = int(piece[0])
        # NWB keeps rows of the table there, SpikeLab's exporter the electrodes' own numbers.
        row = first if is_nwb else row_of.get(first)
        one["electrode"] = _plain(ids[first].item()) if is_nwb and ids is not None and first < n_rows else first
        if row is not None and row < n_rows and (place := _place(axes, row)):
            one["location"] = place
    return found


def _place(axes: list[Any], row: int) -> list[float]:
    return [float(a[row]) for a in axes if row < len(a) and not np.isnan(float(a[row]))]


def _numbers(group: Any, name: str, path: Path) -> Any:
    dataset = group[name]
    return values_of(dataset, f"{path}, {name!r}") if dataset.size else np.empty(0, dataset.dtype)


def _array(group: Any, name: str, path: Path) -> Any:
    """Return a column; None where there is none."""
    dataset = group.get(name)
    if not isinstance(dataset, h5py.Dataset):
        return None
    return np.atleast_1d(dataset[()]) if dataset.dtype.kind == "O" else _numbers(group, name, path)


def _plain(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
