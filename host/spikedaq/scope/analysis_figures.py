"""Everything that the analysis page shows of one look at a recording, as numbers to draw.

The numbers themselves come from `formats.found_spikes` and `formats.loop_averages`, as those of `spikedaq spikes` and
`spikedaq average` do.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from spikedaq.analysis import (
    FiCurve,
    bin_edges_ms,
    binned_rate_hz,
    breaks_of_steps,
    stretches,
    suggest_threshold,
    threshold_sweep,
)
from spikedaq.formats.found_spikes import (
    NEURON_CHANNELS,
    STEP_UNITS,
    Found,
    curve_document,
    curve_of,
    find_in,
    spike_document,
)
from spikedaq.formats.loop_averages import (
    Averaged,
    average_document,
    left_out,
    stimulus_before,
)
from spikedaq.formats.samples import Samples
from spikedaq.model import MODEL_STEP_MS, ClampMode, ConfigError
from spikedaq.scope.analysis_drawn import drawn_average, envelope, nice_step, phase_plane
from spikedaq.scope.analysis_loaded import Loaded
from spikedaq.scope.analysis_look import Look
from spikedaq.scope.analysis_tables import averaged_in, channel_in, table_names

MAX_MARKS = 20_000
"""Spikes that are drawn one by one."""
MAX_THRESHOLDS = 400
_RATE_BINS = 200
_MAX_RATE_BINS = 5_000
_INTERVAL_BINS = 60


def figures(loaded: Loaded, look: Look) -> dict[str, Any]:
    """Return the numbers and figures of one look.

    Raises
    ------
    ConfigError
        The look makes no sense for these samples.
    """
    samples = loaded.samples
    channel = channel_in(samples, look)
    document: dict[str, Any] = {
        "name": samples.name,
        "device": samples.device,
        "mode": str(samples.mode),
        "channel": channel,
        "channels": [name for name in NEURON_CHANNELS if name in samples.channels],
        "n_samples": samples.n_samples,
        "duration_ms": _duration_ms(samples),
        "notes": list(samples.notes),
        "trace": loaded.once(("trace", channel), lambda: envelope(samples, channel)),
    }
    if samples.mode is ClampMode.VOLTAGE:
        document["problem"] = "it was recorded in voltage clamp, where a neuron has no spikes; choose another part"
        return document
    found = find_in(samples, channel, look.rule)
    averaged, why_not = averaged_in(found, look)
    numbers = spike_document(found)
    del numbers["path"]
    times_ms = numbers.pop("spike_times_ms")
    phase_key = ("phase", channel, look.near_mv_per_ms)
    document |= {
        "spikes": numbers,
        "spike_times_ms": times_ms[:MAX_MARKS],
        "sweep": loaded.once(("sweep", channel, look.rule.falling), lambda: _sweep(samples, channel, look)),
        "rate": _rate(found, look),
        "intervals": _intervals(found),
        "loops": {"problem": why_not} if averaged is None else _loops(averaged),
        "before": _before(found, look),
        "phase": loaded.once(
            phase_key,
            lambda: phase_plane(samples, channel, found.breaks, shape=loaded.shape, near_mv_per_ms=look.near_mv_per_ms),
        ),
        "fi": _fi(found, look),
        "tables": table_names(found, averaged, look),
    }
    return document


def _duration_ms(samples: Samples) -> float:
    return float((samples.steps[-1] - samples.steps[0] + 1) / round(1 / MODEL_STEP_MS))


def _sweep(samples: Samples, channel: str, look: Look) -> dict[str, Any]:
    vm_mv, breaks = samples.channels[channel], breaks_of_steps(samples.steps)
    low, high = float(np.nanmin(vm_mv)), float(np.nanmax(vm_mv))
    step = max(nice_step(max(high - low, 0.1) / MAX_THRESHOLDS), 0.1)
    first, last = np.floor(low / step), np.ceil(high / step)
    thresholds = np.round(np.arange(first, last + 1) * step, 9)
    counts = threshold_sweep(vm_mv, thresholds, direction=look.rule.direction, breaks=breaks)
    suggested = suggest_threshold(vm_mv, direction=look.rule.direction, breaks=breaks)
    return {
        "thresholds_mv": thresholds.tolist(),
        "n_spikes": counts.tolist(),
        "step_mv": step,
        "suggested": None
        if suggested is None
        else {"threshold_mv": suggested.threshold_mv, "low_mv": suggested.low_mv, "high_mv": suggested.high_mv},
    }


def _rate(found: Found, look: Look) -> dict[str, Any]:
    samples = found.samples
    duration_ms = _duration_ms(samples)
    bin_ms = look.bin_ms if look.bin_ms is not None else nice_step(max(duration_ms / _RATE_BINS, 1.0))
    if duration_ms < bin_ms or duration_ms / bin_ms > _MAX_RATE_BINS:
        what = "longer than the time range" if duration_ms < bin_ms else f"too short: more than {_MAX_RATE_BINS} bins"
        return {"problem": f"bins of {bin_ms:g} ms are {what}; choose another width"}
    edges = bin_edges_ms(0.0, duration_ms, bin_ms)
    times_ms = samples.times_ms
    parts = stretches(samples.n_samples, found.breaks)
    observed = np.column_stack([times_ms[parts[:, 0]], times_ms[parts[:, 1] - 1] + MODEL_STEP_MS])
    rate = binned_rate_hz(times_ms[found.spikes], edges, observed_ms=observed)
    return {"bin_ms": bin_ms, "edges_ms": np.round(edges, 6).tolist(), "rate_hz": rate.tolist()}


def _intervals(found: Found) -> dict[str, Any]:
    intervals = found.intervals_ms()
    known = intervals[~np.isnan(intervals)]
    if not len(known):
        return {"edges_ms": [], "n": []}
    width = nice_step(max(float(known.max()) / _INTERVAL_BINS, MODEL_STEP_MS))
    edges = np.arange(0, int(np.floor(known.max() / width)) + 2) * width
    # An interval is a whole number of steps: half a step keeps rounding from moving it into another bin.
    counts, _ = np.histogram(known, edges - MODEL_STEP_MS / 2)
    return {"edges_ms": np.round(edges, 6).tolist(), "n": counts.tolist()}


def _loops(one: Averaged) -> dict[str, Any]:
    numbers = average_document(one)
    del numbers["path"]
    times_ms = np.arange(one.loops.length) * MODEL_STEP_MS
    return {
        **numbers,
        "left_out_text": left_out(one.loops),
        "raster": {
            "loops": one.raster.numbers[:MAX_MARKS].tolist(),
            "times_ms": np.round(one.raster.offsets[:MAX_MARKS] * MODEL_STEP_MS, 6).tolist(),
        },
        "averages": {
            name: drawn_average(average, times_ms, spread=average.sd) for name, average in one.averages.items()
        },
    }


def _before(found: Found, look: Look) -> dict[str, Any]:
    if "stimulus" not in found.samples.channels:
        return {"problem": "there is no channel stimulus with values in it"}
    around = stimulus_before(found, look.sta_ms)
    if not around.n_used:
        return {"problem": "there is no spike with so much of the recording before it"}
    shown = drawn_average(around.average, np.round(around.lags * MODEL_STEP_MS, 9), spread=around.average.sem)
    return {**shown, "n_used": around.n_used, "n_left_out": around.n_left_out}


def _fi(found: Found, look: Look) -> dict[str, Any]:
    if look.fi not in found.samples.channels:
        return {"problem": f"there is no channel {look.fi} with values in it"}
    try:
        curve = curve_of(found, look.fi)
    except ConfigError as error:
        return {"problem": str(error)}
    if not curve.points:
        cut = f" ({curve.n_left_out} were cut)" if curve.n_left_out else ""
        return {"problem": f"{look.fi} has no steps of 5 ms or more with both ends in the recording{cut}"}
    return {**curve_document(curve), "channel": look.fi, "unit": STEP_UNITS[look.fi], "line": _line(curve)}


def _line(curve: FiCurve) -> list[tuple[float, float]]:
    """Return both ends of the line whose slope is the gain; nothing where there is none."""
    firing = [point for point in curve.points if point.level >= curve.rheobase]
    if len(firing) < 2:
        return []
    levels = [point.level for point in firing]
    middle = float(np.mean(levels)), float(np.mean([point.rate_hz for point in firing]))
    return [(level, middle[1] + curve.gain_hz_per_unit * (level - middle[0])) for level in (levels[0], levels[-1])]
