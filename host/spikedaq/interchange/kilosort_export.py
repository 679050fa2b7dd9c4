"""Spike trains into a folder as KiloSort leaves it, with what Phy and SpikeInterface need to open it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.interchange.electrodes import Electrode, ElectrodeTable, electrodes_of
from spikedaq.interchange.errors import UnwrittenWarning
from spikedaq.interchange.phy_folder import OWN_FILE, is_ours, params_text, table_text
from spikedaq.interchange.places import PathOrUrl, below, write_folder_to
from spikedaq.interchange.plain import to_json
from spikedaq.interchange.spikelab import as_trains
from spikedaq.interchange.times import TimeUnit, checked_fs_hz, checked_unit, from_ms, to_ms
from spikedaq.interchange.window import window_read_back
from spikedaq.model import ArgumentError

_LABELS = ("group", "quality", "KSLabel", "label")
_GROUPS = ("good", "mua", "noise", "unsorted")
# A trough of one sample: where a template has its peak is all that is known of a unit without one.
_PLACEHOLDER = np.array([0.0, -1.0, 0.0], dtype=np.float32)
_PITCH = 20.0  # µm between channels of whose places nothing is known, so that Phy draws them apart
_FORMAT_VERSION = 1


def export_spikedata_to_kilosort(
    sd: SpikeTrains | Any,
    folder: PathOrUrl,
    *,
    fs_Hz: float,  # noqa: N803 - SpikeLab's name
    spike_times_file: str = "spike_times.npy",
    spike_clusters_file: str = "spike_clusters.npy",
    time_unit: TimeUnit = "samples",
    cluster_ids: Sequence[int] | None = None,
    overwrite: bool = False,
) -> tuple[str, str]:
    """Write a folder that KiloSort's readers, Phy and SpikeInterface open.

    Parameters
    ----------
    sd : SpikeTrains
        Or a SpikeData of SpikeLab.
    folder : path or URL
    fs_Hz : float
        Sampling rate in Hz.
    spike_times_file, spike_clusters_file : str
        Phy and SpikeInterface know the usual names only.
    time_unit : {"samples", "ms", "s"}
        Phy and SpikeInterface know samples only.
    cluster_ids : sequence of int, optional
        Of each unit; default 0, 1, 2, ...
    overwrite : bool
        Replace such a folder that is there. One with other files in it is never replaced.

    Returns
    -------
    tuple of str
        The files of times and of clusters.

    Raises
    ------
    ArgumentError
        Something that makes no sense; nothing has been touched.
    StoreError
        The folder exists, holds other things, or cannot be written.

    Notes
    -----
    Samples count from 0 ms; with a window that starts before 0, from its start, and a warning says so.
    """
    trains = as_trains(sd)
    fs_hz = checked_fs_hz(fs_Hz, "a KiloSort folder")
    unit = checked_unit(time_unit, "time_unit", fs_hz)
    clusters = _checked_ids(cluster_ids, trains.N)
    names = [spike_times_file, spike_clusters_file]
    if len(set(names)) < 2 or any(Path(n).name != n or not n.endswith(".npy") for n in names):
        raise ArgumentError(f"the files are called {' and '.join(names)}; give two names that end in .npy")
    shift_ms = -min(trains.start_time, 0.0)
    counts = np.array([len(train) for train in trains.trains], dtype=np.int64)
    times_ms = np.concatenate([np.empty(0), *trains.trains]) + shift_ms
    units = np.repeat(np.arange(trains.N), counts)
    order = np.lexsort((units, times_ms))
    times, units = from_ms(times_ms[order], unit, fs_hz), units[order]
    table, row_of = _channels(trains)
    arrays = {
        spike_times_file: times,
        spike_clusters_file: clusters[units] if trains.N else np.empty(0, np.int64),
        "spike_templates.npy": units.astype(np.int32),
        "amplitudes.npy": _amplitudes(trains)[order],
        "templates.npy": _templates(trains, row_of, len(table.rows)),
        "similar_templates.npy": np.eye(trains.N, dtype=np.float32),
        "channel_map.npy": np.array(table.ids, dtype=np.int32),
        "channel_positions.npy": _positions(table),
        "whitening_mat.npy": np.eye(len(table.rows)),
        "whitening_mat_inv.npy": np.eye(len(table.rows)),
    }
    read_back = [to_ms(from_ms(train + shift_ms, unit, fs_hz), unit, fs_hz) - shift_ms for train in trains.trains]
    start_ms, length_ms = window_read_back(trains, read_back)
    written = {
        "fs_Hz": fs_hz,
        "time_unit": unit,
        "shift_ms": shift_ms,
        "start_time_ms": start_ms,
        "length_ms": length_ms,
        "cluster_ids": clusters.tolist(),
        "n_spikes": counts.tolist(),
    }
    groups = _groups(trains)
    texts = {
        "params.py": params_text(fs_hz, max(table.ids) + 1),
        "cluster_group.tsv": table_text({"cluster_id": clusters.tolist(), "group": groups}),
        "cluster_info.tsv": table_text(
            {
                "cluster_id": clusters.tolist(),
                "ch": [table.ids[row] for row in row_of],
                "group": groups,
                "n_spikes": counts.tolist(),
                **_plain_columns(trains),
            }
        ),
        OWN_FILE: _own(trains, written),
    }
    is_known = {*arrays, *texts}
    with write_folder_to(folder, overwrite=overwrite, is_ours=lambda n: n in is_known or is_ours(n)) as path:
        for name, array in arrays.items():
            np.save(path / name, array, allow_pickle=False)
        for name, text in texts.items():
            (path / name).write_text(text, "utf-8")
    if shift_ms:
        warnings.warn(
            f"{folder}: the window starts at {trains.start_time:g} ms, and there are no samples before 0, so they "
            "count from there; spikedaq reads the start beside them, other tools do not",
            UnwrittenWarning,
            stacklevel=2,
        )
    return below(folder, spike_times_file), below(folder, spike_clusters_file)


def _checked_ids(cluster_ids: Sequence[int] | None, n_units: int) -> npt.NDArray[np.int64]:
    if cluster_ids is None:
        return np.arange(n_units, dtype=np.int64)
    ids = np.asarray(cluster_ids)
    if ids.shape != (n_units,):
        raise ArgumentError(f"cluster_ids has {ids.size} items for {n_units} units; give one for each")
    if n_units and (ids.dtype.kind not in "iu" or ids.min() < 0 or len(set(ids.tolist())) < n_units):
        raise ArgumentError("cluster_ids must be whole numbers, 0 or more, all different")
    return ids.astype(np.int64)


def _channels(trains: SpikeTrains) -> tuple[ElectrodeTable, list[int]]:
    """Return the channels, and the row of each unit's; units of which nothing is known share one."""
    table = electrodes_of(trains)
    if not table.rows or None in table.of_units:
        free = max((i for i in table.ids), default=-1) + 1
        named = any(isinstance(row.name, str) for row in table.rows)
        table.rows.append(Electrode(str(free) if named else free))
    return table, [len(table.rows) - 1 if row is None else row for row in table.of_units]


