"""SpikeLab's files of sorted units (``sorted.npz``)."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.interchange.errors import ContentError, MissingContentError
from spikedaq.interchange.pickles import refuse_untrusted
from spikedaq.interchange.places import PathOrUrl, absolute, read_from
from spikedaq.interchange.times import to_ms
from spikedaq.interchange.window import Content, trains_of

_NUMBERS = ("unit_id", "electrode", "sorted_index", "max_channel_si", "peak_ind")
_TEXTS = ("peak_sign", "max_channel_id")
_UNPICKLING_ERRORS = (ValueError, EOFError, ImportError, AttributeError, KeyError, TypeError, IndexError)


def load_spikedata_from_spikelab_sorted_npz(
    filepath: PathOrUrl, *, length_ms: float | None = None, trust: bool = False
) -> SpikeTrains:
    """Read the units that SpikeLab's sorting leaves.

    Parameters
    ----------
    filepath : path or URL
    length_ms : float, optional
        Later spikes are left out and counted. Default: up to the last spike.
    trust : bool
        Say that you know who made this file. Its units are pickled, and reading a pickle can run code.

    Returns
    -------
    SpikeTrains
        All that the file has of a unit are its attributes: ``template``, ``amplitudes``, ``std_norms``, ``peak_sign``
        and other measures of quality; ``location`` is x_max and y_max.

    Raises
    ------
    UntrustedError
        ``trust`` is not given; nothing was unpickled.
    MissingContentError
        It has no ``units`` or no ``fs`` (KeyError, too).
    ContentError
        It is no such file, or damaged.
    """
    with read_from(filepath) as path:
        try:
            with zipfile.ZipFile(path) as archive:
                keys = [name.removesuffix(".npy") for name in archive.namelist()]
        except (zipfile.BadZipFile, OSError) as error:
            raise ContentError(f"{path} is no .npz file, or is cut short: {error}") from error
        for key in ("units", "fs"):
            if key not in keys:
                raise MissingContentError(f"{path} has no {key!r}; it has {', '.join(keys) or 'nothing'}")
        if not trust:
            raise refuse_untrusted(str(path), [])
        try:
            with np.load(path, allow_pickle=True) as data:
                fs_hz = float(data["fs"])
                units = list(np.ravel(data["units"]))
                locations = data["locations"] if "locations" in keys else None
        except _UNPICKLING_ERRORS as error:
            raise ContentError(f"{path} cannot be read: {type(error).__name__}: {error}; it is damaged") from error
        if not (np.isfinite(fs_hz) and fs_hz > 0):
            raise ContentError(f"{path}: its sampling rate fs is {fs_hz}")
        content = Content(str(path), [])
        attributes = []
        for number, unit in enumerate(units):
            if not isinstance(unit, Mapping) or "spike_train" not in unit:
                raise ContentError(f"{path}: unit {number} has no spike_train")
            content.trains_ms.append(to_ms(np.ravel(unit["spike_train"]), "samples", fs_hz))
            attributes.append(_attributes(number, unit))
    content.attributes = attributes
    content.metadata = {"source_file": absolute(filepath), "source_format": "SpikeLab_npz", "fs_Hz": fs_hz}
    if locations is not None:
        content.metadata["channel_locations"] = locations
    return trains_of(content, length_ms=length_ms)


def _attributes(number: int, unit: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"unit_id": number}
    for key, value in unit.items():
        if key in _NUMBERS:
            found[key] = int(value)
        elif key in _TEXTS:
            found[key] = str(value)
        elif key not in ("spike_train", "x_max", "y_max"):
            found[key] = value.item() if isinstance(value, np.generic) else value
    if "x_max" in unit and "y_max" in unit:
        found["location"] = [float(unit["x_max"]), float(unit["y_max"])]
    return found
