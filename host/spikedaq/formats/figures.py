"""Figures of what was found: the potential with its spikes, and averages over stimulus loops with their raster.

Matplotlib draws them (extra ``analysis``), without a window and without touching what the caller draws with it.
"""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.analysis import NEURONS
from spikedaq.analysis.averages import Average
from spikedaq.formats.found_spikes import NEURON_CURRENTS, Found
from spikedaq.formats.loop_averages import AVERAGED_UNITS, Averaged
from spikedaq.model import MODEL_STEP_MS, require

FloatArray = npt.NDArray[np.float64]

EXTRA = "analysis"
# Told apart by people who see no red or no green: Okabe and Ito 2008.
TRACE, MARK, RATE, STIMULUS, FAINT = "#0072B2", "#D55E00", "#009E73", "#555555", "#999999"

_WIDTH_IN = 10.0
_DPI = 120
_COLUMNS = 2400
"""Pieces of a long trace, of which each is drawn as its lowest and highest value: two for each dot across."""
_SECONDS_FROM_MS = 5000.0


def spike_figure(found: Found) -> bytes:
    """Draw a potential with its spikes, the stimulus, the rate, and how long the intervals are.

    Parameters
    ----------
    found : Found
        The stimulus is drawn where its samples have one.

    Returns
    -------
    bytes
        A PNG.

    Raises
    ------
    MissingExtraError
        Matplotlib is not installed.
    """
    samples = found.samples
    has_stimulus = "stimulus" in samples.channels
    heights = [3.0, *([1.0] if has_stimulus else []), 1.4, 1.6]
    figure, axes = _figure(heights, shared=len(heights) - 1)
    unit, per_ms = ("s", 1e-3) if samples.n_samples * MODEL_STEP_MS > _SECONDS_FROM_MS else ("ms", 1.0)
    times = samples.times_ms * per_ms
    top = axes[0]
    _trace(top, times, samples.channels[found.channel], found.breaks, TRACE)
    top.set_ylabel(f"{found.channel} (mV)")
    if found.threshold_mv is not None:
        top.axhline(found.threshold_mv, color=FAINT, linewidth=0.8, linestyle="--")
    if len(found.spikes):
        # In the axes' own height, so that they stand above whatever the potential does.
        top.plot(
            times[found.spikes],
            np.full(len(found.spikes), 1.03),
            "|",
            color=MARK,
            markersize=7,
            transform=top.get_xaxis_transform(),
            clip_on=False,
        )
    if has_stimulus:
        _trace(axes[1], times, samples.channels["stimulus"], found.breaks, STIMULUS)
        axes[1].set_ylabel("stimulus (%)")
    _trace(axes[-2], times, found.held_rate_hz(), found.breaks, RATE)
    axes[-2].set_ylabel("rate (Hz)")
    axes[-2].set_ylim(0, None if len(found.spikes) else 1)
    axes[-2].set_xlabel(f"model time ({unit})")
    if len(times):
        axes[0].set_xlim(times[0], times[-1] if len(times) > 1 else times[0] + 1)
    _intervals(axes[-1], found.intervals_ms())
    train = found.describe()
    level = "no threshold suggests itself" if found.threshold_mv is None else f"threshold {found.threshold_mv:.4g} mV"
    rate = f", {train.rate_hz:.4g} Hz" if train.n_spikes else ""
    n_gaps = len(found.breaks)
    gaps = f", {n_gaps} gap{'s' if n_gaps > 1 else ''}" if n_gaps else ""
    count = f"{train.n_spikes} spike{'' if train.n_spikes == 1 else 's'}"
    top.set_title(f"{_title(found)}: {count}{rate}{gaps}, {level}", loc="left", fontsize=10, pad=14)
    return _png(figure)


