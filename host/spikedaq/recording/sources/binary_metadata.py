"""What lies beside the raw files of a binary folder: JSON documents, and properties of the channels."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.model import StoreError

_PROBES = ("probegroup.json", "probe.json")
"""Before SpikeInterface 0.105 it was the second name."""
_MAX_JSON_BYTES = 1 << 26


def read_json(path: Path) -> dict[str, Any]:
    """Return what a JSON file holds.

    Raises
    ------
    StoreError
        It cannot be read, is far too long, or is no JSON object; the text names the line.
    """
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise StoreError(f"{path} has more than {_MAX_JSON_BYTES >> 20} MiB; it is no description of a recording")
        found = json.loads(path.read_text("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise StoreError(f"{path}, line {error.lineno}: {error.msg}; it is damaged, copy it again") from error
    except UnicodeDecodeError as error:
        raise StoreError(f"{path} is no text (UTF-8); copy it again") from error
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}; copy the whole folder") from error
    if not isinstance(found, dict):
        raise StoreError(f"{path} holds no JSON object; copy it again")
    return found


def read_properties(folder: Path, n_channels: int, flags: list[str]) -> dict[str, npt.NDArray[Any]]:
    """Return a folder's properties, arrays of shape (n_channels, ...); flag what cannot be. Nothing is unpickled."""
    found: dict[str, npt.NDArray[Any]] = {}
    for path in sorted(folder.glob("*.npy"), key=str) if folder.is_dir() else ():
        if path.stem == "contact_vector":  # how older versions kept the probe, which is beside it in full
            continue
        try:
            values = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
        except (OSError, ValueError) as error:
            why = "it would have to be unpickled" if "allow_pickle" in str(error) else str(error)
            flags.append(f"property {path.stem} is left out: {why}")
            continue
        if values.shape[:1] != (n_channels,):
            flags.append(f"property {path.stem} is left out: it has {values.shape} values for {n_channels} channels")
            continue
        found[path.stem] = values
    return found


def read_annotations(folder: Path) -> dict[str, Any]:
    """Return the annotations of a binary folder."""
    if (folder / "annotations.json").is_file():
        return read_json(folder / "annotations.json")
    if (folder / "si_folder.json").is_file():  # before 0.105
        found = read_json(folder / "si_folder.json").get("annotations")
        return found if isinstance(found, dict) else {}
    return {}


def read_probe(folder: Path) -> dict[str, Any] | None:
    """Return the dict form of a binary folder's probes, None where it has none."""
    return next((read_json(folder / name) for name in _PROBES if (folder / name).is_file()), None)
