"""A recording as one NWB file, written by PyNWB piece by piece: a series per channel, gaps as invalid times."""

from __future__ import annotations

import json
import re
import uuid
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from spikedaq.formats.output import made_whole
from spikedaq.model import ConfigError, require
from spikedaq.recording.dumping import plain_properties
from spikedaq.recording.saving.copying import Progress
from spikedaq.recording.saving.saved import MICROVOLTS, all_annotations, described
from spikedaq.store import new_file

if TYPE_CHECKING:
    from spikedaq.recording.recording import Recording
    from spikedaq.recording.segments import Channel

_CHUNK_FRAMES = 1 << 15
_PIECE_FRAMES = 1 << 17
"""Frames of one channel in memory at a time: whole chunks."""
_LARGEST_FACTOR = (1 << 15) - 1
"""Times an int16 it still fits an int32."""
_POWERS = (1.0, 1e-3, 1e-6, 1e-9)
_NO_INSTANT = "When it was recorded is not known: session_start_time is when this file was made."


def save_nwb(
    recording: Recording,
    path: Path,
    *,
    n_jobs: int = 1,
    progress: Progress | None = None,
    overwrite: bool = False,
) -> Path:
    """Write an NWB file; see `Recording.save`. One process writes, whatever ``n_jobs`` is.

    Values in units are kept. Raw numbers are multiplied so that ``conversion`` is a power of 1000, which Neo insists
    on, where they are integers and the scale allows it.

    Raises
    ------
    ConfigError
        Segments that overlap in time, or are not in its order: NWB has one row of times.
    """
    del n_jobs
    pynwb = require("pynwb", "nwb")
    if path.suffix != ".nwb":
        raise ConfigError(f"{path} does not end in .nwb; readers of NWB want that")
    _check_order(recording)
    with made_whole(path, overwrite=overwrite) as partial, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*file path provided.*")  # the temporary name
        warnings.filterwarnings("ignore", message=".*does not end.*nwb.*")
        file = _described(recording, pynwb)
        _add_series(recording, file, pynwb, _Counted(recording, progress))
        _add_gaps(recording, file)
        with new_file(partial) as target, pynwb.NWBHDF5IO(file=target, mode="a") as io:
            io.write(file)
    return path


