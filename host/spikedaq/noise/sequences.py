"""Random numbers that are the same for the same seed, on every computer and with every version of numpy.

numpy promises the integers of its bit generators for good, and nothing of what its ``Generator`` makes of them. So two
sequences are made here of those of Philox 4x64, a generator that counts (Salmon et al. 2011). Both are promised: that
of a stimulus by what is kept in specifications, that of the imaging simulation by what is kept in files.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spikedaq.noise.quantile import normal_quantile

WIDTH = 4
"""Numbers per index: what one step of Philox 4x64 makes."""


def uniform(n: int, seed: int) -> npt.NDArray[np.float64]:
    """Return ``n`` numbers in [0, 1), float64 array, shape (n,).

    Notes
    -----
    The upper 53 bits of Philox 4x64 with key ``seed`` and counter 0.
    """
    raw = np.random.Philox(key=seed).random_raw(n)
    return np.asarray((raw >> np.uint64(11)) * 2.0**-53, np.float64)


def gaussian(n: int, seed: int) -> npt.NDArray[np.float64]:
    """Return ``n`` draws of mean 0 and standard deviation 1, float64 array, shape (n,).

    Notes
    -----
    Box and Muller 1958: sqrt(-2 ln u) cos(2 pi w) and sqrt(-2 ln u) sin(2 pi w) are one pair of draws, u in (0, 1].
    """
    pairs = uniform(2 * ((n + 1) // 2), seed).reshape(-1, 2)
    radius = np.sqrt(-2 * np.log(1 - pairs[:, 0]))
    angle = 2 * np.pi * pairs[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)[:n]


class IndexedNoise:
    """A sequence of independent standard normal numbers, `WIDTH` of them per index.

    Number ``i`` costs the same whether its neighbours are drawn or not.

    Parameters
    ----------
    seed : int
        0 to 2**64 - 1.
    stream, purpose : int
        Sequences with another of the two have nothing in common; 0 to 2**64 - 1.
    """

    def __init__(self, seed: int, stream: int, purpose: int) -> None:
        self._key = np.array([seed, 0], np.uint64)
        self._high = (stream, purpose)
        self._next = -1
        self._generator = np.random.Philox(key=self._key)

    def normal(self, first: int, n: int) -> npt.NDArray[np.float64]:
        """Return the numbers with indices ``first`` to ``first + n - 1``, float64 array, shape (n, WIDTH)."""
        if first != self._next:
            counter = np.array([first, 0, *self._high], np.uint64)
            self._generator = np.random.Philox(counter=counter, key=self._key)
        self._next = first + n
        raw = self._generator.random_raw(WIDTH * n)
        # The middles of 2**52 equal parts of (0, 1): each exact, none of them 0 or 1.
        uniform = ((raw >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
        return normal_quantile(uniform).reshape(n, WIDTH)
