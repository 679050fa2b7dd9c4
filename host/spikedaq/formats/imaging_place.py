"""Where the files of a live imaging simulation go: beside the recording that is going on, or into a folder."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from spikedaq.formats.imaging_files import Outputs
from spikedaq.inlet import Bench
from spikedaq.model import ConfigError
from spikedaq.store import FileMeta, open_recording


def beside_recording(bench: Bench, device: str, *, overwrite: bool = False) -> tuple[Outputs, FileMeta]:
    """Return files beside the recording that is going on, and what that says of itself.

    Parameters
    ----------
    overwrite : bool
        Replace files that are there; else the names get a number that is free.

    Raises
    ------
    ConfigError
        The device is not being recorded, or on another computer.
    StoreError
        The recording cannot be read.
    """
    recording = bench.status()["recording"]
    if not recording or device not in recording["devices"]:
        message = f"{device} is not being recorded; begin with: spikedaq record start NAME, or give --out"
        raise ConfigError(message)
    folder = Path(recording["folder"]) / device
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not on this computer; run it on the daemon's, or give --out")
    with open_recording(Path(recording["devices"][device]["file"])) as file:
        beside = file.meta
    base = folder / f"{recording['session']}_{device}_imaging"
    return outputs_at(base if overwrite else free(base), overwrite=overwrite), beside


def dated(folder: Path, bench: str, device: str, now: datetime) -> Path:
    """Return a name in a folder, without its end."""
    return folder / f"{bench}_{device}_imaging_{now:%Y%m%dT%H%M%SZ}"


def free(base: Path) -> Path:
    """Return a name, without its end, of which neither an NWB file nor a CSV is there."""
    number, name = 1, base
    while any(name.with_name(name.name + end).exists() for end in (".nwb", ".csv")):
        number += 1
        name = base.with_name(f"{base.name}_{number}")
    return name


def outputs_at(base: Path, *, overwrite: bool = False) -> Outputs:
    """Return an NWB file and a CSV of this name that grow while they are written."""
    nwb, csv = (base.with_name(base.name + end) for end in (".nwb", ".csv"))
    return Outputs(nwb, csv, overwrite, whole=False)
