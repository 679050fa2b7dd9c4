"""Spikes found in samples, and what they come to: the same numbers for `spikedaq spikes` and for the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.analysis import (
    DEFAULT_THRESHOLD_MV,
    NEURONS,
    FiCurve,
    SpikeTrain,
    Table,
    breaks_of_steps,
    describe_spikes,
    fi_curve,
    find_spikes,
    find_steps,
    held_rate_hz,
    inter_spike_intervals_ms,
    suggest_threshold,
)
from spikedaq.analysis.spikes import Direction
from spikedaq.analysis.tables import spike_table, stock_rate_table, stock_spike_table
from spikedaq.formats.samples import Samples
from spikedaq.model import MODEL_STEP_MS, ClampMode

NEURON_CHANNELS: Mapping[str, str] = dict(zip(("vm", "syn1_vm", "syn2_vm"), NEURONS, strict=True))
"""The potentials in a recording, and whose they are in the stock exports."""

NEURON_CURRENTS: Mapping[str, str] = {"vm": "i_total", "syn1_vm": "syn1_i", "syn2_vm": "syn2_i"}

STEP_UNITS: Mapping[str, str] = {"stimulus": "%", "i_total": "a.u."}
"""Channels whose steps make an F-I curve, and their units."""


@dataclass(frozen=True, slots=True)
class SpikeRule:
    """What a spike is, as of `find_spikes`; ``threshold_mv`` None has one suggested for each potential."""

    threshold_mv: float | None = DEFAULT_THRESHOLD_MV
    falling: bool = False
    hysteresis_mv: float = 0.0
    refractory_ms: float = 0.0

    @property
    def direction(self) -> Direction:
        """Its direction, as `find_spikes` calls it."""
        return "down" if self.falling else "up"


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Spikes of one neuron in one recording, as indices; ``threshold_mv`` is None where none suggests itself."""

    samples: Samples
    channel: str
    threshold_mv: float | None
    spikes: npt.NDArray[np.int64]
    breaks: npt.NDArray[np.int64]

    @property
    def neuron(self) -> str:
        """Its name in the stock exports."""
        return NEURON_CHANNELS[self.channel]

    @property
    def suffix(self) -> str:
        """What is added to the names of its own tables: nothing for the neuron of the board."""
        return suffix_of(self.channel)

    def describe(self) -> SpikeTrain:
        """Sum them up."""
        return describe_spikes(self.spikes, self.samples.n_samples, breaks=self.breaks)

    def intervals_ms(self) -> npt.NDArray[np.float64]:
        """Return the time from each to the next, float64 array, shape (n_spikes - 1,); NaN across a break."""
        return inter_spike_intervals_ms(self.spikes, self.samples.times_ms, breaks=self.breaks)

    def held_rate_hz(self) -> npt.NDArray[np.float64]:
        """Return the rate held between spikes, float64 array, shape (n_samples,)."""
        return held_rate_hz(self.spikes, self.samples.n_samples, breaks=self.breaks)


def suffix_of(channel: str) -> str:
    """Return what tells the files of a potential from those of the board's own."""
    return "" if channel == "vm" else f"_{channel}"


def find_in(samples: Samples, channel: str, rule: SpikeRule) -> Found:
    """Find the spikes of one potential.

    Parameters
    ----------
    channel : str
        One of `NEURON_CHANNELS` that the samples have.

    Raises
    ------
    ConfigError
        A rule that makes no sense.
    """
    vm_mv, breaks = samples.channels[channel], breaks_of_steps(samples.steps)
    level_mv = rule.threshold_mv
    if level_mv is None:
        suggested = suggest_threshold(vm_mv, direction=rule.direction, breaks=breaks)
        if suggested is None:
            return Found(samples, channel, None, np.empty(0, np.int64), breaks)
        level_mv = suggested.threshold_mv
    spikes = find_spikes(
        vm_mv,
        threshold_mv=level_mv,
        direction=rule.direction,
        hysteresis_mv=rule.hysteresis_mv,
        refractory_ms=rule.refractory_ms,
        breaks=breaks,
    )
    return Found(samples, channel, level_mv, spikes, breaks)


def notes_of(samples: Samples) -> list[str]:
    """Return what a reader of a recording's numbers could get wrong."""
    return [*samples.notes, *(["left out, it is of voltage clamp"] if samples.mode is ClampMode.VOLTAGE else [])]


def spike_tables(found: Found) -> list[Table]:
    """Return the tables of spikes: the stock software's two, and our own."""
    samples = found.samples
    return [
        stock_spike_table(found.spikes, neuron=found.neuron),
        stock_rate_table(found.held_rate_hz(), neuron=found.neuron),
        spike_table(
            found.spikes,
            steps=samples.steps[found.spikes],
            times_ms=samples.times_ms[found.spikes],
            intervals_ms=found.intervals_ms(),
            step_ms=MODEL_STEP_MS,
            name=f"spikes{found.suffix}.csv",
        ),
    ]


def spike_document(found: Found) -> dict[str, Any]:
    """Return the numbers of a neuron's spikes, as ``spikedaq spikes --json`` prints them."""
    samples = found.samples
    return {
        "recording": samples.name,
        "path": str(samples.path),
        "device": samples.device,
        "neuron": found.neuron,
        "channel": found.channel,
        "threshold_mv": found.threshold_mv,
        "n_samples": samples.n_samples,
        "n_gaps": len(found.breaks),
        **asdict(found.describe()),
        "spike_times_ms": samples.times_ms[found.spikes].tolist(),
        "notes": notes_of(samples),
    }


def curve_of(found: Found, channel: str) -> FiCurve:
    """Return the F-I curve over the steps of ``channel``, one of `STEP_UNITS` that the samples have."""
    samples = found.samples
    steps = find_steps(samples.channels[channel], resolution=samples.resolutions[channel], breaks=found.breaks)
    return fi_curve(found.spikes, steps)


def curve_document(curve: FiCurve) -> dict[str, Any]:
    """Return an F-I curve, as ``spikedaq spikes --fi --json`` prints it."""
    return {
        "points": [asdict(point) for point in curve.points],
        "rheobase": curve.rheobase,
        "silent_below": curve.silent_below,
        "gain_hz_per_unit": curve.gain_hz_per_unit,
        "n_left_out": curve.n_left_out,
    }
