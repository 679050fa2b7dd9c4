"""Spikes found by threshold in raw traces of an HDF5 file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from spikedaq.analysis.crossings import Directions
from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.interchange.errors import ContentError
from spikedaq.interchange.hdf5_file import dataset_of, number_of, open_hdf5, values_of
from spikedaq.interchange.places import PathOrUrl, absolute, read_from
from spikedaq.interchange.times import checked_fs_hz


def load_spikedata_from_hdf5_raw_thresholded(
    filepath: PathOrUrl,
    dataset: str,
    *,
    fs_Hz: float,  # noqa: N803 - SpikeLab's name
    threshold_sigma: float = 5.0,
    filter: bool | Mapping[str, Any] = True,  # noqa: A002 - SpikeLab's name
    hysteresis: bool | float = True,
    direction: Directions = "both",
    threshold: float | None = None,
) -> SpikeTrains:
    """Find spikes in a dataset of raw traces; see `SpikeTrains.from_thresholding`.

    Parameters
    ----------
    filepath : path or URL
    dataset : str
        Of shape (channels, samples).
    fs_Hz : float
        Sampling rate in Hz.
    threshold_sigma, filter, hysteresis, direction, threshold
        As of `SpikeTrains.from_thresholding`.

    Returns
    -------
    SpikeTrains
        One unit per channel. The window begins at the file's ``start_time`` and is as long as its ``length_ms``, but
        never shorter than the traces.

    Raises
    ------
    ArgumentError
        No sampling rate, or an option that makes no sense.
    MissingContentError, ContentError
        No such dataset, or not of two dimensions.
    MissingExtraError
        A filter is wanted, and SciPy is not installed.
    """
    fs_hz = checked_fs_hz(fs_Hz, "counting samples")
    with read_from(filepath) as path, open_hdf5(path) as file:
        found = dataset_of(file, dataset, path)
        place = f"{path}, {dataset!r}"
        if found.ndim != 2 or not found.size:
            raise ContentError(f"{place} has the shape {found.shape}; raw traces are (channels, samples)")
        data = values_of(found, place)
        start_ms = number_of(file.attrs, "start_time", str(path)) or 0.0
        said_ms = number_of(file.attrs, "length_ms", str(path)) or 0.0
    length_ms = max(said_ms, data.shape[1] / fs_hz * 1000.0)
    trains = SpikeTrains.from_thresholding(
        data,
        fs_hz,
        threshold_sigma,
        filter,
        hysteresis,
        direction,
        length=length_ms,
        start_time=start_ms,
        threshold=threshold,
    )
    trains.raw_time = start_ms + np.arange(data.shape[1]) / fs_hz * 1000.0
    trains.metadata |= {"source_file": absolute(filepath), "fs_Hz": fs_hz}
    return trains
