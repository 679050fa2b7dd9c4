"""Averages over stimulus loops, and before spikes: the same numbers for `spikedaq average` and for the page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikedaq.analysis import (
    Average,
    Loops,
    Raster,
    Table,
    TriggeredAverage,
    aligned,
    average,
    find_loops,
    raster,
    spike_triggered_average,
    trigger_rises,
)
from spikedaq.analysis.tables import (
    average_table,
    lag_table,
    loop_table,
    spike_table,
    stock_means_table,
    stock_raster_table,
)
from spikedaq.formats.found_spikes import NEURON_CHANNELS, NEURON_CURRENTS, Found, notes_of, suffix_of
from spikedaq.formats.samples import Samples
from spikedaq.model import MODEL_STEP_MS, ConfigError

AVERAGED_UNITS: Mapping[str, str] = {"stimulus": "%", "i_total": "a.u.", "syn1_i": "a.u.", "syn2_i": "a.u."}
"""Channels that are averaged beside the potentials, and their units."""

_MAX_STEPS = 2**53


@dataclass(frozen=True, slots=True)
class LoopRule:
    """What a whole loop is; ``length_ms`` None: what most triggers are apart."""

    length_ms: float | None = None
    tolerance_ms: float = 0.0

    @property
    def length(self) -> int | None:
        """The same in samples.

        Raises
        ------
        ConfigError
            It is less than a step.
        """
        length = None if self.length_ms is None else _n_steps(self.length_ms)
        if length == 0:
            raise ConfigError(f"a loop of {self.length_ms} ms is shorter than a step of {MODEL_STEP_MS} ms")
        return length

    @property
    def tolerance(self) -> int:
        """The same in samples."""
        return _n_steps(self.tolerance_ms)


def _n_steps(length_ms: float) -> int:
    # More steps than there are samples, and a float has, are as good as any.
    return round(min(length_ms / MODEL_STEP_MS, float(_MAX_STEPS)))


@dataclass(frozen=True, slots=True, eq=False)
class Averaged:
    """One neuron in one recording, averaged over loops; ``averages`` by what heads their columns."""

    found: Found
    loops: Loops
    raster: Raster
    averages: dict[str, Average]

    @property
    def n_used(self) -> int:
        """Number of whole loops."""
        return len(self.loops.starts)

    @property
    def peak(self) -> tuple[float, float]:
        """The highest mean rate, in Hz, and where in the loop it is first reached, in ms; NaN without spikes."""
        return peak_of(self.averages["rate (Hz)"], self.n_used)


def peak_of(rate: Average, n_used: int) -> tuple[float, float]:
    """Return the peak of a mean rate over so many loops; see `Averaged.peak`."""
    if not n_used or not rate.mean.any():
        return math.nan, math.nan
    return float(rate.mean.max()), float(np.argmax(rate.mean)) * MODEL_STEP_MS


def loops_of(samples: Samples, rule: LoopRule) -> Loops:
    """Cut samples that have a channel ``trigger`` into loops.

    Raises
    ------
    ConfigError
        A rule that makes no sense.
    """
    rises = trigger_rises(samples.channels["trigger"])
    return find_loops(rises, samples.n_samples, steps=samples.steps, length=rule.length, tolerance=rule.tolerance)


def average_over(found: Found, loops: Loops) -> Averaged:
    """Average rate, potential, current and stimulus over loops."""
    samples = found.samples
    averages = {"rate (Hz)": average(aligned(found.held_rate_hz(), loops))}
    averages[f"{found.channel} (mV)"] = average(aligned(samples.channels[found.channel], loops))
    for channel in (NEURON_CURRENTS[found.channel], "stimulus"):
        if channel in samples.channels:
            averages[f"{channel} ({AVERAGED_UNITS[channel]})"] = average(aligned(samples.channels[channel], loops))
    return Averaged(found, loops, raster(found.spikes, loops, samples.n_samples), averages)


def stimulus_before(found: Found, before_ms: float) -> TriggeredAverage:
    """Return the stimulus before spikes, on average, of samples that have a channel ``stimulus``."""
    n_before = max(round(before_ms / MODEL_STEP_MS), 1)
    stimulus = found.samples.channels["stimulus"]
    return spike_triggered_average(stimulus, found.spikes, n_before=n_before, breaks=found.breaks)


def before_table(found: Found, around: TriggeredAverage) -> Table:
    """Return the table of a `stimulus_before`."""
    name = f"spike_triggered_average{found.suffix}.csv"
    return lag_table({"stimulus (%)": around.average}, around.lags, step_ms=MODEL_STEP_MS, name=name)


def average_tables(one: Averaged) -> list[Table]:
    """Return the tables of averages: the stock software's two, our own, and with the board's neuron the loops."""
    found, samples = one.found, one.found.samples
    spikes = spike_table(
        found.spikes,
        steps=samples.steps[found.spikes],
        times_ms=samples.times_ms[found.spikes],
        intervals_ms=found.intervals_ms(),
        loops=one.loops,
        step_ms=MODEL_STEP_MS,
        name=f"spikes{found.suffix}.csv",
    )
    return loop_tables(found.channel, one.loops, one.raster, one.averages, spikes)


def loop_tables(
    channel: str, loops: Loops, places: Raster, averages: Mapping[str, Average], spikes: Table
) -> list[Table]:
    """Return the tables of one neuron's averages, with that of its spikes among them."""
    neuron, suffix = NEURON_CHANNELS[channel], suffix_of(channel)
    current = averages.get(f"{NEURON_CURRENTS[channel]} (a.u.)")
    tables = [
        stock_means_table(
            averages["rate (Hz)"].mean,
            averages[f"{channel} (mV)"].mean,
            None if current is None else current.mean,
            neuron=neuron,
        ),
        stock_raster_table(places, neuron=neuron),
        average_table(averages, step_ms=MODEL_STEP_MS, name=f"averages{suffix}.csv"),
        spikes,
    ]
    if channel == "vm":
        tables.append(loop_table(loops, step_ms=MODEL_STEP_MS))
    return tables


def average_document(one: Averaged) -> dict[str, Any]:
    """Return the numbers of averages, as ``spikedaq average --json`` prints them."""
    found, samples = one.found, one.found.samples
    return {
        "recording": samples.name,
        "path": str(samples.path),
        "device": samples.device,
        "neuron": found.neuron,
        "channel": found.channel,
        "threshold_mv": found.threshold_mv,
        **loop_document(one.loops, one.raster, one.peak),
        "n_spikes": len(found.spikes),
        "notes": notes_of(samples),
    }


def loop_document(loops: Loops, places: Raster, peak: tuple[float, float]) -> dict[str, Any]:
    """Return the numbers of loops, and of the spikes in them."""
    peak_hz, at_ms = peak
    return {
        "n_loops": len(loops.every),
        "n_used": len(loops.starts),
        "left_out": {str(fault): n for fault, n in loops.faults.items()},
        "length_ms": loops.length * MODEL_STEP_MS,
        "n_spikes_in_loops": len(places.offsets),
        "peak_rate_hz": peak_hz,
        "peak_at_ms": at_ms,
    }


def left_out(loops: Loops) -> str:
    """Say why loops are left out: ``2 missed trigger, 1 incomplete``."""
    return ", ".join(f"{n} {fault}" for fault, n in loops.faults.items()) or (
        "none" if loops.every else "it has no trigger"
    )
