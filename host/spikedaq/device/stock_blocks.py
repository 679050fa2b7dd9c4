"""Blocks out of rows: some 100 ms each, with a first tick of their own, never overlapping in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from spikedaq.model import BlockFlag
from spikedaq.wire import BlockMessage

_BLOCK_US: Final = 100_000
_MAX_SAMPLES: Final = 200
_U32: Final = 2**32

_Block = Callable[[int], BlockMessage]
_Rows = npt.NDArray[np.int16]


class BlockBuilder:
    """Collects rows and cuts them into blocks.

    A block's samples are one step period apart, as the protocol has it; what rows really are apart differs a little, so
    each block begins where its first row belongs, and a block is cut short where a row is half a step beside its place.

    Parameters
    ----------
    step_us : int
        Nominal time between rows; it changes only through `pace`.
    tick_of : callable
        From a row's number to its tick, where rows bring none of their own.

    Attributes
    ----------
    saturated : int
        Blocks so far in which a value was cut.
    in_clamp : bool
    """

    def __init__(self, step_us: int, tick_of: Callable[[int], int]) -> None:
        self.step_us = step_us
        self.saturated = 0
        self.in_clamp = False
        self._tick_of = tick_of
        self._rows: list[_Rows] = []
        self._ticks: list[npt.NDArray[np.int64]] = []
        self._n = 0
        self._first_row = 0
        self._cut = False
        self._after_start = False
        self._least_tick = 0
        self._done: list[_Block] = []

    @property
    def block_samples(self) -> int:
        """Samples of a full block."""
        return max(1, min(_MAX_SAMPLES, round(_BLOCK_US / self.step_us)))

    def add(
        self, samples: _Rows, first_row: int, ticks: npt.NDArray[np.int64] | None, *, saturated: bool = False
    ) -> None:
        """Take rows, numbered from ``first_row`` on."""
        at = 0
        while at < len(samples):
            if not self._n:
                self._first_row = first_row + at
            n = min(self.block_samples - self._n, len(samples) - at)
            if ticks is not None:
                n = self._fitting(ticks[at : at + n])
                if not n:
                    self.close()
                    continue
                self._ticks.append(ticks[at : at + n])
            self._rows.append(samples[at : at + n])
            self._n += n
            self._cut = self._cut or saturated
            at += n
            if self._n >= self.block_samples:
                self.close()

    def close(self) -> None:
        """End the open block."""
        if not self._n:
            return
        samples = np.concatenate(self._rows)
        if self.in_clamp:
            samples = _as_clamped(samples)
        tick = int(self._ticks[0][0]) if self._ticks else self._tick_of(self._first_row)
        tick = max(tick, self._least_tick)
        flags = BlockFlag(0)
        if self._cut:
            flags |= BlockFlag.SATURATED
            self.saturated += 1
        if self._after_start:
            flags |= BlockFlag.AFTER_START
        if self.in_clamp:
            flags |= BlockFlag.VOLTAGE_CLAMP
        payload = np.asarray(samples.T, dtype="<i2").tobytes()
        first_row, n, step_us = self._first_row, self._n, self.step_us
        self._done.append(lambda seq: BlockMessage(seq, 0, first_row, tick % _U32, step_us, n, 0, payload, int(flags)))
        # A later row is never put before an earlier one, whatever was believed of its arrival.
        self._least_tick = tick + (n - 1) * step_us + (step_us + 1) // 2
        self._rows.clear()
        self._ticks.clear()
        self._n = 0
        self._cut = False
        self._after_start = False

    def taken(self) -> list[_Block]:
        """Return, and forget, what builds the finished blocks' messages, given their sequence numbers."""
        done, self._done = self._done, []
        return done

    def pace(self, step_us: int) -> None:
        """Go on with another step period."""
        self.close()
        self.step_us = step_us

    def clamp(self, on: bool) -> None:
        """Go on in another mode."""
        self.close()
        self.in_clamp = on

    def started(self) -> None:
        """Mark the next block as the first since a start."""
        self._after_start = True

    def _fitting(self, ticks: npt.NDArray[np.int64]) -> int:
        """How many of these rows lie within half a step of their place in the open block."""
        first = int(self._ticks[0][0]) if self._ticks else int(ticks[0])
        places = first + self.step_us * np.arange(self._n, self._n + len(ticks))
        astray = np.flatnonzero(np.abs(ticks - places) * 2 > self.step_us)
        return int(astray[0]) if len(astray) else len(ticks)


def _as_clamped(samples: _Rows) -> _Rows:
    """Put the command voltage, which the board sends in whole mV, into our 0.01 mV."""
    changed = samples.astype(np.int32)
    changed[:, 1] *= 100
    return np.clip(changed, -32767, 32767).astype(np.int16)