class _Counted:
    """Counts values of all channels as frames of the whole."""

    def __init__(self, recording: Recording, progress: Progress | None) -> None:
        self._total = recording.num_frames
        self._columns = recording.num_channels + 1  # and the times
        self._progress = progress
        self._values = 0

    def __call__(self, n: int) -> None:
        self._values += n
        if self._progress is not None:
            self._progress(min(self._values // self._columns, self._total), self._total)


def _check_order(recording: Recording) -> None:
    for k, (one, other) in enumerate(pairwise(recording.segments)):
        n = one.n_frames
        if n and float(one.times_s(n - 1, n)[0]) >= other.t_start_s:
            raise ConfigError(
                f"{recording.name}: segment {k + 1} begins before segment {k} ends, and NWB has one row of times; "
                "save as binary or zarr, give other starts, or save the segments apart"
            )


def _described(recording: Recording, pynwb: Any) -> Any:
    reference = recording.reference_utc_ns
    start = (
        datetime.now(UTC)
        if reference is None
        else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=reference // 1000)
    )
    notes = [*recording.flags, *(_NO_INSTANT for _ in range(reference is None))]
    device = recording.device or recording.name
    file = pynwb.NWBFile(
        session_description=f"Recording {recording.name}, saved by spikedaq.",
        identifier=f"{recording.name}/{uuid.uuid4()}",
        session_start_time=start,
        session_id=recording.session or recording.name,
        experiment_description="Recording of a Spikeling, an electronic model neuron, or of what is like it.",
        experimenter=["Unknown, Experimenter"],
        institution="not stated",
        lab="not stated",
        data_collection=json.dumps(_itself(recording)),
        notes="\n\n".join(notes) or None,
    )
    info = recording.device_info
    board = (
        f"Spikeling board {info.board}, firmware {info.firmware_version}" if info else "What recorded it is not known."
    )
    file.create_device(name=_name(device), description=board)
    file.subject = pynwb.file.Subject(
        subject_id=f"spikeling-{info.unique_id}" if info else "unknown",
        description="A Spikeling: an electronic model neuron, no animal." if info else "Not known.",
        species="http://purl.obolibrary.org/obo/NCBITaxon_32644",  # unidentified
        sex="U",
        age="P0D",
    )
    return file


def _itself(recording: Recording) -> dict[str, Any]:
    """Return what is needed to read it as it was."""
    return {
        **described(recording),
        "channel_ids": list(recording.channel_ids),
        "series": [_name(str(one)) for one in recording.channel_ids],
        "factors": [_Form(channel, recording.dtype).factor for channel in recording.channels],
        "dtype": recording.dtype.newbyteorder("<").str,
        "fs_hz": float(recording.sampling_frequency),
        "properties": plain_properties(recording),
        "probe": recording.probe,
        "all_annotations": all_annotations(recording),
    }


def _add_series(recording: Recording, file: Any, pynwb: Any, counted: _Counted) -> None:
    iterator = _iterator_class(require("hdmf.data_utils", "nwb"))
    packed = require("hdmf.backends.hdf5.h5_utils", "nwb").H5DataIO
    first: Any = None
    only = recording.segments[0] if recording.num_segments == 1 and recording.segments[0].is_even else None
    electrode: Any = None
    for channel, one in zip(recording.channels, recording.channel_ids, strict=True):
        form = _Form(channel, recording.dtype)
        data = iterator(_pieces(recording, one, form), form.dtype, recording.num_frames, counted)
        times: dict[str, Any]
        if only is not None:
            times = {"rate": recording.sampling_frequency, "starting_time": only.t_start_s}
        elif first is not None:
            times = {"timestamps": first}
        else:
            seconds = iterator(_times(recording), np.dtype(np.float64), recording.num_frames, counted)
            times = {"timestamps": packed(seconds, compression="gzip", compression_opts=1, shuffle=True)}
        kind, special = pynwb.TimeSeries, {"unit": form.unit}
        if channel.name == "vm" and form.unit == "volts" and recording.device is not None:
            electrode = electrode or _electrode(recording, file)
            kind, special = pynwb.icephys.CurrentClampSeries, {"electrode": electrode, "stimulus_description": "N/A"}
        series = kind(
            name=_name(str(one)),
            description=f"Channel {channel.name}, in {channel.unit or 'no unit'}.",
            data=packed(data, compression="gzip", compression_opts=1, shuffle=True),
            conversion=form.conversion,
            offset=form.offset,
            **special,
            **times,
        )
        file.add_acquisition(series)
        first = first or series


def _electrode(recording: Recording, file: Any) -> Any:
    info = recording.device_info
    return file.create_icephys_electrode(
        name="electrode",
        description="None: the membrane potential is computed by the board.",
        device=next(iter(file.devices.values())),
        cell_id=f"{recording.device}-{info.unique_id}" if info else str(recording.device),
    )


def _add_gaps(recording: Recording, file: Any) -> None:
    causes = [(stored.start_s, stored.stop_s, str(stored.gap.cause)) for stored in recording.gaps]
    for one, other in pairwise(recording.segments):
        start_s, stop_s = one.t_stop_s, other.t_start_s
        if stop_s <= start_s:
            continue
        near = [cause for a, b, cause in causes if a < stop_s and b > start_s]
        file.add_invalid_time_interval(start_time=start_s, stop_time=stop_s, tags=near or ["unknown"])


class _Form:
    """How a channel is stored: its values times an integer, so that ``conversion`` is a power of 1000."""

    def __init__(self, channel: Channel, dtype: np.dtype[Any]) -> None:
        per_volt = MICROVOLTS.get(channel.unit)
        to_si = 1.0 if per_volt is None else per_volt * 1e-6
        self.unit = "volts" if per_volt is not None else (channel.unit or "n.a.")
        self.conversion, self.offset = channel.scale * to_si, channel.offset * to_si
        self.factor, self.dtype = 1, dtype.newbyteorder("=")
        if dtype.kind not in "iu" or dtype.itemsize > 2 or channel.offset:
            return
        for power in _POWERS:
            factor = round(self.conversion / power)
            if 0 < factor <= _LARGEST_FACTOR and abs(self.conversion / power - factor) < 1e-9 * factor:
                self.conversion, self.factor = power, factor
                self.dtype = self.dtype if factor == 1 else np.dtype(np.int32)
                return

    def apply(self, raw: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return raw values as they are stored."""
        stored = raw.astype(self.dtype)
        return stored if self.factor == 1 else stored * self.dtype.type(self.factor)


def _pieces(recording: Recording, channel: int | str, form: _Form) -> Iterator[npt.NDArray[Any]]:
    for _, _, raw in recording.pieces(_PIECE_FRAMES, [channel]):
        yield form.apply(raw[:, 0])


def _times(recording: Recording) -> Iterator[npt.NDArray[np.float64]]:
    n = _PIECE_FRAMES
    for segment in recording.segments:
        for start in range(0, segment.n_frames, n):
            yield segment.times_s(start, min(start + n, segment.n_frames))


def _iterator_class(data_utils: Any) -> Any:
    """Return the class by which PyNWB takes arrays one after the other; made here, as its base may be absent."""

    class Pieces(data_utils.AbstractDataChunkIterator):  # type: ignore[misc]
        """Arrays that follow one another, shape (n,) each."""

        def __init__(self, pieces: Iterator[npt.NDArray[Any]], dtype: Any, n_frames: int, counted: _Counted) -> None:
            self._pieces, self._dtype, self._n, self._counted = pieces, dtype, n_frames, counted
            self._at = 0

        def __iter__(self) -> Any:
            return self

        def __next__(self) -> Any:
            data = next(self._pieces)
            start, self._at = self._at, self._at + len(data)
            self._counted(len(data))
            return data_utils.DataChunk(data=data, selection=np.s_[start : self._at])

        def recommended_chunk_shape(self) -> tuple[int]:
            return (min(_CHUNK_FRAMES, self._n),)

        def recommended_data_shape(self) -> tuple[int]:
            return (self._n,)

        @property
        def dtype(self) -> Any:
            return self._dtype

        @property
        def maxshape(self) -> tuple[int]:
            return (self._n,)

    return Pieces


def _name(text: str) -> str:
    """Return a name that HDF5 and NWB take."""
    return re.sub(r"[/:\0]", "_", text) or "channel"
