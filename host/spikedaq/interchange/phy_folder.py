"""Small files of KiloSort's and Phy's folders: parameters, arrays, tables of clusters. Nothing in them is ever run."""

from __future__ import annotations

import ast
import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.interchange.errors import ContentError, MissingFileError

OWN_FILE = "spikedaq.json"
"""What the folder has no place for: the window, attributes of units, which of them have no spikes."""

_OURS = {
    "amplitudes.npy",
    "channel_map.npy",
    "channel_positions.npy",
    "params.py",
    "phy.log",
    "similar_templates.npy",
    "spike_clusters.npy",
    "spike_templates.npy",
    "spike_times.npy",
    "templates.npy",
    "whitening_mat.npy",
    "whitening_mat_inv.npy",
    OWN_FILE,
}


def is_ours(name: str) -> bool:
    """Say whether a file of that name may lie in a folder that an export replaces: its own files, and Phy's."""
    return name in _OURS or name == ".phy" or (name.startswith("cluster_") and name.endswith((".tsv", ".csv")))


def load_array(folder: Path, name: str) -> npt.NDArray[Any]:
    """Return an array of numbers, never unpickled.

    Raises
    ------
    MissingFileError
        There is no such file.
    ContentError
        It is no array of numbers.
    """
    path = folder / name
    if not path.is_file():
        there = ", ".join(sorted(entry.name for entry in folder.iterdir())[:12]) or "nothing"
        raise MissingFileError(f"there is no {path}; the folder holds {there}")
    try:
        found: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ContentError(f"{path} is no array of numbers, or is cut short: {error}") from error
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "biuf":
        raise ContentError(f"{path} is no array of numbers")
    return found


def params_text(fs_hz: float, n_channels: int) -> str:
    """Return a params.py, which Phy and SpikeInterface ask for. There is no file of traces."""
    return (
        f"dat_path = []\nn_channels_dat = {n_channels}\ndtype = 'int16'\noffset = 0\n"
        f"sample_rate = {float(fs_hz)!r}\nhp_filtered = False\n"
    )


def read_params(folder: Path) -> dict[str, Any]:
    """Return the plain values that params.py assigns; nothing where there is none. It is parsed, not run.

    Raises
    ------
    ContentError
        It is no Python.
    """
    path = folder / "params.py"
    if not path.is_file():
        return {}
    try:
        tree = ast.parse(path.read_text("utf-8", "replace"))
    except (SyntaxError, ValueError) as error:
        raise ContentError(f"{path} cannot be read: {error}; mend it, or take it out and give fs_Hz") from error
    found: dict[str, Any] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            try:
                found[statement.targets[0].id] = ast.literal_eval(statement.value)
            except ValueError:
                continue
    return found


def table_text(columns: Mapping[str, Sequence[Any]]) -> str:
    """Return a table as Phy has them: tabs, one line of names."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return out.getvalue()


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table of clusters, ``.tsv`` or ``.csv``, by name of column.

    Raises
    ------
    ContentError
        It is empty.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.DictReader(file, delimiter="," if path.suffix.lower() == ".csv" else "\t")
        rows = [{str(key).strip(): (value or "").strip() for key, value in row.items() if key} for row in reader]
        if not reader.fieldnames:
            raise ContentError(f"{path} is empty; leave cluster_info_tsv out to keep all clusters")
    return rows
