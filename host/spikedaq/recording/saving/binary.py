"""A recording as a binary folder: one raw file per segment with JSON beside it, which SpikeInterface loads too."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from spikedaq.formats.output import folder_made_whole
from spikedaq.recording.saving.copying import Progress, copy_all
from spikedaq.recording.saving.saved import all_annotations, derived_properties, described
from spikedaq.recording.sources.binary import DESCRIPTION, OURS

if TYPE_CHECKING:
    from spikedaq.recording.recording import Recording

_OPENER = "spikedaq.recording.saving.binary:BinaryWriter"
_FORMAT_OF = "0.105.0"
"""The version of SpikeInterface whose folders these are; 0.101 reads them too."""
_FILES = re.compile(
    r"(binary|si_folder|annotations|probegroup|probe|provenance|spikedaq)\.json|properties"
    r"|(traces|times)_cached_seg\d+\.(raw|npy)"
)


class BinaryWriter:
    """Puts samples into raw files that have their length already.

    Parameters
    ----------
    spec : dict
        ``folder``, ``dtype``, ``n_channels``, and ``times_offset``: bytes before the times in each file of them.
    """

    def __init__(self, spec: dict[str, Any]) -> None:
        self._folder = Path(spec["folder"])
        self._dtype = np.dtype(spec["dtype"])
        self._frame_bytes = self._dtype.itemsize * spec["n_channels"]
        self._times_offset: list[int] = spec["times_offset"]
        self._opened: dict[str, BinaryIO] = {}

    def write(
        self, segment: int, start: int, traces: npt.NDArray[Any], times_s: npt.NDArray[np.float64] | None
    ) -> None:
        """Put samples, shape (n, n_channels), and their times where they are kept."""
        self._put(traces_name(segment), start * self._frame_bytes, np.ascontiguousarray(traces, self._dtype))
        if times_s is not None:
            offset = self._times_offset[segment] + start * 8
            self._put(times_name(segment), offset, np.ascontiguousarray(times_s, "<f8"))

    def close(self) -> None:
        """Let everything reach the disk."""
        for file in self._opened.values():
            with file:
                file.flush()
                os.fsync(file.fileno())
        self._opened.clear()

    def _put(self, name: str, offset: int, values: npt.NDArray[Any]) -> None:
        if name not in self._opened:
            self._opened[name] = (self._folder / name).open("r+b")
        self._opened[name].seek(offset)
        self._opened[name].write(values.tobytes())


def traces_name(segment: int) -> str:
    """Return the name of a segment's raw file."""
    return f"traces_cached_seg{segment}.raw"


def times_name(segment: int) -> str:
    """Return the name of the file of a segment's times; it has numpy's header, as every SpikeInterface reads it."""
    return f"times_cached_seg{segment}.npy"


def save_binary(
    recording: Recording,
    folder: Path,
    *,
    n_jobs: int = 1,
    progress: Progress | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a binary folder; see `Recording.save`. Times are kept where they are not evenly spaced."""
    with folder_made_whole(folder, overwrite=overwrite, is_ours=is_ours) as partial:
        with_times = not all(segment.is_even for segment in recording.segments)
        spec = {
            "folder": str(partial),
            "dtype": recording.dtype.newbyteorder("<").str,
            "n_channels": recording.num_channels,
            "times_offset": _make_files(recording, partial, with_times=with_times),
        }
        copy_all(
            recording,
            _OPENER,
            spec,
            lambda: BinaryWriter(spec),
            with_times=with_times,
            n_jobs=n_jobs,
            progress=progress,
        )
        _write_documents(recording, partial, str(spec["dtype"]), with_times=with_times)
    return folder


def is_ours(name: str) -> bool:
    """Tell whether a file or folder of that name may lie in a binary folder that is replaced."""
    return _FILES.fullmatch(name) is not None


def _make_files(recording: Recording, folder: Path, *, with_times: bool) -> list[int]:
    """Make files of full length, so that processes need not wait for one another; return where times begin."""
    offsets = []
    for k, segment in enumerate(recording.segments):
        n = segment.n_frames
        with (folder / traces_name(k)).open("xb") as file:
            file.truncate(n * recording.num_channels * recording.dtype.itemsize)
        if with_times:
            with (folder / times_name(k)).open("xb") as file:
                header = {"descr": "<f8", "fortran_order": False, "shape": (n,)}
                np.lib.format.write_array_header_1_0(file, header)
                offsets.append(file.tell())
                file.truncate(file.tell() + 8 * n)
    return offsets


def _write_documents(recording: Recording, folder: Path, dtype: str, *, with_times: bool) -> None:
    properties = derived_properties(recording)
    (folder / "properties").mkdir()
    for key, values in properties.items():
        np.save(folder / "properties" / f"{key}.npy", values, allow_pickle=False)
    annotations = all_annotations(recording)
    kwargs = {
        "file_paths": [traces_name(k) for k in range(recording.num_segments)],
        "sampling_frequency": float(recording.sampling_frequency),
        "t_starts": None if with_times else [float(segment.t_start_s) for segment in recording.segments],
        "num_channels": recording.num_channels,
        "dtype": dtype,
        "channel_ids": list(recording.channel_ids),
        "time_axis": 0,
        "file_offset": 0,
        # Among the properties: JSON has no NaN.
        "gain_to_uV": None,
        "offset_to_uV": None,
        "is_filtered": False,
    }
    core = "spikeinterface.core"
    binary = _extractor(f"{core}.binaryrecordingextractor.BinaryRecordingExtractor", kwargs)
    itself = _extractor(f"{core}.binaryfolder.BinaryFolderRecording", {"folder_path": "."})
    _put_json(folder / DESCRIPTION, binary)
    _put_json(folder / "si_folder.json", {**itself, "annotations": annotations})
    _put_json(folder / "annotations.json", annotations)
    if recording.probe is not None:
        _put_json(folder / "probegroup.json", recording.probe)
    _put_json(folder / OURS, described(recording))


def _extractor(name: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return what SpikeInterface's dump of an object says."""
    return {
        "class": name,
        "module": "spikeinterface",
        "version": _FORMAT_OF,
        "kwargs": kwargs,
        "annotations": {},
        "properties": {},
        "relative_paths": True,
    }


def _put_json(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", "utf-8")
