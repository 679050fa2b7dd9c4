"""Widening of 32-bit device ticks to 64 bits (protocol/README.md, section 6)."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from spikedaq.model import RemoteProtocolError

_MODULUS: Final = 2**32
_HALF: Final = 2**31


def unwrap_tick(tick_u32: int, near: int) -> int:
    """Widen one tick: the value congruent to it that is nearest to ``near`` (64 bit, microseconds), and not negative.

    Right as long as the two are less than 35 min 47 s apart.
    """
    wide = near + ((tick_u32 - near + _HALF) % _MODULUS) - _HALF
    return wide if wide >= 0 else wide + _MODULUS


def unwrap_ticks(ticks: npt.NDArray[np.uint32], last_tick: int) -> npt.NDArray[np.int64]:
    """Widen ticks in arrival order.

    Parameters
    ----------
    ticks : uint32 array, shape (n_blocks,)
        Tick of each block's first sample, in microseconds.
    last_tick : int
        The newest widened tick already known, in microseconds.

    Returns
    -------
    int64 array, shape (n_blocks,)

    Raises
    ------
    RemoteProtocolError
        A step of 2**31 ticks or more, which no working device sends and which looks like one backwards.
    """
    if not len(ticks):
        return np.empty(0, np.int64)
    steps = np.remainder(np.diff(ticks.astype(np.int64), prepend=np.int64(last_tick % _MODULUS)), _MODULUS)
    if (steps >= _HALF).any():
        raise RemoteProtocolError(
            f"the device's tick goes back at block {int(np.argmax(steps >= _HALF))} of {len(ticks)}; "
            "no working device does that"
        )
    return last_tick + np.cumsum(steps)
