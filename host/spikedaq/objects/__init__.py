"""Recordings as the objects of other tools: SpikeInterface, Neo.

What needs one of them imports it where it is used. ``SpikedaqRawIO`` and ``SpikedaqIO`` are looked up when they are
asked for, because Neo's classes are their bases.
"""

from typing import Any

from spikedaq.model import require
from spikedaq.objects.block_files import read_block, write_block
from spikedaq.objects.neo_block import to_neo
from spikedaq.objects.registering import register_with_neo
from spikedaq.objects.spikeinterface_objects import read_spikedaq, to_spikeinterface

__all__ = [
    "SpikedaqIO",
    "SpikedaqRawIO",
    "read_block",
    "read_spikedaq",
    "register_with_neo",
    "to_neo",
    "to_spikeinterface",
    "write_block",
]


def __getattr__(name: str) -> Any:
    if name in ("SpikedaqRawIO", "SpikedaqIO"):
        require("neo", "neo")
        return getattr(require("spikedaq.objects.neo_rawio", "neo"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
