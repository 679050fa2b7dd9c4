"""Butterworth filters without delay: what is between two frequencies stays, forward and backward once each.

SciPy does the filtering (extra ``analysis``); it is loaded when a filter is made.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from spikedaq.analysis.stretches import FloatArray, positive, stretches
from spikedaq.model import ArgumentError, require

SPIKE_BAND_HZ = (300.0, 6000.0)
"""Where extracellular spikes are: the band of SpikeLab, and of most spike sorters."""
SPIKE_ORDER = 3
# SpikeLab's, where a mapping names no order.
_OTHER_ORDER = 5
_HIGHEST_SHARE = 0.45
"""Of the sampling rate: close to half of it, a filter's edge is numerically useless."""
_FORGOTTEN = 1e-12
"""What a sample that far away still adds, relative to itself: less than a float of its sum shows."""


class Filter:
    """A Butterworth filter of one sampling rate.

    Attributes
    ----------
    low_hz, high_hz : float or None
        Its edges; None at an open end.
    order : int
    margin : int
        Samples around a piece that must be filtered with it, for the piece to come out as of the whole.
    """

    def __init__(self, fs_hz: float, low_hz: float | None, high_hz: float | None, order: int) -> None:
        self.low_hz, self.high_hz = low_hz, high_hz
        self.order = order
        edges = [edge for edge in (low_hz, high_hz) if edge is not None]
        kind = "bandpass" if len(edges) == 2 else "highpass" if low_hz is not None else "lowpass"
        self._signal = require("scipy.signal", "analysis")
        self._sections = self._signal.butter(
            order, edges if len(edges) == 2 else edges[0], kind, fs=fs_hz, output="sos"
        )
        _, poles, _ = self._signal.butter(order, edges if len(edges) == 2 else edges[0], kind, fs=fs_hz, output="zpk")
        self.margin = math.ceil(math.log(_FORGOTTEN) / math.log(float(np.abs(poles).max())))

    @property
    def least_samples(self) -> int:
        """Samples that a stretch must have to be filtered."""
        # As SciPy counts: three times the filter's length, without the sections' missing second coefficients.
        n_missing = min(int((self._sections[:, 2] == 0).sum()), int((self._sections[:, 5] == 0).sum()))
        return 3 * (2 * len(self._sections) + 1 - n_missing) + 1

    def apply(self, trace: FloatArray) -> FloatArray:
        """Filter a trace; each stretch between missing samples (NaN) by itself.

        Parameters
        ----------
        trace : float64 array, shape (n,)

        Returns
        -------
        float64 array, shape (n,)
            NaN where samples are missing, and in stretches of fewer than `least_samples`, which cannot be filtered.
        """
        missing = ~np.isfinite(trace)
        if not missing.any():
            return self._whole(trace)
        filtered = np.full(len(trace), np.nan)
        edges = np.flatnonzero(np.diff(missing)) + 1
        for start, stop in stretches(len(trace), edges).tolist():
            if not missing[start]:
                filtered[start:stop] = self._whole(trace[start:stop])
        return filtered

    def _whole(self, trace: FloatArray) -> FloatArray:
        if len(trace) < self.least_samples:
            return np.full(len(trace), np.nan)
        filtered: FloatArray = self._signal.sosfiltfilt(self._sections, trace)
        return filtered


def filter_of(wanted: bool | Mapping[str, Any], fs_hz: float) -> Filter | None:
    """Return the filter that an argument ``filter`` asks for.

    Parameters
    ----------
    wanted : bool or mapping
        True: 300 to 6000 Hz, third order. A mapping has ``lowcut``, ``highcut`` (Hz, one of them at least) and
        ``order`` (5), as SpikeLab calls them.
    fs_hz : float
        Sampling rate.

    Returns
    -------
    Filter or None
        None for False, or an empty mapping.

    Warns
    -----
    UserWarning
        The upper edge is above 0.45 of the sampling rate, and was cut to it.

    Raises
    ------
    ArgumentError
        Edges that make no band at this sampling rate.
    MissingExtraError
        SciPy is not installed.
    """
    fs_hz = positive(fs_hz, "the sampling rate in Hz")
    if not wanted:
        return None
    if wanted is True:
        low_hz, high_hz, order = (*SPIKE_BAND_HZ, SPIKE_ORDER)
        return _filter(fs_hz, low_hz, high_hz, order)
    if not isinstance(wanted, Mapping) or (unknown := set(wanted) - {"lowcut", "highcut", "order"}):
        known = "True, False, or a mapping of lowcut, highcut (Hz) and order"
        what = wanted if not isinstance(wanted, Mapping) else ", ".join(sorted(map(str, unknown)))
        raise ArgumentError(f"filter has {what}; give {known}")
    return _filter(fs_hz, wanted.get("lowcut"), wanted.get("highcut"), wanted.get("order", _OTHER_ORDER))


def _filter(fs_hz: float, low_hz: float | None, high_hz: float | None, order: int) -> Filter:
    if low_hz is None and high_hz is None:
        raise ArgumentError("the filter has no edge; give lowcut, highcut or both, in Hz")
    if not (isinstance(order, int) and 1 <= order <= 20):
        raise ArgumentError(f"the filter's order is {order}; give a whole number, 1 to 20")
    for name, edge in (("lowcut", low_hz), ("highcut", high_hz)):
        if edge is not None and not (math.isfinite(edge) and edge > 0):
            raise ArgumentError(f"the filter's {name} is {edge}; give Hz above 0")
    limit_hz = _HIGHEST_SHARE * fs_hz
    if high_hz is not None and high_hz > limit_hz:
        warnings.warn(
            f"the filter's upper edge of {high_hz:g} Hz is too high for {fs_hz:g} samples per second, and was cut to "
            f"{limit_hz:g} Hz",
            UserWarning,
            stacklevel=4,
        )
        high_hz = limit_hz
    if low_hz is not None and low_hz >= (limit_hz if high_hz is None else high_hz):
        raise ArgumentError(
            f"the filter's lower edge of {low_hz:g} Hz is not below "
            f"{'0.45 of the sampling rate' if high_hz is None else 'its upper one'} "
            f"({limit_hz if high_hz is None else high_hz:g} Hz, of {fs_hz:g} samples per second); "
            "give a lower lowcut, or filter=False"
        )
    return Filter(fs_hz, low_hz, high_hz, order)
