"""The four layouts of spikes in HDF5: spikes as flat arrays, and back. Nothing here opens a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from spikedaq.interchange.errors import ContentError
from spikedaq.interchange.times import FloatArray
from spikedaq.model import ArgumentError

Style = Literal["raster", "ragged", "group", "paired"]
STYLES: tuple[Style, ...] = get_args(Style)

OWN_GROUP = "spikedaq"
"""Where what the layouts have no place for is kept: number of units, layout, attributes of units, metadata."""

_DIGITS = re.compile(r"(\d+)")


def ragged_index(counts: Sequence[int]) -> npt.NDArray[np.int64]:
    """Return the index of a ragged layout: where each unit ends, int64 array.

    Where the first unit is empty the index begins with a 0 that is of no unit. Without it, readers that know no number
    of units take that unit's own 0 for such a one, and lose the unit; SpikeLab is one of them.
    """
    ends = np.cumsum(np.asarray(counts, dtype=np.int64), dtype=np.int64)
    if len(ends) and ends[0] == 0 and ends[-1] > 0:
        return np.concatenate([np.zeros(1, np.int64), ends])
    return ends


def split_ragged(
    values: npt.NDArray[Any],
    index: npt.NDArray[Any],
    place: str,
    *,
    n_units: int | None = None,
    leading_zero: bool | None = None,
) -> list[npt.NDArray[Any]]:
    """Cut flat values at an index.

    Parameters
    ----------
    values : array, shape (n,)
    index : int array, shape (n_units,) or (n_units + 1,)
        Where each unit ends; with a 0 before them in the longer form.
    place : str
        For errors.
    n_units : int, optional
        Tells the two forms apart. Without it, and without ``leading_zero``, an index that starts with 0 and ends above
        it is taken for the longer form.

    Raises
    ------
    ContentError
        An index that cannot be.
    """
    ends = np.atleast_1d(index.squeeze()) if index.size else np.empty(0, np.int64)
    if ends.ndim != 1 or (ends.dtype.kind not in "iu" and ends.size):
        raise ContentError(f"{place}: the index is {ends.dtype} of shape {index.shape}; it must be one row of integers")
    ends = ends.astype(np.int64)
    flat = values.ravel()
    if n_units is not None:
        if len(ends) not in (n_units, n_units + 1) or (len(ends) == n_units + 1 and ends[0] != 0):
            raise ContentError(f"{place}: the index has {len(ends)} items for {n_units} units; the file is damaged")
        leading_zero = len(ends) == n_units + 1
    elif leading_zero is None:
        leading_zero = len(ends) > 1 and ends[0] == 0 and ends[-1] > 0
    if leading_zero:
        if not len(ends) or ends[0] != 0:
            raise ContentError(f"{place}: the index does not begin with 0; leave leading_zero out")
        ends = ends[1:]
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]]) if len(ends) else ends
    bad = np.flatnonzero(ends < starts)
    if len(bad):
        raise ContentError(
            f"{place}: the index falls to {ends[bad[0]]} at unit {bad[0]}; each item is where a unit ends, so they "
            "cannot fall, nor be negative"
        )
    if len(ends) and ends[-1] > len(flat):
        raise ContentError(f"{place}: the index ends at {ends[-1]}, and there are {len(flat)} spikes; it is cut short")
    return [flat[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]


def pairs_of(trains: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.int64]:
    """Return the unit of each spike, unit after unit: int64 array, shape (n_spikes,)."""
    return np.repeat(np.arange(len(trains), dtype=np.int64), [len(train) for train in trains])


def split_pairs(
    units: npt.NDArray[Any], times: npt.NDArray[Any], place: str, *, n_units: int | None = None
) -> list[npt.NDArray[Any]]:
    """Sort times by unit; without ``n_units`` there are as many as the highest number says.

    Raises
    ------
    ContentError
        Other lengths, numbers of units that are none, or more of them than there are units.
    """
    numbers, flat = units.ravel(), times.ravel()
    if len(numbers) != len(flat):
        raise ContentError(f"{place}: {len(numbers)} unit numbers for {len(flat)} times; the file is cut short")
    if len(numbers) and numbers.dtype.kind not in "iu":
        raise ContentError(f"{place}: the unit numbers are {numbers.dtype}; they must be integers")
    if len(numbers) and int(numbers.min()) < 0:
        raise ContentError(f"{place}: a unit number is {int(numbers.min())}; they count from 0")
    n = int(numbers.max()) + 1 if len(numbers) else 0
    if n_units is not None and n > n_units:
        raise ContentError(f"{place}: there is a unit {n - 1}, and only {n_units} units; check n_units")
    n = n if n_units is None else n_units
    # A number that is an identity of many digits, not a place in a list, would make as many empty units.
    if n_units is None and n > 10_000_000:
        raise ContentError(f"{place}: the highest unit number is {n - 1}; they must count from 0")
    order = np.argsort(numbers, kind="stable")
    ends = np.cumsum(np.bincount(numbers.astype(np.int64), minlength=n))
    return np.split(flat[order], ends[:-1]) if n else []


def in_number_order(names: Iterable[str]) -> list[str]:
    """Sort names as people do: 2 before 10, unit2 before unit10."""
    return sorted(names, key=lambda name: [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part
                                           in _DIGITS.split(name)])  # fmt: skip


def checked_raster(raster: npt.NDArray[Any], place: str) -> FloatArray | npt.NDArray[Any]:
    """Return counts of spikes, (units, bins).

    Raises
    ------
    ContentError
        Another shape or kind of numbers.
    """
    if raster.ndim != 2 or raster.dtype.kind not in "buif":
        raise ContentError(f"{place}: it is {raster.dtype} of shape {raster.shape}; a raster has counts, (units, bins)")
    return raster


def checked_names(names: dict[str, str]) -> None:
    """Refuse names of datasets that cannot be, that are equal, or of which one lies within another.

    Raises
    ------
    ArgumentError
        With the keyword of the name.
    """
    paths: dict[str, str] = {}
    for keyword, name in names.items():
        parts = name.strip("/").split("/")
        if not name or any(part in ("", ".", "..") for part in parts) or "\0" in name:
            raise ArgumentError(f"{keyword} is {name!r}, which is no name of a dataset; leave it out for the usual one")
        if parts[0] == OWN_GROUP:
            raise ArgumentError(f"{keyword} is {name!r}, where spikedaq keeps things of its own; choose another name")
        path = "/".join(parts) + "/"
        for other, known in paths.items():
            if path.startswith(known) or known.startswith(path):
                raise ArgumentError(f"{keyword} and {other} are {name!r} and {known[:-1]!r}; choose names apart")
        paths[keyword] = path
