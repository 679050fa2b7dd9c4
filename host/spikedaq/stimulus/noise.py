"""Noise that is the same for the same seed, on every computer and with every version of numpy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def uniform(n: int, seed: int) -> npt.NDArray[np.float64]:
    """Return ``n`` numbers in [0, 1), float64 array, shape (n,).

    Notes
    -----
    The upper 53 bits of Philox 4x64 with key ``seed`` and counter 0 (Salmon et al. 2011). numpy promises the raw
    numbers of a bit generator for good; of what its ``Generator`` makes of them it promises nothing.
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


def held(draws: npt.NDArray[np.float64], hold_rows: int, n_rows: int) -> npt.NDArray[np.float64]:
    """Return each draw for ``hold_rows`` rows, cut at ``n_rows``: sample and hold."""
    return np.repeat(draws, hold_rows)[:n_rows]
