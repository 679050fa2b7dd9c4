"""Rows of int16 in fewer bytes, without loss: steps from value to value, most of which fit a byte.

At 10 kHz a membrane moves by less than 1.28 mV from sample to sample except in a spike, and most channels hardly move.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_SAME, _STEPS, _VALUES = 0, 1, 2
_ESCAPE = -128
"""Instead of a step: a value follows, int16. So steps are from -127 to 127."""


def pack(rows: npt.NDArray[np.int16]) -> bytes:
    """Return rows in fewer bytes; each in that of three ways that takes least.

    Parameters
    ----------
    rows : int16 array, shape (n_rows, n_values)
        At least one value.

    Returns
    -------
    bytes
        Of each row: its way (u8), its first value (int16, little-endian), and of the others with way 0 nothing, because
        all are the same; with way 1 the steps as int8, where -128 says that instead of a step a value follows as int16;
        with way 2 the values as int16.
    """
    steps = np.diff(rows.astype(np.int32), axis=1)
    is_far = np.abs(steps) > -_ESCAPE - 1
    n_others = steps.shape[1]
    parts: list[bytes] = []
    for row, moves, far, n_far in zip(rows.astype("<i2"), steps, is_far, is_far.sum(axis=1), strict=True):
        if not moves.any():
            way, others = _SAME, b""
        elif 2 * n_far < n_others:
            way, others = _STEPS, _steps(row, moves, far)
        else:
            way, others = _VALUES, row[1:].tobytes()
        parts += (bytes([way]), row[:1].tobytes(), others)
    return b"".join(parts)


def _steps(row: npt.NDArray[np.int16], moves: npt.NDArray[np.int32], far: npt.NDArray[np.bool_]) -> bytes:
    if not far.any():
        return moves.astype(np.int8).tobytes()
    where = np.arange(len(moves)) + 2 * (np.cumsum(far) - far)
    out = np.empty(len(moves) + 2 * int(far.sum()), np.uint8)
    out[where] = np.where(far, _ESCAPE, moves).astype(np.int8).view(np.uint8)
    values = row[1:][far].view(np.uint8).reshape(-1, 2)
    out[where[far] + 1], out[where[far] + 2] = values[:, 0], values[:, 1]
    return out.tobytes()


def unpack(data: bytes, n_rows: int, n_values: int) -> npt.NDArray[np.int16]:
    """Return what `pack` was given; for tests and for clients in Python.

    Raises
    ------
    ValueError
        The bytes are not so many rows of so many values.
    """
    rows = np.empty((n_rows, n_values), np.int16)
    at = 0
    for row in rows:
        way, data_at = data[at : at + 1], at + 3
        row[:] = np.frombuffer(data[at + 1 : data_at], "<i2", 1)[0]
        at = data_at
        if way == bytes([_VALUES]):
            at += 2 * (n_values - 1)
            row[1:] = np.frombuffer(data[data_at:at], "<i2", n_values - 1)
        elif way == bytes([_STEPS]):
            for k in range(1, n_values):
                (step,) = np.frombuffer(data[at : at + 1], np.int8, 1)
                if step == _ESCAPE:
                    row[k] = np.frombuffer(data[at + 1 : at + 3], "<i2", 1)[0]
                else:
                    row[k] = int(row[k - 1]) + int(step)
                at += 3 if step == _ESCAPE else 1
        elif way != bytes([_SAME]):
            raise ValueError(f"there is no way {way!r} of packing a row")
    if at != len(data):
        raise ValueError(f"{at} bytes are {n_rows} rows, and {len(data)} came")
    return rows
