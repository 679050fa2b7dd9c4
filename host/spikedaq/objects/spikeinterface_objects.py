"""From a recording to one of SpikeInterface, and in one line from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spikedaq.model import StoreError, require
from spikedaq.recording import Recording, open_recordings


def to_spikeinterface(recording: Recording) -> Any:
    """Return a recording as a ``spikeinterface.BaseRecording``, `SpikedaqRecording`.

    Raises
    ------
    MissingExtraError
        SpikeInterface is not installed.
    StoreError
        The recording has no samples.
    """
    require("spikeinterface.core", "spikeinterface")
    ours: Any = require("spikedaq.objects.spikeinterface_recording", "spikeinterface")
    return ours.SpikedaqRecording(recording)


def read_spikedaq(*paths: str | Path, device: str | None = None) -> Any:
    """Open what `spikedaq.open` opens as a ``spikeinterface.BaseRecording``.

    Parameters
    ----------
    *paths : str or Path
    device : str, optional
        Which one, where there are several.

    Raises
    ------
    MissingExtraError
        SpikeInterface is not installed.
    StoreError
        It cannot be opened, or there are several devices and none is named.
    """
    return to_spikeinterface(open_one(*paths, device=device))


def open_one(*paths: str | Path, device: str | None = None) -> Recording:
    """Open the recording of one device. Raises StoreError where there are several and none is named."""
    devices = open_recordings(*paths, device=device).devices
    if len(devices) != 1:
        raise StoreError(f"{', '.join(map(str, paths))} has several devices; name one: device={next(iter(devices))!r}")
    return next(iter(devices.values()))
