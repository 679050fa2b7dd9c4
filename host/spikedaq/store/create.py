"""Make a complete, empty NWB file: every group, dataset and attribute that NWB asks for, by h5py alone."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from spikedaq.model import ClampMode
from spikedaq.store.extent import empty
from spikedaq.store.hdf5 import open_file, text_dtype
from spikedaq.store.layout import (
    BLOCKS,
    COMPLETE,
    ENDING,
    ENDING_BYTES,
    META,
    SMALL_TABLES,
    TABLES,
    ChannelStorage,
    Column,
    Table,
    channel_storages,
    chunk_blocks,
    chunk_samples,
)
from spikedaq.store.meta import FileMeta, meta_to_json

NWB_VERSION = "2.11.0"
SPECIFICATIONS = "specifications.h5"
_COMMAND_SERIES = "VoltageClampStimulusSeries"
_TEXT = h5py.string_dtype("utf-8")
_EXPERIMENTER = re.compile(r"[^,]+, [^,]+")


def specifications_path() -> Path | None:
    """Return the NWB schema that came with the package, None where it was not built (tools/make_specifications.py)."""
    path = Path(str(resources.files("spikedaq.store").joinpath(SPECIFICATIONS)))
    return path if path.is_file() else None


def make_file(path: Path, meta: FileMeta, start_offset: int) -> bool:
    """Create ``path``, which must not exist, and close it again. Returns whether the NWB schema is cached in it."""
    with open_file(path, "x") as file:
        _put_recording_root(file, meta)
        _put_general(file, meta, start_offset)
        _put_series(file, meta)
        put_tables(file, meta)
        _put_state(file, start_offset)
        return put_specifications(file)


def put_tables(file: Any, meta: FileMeta) -> None:
    """Create the tables that are not there. Closing removes the empty ones; resuming brings them back."""
    samples = chunk_samples(meta.step_us, meta.info.block_samples)
    rows = chunk_blocks(samples, meta.info.block_samples)
    for table in TABLES:
        if table.path not in file:
            _put_table(file, table, rows if table is BLOCKS else table.chunk_rows)


def typed(group: Any, neurodata_type: str, namespace: str = "core") -> Any:
    """Give an object its NWB type; return it."""
    group.attrs["neurodata_type"] = neurodata_type
    group.attrs["namespace"] = namespace
    group.attrs["object_id"] = str(uuid.uuid4())
    return group


def put_text(group: Any, name: str, text: str) -> Any:
    """Put a text."""
    return group.create_dataset(name, data=text, dtype=_TEXT)


def utc_text(ns: int) -> str:
    """Return nanoseconds since 1970 as ISO 8601."""
    time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns // 1000)
    return time.isoformat(timespec="microseconds")


def put_root(file: Any, groups: Sequence[str], identifier: str, description: str, reference_utc_ns: int) -> None:
    """Put what the root of every NWB file has, with these groups; ``identifier`` is made unique."""
    typed(file, "NWBFile")
    file.attrs["nwb_version"] = NWB_VERSION
    for name in groups:
        file.create_group(name)
    put_text(file, "identifier", f"{identifier}/{uuid.uuid4()}")
    put_text(file, "session_description", description)
    start = utc_text(reference_utc_ns)
    put_text(file, "session_start_time", start)
    put_text(file, "timestamps_reference_time", start)
    file.create_dataset("file_create_date", data=[datetime.now(UTC).isoformat()], dtype=_TEXT)


def _put_recording_root(file: Any, meta: FileMeta) -> None:
    put_root(
        file,
        ("acquisition", "analysis", "events", "intervals", "stimulus/presentation", "stimulus/templates"),
        f"{meta.session}/{meta.device}/{meta.number:04d}",
        f"Session {meta.session}, device {meta.device} of bench {meta.bench}, file {meta.number}: "
        f"a Spikeling, an electronic model neuron, in {meta.mode} clamp, recorded by spikedaq.",
        meta.reference_utc_ns,
    )
    module = typed(file.create_group("processing/icephys"), "ProcessingModule")
    module.attrs["description"] = "How the samples were received: blocks and clock maps."


def experimenter_name(name: str | None) -> str:
    """Return a name as NWB wants it, "Last, First"."""
    if not name or not name.strip():
        return "Unknown, Experimenter"
    name = " ".join(name.split())
    if _EXPERIMENTER.fullmatch(name):
        return name
    first, _, last = name.replace(",", " ").rpartition(" ")
    return f"{last}, {first.strip() or 'Unknown'}"


def _stated(text: str | None) -> str:
    return text if text and text.strip() else "not stated"


_UNCOUNTED = (
    "sequence: none. A stock firmware numbers nothing, so samples that were lost before they reached this computer "
    "cannot be seen and no gap is claimed. Steps count the rows that arrived. Times are those of arrival, or of the "
    "board's own clock where it sends one (v1), with the uncertainty that the clock map states."
)


def _put_general(file: Any, meta: FileMeta, start_offset: int) -> None:
    info = meta.info
    general = file.create_group("general")
    put_text(general, META.rsplit("/", 1)[-1], meta_to_json(meta, start_offset))
    general.create_dataset("experimenter", data=[experimenter_name(meta.experimenter)], dtype=_TEXT)
    put_text(general, "experiment_description", meta.notes or "Recording of a Spikeling.")
    put_text(general, "institution", _stated(meta.institution))
    put_text(general, "lab", _stated(meta.lab))
    # No keywords: Neo's NWB reader fails on any file that has them.
    put_text(general, "session_id", meta.session)
    notes = "\n\n".join(text for text in (meta.notes, _UNCOUNTED if info.is_translated else "") if text)
    if notes:
        put_text(general, "notes", notes)

    device = typed(general.create_group("devices").create_group(meta.device), "Device")
    device.attrs["description"] = (
        f"Spikeling board {info.board}, firmware {info.firmware_version} (build {info.build_hash}), "
        f"protocol {info.protocol_version[0]}.{info.protocol_version[1]}, boot {info.boot_id}"
        + (f". {_UNCOUNTED}" if info.is_translated else "")
    )
    device.attrs["manufacturer"] = "Spikeling"
    device.attrs["serial_number"] = info.unique_id

    electrode = typed(general.create_group("intracellular_ephys/electrode"), "IntracellularElectrode")
    put_text(electrode, "cell_id", f"{meta.device}-{info.unique_id}")
    put_text(electrode, "description", "None: the membrane potential is computed by the board.")
    electrode["device"] = h5py.SoftLink(f"/general/devices/{meta.device}")

    # NWB asks for a subject of some species; 32644 is the taxon "unidentified".
    subject = typed(general.create_group("subject"), "Subject")
    age = put_text(subject, "age", "P0D")
    age.attrs["reference"] = "birth"
    put_text(subject, "description", "A Spikeling: an electronic model neuron, no animal.")
    put_text(subject, "sex", "U")
    put_text(subject, "species", "http://purl.obolibrary.org/obo/NCBITaxon_32644")
    put_text(subject, "subject_id", f"spikeling-{info.unique_id}")


def _put_series(file: Any, meta: FileMeta) -> None:
    chunk = chunk_samples(meta.step_us, meta.info.block_samples)
    first = ""
    for storage in channel_storages(meta.channels):
        group = file["acquisition"].create_group(storage.name)
        series = _series_type(storage, meta.mode)
        typed(group, series)
        group.attrs["comments"] = "no comments"
        group.attrs["description"] = _describe(storage)
        if series != "TimeSeries":
            group.attrs["stimulus_description"] = "N/A"
            group["electrode"] = h5py.SoftLink("/general/intracellular_ephys/electrode")
        data = _growing(group, "data", storage.dtype, chunk)
        data.attrs["conversion"] = storage.conversion
        data.attrs["offset"] = storage.offset
        data.attrs["resolution"] = -1.0
        data.attrs["unit"] = storage.unit
        if first:
            group["timestamps"] = h5py.SoftLink(f"{first}/timestamps")
            continue
        first = group.name
        timestamps = _growing(group, "timestamps", "f8", chunk)
        timestamps.attrs["interval"] = np.int32(1)
        timestamps.attrs["unit"] = "seconds"


def _series_type(storage: ChannelStorage, mode: ClampMode) -> str:
    """Return the NWB type of a channel: what fits its meaning and its unit, else a plain series.

    In voltage clamp the membrane potential is no recording in current clamp, and the output of the controller is not in
    amperes, as a VoltageClampSeries has to be.
    """
    if storage.unit != "volts":
        return "TimeSeries"
    named = {ClampMode.CURRENT: ("vm", "CurrentClampSeries"), ClampMode.VOLTAGE: ("v_command", _COMMAND_SERIES)}
    name, series = named[mode]
    return series if storage.name == name else "TimeSeries"


def _describe(storage: ChannelStorage) -> str:
    if storage.dtype == "i4":
        return f"Channel {storage.name}, in microvolts: raw value of the device * {storage.factor} + {storage.shift}."
    return f"Channel {storage.name}, raw values of the device."


def _growing(group: Any, name: str, dtype: Any, chunk: int, *, compressed: bool = True) -> Any:
    filters: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True} if compressed else {}
    return group.create_dataset(name, shape=(0,), maxshape=(None,), dtype=dtype, chunks=(chunk,), **filters)


def _put_table(file: Any, table: Table, chunk: int) -> None:
    namespace = "hdmf-common" if table.neurodata_type == "DynamicTable" else "core"
    group = typed(file.create_group(table.path), table.neurodata_type, namespace)
    group.attrs["description"] = table.description
    # Created before the first row: without it a table that was empty at first would have no columns for readers.
    group.attrs["colnames"] = np.array([c.name for c in table.columns], dtype=_TEXT)
    if table.neurodata_type == "EventsTable":
        group.attrs["source_description"] = "spikedaq"
    for column in table.columns:
        _put_column(group, column, chunk, table.compressed)
    typed(
        _growing(group, "id", "i8", chunk, compressed=table.compressed),
        "ElementIdentifiers",
        "hdmf-common",
    )


def _put_column(group: Any, column: Column, chunk: int, compressed: bool) -> None:
    dataset = _growing(group, column.name, column.dtype, chunk, compressed=compressed)
    is_timestamp = column.neurodata_type == "TimestampVectorData"
    typed(dataset, column.neurodata_type, "core" if is_timestamp else "hdmf-common")
    dataset.attrs["description"] = column.description
    if is_timestamp:
        dataset.attrs["unit"] = "seconds"


def _put_state(file: Any, start_offset: int) -> None:
    """Of fixed size, so that they can be overwritten under SWMR."""
    ending = typed(file.create_dataset(ENDING, shape=(), dtype=text_dtype(ENDING_BYTES)), "ScratchData")
    ending.attrs["notes"] = "JSON: how the file ended; state is open until it is closed."
    ending[()] = b'{"state": "open"}'
    complete = typed(file.create_dataset(COMPLETE, data=empty(start_offset).record()), "ScratchData")
    tables = ", ".join(t.name for t in SMALL_TABLES)
    complete.attrs["notes"] = (
        f"What is on disk for certain: samples, blocks, journal offset after them, rows of {tables}."
    )


def put_specifications(file: Any) -> bool:
    """Put the NWB schema into a file, where there is one; return whether."""
    source = specifications_path()
    if source is None:
        return False
    with h5py.File(source, "r") as specifications:
        specifications.copy("specifications", file)
        file.attrs["nwb_version"] = specifications.attrs["nwb_version"]
    file.attrs[".specloc"] = file["specifications"].ref
    return True
