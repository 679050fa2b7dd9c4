"""Frames: COBS, CRC-32 and the closing zero (protocol/README.md, section 2)."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import NamedTuple

from cobs import cobs

MAX_DEVICE_FRAME_BYTES = 4096
"""Largest message with its CRC that a device may send; a longer one is a bad frame (section 2, Bounds)."""

_CRC_BYTES = 4
_MIN_FRAME_BYTES = 5
# CRC-32 over any data followed by its own little-endian CRC.
_CRC_RESIDUE = 0x2144DF1C
_crc_of = struct.Struct("<I").pack


class Frame(NamedTuple):
    """One frame whose CRC is right. A tuple, because thousands of them are made each second.

    Attributes
    ----------
    message : bytes
        Content without the CRC.
    raw : bytes
        The COBS bytes as received, with the closing 0x00.
    offset : int
        Position of the first byte of ``raw`` in the stream, in bytes since the decoder was made.
    t_host_ns : int
        What the caller said of the bytes that ended it: when they were read. Not used here.
    """

    message: bytes
    raw: bytes
    offset: int
    t_host_ns: int = 0


@dataclass(frozen=True, slots=True)
class BadFrame:
    """One frame that cannot be used; it is counted, never raised.

    Attributes
    ----------
    reason : str
        ``cobs``, ``short``, ``crc`` or ``oversize`` from the decoder; ``malformed`` from the connection, for a frame
        with a good CRC whose content breaks the protocol.
    raw : bytes
        The bytes as received with the closing 0x00; of an oversize frame its first bytes only, without it.
    offset : int
        Position of the frame's first byte in the stream.
    """

    reason: str
    raw: bytes
    offset: int


def max_encoded_bytes(n_bytes: int) -> int:
    """Longest COBS form of ``n_bytes`` bytes, the closing zero not counted."""
    return n_bytes + n_bytes // 254 + 1


def encode_frame(message: bytes) -> bytes:
    """Frame a message: append its CRC, apply COBS, close with 0x00. The caller keeps to the other side's bound."""
    return bytes(cobs.encode(message + _crc_of(zlib.crc32(message)))) + b"\0"


class FrameDecoder:
    """Cuts a byte stream into frames. Holds at most one frame's worth of bytes.

    The results do not depend on how the stream is cut into calls.

    Parameters
    ----------
    max_bytes : int
        Bound of message and CRC together.
    """

    def __init__(self, max_bytes: int = MAX_DEVICE_FRAME_BYTES) -> None:
        self._max_bytes = max_bytes
        self._max_encoded = max_encoded_bytes(max_bytes)
        self._tail = b""
        self._offset = 0  # of the first byte of the tail
        self._discarding = False

    @property
    def pending_bytes(self) -> int:
        """Bytes held of a frame that has not ended yet."""
        return len(self._tail)

    def feed(self, data: bytes, t_host_ns: int = 0) -> list[Frame | BadFrame]:
        """Take bytes as they arrive; give the frames that ended with them, in stream order."""
        found: list[Frame | BadFrame] = []
        data = bytes(data)
        start = 0
        if self._discarding:
            end = data.find(0)
            if end < 0:
                self._offset += len(data)
                return found
            self._discarding = False
            start = end + 1
            end = data.find(0, start)
        elif self._tail:
            end = data.find(0)
            if end >= 0:
                end += len(self._tail)
            data = self._tail + data
        else:
            end = data.find(0)
        while end >= 0:
            if end > start:
                found.append(self._check(data[start:end], data[start : end + 1], self._offset + start, t_host_ns))
            start = end + 1
            end = data.find(0, start)
        self._tail = data[start:]
        self._offset += start
        if len(self._tail) > self._max_encoded:
            found.append(BadFrame("oversize", self._tail[: self._max_encoded], self._offset))
            self._offset += len(self._tail)
            self._tail = b""
            self._discarding = True
        return found

    def _check(self, encoded: bytes, raw: bytes, offset: int, t_host_ns: int) -> Frame | BadFrame:
        """Judge the bytes between two zeros; ``raw`` are the same with the closing one."""
        if len(encoded) > self._max_encoded:
            return BadFrame("oversize", encoded[: self._max_encoded], offset)
        try:
            body = cobs.decode(encoded)
        except cobs.DecodeError:
            return BadFrame("cobs", raw, offset)
        if len(body) < _MIN_FRAME_BYTES:
            return BadFrame("short", raw, offset)
        if len(body) > self._max_bytes:
            return BadFrame("oversize", encoded, offset)
        if zlib.crc32(body) != _CRC_RESIDUE:
            return BadFrame("crc", raw, offset)
        return Frame(body[:-_CRC_BYTES], raw, offset, t_host_ns)
