"""Number texts for whole columns at once: one table look-up per value, and NUL bytes removed at the end.

A table row is a fixed-width byte string padded with NULs, so a column is one gather, a block of rows one structured
array, and the file text is that array without its NULs.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.model import ChannelInfo

BytesArray = npt.NDArray[np.bytes_]

_TAIL_STEPS = 100_000  # steps whose text differs only in the last six characters, "dddd.d"
_MICRO = 1_000_000


def _round_half_away(numerator: int, denominator: int) -> int:
    """Divide integers, rounding half away from zero as the stock firmware quantises."""
    quotient, rest = divmod(abs(numerator), denominator)
    if 2 * rest >= denominator:
        quotient += 1
    return -quotient if numerator < 0 else quotient


@lru_cache(maxsize=16)
def _value_table(mantissa: int, exponent: int, offset: int, decimals: int, end: bytes) -> BytesArray:
    shift = exponent + decimals
    up, down = 10 ** max(shift, 0), 10 ** max(-shift, 0)
    unit = 10**decimals
    texts = [
        repr(_round_half_away((raw * mantissa + offset) * up, down) / unit).encode() + end
        for raw in (*range(32768), *range(-32768, 0))  # the order in which uint16 sees an int16
    ]
    return np.array(texts, dtype=np.bytes_)


def value_table(channel: ChannelInfo, *, decimals: int, end: bytes = b",") -> BytesArray:
    """Texts of all 65536 raw values of a channel, in its unit.

    Parameters
    ----------
    channel : ChannelInfo
        Gives scale and offset; the arithmetic is exact.
    decimals : int
        Rounded to this many, half away from zero; then printed as Python prints the float (``-70.0``, never ``-0.0``).
    end : bytes
        Put after each text.

    Returns
    -------
    bytes array, shape (65536,)
        Indexed by the raw value seen as uint16.
    """
    return _value_table(channel.scale_mantissa, channel.scale_exponent, channel.offset_mantissa, decimals, end)


@lru_cache(maxsize=2)
def _tail_table(padded: bool) -> BytesArray:
    width = 4 if padded else 1
    return np.array([f"{i // 10:0{width}d}.{i % 10},".encode() for i in range(_TAIL_STEPS)], dtype=np.bytes_)


@lru_cache(maxsize=1)
def _three_digits() -> BytesArray:
    return np.array([f"{i:03d}".encode() for i in range(1000)], dtype=np.bytes_)


def _few_integers(values: npt.NDArray[np.int64], zero: bytes) -> BytesArray:
    """Texts of integers of which few differ; ``zero`` is written for 0."""
    distinct, where = np.unique(values, return_inverse=True)
    texts = [zero if v == 0 else str(v).encode() for v in distinct.tolist()]
    return np.array(texts, dtype=np.bytes_)[where]


def model_time_columns(steps: npt.NDArray[np.int64]) -> list[tuple[str, BytesArray]]:
    """Texts of ``steps * 0.1`` in decimal notation (``8.3``), with a comma: two named columns that belong together.

    Parameters
    ----------
    steps : int64 array, shape (n,)
        Steps since the first row; not negative.
    """
    head, tail = np.divmod(steps, _TAIL_STEPS)
    texts = _tail_table(True)[tail]
    first = head == 0
    if first.any():
        texts[first] = _tail_table(False)[tail[first]]
    return [("time_head", _few_integers(head, b"")), ("time_tail", texts)]


def wall_time_columns(seconds: npt.NDArray[np.float64]) -> list[tuple[str, BytesArray]]:
    """Texts of seconds with six decimals and a comma: named columns that belong together.

    Parameters
    ----------
    seconds : float64 array, shape (n,)
        Any sign; rounded to microseconds.
    """
    micro = np.rint(seconds * _MICRO).astype(np.int64)
    whole, fraction = np.divmod(np.abs(micro), _MICRO)
    milli, rest = np.divmod(fraction, 1000)
    columns: list[tuple[str, BytesArray]] = []
    if (micro < 0).any():
        columns.append(("time_sign", np.where(micro < 0, b"-", b"").astype(np.bytes_)))
    digits = _three_digits()
    point = np.full(len(micro), b".", dtype=np.bytes_)
    comma = np.full(len(micro), b",", dtype=np.bytes_)
    return [
        *columns,
        ("time_whole", _few_integers(whole, b"0")),
        ("time_point", point),
        ("time_milli", digits[milli]),
        ("time_micro", digits[rest]),
        ("time_comma", comma),
    ]


def arrival_time_columns(seconds: npt.NDArray[np.float64]) -> list[tuple[str, BytesArray]]:
    """Texts of milliseconds with three decimals and a comma: named columns that belong together.

    Parameters
    ----------
    seconds : float64 array, shape (n,)
        Since the first row; not negative, rounded to microseconds.
    """
    whole, fraction = np.divmod(np.rint(seconds * _MICRO).astype(np.int64), 1000)
    point = np.full(len(whole), b".", dtype=np.bytes_)
    comma = np.full(len(whole), b",", dtype=np.bytes_)
    return [
        ("time_whole", _few_integers(whole, b"0")),
        ("time_point", point),
        ("time_micro", _three_digits()[fraction]),
        ("time_comma", comma),
    ]


def join_columns(columns: list[tuple[str, BytesArray]]) -> bytes:
    """Put the columns side by side, row after row, without padding."""
    rows = np.empty(len(columns[0][1]), dtype=[(name, texts.dtype) for name, texts in columns])
    for name, texts in columns:
        rows[name] = texts
    packed: Any = rows.tobytes()
    return bytes(packed.translate(None, b"\0"))
