"""What a browser gets of traces: one binary message with bins of one device (docs/reference/scope.md)."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from spikedaq.scope.packing import pack, unpack
from spikedaq.scope.pyramid import Bins

VERSION = 1
_LENGTH = struct.Struct("<I")


def encode_bins(header: Mapping[str, Any], bins: Bins, *, is_packed: bool = False) -> bytes:
    """Encode bins.

    Parameters
    ----------
    header : map
        What else is to be said, as JSON values; ``level``, ``first``, ``count``, ``channels`` and ``flat`` are added.
    is_packed : bool
        Where they are int16, in fewer bytes: see `packing.pack`; with ``packed`` in the header.

    Returns
    -------
    bytes
        Length of the header (u32, little-endian), the header as JSON, spaces up to a multiple of 4, then int16,
        little-endian: channel by channel all smallest values, then channel by channel all largest. At level 0 both are
        the same and come once (``flat``), except where samples are missing. Of float32 bins likewise, with ``dtype``
        ``f4`` in the header.
    """
    channels, count = bins.low.shape
    is_float = bins.low.dtype == np.float32
    dtype = "<f4" if is_float else "<i2"
    is_packed = is_packed and not is_float and count > 0
    flat = bins.level == 0 and bool(np.array_equal(bins.low, bins.high))
    fields = {
        "v": VERSION, **header,
        "level": bins.level, "first": bins.first, "count": count, "channels": channels, "flat": flat,
        **({"dtype": "f4"} if is_float else {}), **({"packed": True} if is_packed else {}),
    }  # fmt: skip
    text = json.dumps(fields, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    if is_packed:
        return b"".join((_LENGTH.pack(len(text)), text, pack(bins.low), b"" if flat else pack(bins.high)))
    low = np.ascontiguousarray(bins.low, dtype=dtype).tobytes()
    high = b"" if flat else np.ascontiguousarray(bins.high, dtype=dtype).tobytes()
    return b"".join((_LENGTH.pack(len(text)), text, low, high))


def decode_bins(data: bytes) -> tuple[dict[str, Any], Bins]:
    """Decode what `encode_bins` made; for tests and for clients in Python."""
    (length,) = _LENGTH.unpack_from(data)
    header: dict[str, Any] = json.loads(data[4 : 4 + length])
    shape = (header["channels"], header["count"])
    if header.get("packed"):
        values = unpack(data[4 + length :], shape[0] * (1 if header["flat"] else 2), shape[1]).ravel()
    else:
        values = np.frombuffer(data, "<f4" if header.get("dtype") == "f4" else "<i2", offset=4 + length)
    size = shape[0] * shape[1]
    low = values[:size].reshape(shape)
    high = low if header["flat"] else values[size:].reshape(shape)
    return header, Bins(header["level"], header["first"], low, high)
