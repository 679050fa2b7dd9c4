"""What a live handle keeps of a device: bounded, the oldest is let go first, and counted."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spikedaq.model import ClampMode
from spikedaq.pynn.stretches import FloatArray, Stretch
from spikedaq.recording import Channel

DEFAULT_MEMORY_BYTES = 256 << 20
"""Of one device: 25 minutes of eight channels at 10 kHz."""
_BLOCK_BYTES = 300
"""What a block takes beside its samples."""
_SPIKE_BYTES = 100


@dataclass(frozen=True, slots=True, eq=False)
class HeldBlock:
    """Consecutive samples as they came.

    Attributes
    ----------
    time_s : float
        Of the first sample.
    samples : int16 array, shape (n_samples, n_channels)
    """

    boot_id: int
    first_step: int
    step_us: int
    mode: ClampMode
    time_s: float
    samples: npt.NDArray[np.int16]

    @property
    def key(self) -> tuple[int, int, ClampMode]:
        """What the blocks of one stretch have in common."""
        return self.boot_id, self.step_us, self.mode

    @property
    def n_bytes(self) -> int:
        """What it takes."""
        return self.samples.nbytes + _BLOCK_BYTES


class Memory:
    """Blocks and spikes of one device, in order.

    Parameters
    ----------
    max_bytes : int
        Policy `drop-oldest`: what comes beyond it pushes the oldest blocks out, and the spikes up to them.

    Attributes
    ----------
    n_bytes : int
    dropped_samples, dropped_spikes : int
        What was pushed out so far.
    """

    def __init__(self, max_bytes: int = DEFAULT_MEMORY_BYTES) -> None:
        self.max_bytes = max_bytes
        self.n_bytes = 0
        self.dropped_samples = self.dropped_spikes = 0
        self._blocks: deque[HeldBlock] = deque()
        self._spikes_s: deque[float] = deque()

    def add(self, block: HeldBlock) -> None:
        """Keep a block."""
        self._blocks.append(block)
        self.n_bytes += block.n_bytes
        self._make_room()

    def add_spike(self, time_s: float) -> None:
        """Keep a spike."""
        self._spikes_s.append(time_s)
        self.n_bytes += _SPIKE_BYTES
        self._make_room()

    def _make_room(self) -> None:
        while self.n_bytes > self.max_bytes and self._blocks:
            oldest = self._blocks.popleft()
            self.n_bytes -= oldest.n_bytes
            self.dropped_samples += len(oldest.samples)
            next_s = self._blocks[0].time_s if self._blocks else math.inf
            while self._spikes_s and self._spikes_s[0] < next_s and self.n_bytes > 0:
                self._spikes_s.popleft()
                self.n_bytes -= _SPIKE_BYTES
                self.dropped_spikes += 1

    def clear(self) -> None:
        """Forget everything; it is not counted as dropped."""
        self._blocks.clear()
        self._spikes_s.clear()
        self.n_bytes = 0

    @property
    def spikes_s(self) -> FloatArray:
        """Times of the spikes, in order, in seconds."""
        return np.sort(np.array(self._spikes_s, float))

    @property
    def next_s(self) -> float | None:
        """Time of the sample after the last one; None where there is none."""
        if not self._blocks:
            return None
        last = self._blocks[-1]
        return last.time_s + len(last.samples) * last.step_us * 1e-6

    def stretches(self, channels: dict[ClampMode, tuple[Channel, ...]]) -> list[Stretch]:
        """Return what is there, each stretch without a gap."""
        found: list[list[HeldBlock]] = []
        for block in self._blocks:
            last = found[-1][-1] if found else None
            if last and last.key == block.key and last.first_step + len(last.samples) == block.first_step:
                found[-1].append(block)
            else:
                found.append([block])
        return [_stretch(blocks, channels[blocks[0].mode]) for blocks in found]


def _stretch(blocks: list[HeldBlock], channels: tuple[Channel, ...]) -> Stretch:
    first = blocks[0]
    starts = np.cumsum([0, *(len(block.samples) for block in blocks)]).tolist()
    times_s = np.array([block.time_s for block in blocks])
    pitch_s = first.step_us * 1e-6
    scales = np.array([channel.scale for channel in channels])
    offsets = np.array([channel.offset for channel in channels])

    def times(start: int, stop: int) -> FloatArray:
        frames = np.arange(start, stop)
        block = np.searchsorted(starts, frames, side="right") - 1
        found: FloatArray = times_s[block] + (frames - np.asarray(starts)[block]) * pitch_s
        return found

    def values(start: int, stop: int, columns: Sequence[int]) -> FloatArray:
        chosen = list(columns)
        found = np.empty((stop - start, len(chosen)))
        k = bisect_right(starts, start) - 1
        while k < len(blocks) and starts[k] < stop:
            a, b = max(start, starts[k]), min(stop, starts[k + 1])
            found[a - start : b - start] = blocks[k].samples[a - starts[k] : b - starts[k], chosen]
            k += 1
        found *= scales[chosen]
        found += offsets[chosen]
        return found

    return Stretch(first.boot_id, first.first_step, starts[-1], first.step_us, channels, times, values)
