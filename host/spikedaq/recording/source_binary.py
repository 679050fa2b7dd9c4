"""Binary folders: one raw file per segment with JSON beside it, as SpikeInterface 0.94 to 0.105 has them, and ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from spikedaq.model import StoreError
from spikedaq.recording.binary_metadata import read_annotations, read_json, read_probe, read_properties

FloatArray = npt.NDArray[np.float64]

DESCRIPTION = "binary.json"
OURS = "spikedaq.json"
OURS_FORMAT, OURS_VERSION = "spikedaq binary", 1


class BinarySegment:
    """One raw file: frames one after the other, or channel by channel.

    Attributes
    ----------
    path : Path
    n_frames : int
    t_start_s : float
    boot_id, first_step : int
        0 where the folder does not say.
    is_even : bool
        Times are ``t_start_s + k / sampling_frequency``; else the file of times tells.
    """

    def __init__(
        self,
        path: Path,
        dtype: np.dtype[Any],
        n_channels: int,
        *,
        offset: int,
        time_axis: int,
        rate_hz: float,
        t_start_s: float,
        times: Path | None,
    ) -> None:
        self.path = path
        self.dtype = dtype
        self.boot_id = 0
        self.first_step = 0
        self.t_start_s = t_start_s
        self._n_channels, self._offset, self._time_axis = n_channels, offset, time_axis
        self._rate_hz, self._times = rate_hz, times
        n_bytes = _size(path) - offset
        self.n_frames = max(n_bytes, 0) // (dtype.itemsize * n_channels)
        self.rest = max(n_bytes, 0) % (dtype.itemsize * n_channels)
        self.is_even = times is None
        if times is not None:
            n_times = len(self._time_map(times))
            if n_times < self.n_frames:
                raise StoreError(f"{times} has {n_times} times and {path.name} {self.n_frames} frames; copy both again")
            if self.n_frames:
                self.t_start_s = float(self.times_s(0, 1)[0])

    def read(self, start: int, stop: int, columns: Sequence[int] | None = None) -> npt.NDArray[Any]:
        """Return raw values, an array of the file's dtype, shape (stop - start, n_columns)."""
        wanted: Any = slice(None) if columns is None else list(columns)
        if not self.n_frames:
            return np.empty((0, self._n_channels), self.dtype)[:, wanted]
        shape = (self.n_frames, self._n_channels)
        try:
            mapped: Any = np.memmap(
                self.path, self.dtype, "r", self._offset, shape if self._time_axis == 0 else shape[::-1]
            )
        except (OSError, ValueError) as error:
            raise StoreError(f"cannot read {self.path}: {error}; was it changed since it was opened?") from error
        mapped = mapped if self._time_axis == 0 else mapped.T
        return np.array(mapped[start:stop, wanted], order="C")

    def times_s(self, start: int, stop: int) -> FloatArray:
        """Return the frames' times in seconds, float64 array, shape (stop - start,)."""
        if self._times is None:
            return self.t_start_s + np.arange(start, stop) / self._rate_hz
        return np.array(self._time_map(self._times)[start:stop], dtype=np.float64)

    def _time_map(self, path: Path) -> Any:
        try:
            if path.suffix == ".npy":  # before 0.105
                return np.load(path, mmap_mode="r", allow_pickle=False)
            return np.memmap(path, "<f8", "r") if _size(path) else np.empty(0)
        except (OSError, ValueError) as error:
            raise StoreError(f"cannot read {path}: {error}; copy it again") from error


@dataclass(frozen=True, slots=True, eq=False)
class BinaryFolder:
    """What a binary folder says.

    Attributes
    ----------
    path : Path
    segments : tuple of BinarySegment
    channel_ids : tuple of int or str
    sampling_frequency : float
    dtype : numpy dtype
    properties : map of str to array, shape (n_channels, ...)
        Gains and offsets to microvolts are among them.
    annotations : map
    probe : map or None
        The dict form of a probeinterface ProbeGroup.
    ours : map
        What spikedaq wrote beside it, empty where it did not write the folder.
    flags : tuple of str
    """

    path: Path
    segments: tuple[BinarySegment, ...]
    channel_ids: tuple[int | str, ...]
    sampling_frequency: float
    dtype: np.dtype[Any]
    properties: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    annotations: dict[str, Any] = field(default_factory=dict)
    probe: dict[str, Any] | None = None
    ours: dict[str, Any] = field(default_factory=dict)
    flags: tuple[str, ...] = ()


def is_binary_folder(path: Path) -> bool:
    """Tell whether a folder is one of these."""
    return (path / DESCRIPTION).is_file()


