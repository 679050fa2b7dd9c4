"""The layout of an imaging file: what is known of it before its first frame, and everything that NWB asks for."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from spikedaq.model import DamagedFileError, StoreError
from spikedaq.store.closing import OPEN
from spikedaq.store.create import experimenter_name, put_root, put_specifications, put_text, typed
from spikedaq.store.hdf5 import text_dtype
from spikedaq.store.layout import COMPLETE, ENDING, ENDING_BYTES, META

FORMAT = "spikedaq imaging"
FORMAT_VERSION = 1
MODULE = "/processing/ophys"
N_NEURONS = 3
REMEDY = "compute it again from the recording: spikedaq imaging RECORDING"

SERIES = (
    ("fluorescence", "a.u.", 1.0, "Fluorescence of each frame, with offset and noise"),
    ("dff", "percent", 1.0, "dF/F0 of each frame: against the fluorescence at rest, without noise or bleaching"),
    ("calcium", "molar", 1e-6, "Calcium at each frame, with its noise, before the indicator; stored in micromolar"),
)


@dataclass(frozen=True)
class ImagingMeta:
    """What is known of an imaging file before its first frame.

    Attributes
    ----------
    session : str
        Of the recording that it belongs to, "" where there is none.
    reference_utc_ns : int
        UTC of second 0 of the file's times, nanoseconds since 1970.
    time : str
        What its times are: ``host``, of the computer, on the recording's clock; or ``model``, 0.1 ms per step, where
        nothing else is known.
    first_step : int
        Model step at which the simulation began, at rest.
    pitch_steps, step_us : int
        Model steps per frame, and the device's time per step, microseconds.
    settings : map
        As `spikedaq.analysis` has them.
    source : str
        What it was computed of.
    """

    bench: str
    device: str
    unique_id: str
    board: str
    boot_id: int
    reference_utc_ns: int
    time: str
    first_step: int
    pitch_steps: int
    step_us: int
    seed: int
    settings: dict[str, Any]
    source: str
    indicator: str = ""
    session: str = ""
    notes: str = ""
    experimenter: str | None = None
    channels: list[str] = field(default_factory=lambda: ["vm", "syn1", "syn2"])


def datasets_of(file: Any) -> dict[str, Any]:
    """Return the datasets that grow by one per frame, by name."""
    group = file[MODULE]
    names = [name for name, *_ in SERIES]
    found = {name: group[name]["data"] for name in (*names, "step", "missing_steps")}
    return {**found, "timestamps": group[names[0]]["timestamps"]}


def meta_from(file: Any, path: Path) -> ImagingMeta:
    """Return the meta of an open file; StoreError where it is not one of ours."""
    try:
        document = json.loads(file[META].asstr()[()])
        version = document.pop("format_version") if document.pop("format") == FORMAT else None
    except (ValueError, TypeError, KeyError, AttributeError):
        version = None
    if version is None:
        raise DamagedFileError(f"{path} is not an imaging file of spikedaq")
    if version > FORMAT_VERSION:
        raise StoreError(
            f"{path} has layout version {version}, this spikedaq knows up to {FORMAT_VERSION}; use a newer spikedaq"
        )
    return ImagingMeta(**document)


def put_all(file: Any, meta: ImagingMeta, chunk: int) -> None:
    """Put everything but frames into a new file; ``chunk`` frames make a chunk."""
    put_root(
        file,
        ("acquisition", "analysis", "intervals", "stimulus/presentation", "stimulus/templates"),
        f"{meta.session or meta.bench}/{meta.device}/imaging",
        f"SIMULATED imaging, made by spikedaq from the membrane potentials of the Spikeling {meta.device} of bench "
        f"{meta.bench}, session {meta.session or 'none'}. No light, cell or microscope was involved.",
        meta.reference_utc_ns,
    )
    text = h5py.string_dtype("utf-8")
    _put_general(file, meta, text)
    _put_series(file, meta, chunk)
    ending = typed(file.create_dataset(ENDING, shape=(), dtype=text_dtype(ENDING_BYTES)), "ScratchData")
    ending.attrs["notes"] = "JSON: how the file ended; state is open until it is closed."
    ending[()] = OPEN
    complete = typed(file.create_dataset(COMPLETE, data=np.zeros(1, np.int64)), "ScratchData")
    complete.attrs["notes"] = "Frames that are on disk for certain."
    put_specifications(file)


def _put_general(file: Any, meta: ImagingMeta, text: Any) -> None:
    general = file.create_group("general")
    document = {"format": FORMAT, "format_version": FORMAT_VERSION, **asdict(meta)}
    put_text(general, META.rsplit("/", 1)[-1], json.dumps(document, ensure_ascii=False, indent=1))
    general.create_dataset("experimenter", data=[experimenter_name(meta.experimenter)], dtype=text)
    put_text(general, "experiment_description", meta.notes or "Simulated imaging of a Spikeling.")
    for name in ("institution", "lab"):
        put_text(general, name, "not stated")
    put_text(general, "session_id", meta.session or f"{meta.bench}-{meta.device}")
    device = typed(general.create_group("devices").create_group(meta.device), "Device")
    device.attrs["description"] = f"Spikeling board {meta.board}, boot {meta.boot_id}: the neurons, not the imaging"
    device.attrs["manufacturer"] = "Spikeling"
    device.attrs["serial_number"] = meta.unique_id
    subject = typed(general.create_group("subject"), "Subject")
    put_text(subject, "age", "P0D").attrs["reference"] = "birth"
    put_text(subject, "description", "A Spikeling: an electronic model neuron, no animal.")
    put_text(subject, "sex", "U")
    put_text(subject, "species", "http://purl.obolibrary.org/obo/NCBITaxon_32644")
    put_text(subject, "subject_id", f"spikeling-{meta.unique_id or meta.device}")


def _put_series(file: Any, meta: ImagingMeta, chunk: int) -> None:
    module = typed(file.create_group(MODULE), "ProcessingModule")
    rate_hz = 10_000 / meta.pitch_steps
    module.attrs["description"] = (
        f"Simulated fluorescence of {', '.join(meta.channels)} (the columns), {rate_hz:g} frames per second of model "
        f"time; a model step is 0.1 ms of model time, and took {meta.step_us} us on the board. Times are "
        + ("those of the host's clock." if meta.time == "host" else "model time: nothing else is known.")
    )
    tables = [(name, unit, conversion, about, "f4") for name, unit, conversion, about in SERIES]
    tables += [
        ("step", "steps", 1.0, "Model step of each frame", "i8"),
        ("missing_steps", "steps", 1.0, "Model steps missing since the frame before; their spikes are unknown", "i8"),
    ]
    first = ""
    for name, unit, conversion, about, dtype in tables:
        group = typed(module.create_group(name), "TimeSeries")
        group.attrs["comments"] = "simulated"
        group.attrs["description"] = about + "."
        data = _growing(group, "data", dtype, chunk, N_NEURONS if dtype == "f4" else 0)
        data.attrs["conversion"], data.attrs["offset"], data.attrs["resolution"] = conversion, 0.0, -1.0
        data.attrs["unit"] = unit
        if first:
            group["timestamps"] = h5py.SoftLink(f"{first}/timestamps")
            continue
        first = group.name
        timestamps = _growing(group, "timestamps", "f8", chunk, 0)
        timestamps.attrs["interval"] = np.int32(1)
        timestamps.attrs["unit"] = "seconds"


def _growing(group: Any, name: str, dtype: str, chunk: int, n_columns: int) -> Any:
    width = (n_columns,) if n_columns else ()
    return group.create_dataset(
        name,
        shape=(0, *width),
        maxshape=(None, *width),
        dtype=dtype,
        chunks=(chunk, *width),
        compression="gzip",
        compression_opts=1,
        shuffle=True,
    )
