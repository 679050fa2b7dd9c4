"""Acquisition, recording and sharing of Spikeling data.

`open` reads recordings, `connect` gives a live bench.
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spikedaq.inlet import Bench
    from spikedaq.recording import Recording, Session

try:
    __version__ = version("spikedaq")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0+unknown"


def open(  # noqa: A001 - as gzip.open and others are called
    *paths: Path | str, device: str | None = None, mode: str | None = None, skip_damaged: bool = False
) -> Recording | Session:
    """Open a recording, also one that is being recorded.

    Parameters
    ----------
    *paths : Path or str
        A recording file, the folder of a device or a session, a pattern (``*``), or several of these of one session;
        or a file of another kind that docs/reference/recording.md lists; or any of these in S3, ``s3://bucket/key``.
    device : str, optional
        Only this one of a session.
    mode : {"current", "voltage", "common"}, optional
        Which samples, where the device changed between current and voltage clamp; ``common``: the channels that both
        have. Default: those of its first file.
    skip_damaged : bool
        Leave files out that cannot be read, with a warning and a flag, instead of raising.

    Returns
    -------
    Recording or Session
        A `spikedaq.recording.Recording` of one device, a `spikedaq.recording.Session` of several. Both have
        ``devices``, recordings by name.

    Raises
    ------
    StoreError
        Nothing there, recordings of several sessions, or files that cannot be read.
    """
    from spikedaq.recording import open_recordings  # noqa: PLC0415 - importing the package stays cheap

    return open_recordings(*paths, device=device, mode=mode, skip_damaged=skip_damaged)


def open_session(
    *paths: Path | str, device: str | None = None, mode: str | None = None, skip_damaged: bool = False
) -> Session:
    """Open a recorded session as a mapping of its devices, also where it has one; see `spikedaq.open`."""
    from spikedaq.recording import open_session as open_all  # noqa: PLC0415 - importing the package stays cheap

    return open_all(*paths, device=device, mode=mode, skip_damaged=skip_damaged)


def connect(url: str | None = None, *, key: str | os.PathLike[str] | None = None) -> Bench:
    """Connect to a running daemon; see `spikedaq.inlet.connect`."""
    from spikedaq.inlet import connect as connect_to  # noqa: PLC0415 - importing the package stays cheap

    return connect_to(url, key=key)
