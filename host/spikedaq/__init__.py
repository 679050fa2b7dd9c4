"""Acquisition, recording and sharing of Spikeling data.

`open` reads a recorded session, `connect` gives a live bench.
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spikedaq.formats import Session
    from spikedaq.inlet import Bench

try:
    __version__ = version("spikedaq")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0+unknown"


def open(*paths: Path | str) -> Session:  # noqa: A001 - as gzip.open and others are called
    """Open a recorded session: its folder, or files; see `spikedaq.formats.open_session`."""
    from spikedaq.formats import open_session  # noqa: PLC0415 - importing the package stays cheap

    return open_session(*paths)


def connect(url: str | None = None, *, key: str | os.PathLike[str] | None = None) -> Bench:
    """Connect to a running daemon; see `spikedaq.inlet.connect`."""
    from spikedaq.inlet import connect as connect_to  # noqa: PLC0415 - importing the package stays cheap

    return connect_to(url, key=key)
