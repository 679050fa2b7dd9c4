"""Codec 1, the packed block payload (protocol/README.md, section 5): a base and zigzag differences by channel."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from spikedaq.model import LocalProtocolError, RemoteProtocolError

CODEC_RAW: Final = 0
CODEC_PACKED: Final = 1
_HEAD_BYTES: Final = 3  # base i16 and width u8
_MAX_WIDTH: Final = 16
_PADDING: Final = b"\0\0\0"  # so that four bytes can be read from every place
_MASKS: Final = np.array([(1 << width) - 1 for width in range(_MAX_WIDTH + 1)], np.uint16)
_ONE: Final = np.uint16(1)
# Blocks of one device have few lengths, so that a table for each is remembered: at most 8 times 0.1 MB.
_MAX_TABLE_SAMPLES: Final = 512
_SAMPLE: Final = np.dtype("<i2")
_WORD: Final = np.dtype("<u4")


def _places(widths: npt.NDArray[np.intp], n_values: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.uint32]]:
    """Byte of each value's lowest bit in its channel's bit stream, and which bit it is; shape (n_widths, n_values)."""
    bits = np.multiply.outer(widths, np.arange(n_values))
    return bits >> 3, (bits & 7).astype(np.uint32)


@lru_cache(maxsize=8)
def _table(n_values: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.uint32]]:
    """`_places` for every width."""
    return _places(np.arange(_MAX_WIDTH + 1), n_values)


def decode_packed(payload: bytes, n: int, n_channels: int) -> npt.NDArray[np.int16]:
    """Decode a payload of codec 1.

    Parameters
    ----------
    payload : bytes
    n, n_channels : int
        As the block and the hello say.

    Returns
    -------
    int16 array, shape (n, n_channels)
        Read-only, channel-major in memory, as codec 0 gives it.

    Raises
    ------
    RemoteProtocolError
        A width above 16, or a length other than the widths say.

    Notes
    -----
    Beyond the samples themselves it takes memory for the channels that change only, and those have their bits in the
    payload: 65535 samples of 255 constant channels cost nothing more than their own 33 MB.
    """
    if n < 1 or n_channels < 1:
        raise RemoteProtocolError(f"a block has {n} samples of {n_channels} channels")
    n_bytes = len(payload)
    n_steps = n - 1
    heads: list[int] = []
    moving: list[int] = []
    starts: list[int] = []
    moving_widths: list[int] = []
    position = 0
    for channel in range(n_channels):
        body = position + _HEAD_BYTES
        if body > n_bytes:
            raise _wrong_length(payload, n, n_channels)
        width = payload[body - 1]
        if width > _MAX_WIDTH:
            raise RemoteProtocolError(f"a packed block has a width of {width} bits in channel {channel}")
        heads.append(position)
        position = body
        if width and n_steps:
            moving.append(channel)
            starts.append(body)
            moving_widths.append(width)
            position += (n_steps * width + 7) >> 3
    if position != n_bytes:
        raise _wrong_length(payload, n, n_channels)
    # Four bytes from every place of the payload on, whatever their alignment: a value has at most 7 + 16 bits.
    words = np.ndarray((n_bytes,), _WORD, payload + _PADDING, 0, (1,)).copy()
    bases = words.take(heads).astype(np.uint16)
    samples = np.empty((n_channels, n), np.uint16)
    n_moving = len(moving)
    if n_moving < n_channels:
        samples[:] = bases[:, None]
    if n_moving:
        sizes = np.array(moving_widths)
        if n <= _MAX_TABLE_SAMPLES:
            places, shifts = (table.take(sizes, axis=0) for table in _table(n_steps))
        else:
            places, shifts = _places(sizes, n_steps)
        places += np.array(starts)[:, None]
        values = words.take(places)
        values >>= shifts
        zigzag = values.astype(np.uint16)
        zigzag &= _MASKS.take(sizes)[:, None]
        rows = np.empty((n_moving, n), np.uint16)
        rows[:, 0] = bases if n_moving == n_channels else bases[moving]
        sign = zigzag & _ONE
        np.negative(sign, out=sign)
        zigzag >>= _ONE
        np.bitwise_xor(zigzag, sign, out=rows[:, 1:])
        if n_moving == n_channels:
            np.add.accumulate(rows, axis=1, out=samples)
        else:
            samples[moving] = np.add.accumulate(rows, axis=1)
    decoded = samples.view(_SAMPLE).T
    decoded.flags.writeable = False
    return decoded


def _wrong_length(payload: bytes, n: int, n_channels: int) -> RemoteProtocolError:
    return RemoteProtocolError(
        f"a packed block of {n} samples of {n_channels} channels has {len(payload)} bytes of payload, which is not "
        "what its widths say"
    )


def encode_samples(samples: npt.NDArray[np.int16], codec: int | None = None) -> tuple[int, bytes]:
    """Encode samples as a device does: with the shorter codec, codec 0 where both are equal.

    Parameters
    ----------
    samples : int16 array, shape (n, n_channels)
    codec : int, optional
        This one, whatever its length.

    Returns
    -------
    codec : int
    payload : bytes

    Raises
    ------
    LocalProtocolError
        No samples, or another codec than 0 and 1.
    """
    if samples.ndim != 2 or not samples.size:
        raise LocalProtocolError(f"samples of shape {samples.shape} make no block")
    if codec not in (None, CODEC_RAW, CODEC_PACKED):
        raise LocalProtocolError(f"there is no codec {codec}; this version has 0 (raw) and 1 (packed)")
    rows = np.ascontiguousarray(samples.T, dtype=_SAMPLE)
    if codec == CODEC_RAW:
        return CODEC_RAW, rows.tobytes()
    # Differences modulo 2**16, as i16; the zigzag code of each has its sign in the lowest bit.
    steps = np.diff(rows.view(np.uint16), axis=1).view(np.int16)
    zigzag = ((steps << 1) ^ (steps >> 15)).astype(np.uint16)
    pieces = []
    for row, codes in zip(rows, zigzag, strict=True):
        width = int(codes.max()).bit_length() if codes.size else 0
        # Lowest bit first, and the bits of one value after those of the one before it.
        bits = (codes[:, None] >> np.arange(width, dtype=np.uint16)) & np.uint16(1)
        packed = np.packbits(bits.astype(np.uint8).ravel(), bitorder="little")
        pieces += [row[:1].tobytes(), bytes((width,)), packed.tobytes()]
    payload = b"".join(pieces)
    if codec is None and len(payload) >= rows.nbytes:
        return CODEC_RAW, rows.tobytes()
    return CODEC_PACKED, payload
