"""SpikeLab's SpikeData, and ours: each made from the other without loss."""

from __future__ import annotations

from typing import Any

from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.model import ArgumentTypeError, require

# What a SpikeData has, and nothing else that is given to an exporter.
_OF_SPIKEDATA = ("train", "N", "length", "start_time", "metadata")


def to_spikelab(trains: SpikeTrains) -> Any:
    """Return a ``spikelab`` SpikeData with the same spikes, window, attributes, metadata and raw traces.

    Raises
    ------
    MissingExtraError
        SpikeLab is not installed.
    """
    spikedata = require("spikelab", "spikelab").SpikeData
    raw = {"raw_data": trains.raw_data, "raw_time": trains.raw_time} if trains.raw_data.size else {}
    return spikedata(
        [train.copy() for train in trains.trains],
        N=trains.N,
        length=trains.length,
        start_time=trains.start_time,
        neuron_attributes=None if trains.neuron_attributes is None else [dict(one) for one in trains.neuron_attributes],
        metadata=dict(trains.metadata),
        **raw,
    )


def from_spikelab(spike_data: Any) -> SpikeTrains:
    """Return spike trains of a SpikeData. SpikeLab itself need not be installed.

    Raises
    ------
    ArgumentTypeError
        It is no SpikeData.
    """
    if not is_spikedata(spike_data):
        raise ArgumentTypeError(f"{type(spike_data).__name__} is no SpikeData of SpikeLab")
    raw = spike_data.raw_data if getattr(spike_data.raw_data, "size", 0) else None
    return SpikeTrains(
        spike_data.train,
        length=spike_data.length,
        start_time=spike_data.start_time,
        neuron_attributes=spike_data.neuron_attributes,
        metadata=spike_data.metadata,
        raw_data=raw,
        raw_time=None if raw is None else spike_data.raw_time,
    )


def is_spikedata(value: Any) -> bool:
    """Say whether something is a SpikeData, by what it has."""
    return all(hasattr(value, name) for name in _OF_SPIKEDATA)


def as_trains(value: Any) -> SpikeTrains:
    """Return what an exporter was given as spike trains.

    Raises
    ------
    ArgumentTypeError
        It is neither ours nor SpikeLab's.
    """
    if isinstance(value, SpikeTrains):
        return value
    if is_spikedata(value):
        return from_spikelab(value)
    raise ArgumentTypeError(f"{type(value).__name__} cannot be exported; give SpikeTrains, or a SpikeData of SpikeLab")
