"""Files that came from somebody else: what must hold before one is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py

from spikedaq.model import StoreError
from spikedaq.store.hdf5 import open_file, translated

MAX_OBJECTS = 10_000
"""A recording has some two hundred; a hostile file could have millions."""


def check_self_contained(path: Path) -> None:
    """Make sure that reading a file reads nothing but that file.

    HDF5 follows links into other files, and takes data from other files, by whatever path a file names: one that was
    uploaded would be shown what its sender may not see.

    Raises
    ------
    StoreError
        It is no HDF5 file, refers to another file, or has more objects than any recording.
    """
    path = Path(path)
    with translated(path, "open", "give a recording of spikedaq", from_content=True), open_file(path, "r") as file:
        groups: list[Any] = [file]
        seen: set[Any] = {h5py.h5o.get_info(file.id).addr}
        n_objects = 0
        while groups:
            group = groups.pop()
            for name in group:
                n_objects += 1
                if n_objects > MAX_OBJECTS:
                    raise StoreError(f"{path} has more than {MAX_OBJECTS} objects; it is no recording of spikedaq")
                if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
                    raise _refused(path, f"{group.name}/{name}")
                found = group.get(name)
                if isinstance(found, h5py.Dataset) and (found.external or found.is_virtual):
                    raise _refused(path, str(found.name))
                if isinstance(found, h5py.Group):
                    address = h5py.h5o.get_info(found.id).addr
                    if address not in seen:
                        seen.add(address)
                        groups.append(found)


def _refused(path: Path, name: str) -> StoreError:
    return StoreError(f"{path}: {name[:80]} is kept in another file; give a recording that is one file")
