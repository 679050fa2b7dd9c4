"""Arrays in memory as what stands behind a recording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.model import ConfigError
from spikedaq.recording.segments import ArraySegment, Channel, FloatArray
from spikedaq.recording.sources.source import ArraySource


def array_source(
    traces_list: Sequence[npt.NDArray[Any]] | npt.NDArray[Any],
    sampling_frequency: float,
    *,
    channel_ids: Sequence[int | str] | None,
    channels: Sequence[Channel] | None,
    t_starts_s: Sequence[float] | None,
    times_s: Sequence[FloatArray] | None,
    name: str,
    reference_utc_ns: int | None,
) -> ArraySource:
    """Return what stands behind `Recording.from_numpy`, which has the arguments; ConfigError where they do not fit."""
    arrays = [traces_list] if isinstance(traces_list, np.ndarray) else [np.asarray(array) for array in traces_list]
    if not arrays:
        raise ConfigError("give an array for each segment, at least one")
    if not (np.isfinite(sampling_frequency) and sampling_frequency > 0):
        raise ConfigError(f"the sampling frequency is in Hz and above 0, not {sampling_frequency!r}")
    first = arrays[0]
    for k, array in enumerate(arrays):
        if array.ndim != 2:
            raise ConfigError(f"segment {k} has shape {array.shape}; give (n_frames, n_channels)")
        if array.shape[1] != first.shape[1] or array.dtype != first.dtype:
            raise ConfigError(
                f"segment {k} has {array.shape[1]} channels of {array.dtype}, "
                f"segment 0 has {first.shape[1]} of {first.dtype}"
            )
    if not np.issubdtype(first.dtype, np.number) or np.issubdtype(first.dtype, np.complexfloating):
        raise ConfigError(f"samples are whole or real numbers, not {first.dtype}")
    n = first.shape[1]
    ids = check_ids(channel_ids if channel_ids is not None else [c.name for c in channels] if channels else range(n), n)
    described = list(channels) if channels else [Channel(str(one), "") for one in ids]
    if len(described) != n:
        raise ConfigError(f"the arrays have {n} channels, and {len(described)} are described")
    starts = list(t_starts_s) if t_starts_s is not None else [0.0] * len(arrays)
    times = [None] * len(arrays) if times_s is None else [np.asarray(one, np.float64) for one in times_s]
    if len(starts) != len(arrays) or len(times) != len(arrays):
        raise ConfigError(f"there are {len(arrays)} segments: give a start, or an array of times, for each")
    for k, (array, one) in enumerate(zip(arrays, times, strict=True)):
        if one is not None and one.shape != (len(array),):
            raise ConfigError(f"segment {k} has {len(array)} samples and times of shape {one.shape}")
        if one is not None and not (np.isfinite(one).all() and (np.diff(one) > 0).all()):
            raise ConfigError(
                f"the times of segment {k} do not rise from one sample to the next, or are not all numbers"
            )
    segments = [
        ArraySegment(array, float(sampling_frequency), t_start_s=float(start), times_s=one)
        for array, start, one in zip(arrays, starts, times, strict=True)
    ]
    return ArraySource(
        segments,
        described,
        fs_hz=float(sampling_frequency),
        dtype=first.dtype,
        channel_ids=ids,
        name=name,
        reference_utc_ns=reference_utc_ns,
    )


def check_ids(channel_ids: Sequence[Any], n: int) -> tuple[int | str, ...]:
    """Return channel ids as plain values, after a look whether there is one for each channel, no two alike."""
    ids = tuple(one.item() if isinstance(one, np.generic) else one for one in channel_ids)
    if len(ids) != n:
        raise ConfigError(f"there are {n} channels and {len(ids)} channel ids")
    if any(isinstance(one, bool) or not isinstance(one, int | str) for one in ids):
        raise ConfigError("channel ids are whole numbers or texts")
    if len(set(ids)) != n:
        raise ConfigError("two channels have one id; give each its own")
    return ids
