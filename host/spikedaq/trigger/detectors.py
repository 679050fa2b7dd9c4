"""One detector for each kind of condition over samples: blocks of an unbroken stretch in, firings out."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from spikedaq.model import ChannelInfo
from spikedaq.trigger.conditions import Edge, Level, SpikeCount
from spikedaq.trigger.crossing import crossing

Samples = npt.NDArray[np.int16]
Found = Sequence[tuple[int, float]]
"""Where in the block, in order, and the value."""
SPIKE_MV = -30.0
"""A spike is the first step with v >= -30 after one below, and vm of such a step is 30 (protocol/README.md, 4.2, 9)."""
_NOTHING: Found = ()


class Detector(Protocol):
    """Looks for one condition."""

    def reset(self, step_us: int) -> None:
        """Begin a stretch: nothing that came before counts."""

    def find(self, samples: Samples, first_step: int) -> Found:
        """Take the next samples of the stretch."""


class LevelDetector:
    """Finds where a channel passes a level."""

    def __init__(self, condition: Level, channel: ChannelInfo, index: int) -> None:
        edge = condition.edge
        rising = (True,) if edge is Edge.RISING else (False,) if edge is Edge.FALLING else (True, False)
        self._index = index
        self._scale, self._offset = channel.scale, channel.offset
        self._crossings = [
            crossing(channel, condition.level, rising=up, hysteresis=condition.hysteresis) for up in rising
        ]

    def reset(self, step_us: int) -> None:
        """Begin a stretch."""
        for one in self._crossings:
            one.reset()

    def find(self, samples: Samples, first_step: int) -> Found:
        """Take the next samples."""
        column = samples[:, self._index]
        if len(self._crossings) == 1:
            at = self._crossings[0].find(column)
        else:
            at = sorted(k for one in self._crossings for k in one.find(column))
        return [(k, int(column[k]) * self._scale + self._offset) for k in at] if at else _NOTHING


class SpikeDetector:
    """Counts spikes in a sliding window; they are crossings of `SPIKE_MV` in the channel ``vm``.

    From the samples rather than from the device's spike events, which name the same steps but may be discarded in the
    device without a trace, and come before or after the samples that they belong to.
    """

    def __init__(self, condition: SpikeCount, channel: ChannelInfo, index: int) -> None:
        self._index = index
        self._count = condition.count
        self._window_us = condition.window_us
        self._rises = condition.edge is not Edge.FALLING
        self._falls = condition.edge is not Edge.RISING
        self._over_us = condition.window_us if condition.as_rate else 1_000_000
        self._crossing = crossing(channel, SPIKE_MV, rising=True)
        # The count is reached while the count-th newest spike lies in the window, so no more than these are needed.
        self._newest: deque[int] = deque(maxlen=condition.count)
        self._window_steps = 1
        self._reached = False

    def reset(self, step_us: int) -> None:
        """Begin a stretch."""
        self._crossing.reset()
        self._newest.clear()
        self._reached = False
        # Of the spikes up to step s those count that are later than s - this: less than the window ago.
        self._window_steps = -(-self._window_us // step_us)

    def find(self, samples: Samples, first_step: int) -> Found:
        """Take the next samples."""
        at = self._crossing.find(samples[:, self._index])
        if not at and not self._reached:
            return _NOTHING
        found: list[tuple[int, float]] = []
        for k in at:
            step = first_step + k
            self._expire(step, first_step, found)
            self._newest.append(step)
            full = len(self._newest) == self._count and step - self._newest[0] < self._window_steps
            if full and not self._reached and self._rises:
                found.append((k, self._count * 1e6 / self._over_us))
            self._reached = full
        self._expire(first_step + len(samples), first_step, found)
        return found

    def _expire(self, before: int, first_step: int, found: list[tuple[int, float]]) -> None:
        """Let the count fall on the step on which one spike too many has left the window, if that is past."""
        if self._reached:
            falls_at = self._newest[0] + self._window_steps
            if falls_at < before:
                self._reached = False
                if self._falls:
                    found.append((falls_at - first_step, (self._count - 1) * 1e6 / self._over_us))


class StimulusDetector:
    """Finds the first steps of stimulus loops: the channel ``trigger`` is not 0 on them, and on no other."""

    def __init__(self, index: int) -> None:
        self._index = index

    def reset(self, step_us: int) -> None:
        """Begin a stretch; there is nothing to forget."""

    def find(self, samples: Samples, first_step: int) -> Found:
        """Take the next samples."""
        column = samples[:, self._index]
        if not np.logical_or.reduce(column):
            return _NOTHING
        return [(k, float("nan")) for k in np.flatnonzero(column).tolist()]
