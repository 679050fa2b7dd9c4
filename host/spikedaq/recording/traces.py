"""Samples in memory, with their times, steps and units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class Traces:
    """Samples of one device.

    Attributes
    ----------
    times_s : float64 array, shape (n_samples,)
        Seconds since the session's reference time.
    steps : int64 array, shape (n_samples,)
        The model's step of each; a gap is a jump, a reboot begins anew.
    values : float64 array, shape (n_samples, n_channels)
        In ``units``.
    channels, units : tuple of str
        Of each column.
    """

    times_s: npt.NDArray[np.float64]
    steps: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    channels: tuple[str, ...]
    units: tuple[str, ...]

    def __getitem__(self, channel: str) -> npt.NDArray[np.float64]:
        """Return the values of one channel."""
        if channel not in self.channels:
            raise KeyError(f"there is no channel {channel!r} here; there are {', '.join(self.channels)}")
        return self.values[:, self.channels.index(channel)]
