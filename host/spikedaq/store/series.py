"""Time series in NWB files that spikedaq did not record: what there is, and pieces of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from spikedaq.model import StoreError
from spikedaq.store.hdf5 import open_file, open_to_read, translated
from spikedaq.store.layout import META

_REMEDY = "copy it again, or look at it with pynwb-validate"
_OURS = ("spikedaq", "spikedaq imaging")


@dataclass(frozen=True, slots=True)
class SeriesInfo:
    """One series of ``/acquisition``: value in ``unit`` = stored x ``conversion`` + ``offset``.

    Attributes
    ----------
    name : str
    n_frames : int
    n_columns : int
        1 where the data have one dimension.
    dtype : numpy dtype
    unit : str
    conversion, offset : float
        With ``column_conversions``, of each column, where the file has them.
    column_conversions : tuple of float
    start_s, fs_hz : float or None
        None where it has a time for each sample.
    times_at : int
        What tells apart series that share no times: where HDF5 keeps them; 0 without.
    """

    name: str
    n_frames: int
    n_columns: int
    dtype: np.dtype[Any]
    unit: str
    conversion: float
    offset: float
    column_conversions: tuple[float, ...]
    start_s: float | None
    fs_hz: float | None
    times_at: int


class SeriesFile:
    """An NWB file with series of samples, open for reading.

    Attributes
    ----------
    path : Path
    description : dict
        The JSON of ``/general/data_collection``, empty where there is none.
    start_time : str
        ``/timestamps_reference_time`` or ``/session_start_time``, as the file has it.
    series : tuple of SeriesInfo
        Those of numbers with times, in the order of their names.

    Raises
    ------
    StoreError
        It cannot be read, or is no NWB file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with translated(path, "open", _REMEDY):
            self._file, _ = open_to_read(self.path)
        try:
            with translated(path, "read", _REMEDY):
                self._check_kind()
                self.description = _json_of(self._file)
                self.start_time = _text_of(self._file, "timestamps_reference_time", "session_start_time")
                found = {name: self._file["acquisition"][name] for name in self._file["acquisition"]}
                self.series = tuple(
                    _info(name, group)
                    for name, group in found.items()
                    if isinstance(group, h5py.Group) and _is_series(group)
                )
        except BaseException:
            self._file.close()
            raise

    def _check_kind(self) -> None:
        if "acquisition" not in self._file or "nwb_version" not in self._file.attrs:
            raise StoreError(f"{self.path} is no NWB file: it has no acquisition or no nwb_version; {_REMEDY}")

    @property
    def is_recorded(self) -> bool:
        """Whether it is a recording file or an imaging file of spikedaq, which `open_recording` reads."""
        return self.description.get("format") in _OURS

    def samples(self, name: str, start: int, stop: int) -> npt.NDArray[Any]:
        """Return stored values of a series, shape (n, n_columns)."""
        with translated(self.path, "read", _REMEDY):
            values: npt.NDArray[Any] = self._file["acquisition"][name]["data"][start:stop]
        return values.reshape(len(values), -1)

    def times_s(self, name: str, start: int, stop: int) -> npt.NDArray[np.float64]:
        """Return the times of a series that has one for each sample, in seconds."""
        with translated(self.path, "read", _REMEDY):
            times: npt.NDArray[np.float64] = self._file["acquisition"][name]["timestamps"][start:stop]
        return times.astype(np.float64, copy=False)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def new_file(path: Path) -> Any:
    """Make an empty HDF5 file for PyNWB to fill: with small caches, of which HDF5 would take 8 MiB for each dataset."""
    with translated(path, "create", "check the folder and its rights"):
        return open_file(path, "x")


def _is_series(group: Any) -> bool:
    data = group.get("data")
    timed = "timestamps" in group or "starting_time" in group
    return timed and isinstance(data, h5py.Dataset) and data.ndim in (1, 2) and data.dtype.kind in "iuf"


def _info(name: str, group: Any) -> SeriesInfo:
    data, times = group["data"], group.get("timestamps")
    start = None if times is not None else group["starting_time"]
    columns = group.get("channel_conversion")
    unit = data.attrs.get("unit", "")
    return SeriesInfo(
        name=name,
        n_frames=int(data.shape[0]),
        n_columns=1 if data.ndim == 1 else int(data.shape[1]),
        dtype=np.dtype(data.dtype),
        unit=unit.decode() if isinstance(unit, bytes) else str(unit),
        conversion=float(data.attrs.get("conversion", 1.0)),
        offset=float(data.attrs.get("offset", 0.0)),
        column_conversions=() if columns is None else tuple(float(one) for one in columns[:]),
        start_s=None if start is None else float(start[()]),
        fs_hz=None if start is None else float(start.attrs["rate"]),
        times_at=0 if times is None else int(h5py.h5o.get_info(times.id).addr),
    )


def _json_of(file: Any) -> dict[str, Any]:
    if META not in file:
        return {}
    try:
        found = json.loads(file[META].asstr()[()])
    except (ValueError, TypeError):  # text of somebody else
        return {}
    return found if isinstance(found, dict) else {}


def _text_of(file: Any, *names: str) -> str:
    for name in names:
        if name in file:
            return str(file[name].asstr()[()])
    return ""
