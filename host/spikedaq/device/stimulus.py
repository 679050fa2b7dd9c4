"""Waveforms in pieces that the board can take."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from spikedaq.device.requests import Requests
from spikedaq.model import CommandRejected, DeviceInfo
from spikedaq.wire import StimulusBegin, StimulusData, StimulusPlay

LIMIT = 10000
"""100 %, in rows of 0.01 % (protocol/README.md, section 7)."""
_OVERHEAD_BYTES = 24
"""Array, type, request id, operation, first row, the header of the bytes and the CRC; COBS adds after the bound."""


async def upload(
    device: str,
    info: DeviceInfo,
    requests: Requests,
    rows: Sequence[int] | bytes,
    *,
    origin: str,
    first_row: int = 0,
    n_rows: int | None = None,
) -> int:
    """Upload a waveform, or a part of one; return how many rows that was.

    Parameters
    ----------
    rows : sequence of int, or bytes
        In 0.01 %; bytes are int16 little-endian.
    first_row : int
        Where they begin in the waveform. 0 forgets the waveform before, and stops it if it plays.
    n_rows : int, optional
        Of the whole waveform; by default this is all of it.

    Raises
    ------
    CommandRejected
        No rows, too many for the board or for ``n_rows``, a row beyond 100 %, or the board refuses.
    """
    packed = _packed(rows)
    n_given = len(packed) // 2
    total = first_row + n_given if n_rows is None else n_rows
    if not n_given:
        raise CommandRejected("a stimulus needs at least one row", code="bad_arguments")
    if not info.stimulus_capacity:
        message = f"{device} takes no waveform, only the settings of its square wave; flash the spikedaq firmware"
        raise CommandRejected(message, code="unsupported")
    if total > info.stimulus_capacity:
        message = f"{device} holds {info.stimulus_capacity} stimulus rows, {total} were given; give fewer"
        raise CommandRejected(message, code="too_large")
    if first_row < 0 or first_row + n_given > total:
        message = f"rows {first_row} to {first_row + n_given - 1} do not lie in a stimulus of {total} rows"
        raise CommandRejected(message, code="bad_arguments")
    if first_row == 0:
        await requests.call(lambda i: StimulusBegin(i, total), what="stimulus begin", origin=origin)
    per_piece = max(1, (info.max_request_bytes - _OVERHEAD_BYTES) // 2)
    for first in range(0, n_given, per_piece):
        data = packed[2 * first : 2 * (first + per_piece)]
        row = first_row + first
        what = f"stimulus rows {row} to {row + len(data) // 2 - 1}"
        await requests.call(lambda i, n=row, d=data: StimulusData(i, n, d), what=what, origin=origin)  # type: ignore[misc]
    return n_given


async def play(requests: Requests, *, loop: bool, origin: str) -> None:
    """Play the waveform that was uploaded, from the next step on."""
    await requests.call(lambda i: StimulusPlay(i, loop), what="stimulus play", origin=origin)


def _packed(rows: Sequence[int] | bytes) -> bytes:
    """Return rows as a board takes them, int16 little-endian; raises CommandRejected for what can be no row."""
    if isinstance(rows, bytes):
        if len(rows) % 2:
            message = f"{len(rows)} bytes are no rows of two bytes each; give int16, little-endian"
            raise CommandRejected(message, code="bad_arguments")
        values = np.frombuffer(rows, "<i2")
        beyond = np.flatnonzero(np.abs(values.astype(np.int32)) > LIMIT)
        if len(beyond):
            raise _bad_row(int(beyond[0]), int(values[beyond[0]]))
        return rows
    for number, row in enumerate(rows):
        if not isinstance(row, int) or isinstance(row, bool) or not -LIMIT <= row <= LIMIT:
            raise _bad_row(number, row)
    return struct.pack(f"<{len(rows)}h", *rows)


def _bad_row(number: int, row: object) -> CommandRejected:
    message = f"stimulus row {number} is {row!r}; rows are whole numbers of 0.01 %, from {-LIMIT} to {LIMIT}"
    return CommandRejected(message, code="out_of_range")
