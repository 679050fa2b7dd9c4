"""Recordings of spikedaq as something that Neo and SpikeInterface know by name."""

from __future__ import annotations

from typing import Any

from spikedaq.model import require


def register_with_neo() -> None:
    """Make `SpikedaqRawIO` and `SpikedaqIO` part of Neo in this process; may be called again.

    ``neo.rawio.SpikedaqRawIO`` and ``neo.io.SpikedaqIO`` are there then, and ``neo.io.get_io`` tries the latter first
    for a file that ends in ``.nwb``. Files of others it refuses, and then Neo goes on to its own readers.

    Raises
    ------
    MissingExtraError
        Neo is not installed.
    """
    neo: Any = require("neo", "neo")
    rawio: Any = require("neo.rawio", "neo")
    io: Any = require("neo.io", "neo")
    ours: Any = require("spikedaq.objects.neo_rawio", "neo")
    if ours.SpikedaqIO in io.iolist:
        return
    rawio.SpikedaqRawIO = ours.SpikedaqRawIO
    rawio.rawiolist.append(ours.SpikedaqRawIO)
    io.SpikedaqIO = ours.SpikedaqIO
    io.iolist.append(ours.SpikedaqIO)
    neo.iolist = io.iolist
    for extension in ours.SpikedaqIO.extensions:
        io.io_by_extension.setdefault(extension, []).insert(0, ours.SpikedaqIO)