def average_figure(averaged: Averaged) -> bytes:
    """Draw averages over loops: raster, rate, potential, current and stimulus, each with its spread.

    Parameters
    ----------
    averaged : Averaged
        With a whole loop at least.

    Returns
    -------
    bytes
        A PNG. The band around a rate is its standard error, that around the others their standard deviation.

    Raises
    ------
    MissingExtraError
        Matplotlib is not installed.
    """
    found = averaged.found
    channels = [found.channel, NEURON_CURRENTS[found.channel], "stimulus"]
    shown = [
        (f"{one} ({AVERAGED_UNITS.get(one, 'mV')})", colour) for one, colour in zip(channels, _COLOURS, strict=True)
    ]
    shown = [(key, colour) for key, colour in shown if key in averaged.averages]
    figure, axes = _figure([2.2, 1.5, *(2.0 if k == 0 else 1.2 for k in range(len(shown)))])
    raster = averaged.raster
    size = float(np.clip(400 / max(len(averaged.loops.every), 1), 1.5, 9.0))
    axes[0].plot(raster.offsets * MODEL_STEP_MS, raster.numbers, "|", color="black", markersize=size)
    axes[0].set_ylabel("loop")
    axes[0].set_ylim(len(averaged.loops.every) - 0.5, -0.5)
    axes[0].yaxis.get_major_locator().set_params(integer=True)
    _band(axes[1], averaged.averages["rate (Hz)"], RATE, of_mean=True)
    axes[1].set_ylabel("rate (Hz)")
    axes[1].set_ylim(bottom=0)
    for axis, (key, colour) in zip(axes[2:], shown, strict=True):
        _band(axis, averaged.averages[key], colour, of_mean=False)
        axis.set_ylabel(key)
    axes[-1].set_xlabel("model time in the loop (ms)")
    axes[-1].set_xlim(0, averaged.loops.length * MODEL_STEP_MS)
    n = len(averaged.loops.every)
    axes[0].set_title(
        f"{_title(found)}: {averaged.n_used} of {n} loops, mean ± sem (rate), ± sd (others)", loc="left", fontsize=10
    )
    return _png(figure)


_COLOURS = (TRACE, MARK, STIMULUS)


def _title(found: Found) -> str:
    return found.samples.name + ("" if found.neuron == NEURONS[0] else f", {found.neuron}")


def _figure(heights: list[float], *, shared: int | None = None) -> tuple[Any, list[Any]]:
    """Return a figure with one plot below the other; the first ``shared`` have one axis of time, None: all."""
    figure = require("matplotlib.figure", EXTRA).Figure(
        figsize=(_WIDTH_IN, 1.0 + 1.15 * sum(heights)), dpi=_DPI, layout="constrained"
    )
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    axes: list[Any] = []
    for k in range(len(heights)):
        is_shared = shared is None or k < shared
        axes.append(figure.add_subplot(grid[k, 0], sharex=axes[0] if axes and is_shared else None))
        axes[-1].spines[["top", "right"]].set_visible(False)
        if is_shared and k < (len(heights) if shared is None else shared) - 1:
            axes[-1].tick_params(labelbottom=False)
    figure.align_ylabels(axes)
    return figure, axes


def _trace(axis: Any, times: FloatArray, values: FloatArray, breaks: npt.NDArray[np.int64], colour: str) -> None:
    """Draw a trace with nothing across its breaks; a long one by the lowest and highest value of each piece."""
    edges = [0, *breaks.tolist(), len(values)]
    drawn_x: list[FloatArray] = []
    drawn_y: list[FloatArray] = []
    for start, stop in pairwise(edges):
        x, y = _thinned(times[start:stop], values[start:stop], max(len(values) // _COLUMNS, 1))
        drawn_x += [x, np.array([np.nan])]
        drawn_y += [y, np.array([np.nan])]
    axis.plot(np.concatenate(drawn_x), np.concatenate(drawn_y), color=colour, linewidth=0.8)


def _thinned(times: FloatArray, values: FloatArray, per_piece: int) -> tuple[FloatArray, FloatArray]:
    if per_piece < 4:
        return times, values
    starts = np.arange(0, len(values), per_piece)
    if not len(starts):
        return times, values
    low, high = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
    return np.repeat(times[starts], 2), np.column_stack([low, high]).ravel()


def _intervals(axis: Any, intervals_ms: FloatArray) -> None:
    known = intervals_ms[~np.isnan(intervals_ms)]
    axis.set_xlabel("interval between spikes (ms)")
    axis.set_ylabel("intervals")
    axis.yaxis.get_major_locator().set_params(integer=True)
    if not len(known):
        axis.set_yticks([])
        axis.text(0.5, 0.5, "fewer than two spikes in one stretch", ha="center", va="center", transform=axis.transAxes)
        return
    # Whole steps wide, and between steps: a bin of a fraction of a step would be empty or full by accident.
    n_steps = max(round((known.max() - known.min()) / 60 / MODEL_STEP_MS), 1)
    first = max(round(known.min() / MODEL_STEP_MS) - 0.5, 0.0)
    n_bins = int((known.max() / MODEL_STEP_MS - first) / n_steps) + 1
    axis.hist(known, bins=(first + n_steps * np.arange(n_bins + 1)) * MODEL_STEP_MS, color=FAINT)
    axis.set_xlim(left=0)


def _band(axis: Any, average: Average, colour: str, *, of_mean: bool) -> None:
    times_ms = np.arange(len(average.mean)) * MODEL_STEP_MS
    spread = np.nan_to_num(average.sem if of_mean else average.sd)
    axis.fill_between(times_ms, average.mean - spread, average.mean + spread, color=colour, alpha=0.25, linewidth=0)
    axis.plot(times_ms, average.mean, color=colour, linewidth=1.0)


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
