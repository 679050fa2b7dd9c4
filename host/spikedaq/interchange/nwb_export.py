"""Spike trains into NWB: a table of units with electrodes and locations, by PyNWB."""

from __future__ import annotations

import uuid
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.interchange.electrodes import ElectrodeTable, distinct_ids, electrodes_of
from spikedaq.interchange.errors import UnwrittenWarning
from spikedaq.interchange.hdf5_layout import checked_names
from spikedaq.interchange.nwb_plain import write_plain
from spikedaq.interchange.places import PathOrUrl, write_to
from spikedaq.interchange.plain import fits, is_name, to_json
from spikedaq.interchange.spikelab import as_trains
from spikedaq.interchange.times import checked_fs_hz
from spikedaq.model import ArgumentError, MissingExtraError, require

USUAL = {"spike_times_dataset": "spike_times", "spike_times_index_dataset": "spike_times_index", "group": "units"}
SCRATCH = {"neuron_attributes": "spikedaq_neuron_attributes", "metadata": "spikedaq_metadata"}
"""Texts in the scratch space, JSON, with all that is known of units: columns can hold less."""

_OWN_COLUMNS = {"id", "spike_times", "spike_times_index", "obs_intervals", "obs_intervals_index", "electrodes",
                "electrodes_index", "electrode_group", "waveform_mean", "waveform_sd", "waveforms", "waveforms_index",
                "unit_id", "electrode", "channel", "ch", "location", "position", "x", "y", "z", "colnames",
                "description", "resolution", "name"}  # fmt: skip
_OF_SUBJECT = ("subject_id", "species", "sex", "age", "description")


def export_spikedata_to_nwb(
    sd: SpikeTrains | Any,
    filepath: PathOrUrl,
    *,
    spike_times_dataset: str = "spike_times",
    spike_times_index_dataset: str = "spike_times_index",
    group: str = "units",
    session_start_time: datetime | None = None,
    session_description: str | None = None,
    identifier: str | None = None,
    fs_Hz: float | None = None,  # noqa: N803 - as elsewhere in this room
    overwrite: bool = False,
) -> None:
    """Write a valid NWB file with a table of units.

    Parameters
    ----------
    sd : SpikeTrains
        Or a SpikeData of SpikeLab. Electrode and location of units become the table of electrodes.
    filepath : path or URL
    spike_times_dataset, spike_times_index_dataset, group : str
        With other than the usual names the file is plain HDF5 in that layout, and no NWB: a warning says so.
    session_start_time : datetime, optional
        With a time zone. Default: ``metadata["session_start_time"]``, else now.
    session_description, identifier : str, optional
        Default: of the metadata, else a sentence, and a new UUID.
    fs_Hz : float, optional
        Sampling rate in Hz that the spikes were found at. Default: ``metadata["fs_Hz"]``. Without it the file does not
        say how exact times are (``resolution``).
    overwrite : bool
        Replace a file that is there.

    Raises
    ------
    ArgumentError
        Names or locations that cannot be.
    StoreError
        The file exists, or cannot be written.

    Notes
    -----
    Without PyNWB, and where PyNWB fails, the file is plain HDF5 in the same layout, with a warning.
    """
    trains = as_trains(sd)
    names = {
        "spike_times_dataset": spike_times_dataset,
        "spike_times_index_dataset": spike_times_index_dataset,
        "group": group,
    }
    checked_names({key: f"{group}/{name}" for key, name in names.items() if key != "group"})
    table = electrodes_of(trains)
    if fs_Hz is None:
        known = trains.metadata.get("fs_Hz")
        fs_Hz = float(known) if isinstance(known, int | float) and known > 0 else None  # noqa: N806
    else:
        checked_fs_hz(fs_Hz, "the resolution of times")
    start = _start_of(trains, session_start_time)
    reason = ""
    if names != USUAL:
        reason = "names of your own are not those of NWB"
    with write_to(filepath, overwrite=overwrite) as path:
        if not reason:
            try:
                texts = (session_description, identifier)
                _write(path, _nwb_of(trains, table, fs_Hz, start, texts), trains)
            except MissingExtraError as error:
                reason = str(error)
            except Exception as error:  # noqa: BLE001 - hdmf raises Exception itself, and what h5py raises
                reason = f"PyNWB cannot write it ({type(error).__name__}: {error})"
        if reason:
            path.unlink(missing_ok=True)
            write_plain(path, trains, table, names)
            warnings.warn(
                f"{filepath} is no valid NWB but plain HDF5 in the layout of its units: {reason}",
                UnwrittenWarning,
                stacklevel=2,
            )


def _start_of(trains: SpikeTrains, given: datetime | None) -> datetime:
    start = given
    if start is None:
        known = trains.metadata.get("session_start_time")
        try:
            start = datetime.fromisoformat(known) if isinstance(known, str) else known
        except ValueError as error:
            raise ArgumentError(f"metadata['session_start_time'] is {known!r}, not a time; give one") from error
    start = start or datetime.now(UTC)
    if not isinstance(start, datetime):
        raise ArgumentError(f"session_start_time is {start!r}; give a datetime with a time zone")
    return start if start.tzinfo is not None else start.replace(tzinfo=UTC)


