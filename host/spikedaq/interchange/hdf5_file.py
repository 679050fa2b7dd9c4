"""HDF5 files of others, opened for reading: what is not there or not readable is named with its file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from spikedaq.interchange.errors import ContentError, MissingContentError
from spikedaq.interchange.hdf5_layout import OWN_GROUP
from spikedaq.interchange.plain import from_json

_SHOWN = 12


@contextmanager
def open_hdf5(path: Path) -> Iterator[Any]:
    """Open a file for reading.

    Raises
    ------
    ContentError
        It is no HDF5, it is cut short or damaged, also where that shows only while something of it is read.
    """
    try:
        with h5py.File(path, "r") as file:
            yield file
    except OSError as error:
        if isinstance(error, FileNotFoundError | PermissionError) and error.filename:
            raise ContentError(f"cannot read {path}: {error.strerror}; check the file and its rights") from error
        raise ContentError(
            f"cannot read {path}: {error}; it is no HDF5 file, is damaged, or is being written"
        ) from error


def dataset_of(file: Any, name: str, path: Path) -> Any:
    """Return a dataset.

    Raises
    ------
    MissingContentError
        There is none of that name.
    """
    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        raise MissingContentError(f"{path} has no dataset {name!r}; it has {', '.join(contents(file)) or 'none'}")
    return found


def group_of(file: Any, name: str, path: Path) -> Any:
    """Return a group.

    Raises
    ------
    MissingContentError
        There is none of that name.
    """
    found = file.get(name)
    if not isinstance(found, h5py.Group):
        raise MissingContentError(f"{path} has no group {name!r}; it has {', '.join(contents(file)) or 'none'}")
    return found


def values_of(dataset: Any, place: str) -> npt.NDArray[Any]:
    """Return all numbers of a dataset.

    Raises
    ------
    ContentError
        It holds something else than numbers.
    """
    # Never of objects: whatever a dataset holds, reading it runs nothing.
    if dataset.dtype.kind not in "biuf":
        raise ContentError(f"{place} holds {dataset.dtype}, not numbers; name another dataset")
    values: npt.NDArray[Any] = np.asarray(dataset[()])
    return np.atleast_1d(values)


def contents(file: Any) -> list[str]:
    """Return the names of the datasets in a file, the first dozen."""
    names: list[str] = []

    def look(name: str, item: Any) -> bool | None:
        if isinstance(item, h5py.Dataset):
            names.append(name)
        return True if len(names) >= _SHOWN else None

    file.visititems(look)
    return names


def number_of(attributes: Any, name: str, place: str) -> float | None:
    """Return an attribute that is a number; None where it is not there.

    Raises
    ------
    ContentError
        It is something else.
    """
    if name not in attributes:
        return None
    try:
        return float(np.asarray(attributes[name]).reshape(()))
    except (TypeError, ValueError) as error:
        raise ContentError(f"{place}: its attribute {name} is no number; mend it or take it out") from error


def text_of(attributes: Any, name: str) -> str | None:
    """Return an attribute that is a text; None where it is not there, or something else."""
    value = attributes.get(name)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else None


def own_of(file: Any, path: Path) -> tuple[int | None, dict[str, Any]]:
    """Return the number of units and what else a file of ours says beside its layout; None and nothing of others."""
    own = file.get(OWN_GROUP)
    if not isinstance(own, h5py.Group):
        return None, {}
    found: dict[str, Any] = {}
    for name, kind in (("neuron_attributes", list), ("metadata", dict)):
        if isinstance(own.get(name), h5py.Dataset):
            place = f"{path}, /{OWN_GROUP}/{name}"
            found[name] = from_json(own[name][()], place)
            is_right = isinstance(found[name], kind)
            if not is_right or (kind is list and not all(isinstance(one, dict) for one in found[name])):
                raise ContentError(f"{place} is not what it should be; the file is damaged, export it again")
    if isinstance(own.get("gaps_ms"), h5py.Dataset):
        found["gaps_ms"] = own["gaps_ms"][()]
        if found["gaps_ms"].ndim != 2 or found["gaps_ms"].shape[1] != 2:
            raise ContentError(f"{path}, /{OWN_GROUP}/gaps_ms is not pairs; the file is damaged, export it again")
    n_units = number_of(own.attrs, "n_units", f"{path}, /{OWN_GROUP}")
    return None if n_units is None else int(n_units), found
