"""Waveforms in pieces that the board can take."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from spikedaq.device.requests import Requests
from spikedaq.model import CommandRejected, DeviceInfo
from spikedaq.wire import StimulusBegin, StimulusData, StimulusPlay

LIMIT = 10000
"""100 %, in rows of 0.01 % (protocol/README.md, section 7)."""
_OVERHEAD_BYTES = 24
"""Array, type, request id, operation, first row, the header of the bytes and the CRC; COBS adds after the bound."""


async def upload(
    device: str, info: DeviceInfo, requests: Requests, rows: Sequence[int], *, loop: bool, origin: str
) -> None:
    """Upload a waveform and play it.

    Raises
    ------
    CommandRejected
        No rows, too many for the board, a row beyond 100 %, or the board refuses.
    """
    if not rows:
        raise CommandRejected("a stimulus needs at least one row", code="bad_arguments")
    if not info.stimulus_capacity:
        message = f"{device} takes no waveform, only the settings of its square wave; flash the spikedaq firmware"
        raise CommandRejected(message, code="unsupported")
    if len(rows) > info.stimulus_capacity:
        message = f"{device} holds {info.stimulus_capacity} stimulus rows, {len(rows)} were given; give fewer"
        raise CommandRejected(message, code="too_large")
    for number, row in enumerate(rows):
        if not isinstance(row, int) or isinstance(row, bool) or not -LIMIT <= row <= LIMIT:
            message = f"stimulus row {number} is {row!r}; rows are whole numbers of 0.01 %, from {-LIMIT} to {LIMIT}"
            raise CommandRejected(message, code="out_of_range")
    n_rows = len(rows)
    await requests.call(lambda i: StimulusBegin(i, n_rows), what="stimulus begin", origin=origin)
    per_piece = max(1, (info.max_request_bytes - _OVERHEAD_BYTES) // 2)
    for first in range(0, n_rows, per_piece):
        piece = rows[first : first + per_piece]
        data = struct.pack(f"<{len(piece)}h", *piece)
        what = f"stimulus rows {first} to {first + len(piece) - 1}"
        await requests.call(lambda i, n=first, d=data: StimulusData(i, n, d), what=what, origin=origin)  # type: ignore[misc]
    await requests.call(lambda i: StimulusPlay(i, loop), what="stimulus play", origin=origin)