def _nwb_of(
    trains: SpikeTrains,
    table: ElectrodeTable,
    fs_hz: float | None,
    start: datetime,
    texts: tuple[str | None, str | None],
) -> Any:
    """Return the file as PyNWB has it, not yet written."""
    pynwb = require("pynwb", "nwb")
    meta = trains.metadata
    description, identifier = texts
    nwb = pynwb.NWBFile(
        session_description=description or str(meta.get("session_description", "Spike trains, written by spikedaq")),
        identifier=identifier or str(meta.get("identifier", uuid.uuid4())),
        session_start_time=start,
    )
    about = {key: str(meta[key]) for key in _OF_SUBJECT if key in meta}
    if about:
        nwb.subject = pynwb.file.Subject(**about)
    if table.rows:
        _put_electrodes(nwb, table)
    nwb.units = pynwb.misc.Units(
        name="units",
        description="Units and their spikes, in seconds from session_start_time",
        id=np.array(distinct_ids(trains), dtype=np.int64),
        columns=_columns(nwb, trains, table),
        **({} if fs_hz is None else {"resolution": 1.0 / fs_hz}),
    )
    for key, value in (("neuron_attributes", trains.neuron_attributes), ("metadata", meta or None)):
        if value is not None:
            nwb.add_scratch(to_json(value), name=SCRATCH[key], description=f"{key} of spikedaq's SpikeTrains, JSON")
    return nwb


def _write(path: Path, nwb: Any, trains: SpikeTrains) -> None:
    pynwb = require("pynwb", "nwb")
    with warnings.catch_warnings():
        # The file has its own name only when it is complete.
        warnings.filterwarnings("ignore", message=".*does not end in.*")
        with pynwb.NWBHDF5IO(path, "w") as io:
            io.write(nwb)
    with h5py.File(path, "r+") as file:
        # NWB has no place for the window; SpikeLab reads it here.
        file.attrs["start_time"], file.attrs["length_ms"] = trains.start_time, trains.length


def _put_electrodes(nwb: Any, table: ElectrodeTable) -> None:
    device = nwb.create_device(name="device", description="not known")
    group = nwb.create_electrode_group(
        name="electrodes", description="Electrodes that units name", location="unknown", device=device
    )
    named = any(isinstance(row.name, str) for row in table.rows)
    if named:
        nwb.add_electrode_column(name="channel_name", description="what the source calls it")
    for electrode_id, row in zip(table.ids, table.rows, strict=True):
        place = (*row.location, *([np.nan] * (table.n_axes - len(row.location))))
        nwb.add_electrode(
            id=electrode_id,
            location=row.label,
            group=group,
            **dict(zip(("x", "y", "z"), place, strict=False)),
            **({"channel_name": str(row.name)} if named else {}),
        )


def _columns(nwb: Any, trains: SpikeTrains, table: ElectrodeTable) -> list[Any]:
    """Return the columns of the table of units, whole: adding unit by unit takes a second for 150 000 spikes."""
    common = require("hdmf.common", "nwb")
    columns: list[Any] = []

    def add(
        name: str, description: str, none: Any, rows: list[Any], kind: Any = common.VectorData, **more: Any
    ) -> None:
        """Add a column of several values for each unit, and its index; ``none`` is what no unit has."""
        column = kind(name=name, description=description, data=np.concatenate([none, *rows]), **more)
        ends = np.cumsum([len(row) for row in rows], dtype=np.int64)
        columns.extend([column, common.VectorIndex(name=f"{name}_index", target=column, data=ends)])

    add("spike_times", "times of spikes, in s", np.empty(0), [train / 1000.0 for train in trains.trains])
    observed = [_observed_s(trains)] * trains.N
    add("obs_intervals", "when it was looked for spikes, in s", np.empty((0, 2)), observed)
    if table.rows:
        no_row = np.empty(0, np.int64)
        own = [no_row if row is None else np.array([row]) for row in table.of_units]
        add("electrodes", "where it was seen", no_row, own, common.DynamicTableRegion, table=nwb.electrodes)
    for name, values in _columns_of(trains).items():
        columns.append(
            common.VectorData(name=name, description=f"{name} of each unit, as its source gives it", data=values)
        )
    return columns


def _columns_of(trains: SpikeTrains) -> dict[str, list[Any]]:
    """Return what every unit has one number, text or truth of: that can be a column."""
    attributes = trains.neuron_attributes or []
    columns: dict[str, list[Any]] = {}
    for key in dict.fromkeys(key for one in attributes for key in one):
        values = [one.get(key) for one in attributes]
        plain = [value.item() if isinstance(value, np.generic) else value for value in values]
        kinds = {type(value) for value in plain}
        name = str(key)
        if kinds == {int, float}:
            plain, kinds = [float(value) for value in plain if value is not None], {float}
        if len(kinds) == 1 and kinds <= {int, float, str, bool} and is_name(name) and all(map(fits, plain)):
            column = "unit_name" if name == "name" or (name == "unit_id" and kinds == {str}) else name
            if column not in _OWN_COLUMNS and column not in columns:
                columns[column] = plain
    return columns


def _observed_s(trains: SpikeTrains) -> Any:
    """Return when it was looked for spikes, in s, without the gaps: float64 array, shape (n, 2)."""
    edges = [trains.start_time, *np.clip(trains.gaps_ms, trains.start_time, trains.end_time).ravel(), trains.end_time]
    return np.array(edges, dtype=np.float64).reshape(-1, 2) / 1000.0
