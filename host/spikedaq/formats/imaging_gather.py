"""Blocks of a live device put together, so that each computation is worth its price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from spikedaq.bus import DerivedPlace
from spikedaq.formats.imaging_source import SourceBlock, source_block
from spikedaq.model import ChannelInfo


def later(place: DerivedPlace, n_steps: int) -> DerivedPlace:
    """Return the place so many steps later."""
    us = n_steps * place.step_us
    return replace(
        place,
        step=place.step + n_steps,
        tick=None if place.tick is None else place.tick + us,
        t_ns=None if place.t_ns is None else place.t_ns + us * 1000,
    )


@dataclass(slots=True)
class _Stretch:
    """Samples without a gap, of the same channels: first place, and each block with its time."""

    place: DerivedPlace
    channels: Sequence[ChannelInfo]
    samples: list[npt.NDArray[np.int16]]
    starts_s: list[float]

    def source(self) -> SourceBlock:
        pitch_s = self.place.step_us / 1e6
        times_s = [
            start_s + pitch_s * np.arange(len(block), dtype=np.float64)
            for start_s, block in zip(self.starts_s, self.samples, strict=True)
        ]
        samples = np.concatenate(self.samples)
        return source_block(self.place.boot_id, self.place.step, samples, self.channels, np.concatenate(times_s))


class Gathered:
    """Samples that wait to be computed.

    Attributes
    ----------
    n_samples : int
    """

    def __init__(self) -> None:
        self.n_samples = 0
        self._stretches: list[_Stretch] = []
        self._next: tuple[int, int] | None = None

    def add(
        self, place: DerivedPlace, channels: Sequence[ChannelInfo], samples: npt.NDArray[np.int16], start_s: float
    ) -> None:
        """Take a block, shape (n_samples, n_channels), that begins at ``start_s``; what came before is cut."""
        if self._next is not None and self._next[0] == place.boot_id and place.step < self._next[1]:
            skip = self._next[1] - place.step
            if skip >= len(samples):
                return
            samples, place, start_s = samples[skip:], later(place, skip), start_s + skip * place.step_us / 1e6
        goes_on = self._next == (place.boot_id, place.step)
        self._next = (place.boot_id, place.step + len(samples))
        self.n_samples += len(samples)
        last = self._stretches[-1] if self._stretches else None
        if goes_on and last is not None and (last.channels, last.place.step_us) == (channels, place.step_us):
            last.samples.append(samples)
            last.starts_s.append(start_s)
            return
        self._stretches.append(_Stretch(place, channels, [samples], [start_s]))

    def take(self) -> list[tuple[SourceBlock, DerivedPlace]]:
        """Return what waits, in stretches without a gap, each with the place of its first sample."""
        stretches, self._stretches, self.n_samples = self._stretches, [], 0
        return [(stretch.source(), stretch.place) for stretch in stretches]
