"""Binary folders: one raw file per segment with JSON beside it, as SpikeInterface 0.101 to 0.105 has them, and ours."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.formats.s3 import place_of, read_range
from spikedaq.model import StoreError
from spikedaq.recording.recording import Recording
from spikedaq.recording.saving.saved import Saved, check_described, refuse, refusing
from spikedaq.recording.segments import FloatArray, Segment
from spikedaq.recording.sources.binary_metadata import read_annotations, read_json, read_probe, read_properties

DESCRIPTION = "binary.json"
OURS = "spikedaq.json"
_HEADER_BYTES = 1 << 12
"""More than numpy's header of one row ever has."""


class BinarySegment(Segment):
    """One raw file: frames one after the other, or channel by channel.

    Parameters
    ----------
    path : Path
    dtype : numpy dtype
    n_channels : int
    offset : int
        Bytes before the first frame.
    time_axis : int
        1 where each channel's samples stand together.
    fs_hz : float
    t_start_s : float
    times : Path or None
        File of the frames' times, where they do not follow from the first one.
    """

    def __init__(
        self,
        path: Path,
        dtype: np.dtype[Any],
        n_channels: int,
        *,
        offset: int,
        time_axis: int,
        fs_hz: float,
        t_start_s: float,
        times: Path | None,
    ) -> None:
        self.path = path
        self.fs_hz = fs_hz
        self._dtype, self._n_channels, self._offset, self._time_axis = dtype, n_channels, offset, time_axis
        self._times = times
        self._n_frames, self.rest = divmod(max(_size(path) - offset, 0), dtype.itemsize * n_channels)
        self._t_start_s = t_start_s
        if times is not None:
            n_times = self._look_at_times(times)
            if n_times < self.n_frames:
                raise StoreError(f"{times} has {n_times} times and {path.name} {self.n_frames} frames; copy both again")
            if self.n_frames:
                self._t_start_s = float(self.times_s(0, 1)[0])

    @property
    def n_frames(self) -> int:
        """Number of whole frames."""
        return self._n_frames

    @property
    def t_start_s(self) -> float:
        """Time of its first frame, in seconds."""
        return self._t_start_s

    @property
    def is_even(self) -> bool:
        """Whether its times follow from the first one."""
        return self._times is None

    def read(self, start: int, stop: int, columns: Sequence[int] | None = None) -> npt.NDArray[Any]:
        """Return raw values, an array of the file's dtype, shape (stop - start, n_columns)."""
        wanted = range(self._n_channels) if columns is None else columns
        n, width = stop - start, self._dtype.itemsize
        if self._time_axis == 0:
            data = self._bytes(self.path, self._offset + start * self._n_channels * width, n * self._n_channels * width)
            frames = np.frombuffer(data, self._dtype).reshape(n, self._n_channels)
            return np.array(frames if columns is None else frames[:, list(wanted)], order="C")
        found = np.empty((n, len(wanted)), self._dtype)
        for at, k in enumerate(wanted):
            data = self._bytes(self.path, self._offset + (k * self._n_frames + start) * width, n * width)
            found[:, at] = np.frombuffer(data, self._dtype)
        return found

    def times_s(self, start: int, stop: int) -> FloatArray:
        """Return the frames' times in seconds, float64 array, shape (stop - start,)."""
        if self._times is None:
            return super().times_s(start, stop)
        return np.frombuffer(self._bytes(self._times, self._times_offset + 8 * start, 8 * (stop - start)), "<f8").copy()

    def _bytes(self, path: Path, offset: int, n_bytes: int) -> bytes:
        try:
            data = read_range(path, offset, n_bytes)
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror}; was it moved since it was opened?") from error
        if len(data) != n_bytes:
            raise StoreError(f"{path} is shorter than it was: it was changed since it was opened; open it again")
        return data

    def _look_at_times(self, path: Path) -> int:
        """Return how many times a file has, and note where they begin: at its first byte, or after numpy's header."""
        self._times_offset = 0
        if path.suffix == ".npy":  # before 0.105, and ours
            try:
                head = io.BytesIO(self._bytes(path, 0, min(_HEADER_BYTES, _size(path))))
                np.lib.format.read_magic(head)
                shape, _, dtype = np.lib.format.read_array_header_1_0(head)
            except ValueError as error:
                raise StoreError(f"{path} is no array of numpy ({error}); copy it again") from error
            if dtype != np.dtype("<f8") or len(shape) != 1:
                raise StoreError(f"{path} has {dtype} of shape {shape}, and times are a row of float64; copy it again")
            self._times_offset = head.tell()
        return (_size(path) - self._times_offset) // 8


def open_binary(given: str) -> Recording | None:
    """Return a binary folder as a recording; None where the path names none.

    Raises
    ------
    StoreError
        A file of it is missing, damaged, or says what cannot be.
    """
    path = place_of(given)
    if not (path / DESCRIPTION).is_file():
        return None
    with refusing(path / DESCRIPTION):
        return read_binary_folder(path).recording()


def read_binary_folder(path: Path) -> Saved:
    """Read what a binary folder says; no sample is read.

    Raises
    ------
    StoreError
        A file of it is missing, damaged, or says what cannot be.
    """
    document = read_json(path / DESCRIPTION)
    kwargs = document.get("kwargs")
    if not isinstance(kwargs, dict) or not str(document.get("class", "")).endswith(
        ("BinaryRecordingExtractor", "BinDatRecordingExtractor")
    ):
        refuse(path / DESCRIPTION, "it does not describe a binary recording")
    flags: list[str] = []
    try:
        dtype = np.dtype(kwargs["dtype"])
        n_channels = int(kwargs["num_channels"] if "num_channels" in kwargs else kwargs["num_chan"])
        fs_hz = float(kwargs["sampling_frequency"])
        if dtype.kind not in "iuf" or n_channels < 1 or not fs_hz > 0:
            refuse(path / DESCRIPTION, f"dtype {dtype}, {n_channels} channels, {fs_hz} Hz cannot be")
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
                fs_hz=fs_hz,
                t_start_s=float(t_start or 0.0),
                times=time,
            )
            for file, t_start, time in zip(files, t_starts, times, strict=True)
        )
    except (KeyError, TypeError, ValueError) as error:
        what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        refuse(path / DESCRIPTION, what, error)
    if len(set(channel_ids)) != n_channels or not all(isinstance(each, int | str) for each in channel_ids):
        refuse(path / DESCRIPTION, f"{n_channels} channels cannot be called {', '.join(map(repr, channel_ids))}")
    flags += [
        f"{segment.path.name} ends within a frame: its last {segment.rest} bytes are left out"
        for segment in segments
        if segment.rest
    ]
    properties = read_properties(path / "properties", n_channels, flags)
    for name in ("gain_to_uV", "offset_to_uV"):
        if name not in properties and kwargs.get(name) is not None:
            properties[name] = np.broadcast_to(np.asarray(kwargs[name], dtype=np.float64), (n_channels,)).copy()
    ours = read_json(path / OURS) if (path / OURS).is_file() else {}
    return Saved(
        path=path,
        opened={"kind": "binary", "path": str(path.absolute())},
        segments=segments,
        channel_ids=channel_ids,
        fs_hz=fs_hz,
        dtype=dtype,
        properties=properties,
        annotations=read_annotations(path),
        probe=read_probe(path),
        ours=check_described(path / OURS, ours, [segment.n_frames for segment in segments]),
        flags=tuple(flags),
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
