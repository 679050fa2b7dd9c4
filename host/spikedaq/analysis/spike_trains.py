"""Spike trains of several units over one window of time: what tools for spikes hand to one another.

Constructor, names and rules are those of SpikeLab's SpikeData, so that who knows one knows the other; where they differ
is in docs/reference/analysis.md. Everything is in ms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from spikedaq.analysis.rasters import bin_width_ms, count_spikes, spread_spikes
from spikedaq.analysis.stretches import FloatArray, IntArray
from spikedaq.analysis.train_rules import (
    checked_attributes,
    checked_gaps_ms,
    checked_raw,
    checked_trains,
    checked_window,
)
from spikedaq.model import ArgumentError

_MS_PER_S = 1000.0


class SpikeTrains:
    """Spikes of ``N`` units between ``start_time`` and ``start_time + length``, in ms.

    Parameters
    ----------
    trains : iterable of array-like, each of shape (n_spikes,)
        Times of each unit, in ms. They are copied and sorted.
    N : int, optional
        Number of units; units without spikes are added at the end until there are so many.
    length : float, optional
        How long it was looked for spikes, in ms. Default: up to the last spike.
    start_time : float
        Where the window begins, in ms. It may be negative.
    neuron_attributes : sequence of mappings, optional
        What is known of each unit, such as ``unit_id``, ``electrode``, ``location``.
    metadata : mapping, optional
        What is known of all of it.
    raw_data : array, shape (..., n_samples), optional
        Traces, kept as they are.
    raw_time : float array, shape (n_samples,), or float, optional
        Time of each of their samples in ms, or the sampling rate in kHz.
    gaps_ms : float array, shape (n_gaps, 2), optional
        Where in the window nothing was recorded: start and stop of each, in order. `intervals` are not known across
        them, `rates` are over the time that was recorded.

    Attributes
    ----------
    trains : list of float64 arrays, sorted
    N : int
    length, start_time : float
    neuron_attributes : list of dict, or None
    metadata : dict
    raw_data, raw_time : arrays
        Of the shapes (0, 0) and (0,) without raw data.
    gaps_ms : float64 array, shape (n_gaps, 2)

    Raises
    ------
    ArgumentError
        It is a ValueError, too: a spike that is NaN, infinite, or outside the window by more than rounding; a length
        that is NaN, infinite or negative; fewer units in ``N`` than trains; another number of attributes than units;
        only one of ``raw_data`` and ``raw_time``, or another number of times than samples.
    """

    def __init__(
        self,
        trains: Iterable[npt.ArrayLike],
        *,
        N: int | None = None,  # noqa: N803 - SpikeLab's name
        length: float | None = None,
        start_time: float = 0.0,
        neuron_attributes: Sequence[Mapping[str, Any]] | None = None,
        metadata: Mapping[str, Any] | None = None,
        raw_data: npt.ArrayLike | None = None,
        raw_time: npt.ArrayLike | None = None,
        gaps_ms: npt.ArrayLike | None = None,
    ) -> None:
        self.trains: list[FloatArray] = checked_trains(trains, N)
        self.start_time, self.length = checked_window(self.trains, start_time, length)
        self.neuron_attributes = checked_attributes(neuron_attributes, len(self.trains))
        self.metadata: dict[str, Any] = dict(metadata or {})
        self.raw_data, self.raw_time = checked_raw(raw_data, raw_time)
        self.gaps_ms: FloatArray = checked_gaps_ms(gaps_ms)

    def __repr__(self) -> str:
        n_spikes = sum(len(train) for train in self.trains)
        return f"SpikeTrains({self.N} units, {n_spikes} spikes, {self.start_time:g} .. {self.end_time:g} ms)"

    @property
    def N(self) -> int:  # noqa: N802 - SpikeLab's name
        """Number of units."""
        return len(self.trains)

    @property
    def end_time(self) -> float:
        """Where the window ends, in ms."""
        return self.start_time + self.length

    @property
    def recorded_ms(self) -> float:
        """Length of the window without its gaps, in ms."""
        inside = np.clip(self.gaps_ms, self.start_time, self.end_time)
        return max(self.length - float((inside[:, 1] - inside[:, 0]).sum()), 0.0)

    @property
    def electrodes(self) -> npt.NDArray[Any] | None:
        """Electrode of each unit, of its attribute ``electrode``, ``channel`` or ``ch``; None if a unit has none."""
        found = [_first(attributes, ("electrode", "channel", "ch")) for attributes in self.neuron_attributes or ()]
        return np.array(found) if found and all(value is not None for value in found) else None

    @property
    def unit_locations(self) -> npt.NDArray[Any] | None:
        """Place of each unit, of its attribute ``location``, ``x`` and ``y`` (and ``z``), or ``position``.

        Array of shape (N, 2) or (N, 3); None if a unit has none.
        """
        found = [_location(attributes) for attributes in self.neuron_attributes or ()]
        return np.array(found) if found and all(value is not None for value in found) else None

    def rates(self, unit: Literal["kHz", "Hz"] = "kHz") -> FloatArray:
        """Return spikes per recorded time of each unit: float64 array, shape (N,); 0 where nothing was recorded.

        As in SpikeLab it is in kHz, spikes per ms, unless ``unit="Hz"``.

        Raises
        ------
        ArgumentError
            Another unit.
        """
        if unit not in ("kHz", "Hz"):
            raise ArgumentError(f"the unit {unit!r} is unknown; it is kHz or Hz")
        counts = np.array([len(train) for train in self.trains], dtype=np.float64)
        if self.recorded_ms == 0:
            return np.zeros(self.N)
        rates: FloatArray = counts / self.recorded_ms
        return rates * _MS_PER_S if unit == "Hz" else rates

    def intervals(self) -> list[FloatArray]:
        """Return the times from each spike to the next, in ms, for each unit: float64 arrays, shape (n_spikes - 1,).

        NaN across a gap: nobody knows how many spikes were there.
        """
        found = []
        for train in self.trains:
            between = np.diff(train)
            # A gap lies between two spikes if more gaps began before the second than before the first.
            began = np.searchsorted(self.gaps_ms[:, 0], train, side="left")
            between[np.diff(began) != 0] = np.nan
            found.append(between)
        return found

    def raster(self, bin_size_ms: float = 1.0, time_offset_ms: float = 0.0) -> IntArray:
        """Return the spikes of each unit in bins: int64 array, shape (N, n_bins).

        Parameters
        ----------
        bin_size_ms : float
        time_offset_ms : float
            The first bin begins this long before the window.

        Notes
        -----
        Bins are ``(start, stop]``: a spike on an edge is in the earlier bin, one at ``start_time`` in the first.
        ``n_bins = ceil((length + time_offset) / bin_size)``. A time that is on an edge but for rounding is on it.

        Raises
        ------
        ArgumentError
            A bin or offset that makes no sense, or too many bins.
        """
        bin_ms = bin_width_ms(bin_size_ms)
        if not np.isfinite(time_offset_ms) or time_offset_ms < -self.length:
            raise ArgumentError(f"time_offset_ms is {time_offset_ms}; it must be a number, {-self.length} or more")
        shift_ms = time_offset_ms - self.start_time
        return count_spikes([train + shift_ms for train in self.trains], self.length + time_offset_ms, bin_ms)

    @classmethod
    def from_raster(cls, raster: npt.ArrayLike, bin_size_ms: float, **others: Any) -> SpikeTrains:
        """Return trains whose `raster` is this one: the n spikes of a bin lie evenly inside it.

        Parameters
        ----------
        raster : int array, shape (N, n_bins)
            Number of spikes in each bin.
        bin_size_ms : float
        **others
            As of the constructor. Default of ``length``: all bins.

        Raises
        ------
        ArgumentError
            No raster, or a bin that makes no sense; and as the constructor.
        """
        bin_ms = bin_width_ms(bin_size_ms)
        trains = spread_spikes(raster, bin_ms, others.get("start_time", 0.0))
        others.setdefault("length", np.asarray(raster).shape[1] * bin_ms)
        return cls(trains, **others)


def _first(attributes: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((attributes[key] for key in keys if key in attributes), None)


def _location(attributes: Mapping[str, Any]) -> Any:
    if "location" in attributes:
        return attributes["location"]
    if "x" in attributes and "y" in attributes:
        return [attributes[key] for key in ("x", "y", "z") if key in attributes]
    return attributes.get("position")
