"""Zarr folders of recordings, in SpikeInterface's layout: its own, and ours; on a disk or in an S3 bucket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.formats.s3 import S3Path, place_of
from spikedaq.model import StoreError, require
from spikedaq.recording.recording import Recording
from spikedaq.recording.saving.saved import Saved, check_described, refuse, refusing
from spikedaq.recording.segments import FloatArray, Segment

OURS = "spikedaq"
"""Attribute of the root in which `described` is."""


class ZarrSegment(Segment):
    """One array of samples, and one of times where they are kept.

    Parameters
    ----------
    path : Path or str
        For messages.
    traces : zarr array, shape (n_frames, n_channels)
    fs_hz : float
    t_start_s : float
    times : zarr array, shape (n_frames,), or None
    """

    def __init__(self, path: Path | str, traces: Any, fs_hz: float, t_start_s: float, times: Any) -> None:
        self.fs_hz = fs_hz
        self._path, self._traces, self._times = path, traces, times
        if times is not None and times.shape[0] < traces.shape[0]:
            refuse(path, f"it has {traces.shape[0]} frames and {times.shape[0]} times")
        self._t_start_s = t_start_s
        if times is not None and traces.shape[0]:
            self._t_start_s = float(self.times_s(0, 1)[0])

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return int(self._traces.shape[0])

    @property
    def t_start_s(self) -> float:
        """Time of its first frame, in seconds."""
        return self._t_start_s

    @property
    def is_even(self) -> bool:
        """Whether its times follow from the first one."""
        return self._times is None

    def read(self, start: int, stop: int, columns: Sequence[int] | None = None) -> npt.NDArray[Any]:
        """Return raw samples, shape (stop - start, n_columns)."""
        found = self._cut(self._traces, start, stop)
        return found if columns is None else np.ascontiguousarray(found[:, list(columns)])

    def times_s(self, start: int, stop: int) -> FloatArray:
        """Return the frames' times in seconds."""
        if self._times is None:
            return super().times_s(start, stop)
        times: FloatArray = self._cut(self._times, start, stop).astype(np.float64, copy=False)
        return times

    def _cut(self, array: Any, start: int, stop: int) -> npt.NDArray[Any]:
        try:
            found: npt.NDArray[Any] = array[start:stop]
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise StoreError(f"cannot read {self._path}, {array.path}: {error}; a chunk is damaged") from error
        return found


def open_zarr(given: str) -> Recording | None:
    """Return a Zarr folder as a recording; None where the path names none.

    Raises
    ------
    StoreError
        It is damaged, or holds something else.
    MissingExtraError
        Zarr is not installed.
    """
    path = place_of(given)
    if not path.is_dir() or not ((path / ".zgroup").is_file() or path.suffix == ".zarr"):
        return None
    store = path.mapping() if isinstance(path, S3Path) else None
    with refusing(str(path)):
        return read_zarr(str(path), {"kind": "zarr", "path": str(path.absolute())}, store).recording()


def read_zarr(where: str, opened: dict[str, Any], store: Mapping[str, bytes] | None = None) -> Saved:
    """Read what a Zarr folder says; no sample is read.

    Parameters
    ----------
    where : str
        Its path or address.
    opened : dict
        How to open it again.
    store : mapping, optional
        What Zarr is to read instead of the folder.
    """
    zarr = require("zarr", "zarr")
    flags: list[str] = []
    try:
        # Where a file is a request, all descriptions at once.
        at_once = store is not None and ".zmetadata" in store
        opener = zarr.open_consolidated if at_once else zarr.open_group
        root = opener(where if store is None else store, mode="r")
        attributes = root.attrs.asdict()
        if "channel_ids" not in root or "num_segments" not in attributes:
            refuse(where, "it is Zarr, and no recording of SpikeInterface or spikedaq")
        fs_hz = float(attributes["sampling_frequency"])
        arrays = [(root[f"traces_seg{k}"], root.get(f"times_seg{k}")) for k in range(int(attributes["num_segments"]))]
        starts_of = root.get("t_starts")
        for array in (root["channel_ids"], starts_of, *(one for pair in arrays for one in pair)):
            if array is not None and _unpickles(array):
                refuse(where, f"{array.path} is pickled, which could run any code, so it is not read")
        starts = np.zeros(len(arrays)) if starts_of is None else np.nan_to_num(starts_of[:])
        segments = tuple(
            ZarrSegment(where, traces, fs_hz, float(start), times)
            for (traces, times), start in zip(arrays, starts, strict=True)
        )
        ids = tuple(root["channel_ids"][:].tolist())
        properties = _properties(root.get("properties", {}), len(ids), flags)
        dtype = np.dtype(arrays[0][0].dtype)
    except (KeyError, ValueError, TypeError, OSError, RuntimeError, IndexError) as error:
        refuse(where, f"it is no whole Zarr recording ({type(error).__name__}: {error})", error)
    ours = attributes.get(OURS, {})
    return Saved(
        path=where,
        opened=opened,
        segments=segments,
        channel_ids=ids,
        fs_hz=fs_hz,
        dtype=dtype,
        properties=properties,
        annotations=attributes.get("annotations") or {},
        probe=attributes.get("probegroup") or attributes.get("probe"),
        ours=check_described(where, ours, [segment.n_frames for segment in segments]),
        flags=tuple(flags),
    )


def _properties(group: Any, n_channels: int, flags: list[str]) -> dict[str, npt.NDArray[Any]]:
    found = {}
    for key in group:
        if key == "contact_vector":  # how older versions kept the probe, which is there in full
            continue
        if _unpickles(group[key]):
            flags.append(f"property {key} is left out: it would have to be unpickled")
            continue
        values = group[key][:]
        if values.shape[:1] != (n_channels,):
            flags.append(f"property {key} is left out: it has {values.shape} values for {n_channels} channels")
            continue
        found[key] = values
    return found


def _unpickles(array: Any) -> bool:
    """Tell whether reading an array would unpickle it."""
    codecs = [array.compressor, *(array.filters or ())]
    return any(getattr(codec, "codec_id", "") == "pickle" for codec in codecs)