def _positions(table: ElectrodeTable) -> npt.NDArray[np.float64]:
    """Return x and y of each channel, float64 array, shape (n_channels, 2)."""
    free_y = max((row.location[1] for row in table.rows if len(row.location) > 1), default=-_PITCH) + _PITCH
    places = []
    for number, row in enumerate(table.rows):
        known = [*row.location[:2], 0.0][:2] if row.location else [0.0, free_y + _PITCH * number]
        places.append(known)
    return np.array(places, dtype=np.float64).reshape(-1, 2)


def _templates(trains: SpikeTrains, row_of: Sequence[int], n_channels: int) -> npt.NDArray[np.float32]:
    """Return the units' own templates where each has one of its own channel, else troughs there.

    float32 array, shape (n_units, n_samples, n_channels).
    """
    own = [np.asarray(one.get("template", ()), dtype=object) for one in trains.neuron_attributes or ()]
    fits = bool(own) and all(t.shape in {(own[0].shape[0], n_channels), (own[0].shape[0],)} and t.size for t in own)
    shapes = [np.asarray(t, dtype=np.float32) for t in own] if fits else [_PLACEHOLDER] * trains.N
    templates = np.zeros((trains.N, len(shapes[0]) if shapes else len(_PLACEHOLDER), n_channels), np.float32)
    for number, (shape, row) in enumerate(zip(shapes, row_of, strict=True)):
        if shape.ndim == 2:
            templates[number] = shape
        else:
            templates[number, :, row] = shape
    return templates


def _amplitudes(trains: SpikeTrains) -> npt.NDArray[np.float64]:
    """Return the amplitude of each spike, unit after unit; 1 where it is not known."""
    found = []
    for number, train in enumerate(trains.trains):
        known = np.ravel((trains.neuron_attributes or [{}] * trains.N)[number].get("amplitudes", ()))
        usable = len(known) == len(train) and known.dtype.kind in "iuf"
        found.append(known.astype(np.float64) if usable else np.ones(len(train)))
    return np.concatenate([np.empty(0), *found])


def _groups(trains: SpikeTrains) -> list[str]:
    """Return each unit's group, as Phy calls them, of the attribute that says it."""
    found = []
    for one in trains.neuron_attributes or [{}] * trains.N:
        said = next((str(one[key]).lower() for key in _LABELS if key in one), "unsorted")
        found.append(said if said in _GROUPS else "unsorted")
    return found


def _plain_columns(trains: SpikeTrains) -> dict[str, list[Any]]:
    """Return the attributes that every unit has as one number or text."""
    taken = {"cluster_id", "id", "ch", "group", "n_spikes", "electrode", "channel", "si_unit_id"}
    attributes = trains.neuron_attributes or []
    columns = {}
    for key in attributes[0] if attributes else ():
        values = [one.get(key) for one in attributes]
        if str(key) not in taken and all(isinstance(v, int | float | str | np.integer | np.floating) for v in values):
            columns[str(key)] = [" ".join(v.split()) if isinstance(v, str) else v for v in values]
    return columns


def _own(trains: SpikeTrains, written: dict[str, Any]) -> str:
    own = {
        "format_version": _FORMAT_VERSION,
        **written,
        "neuron_attributes": json.loads(to_json(trains.neuron_attributes)),
        "metadata": json.loads(to_json(trains.metadata)),
        "gaps_ms": trains.gaps_ms.tolist(),
    }
    return json.dumps(own, ensure_ascii=False, indent=1) + "\n"
