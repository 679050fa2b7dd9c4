"""NWB files that `save` or somebody else wrote, as recordings: series of ``/acquisition`` that share their times."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.formats.s3 import place_of
from spikedaq.model import StoreError
from spikedaq.recording.recording import Recording
from spikedaq.recording.saving.saved import FORMAT, Saved, check_described, refuse, refusing
from spikedaq.recording.segments import FloatArray, Segment
from spikedaq.store import SeriesFile, SeriesInfo

_PIECE = 1 << 20
_MAX_SEGMENTS = 10_000
_JUMP = 1.5
"""Periods without a sample that are a gap."""


class SeriesSegment(Segment):
    """Samples of several series that share their times.

    Parameters
    ----------
    file : SeriesFile
    series : sequence of SeriesInfo
        A series of several columns stands for as many channels.
    factors : sequence of int
        What the stored values of each channel are the raw ones times of.
    dtype : numpy dtype
    first, n_frames : int
        Where it is in the series.
    fs_hz : float
    """

    def __init__(
        self,
        file: SeriesFile,
        series: Sequence[SeriesInfo],
        factors: Sequence[int],
        dtype: np.dtype[Any],
        *,
        first: int,
        n_frames: int,
        fs_hz: float,
    ) -> None:
        self._file, self._series, self._factors, self._dtype = file, tuple(series), tuple(factors), dtype
        self._first, self._n = first, n_frames
        self.fs_hz = fs_hz
        self._places = [(one, k) for one in series for k in range(one.n_columns)]

    @property
    def n_frames(self) -> int:
        """Number of samples."""
        return self._n

    @property
    def t_start_s(self) -> float:
        """Time of its first sample, in seconds."""
        start_s = self._series[0].start_s
        if start_s is not None:
            return start_s + self._first / self.fs_hz
        return float(self._file.times_s(self._series[0].name, self._first, self._first + 1)[0]) if self._n else 0.0

    @property
    def is_even(self) -> bool:
        """Whether its times follow from the first one."""
        return self._series[0].start_s is not None

    def read(self, start: int, stop: int, columns: Sequence[int] | None = None) -> npt.NDArray[Any]:
        """Return raw samples, shape (stop - start, n_columns)."""
        wanted = range(len(self._places)) if columns is None else columns
        found = np.empty((stop - start, len(wanted)), self._dtype)
        known: dict[str, npt.NDArray[Any]] = {}
        for at, k in enumerate(wanted):
            one, column = self._places[k]
            if one.name not in known:
                known[one.name] = self._file.samples(one.name, self._first + start, self._first + stop)
            stored = known[one.name][:, column]
            found[:, at] = stored if self._factors[k] == 1 else stored // self._factors[k]
        return found

    def times_s(self, start: int, stop: int) -> FloatArray:
        """Return the samples' times, in seconds."""
        if self.is_even:
            return super().times_s(start, stop)
        return self._file.times_s(self._series[0].name, self._first + start, self._first + stop)


def open_nwb(given: str) -> Recording | None:
    """Return an NWB file as a recording; None where it is none, or one that was recorded by spikedaq.

    Raises
    ------
    StoreError
        It has no series of samples, or is damaged.
    """
    path = place_of(given)
    if path.suffix != ".nwb" or not path.is_file():
        return None
    try:
        file = SeriesFile(path)
    except StoreError:
        return None  # whoever opens it as a recording says what is wrong
    if file.is_recorded:
        file.close()
        return None
    try:
        with refusing(path):
            saved = _ours(file) if file.description.get("format") == FORMAT else _foreign(file)
            recording = saved.recording()
    except StoreError:
        file.close()
        raise
    if not saved.ours:
        recording.source.reference_utc_ns = _utc_ns(file.start_time)
    return recording


