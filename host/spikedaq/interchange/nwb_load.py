"""Spike trains out of NWB files: by PyNWB, and by h5py where PyNWB fails or is absent."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.interchange.errors import ContentError
from spikedaq.interchange.hdf5_file import number_of, open_hdf5
from spikedaq.interchange.nwb_export import SCRATCH, USUAL
from spikedaq.interchange.nwb_plain import read_plain
from spikedaq.interchange.places import PathOrUrl, absolute, read_from
from spikedaq.interchange.plain import from_json
from spikedaq.interchange.times import to_ms
from spikedaq.interchange.window import Content, trains_of
from spikedaq.model import MissingExtraError, require

_NOT_ATTRIBUTES = ("spike_times", "obs_intervals", "electrodes", "electrode_group", "waveforms")
_OF_SUBJECT = ("subject_id", "species", "sex", "age", "date_of_birth", "description")


def load_spikedata_from_nwb(
    filepath: PathOrUrl,
    *,
    prefer_pynwb: bool = True,
    length_ms: float | None = None,
    start_time_ms: float | None = None,
    allow_no_units: bool = False,
    spike_times_dataset: str = "spike_times",
    spike_times_index_dataset: str = "spike_times_index",
    group: str = "units",
) -> SpikeTrains:
    """Read the units of an NWB file, of any tool.

    Parameters
    ----------
    filepath : path or URL
    prefer_pynwb : bool
        Whether to read by PyNWB; where that fails, with a warning, and without it by h5py.
    length_ms : float, optional
        Later spikes are left out and counted. Default: what the file says (``length_ms``, or ``obs_intervals``), else
        up to the last spike.
    start_time_ms : float, optional
        Default: what the file says, else 0, or the first spike if it is before 0.
    allow_no_units : bool
        Whether a file without units gives no units, rather than an error.
    spike_times_dataset, spike_times_index_dataset, group : str
        Of a file that was exported under other names; it is read by h5py.

    Returns
    -------
    SpikeTrains
        Attributes of units: ``unit_id``, ``electrode``, ``location``, ``location_label``, ``group_name``, and the other
        columns; metadata: what the file says of itself.

    Raises
    ------
    MissingFileError, MissingContentError
        They are FileNotFoundError and KeyError, too.
    ContentError
        No NWB, no units (ValueError, too), or a file that contradicts itself.
    """
    names = {
        "spike_times_dataset": spike_times_dataset,
        "spike_times_index_dataset": spike_times_index_dataset,
        "group": group,
    }
    with read_from(filepath) as path:
        with open_hdf5(path) as file:
            start_ms = number_of(file.attrs, "start_time", str(path))
            said_ms = number_of(file.attrs, "length_ms", str(path))
            has_units = group in file
        content: Content | None = None
        failure = ""
        if not has_units and allow_no_units:
            content = Content(str(path), [])
        elif prefer_pynwb and has_units and names == USUAL:
            try:
                content = _by_pynwb(path)
            except MissingExtraError:
                pass
            except Exception as error:  # noqa: BLE001 - hdmf raises nearly anything on what is not quite NWB
                failure = f"PyNWB cannot read it ({type(error).__name__}: {error}), so it is read by h5py"
        if content is None:
            with open_hdf5(path) as file:
                content = read_plain(file, path, names)
                _put_own(file, content, path)
    if failure:
        content.flag(failure)
    content.start_ms = start_ms if start_time_ms is None else start_time_ms
    if said_ms is not None:
        content.length_ms = said_ms
    content.metadata = {**content.metadata, "source_file": absolute(filepath), "source_format": "NWB"}
    return trains_of(content, length_ms=length_ms)


def _by_pynwb(path: Path) -> Content:
    """Read everything by PyNWB.

    Raises
    ------
    MissingExtraError
        PyNWB is not installed.
    """
    pynwb = require("pynwb", "nwb")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pynwb.NWBHDF5IO(path, "r") as io:
            nwb = io.read()
            units = nwb.units
            if units is None or ("spike_times" not in units.colnames and len(units.id)):
                raise ContentError(f"{path}: its units have no spike_times")
            ids = [_plain(i) for i in units.id[:]]
            trains = [to_ms(np.asarray(units.get_unit_spike_times(n), dtype=np.float64), "s", None)
                      for n in range(len(ids))]  # fmt: skip
            content = Content(f"{path}, 'units/spike_times'", trains)
            content.metadata = _about(nwb)
            attributes: list[dict[str, Any]] = [{"unit_id": unit_id} for unit_id in ids]
            _put_electrodes(nwb, units, attributes)
            _put_columns(units, attributes)
            content.attributes = attributes
            if "obs_intervals" in units.colnames:
                observed = [np.asarray(units.get_unit_obs_intervals(n)).reshape(-1, 2) for n in range(len(ids))]
                ends = [float(one.max()) for one in observed if one.size]
                last = max((float(t.max()) for t in trains if len(t)), default=0.0)
                # The window begins at 0 unless the file says otherwise; observation tells how long it went on.
                if ends:
                    content.length_ms = max(max(ends) * 1000.0, last) - min(
                        0.0, min((float(t.min()) for t in trains if len(t)), default=0.0)
                    )
            for key, name in SCRATCH.items():
                if nwb.scratch and name in nwb.scratch:
                    _take(content, key, nwb.scratch[name].data, path)
    return content


def _put_electrodes(nwb: Any, units: Any, attributes: list[dict[str, Any]]) -> None:
    table = nwb.electrodes
    if table is None or "electrodes" not in units.colnames:
        return
    index = units["electrodes"]
    ends, rows = np.asarray(index.data[:], dtype=np.int64), np.asarray(index.target.data[:], dtype=np.int64)
    ids = [_plain(i) for i in table.id[:]]
    axes = [np.asarray(table[name].data[:], dtype=np.float64) for name in ("x", "y", "z") if name in table.colnames]
    start = 0
    for one, end in zip(attributes, ends.tolist(), strict=True):
        own, start = rows[start:end], end
        if not len(own):
            continue
        row = int(own[0])
        named = table["channel_name"].data[row] if "channel_name" in table.colnames else ids[row]
        one["electrode"] = _plain(named)
        if place := [float(axis[row]) for axis in axes if not np.isnan(axis[row])]:
            one["location"] = place
        for column, key in (("location", "location_label"), ("group_name", "group_name")):
            if column in table.colnames:
                one[key] = str(table[column].data[row])


def _put_columns(units: Any, attributes: list[dict[str, Any]]) -> None:
    """Add every other column that has one value for each unit, or an array of them."""
    for name in units.colnames:
        if name in _NOT_ATTRIBUTES:
            continue
        values = units[name][:]
        for one, value in zip(attributes, values, strict=True):
            one.setdefault({"unit_name": "name"}.get(name, name), _plain(value))


def _about(nwb: Any) -> dict[str, Any]:
    """Return what a file says of itself."""
    about: dict[str, Any] = {
        "identifier": nwb.identifier,
        "session_description": nwb.session_description,
        "session_start_time": nwb.session_start_time.isoformat(),
        "device_names": list(nwb.devices),
        "unit_count": len(nwb.units.id),
    }
    if nwb.subject is not None:
        for key in _OF_SUBJECT:
            value = getattr(nwb.subject, key, None)
            if value is not None:
                about[key] = str(value)
    resolution = nwb.units.resolution
    if resolution is not None and resolution > 0:
        about["sampling_rate_hz"] = 1.0 / float(resolution)
    return about


def _put_own(file: Any, content: Content, path: Path) -> None:
    """Take what a file of ours keeps in its scratch space, by h5py."""
    for key, name in SCRATCH.items():
        if f"scratch/{name}" in file:
            _take(content, key, file[f"scratch/{name}"][()], path)


def _take(content: Content, key: str, text: Any, path: Path) -> None:
    value = np.asarray(text).reshape(()).item()
    found = from_json(value, f"{path}, /scratch/{SCRATCH[key]}")
    if key == "metadata" and isinstance(found, Mapping):
        content.metadata = {**content.metadata, **found}
    elif isinstance(found, list) and len(found) == len(content.trains_ms):
        content.attributes = [{**known, **own} for known, own in zip(content.attributes or found, found, strict=True)]


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.item() if isinstance(value, np.generic) else value
