"""Spike trains of several units over one window of time: what tools for spikes hand to one another.

Constructor, names and rules are those of SpikeLab's SpikeData, so that who knows one knows the other; where they differ
is in docs/reference/analysis.md. Everything is in ms.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from spikedaq.analysis.crossings import Directions
from spikedaq.analysis.foreign_trains import of_neo, of_sorting
from spikedaq.analysis.rasters import bin_width_ms, count_spikes, spread_spikes
from spikedaq.analysis.stretches import FloatArray, IntArray
from spikedaq.analysis.thresholding import ThresholdRule, detect
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

    @classmethod
    def from_thresholding(  # noqa: PLR0917 - SpikeLab's order
        cls,
        data: npt.ArrayLike,
        fs_Hz: float = 20e3,  # noqa: N803 - SpikeLab's name
        threshold_sigma: float = 5.0,
        filter: bool | Mapping[str, Any] = True,  # noqa: A002 - SpikeLab's name
        hysteresis: bool | float = True,
        direction: Directions = "both",
        *,
        length: float | None = None,
        start_time: float | None = None,
        threshold: float | None = None,
    ) -> SpikeTrains:
        """Return the spikes of traces: one unit per channel, each spike in the middle of its sample.

        Parameters
        ----------
        data : float array, shape (n_channels, n_samples)
            NaN is a missing sample: no spike is found on it or right after it.
        fs_Hz : float
            Sampling rate.
        threshold_sigma : float
            A spike is beyond 0 by so many standard deviations of its channel (of the filtered trace).
        filter : bool or mapping
            True: 300 to 6000 Hz, third-order Butterworth, forward and backward; the upper edge is cut to 0.45 of the
            sampling rate with a warning. A mapping: ``lowcut``, ``highcut`` in Hz, ``order``.
        hysteresis : bool or float
            True: the first sample beyond the threshold is a spike. False: each sample beyond it is. A number: the first
            one, after the trace was back by so much.
        direction : {"both", "up", "down"}
            Beyond the threshold upward, downward, or either.
        length, start_time : float, optional
            In ms. Default: all samples, from 0.
        threshold : float, optional
            A level in the unit of the data, in place of ``threshold_sigma``; a sample at the level is beyond it.
            With ``both`` the trace crosses it upward or downward.

        Returns
        -------
        SpikeTrains
            ``raw_data`` are the (filtered) traces.

        Warns
        -----
        UserWarning
            No spike was found; a filter's edge was cut; or the threshold is a multiple of the standard deviation, and
            a channel's mean lies beyond it.

        Raises
        ------
        ArgumentError
            An argument that makes no sense.
        MissingExtraError
            A filter is wanted, and SciPy is not installed.
        """
        rule = ThresholdRule(threshold, threshold_sigma, direction, hysteresis)
        found = detect(data, fs_Hz, rule, filter=filter)
        if not any(len(spikes) for spikes in found.spikes):
            what = f"threshold {threshold}" if threshold is not None else f"threshold_sigma {threshold_sigma}"
            warnings.warn(f"no spike was found with {what}, direction {direction}", UserWarning, stacklevel=2)
        start_ms = 0.0 if start_time is None else start_time
        sample_ms = _MS_PER_S / fs_Hz
        return cls(
            [start_ms + (spikes + 0.5) * sample_ms for spikes in found.spikes],
            length=found.data.shape[1] * sample_ms if length is None else length,
            start_time=start_ms,
            raw_data=found.data,
            raw_time=fs_Hz / _MS_PER_S,
        )

    @classmethod
    def from_neo_spiketrains(cls, spiketrains: Iterable[Any], **others: Any) -> SpikeTrains:
        """Return Neo spike trains as units, in ms, with their annotations as attributes.

        Parameters
        ----------
        spiketrains : iterable of neo.SpikeTrain
        **others
            As of the constructor. Default: the window from the first ``t_start`` to the last ``t_stop``, the name and
            the annotations of each train as its attributes.

        Raises
        ------
        ArgumentTypeError
            Something that is no Neo spike train.
        ArgumentError
            As the constructor.
        """
        found = of_neo(spiketrains)
        n_added = (others.get("N") or 0) - len(found["trains"])
        found["neuron_attributes"] += [{} for _ in range(n_added)]
        return cls(**(found | others))

    @classmethod
    def from_sorting(
        cls,
        sorting: Any,
        *,
        sampling_frequency: float | None = None,
        unit_ids: Sequence[int | str] | None = None,
        segment_index: int = 0,
    ) -> SpikeTrains:
        """Return the units of one segment of a SpikeInterface sorting.

        Parameters
        ----------
        sorting : spikeinterface.BaseSorting
        sampling_frequency : float, optional
            In Hz; default: the sorting's. With it times are frame / frequency, whatever times the recording has.
        unit_ids : sequence of int or str, optional
            Which units, in which order. Default: all.
        segment_index : int

        Returns
        -------
        SpikeTrains
            The segment's start counts. All properties are unit attributes; a channel is called ``electrode``, a place
            ``location``.

        Raises
        ------
        ArgumentTypeError
            Something that is no sorting.
        ArgumentError
            Units or a segment that it does not have, or no sampling frequency.
        """
        return cls(**of_sorting(sorting, sampling_frequency, unit_ids, segment_index))


def _first(attributes: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((attributes[key] for key in keys if key in attributes), None)


def _location(attributes: Mapping[str, Any]) -> Any:
    if "location" in attributes:
        return attributes["location"]
    if "x" in attributes and "y" in attributes:
        return [attributes[key] for key in ("x", "y", "z") if key in attributes]
    return attributes.get("position")
