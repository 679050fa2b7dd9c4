"""A recording as a table of pandas or a dataset of xarray, with units, where it fits into memory."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.model import StoreError, require
from spikedaq.recording.recording import Recording
from spikedaq.recording.summary import utc_text

USED_OF_FREE = 0.5
"""Share of the free memory that is taken; the rest is for what is computed from it."""


def to_dataframe(recording: Recording, *, return_in_units: bool = True, max_bytes: int | None = None) -> Any:
    """Return all samples as a pandas DataFrame.

    Parameters
    ----------
    recording : Recording
    return_in_units : bool
        Values in the channels' units, float64; else raw ones.
    max_bytes : int, optional
        Most memory that it may take. Default: half of what is free.

    Returns
    -------
    pandas.DataFrame
        Index ``time_s`` (float64, seconds since the reference time), column ``segment`` (int32), then one column for
        each channel id. ``attrs`` has ``units`` by channel, ``sampling_frequency_hz``, ``reference_utc`` and more.

    Raises
    ------
    MissingExtraError
        pandas is not installed.
    StoreError
        It would not fit into memory, or a file cannot be read.
    """
    pandas = require("pandas", "analysis")
    times_s, segment, values = _gathered(recording, in_units=return_in_units, max_bytes=max_bytes)
    frame = pandas.DataFrame(values.T, columns=list(recording.channel_ids), copy=False)
    frame.index = pandas.Index(times_s, name="time_s", copy=False)
    frame.insert(0, "segment", segment)
    frame.attrs.update(_described(recording))
    units = [channel.unit if return_in_units else "" for channel in recording.channels]
    frame.attrs["units"] = dict(zip(recording.channel_ids, units, strict=True))
    return frame


def to_xarray(recording: Recording, *, return_in_units: bool = True, max_bytes: int | None = None) -> Any:
    """Return all samples as an xarray Dataset.

    Parameters
    ----------
    recording, return_in_units, max_bytes
        As `to_dataframe` has them.

    Returns
    -------
    xarray.Dataset
        One variable for each channel id, along ``time_s`` (float64, seconds since the reference time), with the
        coordinate ``segment`` (int32). A variable's attributes are its ``units``, its ``long_name`` and its properties
        that are single values; with raw values also ``scale`` and ``offset``.

    Raises
    ------
    MissingExtraError
        xarray is not installed.
    StoreError
        It would not fit into memory, or a file cannot be read.
    """
    xarray = require("xarray", "analysis")
    times_s, segment, values = _gathered(recording, in_units=return_in_units, max_bytes=max_bytes)
    variables = {}
    for k, (one, channel) in enumerate(zip(recording.channel_ids, recording.channels, strict=True)):
        attributes: dict[str, Any] = {"long_name": channel.name, "units": channel.unit}
        if not return_in_units:
            attributes |= {"scale": channel.scale, "offset": channel.offset}
        for key, of_channels in recording.properties.items():
            if of_channels.ndim == 1:
                attributes.setdefault(key, of_channels[k].item())
        variables[one] = ("time_s", values[k], attributes)
    coordinates = {
        "time_s": ("time_s", times_s, {"long_name": "time since the reference", "unit": "s"}),
        "segment": ("time_s", segment),
    }
    return xarray.Dataset(variables, coordinates, {**recording.annotations, **_described(recording)})


def free_bytes() -> int | None:
    """Return how much memory programs can still take, None where the system does not say."""
    try:
        found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"))
        if found:
            return int(found[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _gathered(
    recording: Recording, *, in_units: bool, max_bytes: int | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32], npt.NDArray[Any]]:
    """Return times and segment of each sample, and values of shape (n_channels, n_frames), after a look at the size."""
    n, n_channels = recording.num_frames, recording.num_channels
    dtype = np.dtype(np.float64) if in_units else recording.dtype
    n_bytes = n * (8 + 4 + dtype.itemsize * n_channels)
    free = free_bytes()
    limit = max_bytes if max_bytes is not None else None if free is None else int(free * USED_OF_FREE)
    if limit is not None and n_bytes > limit:
        raise StoreError(
            f"{recording.name} would take {n_bytes / 1e9:.3g} GB of memory, and {limit / 1e9:.3g} GB are allowed; take "
            "a part with time_slice or channel_slice, go through it with pieces(), or write it with save(format='zarr')"
        )
    times_s, segment_of = np.empty(n), np.empty(n, np.int32)
    values = np.empty((n_channels, n), dtype)
    scales = np.array([channel.scale for channel in recording.channels])
    offsets = np.array([channel.offset for channel in recording.channels])
    at = 0
    for index, start, raw in recording.pieces():
        into = slice(at, at + len(raw))
        times_s[into] = recording.get_times(index, start, start + len(raw))
        segment_of[into] = index
        values[:, into] = (raw * scales + offsets).T if in_units else raw.T
        at += len(raw)
    return times_s, segment_of, values


def _described(recording: Recording) -> dict[str, Any]:
    """Return what is known of a recording as plain values."""
    described: dict[str, Any] = {"name": recording.name, "sampling_frequency_hz": recording.sampling_frequency}
    for key in ("session", "bench", "device"):
        if (value := getattr(recording, key)) is not None:
            described[key] = value
    if recording.reference_utc_ns is not None:
        described["reference_utc"] = utc_text(recording.reference_utc_ns)
    if recording.flags:
        described["flags"] = list(recording.flags)
    return described
