"""Samples of a block's payload, decoded from the page alone: for tests that must not trust spikedaq's own decoder."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt


def block_samples(payload: bytes, n: int, codec: int, n_channels: int = 8) -> npt.NDArray[np.int16]:
    """Give int16 samples of shape (n, n_channels) of a payload of codec 0 or 1.

    Raises
    ------
    AssertionError
        Another codec, or a payload of the wrong length.
    """
    if codec == 0:
        assert len(payload) == 2 * n * n_channels
        return np.frombuffer(payload, "<i2").reshape(n_channels, n).T
    assert codec == 1, codec
    samples = np.empty((n, n_channels), np.int16)
    at = 0
    for channel in range(n_channels):
        base, width = struct.unpack_from("<hB", payload, at)
        assert width <= 16
        size = ((n - 1) * width + 7) // 8
        assert len(payload) >= at + 3 + size
        bits = np.unpackbits(np.frombuffer(payload, np.uint8, size, at + 3), bitorder="little")[: (n - 1) * width]
        numbers = bits.reshape(n - 1, width).astype(np.int64) @ (1 << np.arange(width, dtype=np.int64))
        differences = np.where(numbers % 2 == 0, numbers // 2, -(numbers + 1) // 2)
        samples[:, channel] = np.cumsum(np.r_[base, differences]).astype(np.uint64).astype(np.uint16).view(np.int16)
        at += 3 + size
    assert at == len(payload), f"{len(payload) - at} bytes left over"
    return samples
