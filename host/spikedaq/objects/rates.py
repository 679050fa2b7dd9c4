"""At what rate samples came, where another tool wants one number for them."""

from __future__ import annotations

from collections.abc import Sequence


def sampling_rate_hz(nominal_hz: float, n_samples: int, first_s: float, last_s: float) -> float:
    """Return the rate that puts the last of evenly spaced samples where it was.

    Parameters
    ----------
    nominal_hz : float
        What the device promises by its own clock.
    n_samples : int
    first_s, last_s : float
        Measured times of the first and the last sample, in seconds.

    Returns
    -------
    float
        ``nominal_hz`` where that puts the last sample less than half a sample away from its time, otherwise the
        measured mean, in Hz.
    """
    return common_rate_hz(nominal_hz, [(n_samples, first_s, last_s)])


def common_rate_hz(nominal_hz: float, stretches: Sequence[tuple[int, float, float]]) -> float:
    """Return one rate for several stretches, each as (samples, time of its first, time of its last, in seconds)."""
    known = [(n, last_s - first_s) for n, first_s, last_s in stretches if n > 1 and last_s > first_s]
    if all(abs(span_s * nominal_hz - (n - 1)) < 0.5 for n, span_s in known):
        return nominal_hz
    return sum(n - 1 for n, _ in known) / sum(span_s for _, span_s in known)