def read_binary_folder(path: Path) -> BinaryFolder:
    """Read what a binary folder says; no sample is read.

    Raises
    ------
    StoreError
        A file of it is missing, damaged, or says what cannot be.
    """
    path = Path(path)
    document = read_json(path / DESCRIPTION)
    kwargs = document.get("kwargs")
    if not isinstance(kwargs, dict) or not str(document.get("class", "")).endswith(
        ("BinaryRecordingExtractor", "BinDatRecordingExtractor")
    ):
        _refuse(path / DESCRIPTION, "it does not describe a binary recording")
    flags: list[str] = []
    try:
        dtype = np.dtype(kwargs["dtype"])
        n_channels = int(kwargs["num_channels"] if "num_channels" in kwargs else kwargs["num_chan"])
        rate_hz = float(kwargs["sampling_frequency"])
        if dtype.kind not in "iuf" or n_channels < 1 or not rate_hz > 0:
            _refuse(path / DESCRIPTION, f"dtype {dtype}, {n_channels} channels, {rate_hz} Hz cannot be")
        files = _paths(path, kwargs["file_paths"])
        ids = kwargs.get("channel_ids")
        channel_ids = tuple(range(n_channels) if ids is None else ids)
        t_starts = kwargs.get("t_starts") or [None] * len(files)
        listed_times = kwargs.get("file_timestamps_paths")
        times = [_times_of(path, k) for k in range(len(files))] if listed_times is None else _paths(path, listed_times)
        segments = tuple(
            BinarySegment(
                file,
                dtype,
                n_channels,
                offset=int(kwargs.get("file_offset") or 0),
                time_axis=int(kwargs.get("time_axis") or 0),
                rate_hz=rate_hz,
                t_start_s=float(t_start or 0.0),
                times=time,
            )
            for file, t_start, time in zip(files, t_starts, times, strict=True)
        )
    except (KeyError, TypeError, ValueError) as error:
        what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        _refuse(path / DESCRIPTION, what, error)
    if len(set(channel_ids)) != n_channels or not all(isinstance(each, int | str) for each in channel_ids):
        _refuse(path / DESCRIPTION, f"{n_channels} channels cannot be called {', '.join(map(repr, channel_ids))}")
    flags += [
        f"{segment.path.name} ends within a frame: its last {segment.rest} bytes are left out"
        for segment in segments
        if segment.rest
    ]
    properties = read_properties(path / "properties", n_channels, flags)
    for name in ("gain_to_uV", "offset_to_uV"):
        if name not in properties and kwargs.get(name) is not None:
            properties[name] = np.broadcast_to(np.asarray(kwargs[name], dtype=np.float64), (n_channels,)).copy()
    return BinaryFolder(
        path,
        segments,
        channel_ids,
        rate_hz,
        dtype,
        properties,
        read_annotations(path),
        read_probe(path),
        _ours(path, segments),
        tuple(flags),
    )


def _paths(folder: Path, named: Any) -> list[Path]:
    names = named if isinstance(named, list) else [named]
    # Written on Windows, a relative path has backslashes; joining keeps absolute ones as they are.
    return [folder / (str(name) if Path(str(name)).is_absolute() else str(name).replace("\\", "/")) for name in names]


def _times_of(folder: Path, segment: int) -> Path | None:
    path = folder / f"times_cached_seg{segment}.npy"
    return path if path.is_file() else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}; copy the whole folder, with its raw files") from error


def _ours(folder: Path, segments: Sequence[BinarySegment]) -> dict[str, Any]:
    path = folder / OURS
    if not path.is_file():
        return {}
    found = read_json(path)
    if found.get("format") != OURS_FORMAT:
        _refuse(path, f"its format is {found.get('format')!r}, and should be {OURS_FORMAT!r}")
    if not isinstance(found.get("format_version"), int) or found["format_version"] > OURS_VERSION:
        raise StoreError(f"{path} is of a later version of spikedaq ({found.get('format_version')}); update spikedaq")
    rows = found.get("segments")
    if not isinstance(rows, list) or len(rows) != len(segments):
        _refuse(path, f"it does not describe {len(segments)} segments")
    for segment, row in zip(segments, rows, strict=True):
        n_frames = row.get("n_frames") if isinstance(row, dict) else None
        if n_frames != segment.n_frames:
            raise StoreError(
                f"{segment.path} has {segment.n_frames} frames, and {n_frames} by {OURS}; it was cut off, copy it again"
            )
        segment.boot_id, segment.first_step = int(row.get("boot_id", 0)), int(row.get("first_step", 0))
    return found


def _refuse(path: Path, what: str, error: Exception | None = None) -> NoReturn:
    raise StoreError(f"{path}: {what}; copy the folder again, or save it again") from error
