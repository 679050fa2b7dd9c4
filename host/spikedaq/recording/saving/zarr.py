"""A recording as a Zarr folder in SpikeInterface's layout, which its `load` reads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from spikedaq.formats.output import folder_made_whole
from spikedaq.model import ConfigError, require
from spikedaq.recording.saving.copying import Progress, copy_all
from spikedaq.recording.saving.saved import all_annotations, derived_properties, described
from spikedaq.recording.sources.zarr import OURS

if TYPE_CHECKING:
    from spikedaq.recording.recording import Recording

_OPENER = "spikedaq.recording.saving.zarr:ZarrWriter"
_CHUNK_S = 10.0
"""A chunk is one file: a day with times is 17 000 of them."""
_FILES = re.compile(r"\.z(attrs|group|metadata)|channel_ids|t_starts|properties|(traces|times)_seg\d+")


class ZarrWriter:
    """Puts samples into the arrays of a Zarr folder; each piece has to be whole chunks.

    Parameters
    ----------
    spec : dict
        ``folder``.
    """

    def __init__(self, spec: dict[str, Any]) -> None:
        self._root = require("zarr", "zarr").open_group(spec["folder"], mode="r+")

    def write(
        self, segment: int, start: int, traces: npt.NDArray[Any], times_s: npt.NDArray[np.float64] | None
    ) -> None:
        """Put samples, shape (n, n_channels), and their times where they are kept."""
        array = self._root[f"traces_seg{segment}"]
        if start % array.chunks[0]:
            raise ConfigError(
                f"{array.path}: a piece begins within a chunk, at {start}, which two processes would write"
            )
        array[start : start + len(traces)] = traces
        if times_s is not None:
            self._root[f"times_seg{segment}"][start : start + len(times_s)] = times_s

    def close(self) -> None:
        """Nothing is held back."""


def save_zarr(
    recording: Recording,
    folder: Path,
    *,
    n_jobs: int = 1,
    progress: Progress | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a Zarr folder; see `Recording.save`. Its name ends in ``.zarr``, which is added."""
    zarr = require("zarr", "zarr")
    folder = folder if folder.suffix == ".zarr" else folder.with_name(folder.name + ".zarr")
    with folder_made_whole(folder, overwrite=overwrite, is_ours=is_ours) as partial:
        with_times = not all(segment.is_even for segment in recording.segments)
        root = zarr.open_group(str(partial), mode="w")
        chunk = max(int(_CHUNK_S * recording.sampling_frequency), 1000)
        for k, segment in enumerate(recording.segments):
            shape = (segment.n_frames, recording.num_channels)
            root.create_dataset(
                f"traces_seg{k}",
                shape=shape,
                chunks=(min(chunk, shape[0]), shape[1]),
                dtype=recording.dtype,
                compressor=_compressor(recording.dtype.itemsize),
            )
            if with_times:
                root.create_dataset(
                    f"times_seg{k}",
                    shape=shape[:1],
                    chunks=(min(chunk, shape[0]),),
                    dtype="f8",
                    compressor=_compressor(8),
                )
        spec = {"folder": str(partial)}
        copy_all(
            recording,
            _OPENER,
            spec,
            lambda: ZarrWriter(spec),
            with_times=with_times,
            n_jobs=n_jobs,
            multiple=chunk,
            progress=progress,
        )
        _describe(recording, root, with_times=with_times)
        zarr.consolidate_metadata(str(partial))
    return folder


def is_ours(name: str) -> bool:
    """Tell whether a file or folder of that name may lie in a Zarr folder that is replaced."""
    return _FILES.fullmatch(name) is not None


def _compressor(n_bytes: int) -> Any:
    blosc = require("numcodecs", "zarr").Blosc
    # As SpikeInterface does it for samples; times are floats, of which whole bytes repeat.
    return blosc(cname="zstd", clevel=5, shuffle=blosc.BITSHUFFLE if n_bytes <= 4 else blosc.SHUFFLE)


def _describe(recording: Recording, root: Any, *, with_times: bool) -> None:
    root.attrs["zarr_class_info"] = {
        "class": "spikeinterface.core.zarrextractors.ZarrRecordingExtractor",
        "module": "spikeinterface",
        "version": "0.105.0",
    }
    root.attrs["provenance"] = None
    root.attrs["sampling_frequency"] = float(recording.sampling_frequency)
    root.attrs["num_segments"] = recording.num_segments
    root.create_dataset("channel_ids", data=np.array(recording.channel_ids), compressor=None)
    if not with_times:
        root.create_dataset("t_starts", data=np.array([s.t_start_s for s in recording.segments]), compressor=None)
    if recording.probe is not None:
        root.attrs["probegroup"] = recording.probe
    properties = root.create_group("properties")
    for key, values in derived_properties(recording).items():
        properties.create_dataset(key, data=values, compressor=None)
    root.attrs["annotations"] = all_annotations(recording)
    root.attrs[OURS] = described(recording)