def _ours(file: SeriesFile) -> Saved:
    known = file.description
    by_name = {one.name: one for one in file.series}
    series = [by_name[name] for name in known["series"]]
    dtype = np.dtype(known["dtype"])
    counts = [int(row["n_frames"]) for row in known["segments"]]
    if sum(counts) != series[0].n_frames or any(one.n_frames != series[0].n_frames for one in series):
        refuse(file.path, f"it has {series[0].n_frames} samples and should have {sum(counts)}: it was cut off")
    factors = known["factors"]
    if len(factors) != len(series) or not all(isinstance(one, int) and one > 0 for one in factors):
        refuse(file.path, f"its factors cannot be {str(factors)[:40]} for {len(series)} series")
    firsts = np.cumsum([0, *counts]).tolist()
    segments = tuple(
        SeriesSegment(file, series, factors, dtype, first=first, n_frames=n, fs_hz=known["fs_hz"])
        for first, n in zip(firsts, counts, strict=False)
    )
    return Saved(
        path=file.path,
        opened=_opened(file),
        segments=segments,
        channel_ids=tuple(known["channel_ids"]),
        fs_hz=float(known["fs_hz"]),
        dtype=dtype,
        properties={
            key: np.array(values["values"], dtype=np.dtype(values["dtype"]))
            for key, values in known["properties"].items()
        },
        annotations=known["all_annotations"],
        probe=known["probe"],
        ours=check_described(file.path, known, counts),
    )


def _foreign(file: SeriesFile) -> Saved:
    """Take the series that share times with the one of most channels."""
    filled = [one for one in file.series if one.n_frames]
    if not filled:
        raise StoreError(
            f"{file.path} has no series of samples in /acquisition; is it a file of spikes? Load it as such"
        )

    def clock(one: SeriesInfo) -> tuple[Any, ...]:
        return (one.n_frames, one.times_at, one.start_s, one.fs_hz)

    clocks: dict[tuple[Any, ...], list[SeriesInfo]] = {}
    for one in filled:
        clocks.setdefault(clock(one), []).append(one)
    series = max(clocks.values(), key=lambda some: sum(one.n_columns for one in some))
    left = [one.name for one in file.series if one not in series]
    flags = [f"left out, since their times are others: {', '.join(left)}"] if left else []
    fs_hz, parts = _parts(file, series[0], flags)
    dtype = np.result_type(*(one.dtype for one in series))
    ids, units, gains, offsets = [], [], [], []
    for one in series:
        for k in range(one.n_columns):
            ids.append(one.name if one.n_columns == 1 else f"{one.name}:{k}")
            to_mv = 1e3 if one.unit in ("volts", "V") else 1.0
            units.append("mV" if to_mv != 1.0 else one.unit)
            gains.append(one.conversion * (one.column_conversions[k] if one.column_conversions else 1.0) * to_mv)
            offsets.append(one.offset * to_mv)
    segments = tuple(
        SeriesSegment(file, series, [1] * len(ids), dtype, first=first, n_frames=n, fs_hz=fs_hz) for first, n in parts
    )
    properties = {
        "physical_unit": np.array(units),
        "gain_to_physical_unit": np.array(gains),
        "offset_to_physical_unit": np.array(offsets),
    }
    return Saved(file.path, _opened(file), segments, tuple(ids), fs_hz, dtype, properties, flags=tuple(flags))


def _parts(file: SeriesFile, series: SeriesInfo, flags: list[str]) -> tuple[float, list[tuple[int, int]]]:
    """Return the rate, and first sample and length of each stretch without a gap."""
    n = series.n_frames
    if series.fs_hz is not None:
        return series.fs_hz, [(0, n)]
    period, last, starts = 0.0, np.nan, [0]
    for start in range(0, n, _PIECE):
        times = file.times_s(series.name, start, min(start + _PIECE, n))
        gaps = np.diff(times, prepend=last)[0 if start else 1 :]
        if not period and len(gaps):
            period = float(np.median(gaps))
        if not (gaps > 0).all():
            raise StoreError(f"{file.path}: the times of {series.name} do not rise; its producer has to mend it")
        starts += (start + (not start) + np.flatnonzero(gaps > _JUMP * period)).tolist()
        last = times[-1]
        if len(starts) > _MAX_SEGMENTS:
            flags.append("its samples are not evenly spaced; they are taken for neighbours")
            starts = [0]
            break
    ends = [*starts[1:], n]
    return (1 / period if period else 1.0), [(a, b - a) for a, b in zip(starts, ends, strict=True)]


def _opened(file: SeriesFile) -> dict[str, Any]:
    return {"kind": "nwb", "path": str(file.path.absolute())}


def _utc_ns(text: str) -> int | None:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    seconds = when.replace(tzinfo=when.tzinfo or UTC).timestamp()
    return round(seconds * 1e6) * 1000
