"""What `spikedaq spikes` says and writes."""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table as Screen

from spikedaq.analysis import (
    FiCurve,
    SpikeTrain,
    Table,
    describe_spikes,
    fi_curve,
    find_steps,
    held_rate_hz,
    inter_spike_intervals_ms,
)
from spikedaq.analysis.tables import fi_table, spike_table, stock_rate_table, stock_spike_table
from spikedaq.cli.analysed import NEURON_CHANNELS, Found, find_all, notes_of, read, say_notes, write_tables
from spikedaq.cli.common import console, print_json
from spikedaq.model import MODEL_STEP_MS

_UNITS = {"stimulus": "%", "i_total": "a.u."}


def report(arguments: argparse.Namespace) -> int:
    """Find spikes, say what was found, write tables where asked to."""
    recordings = read(arguments, [*NEURON_CHANNELS, *([arguments.fi] if arguments.fi else [])])
    every = find_all(recordings, arguments)
    trains = [describe_spikes(one.spikes, one.samples.n_samples, breaks=one.breaks) for one in every]
    curves = {one.samples.name: _curve(one, arguments.fi) for one in every if _has_curve(one, arguments.fi)}
    files: list[Path] = []
    if arguments.out is not None:
        tables: dict[str, list[Table]] = {}
        for one in every:
            tables.setdefault(one.samples.name, []).extend(_tables(one))
        for name, curve in curves.items():
            tables[name].append(fi_table(curve, unit=_UNITS[arguments.fi]))
        files = write_tables(arguments, tables, recordings)
    if arguments.json:
        print_json(
            {
                "neurons": [_document(one, train) for one, train in zip(every, trains, strict=True)],
                "fi": {name: _curve_document(curve) for name, curve in curves.items()},
                "files": [str(path) for path in files],
            }
        )
        return 0
    _show(every, trains)
    for name, curve in curves.items():
        _show_curve(name, curve, _UNITS[arguments.fi])
    if arguments.fi and not curves:
        print(f"no steps to show: the recording has no channel {arguments.fi} with values in it")
    say_notes(recordings)
    for path in files:
        print(path)
    return 0


def _tables(found: Found) -> list[Table]:
    samples, times_ms = found.samples, found.samples.times_ms
    return [
        stock_spike_table(found.spikes, neuron=found.neuron),
        stock_rate_table(held_rate_hz(found.spikes, samples.n_samples, breaks=found.breaks), neuron=found.neuron),
        spike_table(
            found.spikes,
            steps=samples.steps,
            times_ms=times_ms,
            intervals_ms=inter_spike_intervals_ms(found.spikes, times_ms, breaks=found.breaks),
            step_ms=MODEL_STEP_MS,
            name="spikes.csv" if found.channel == "vm" else f"spikes_{found.channel}.csv",
        ),
    ]


def _has_curve(found: Found, channel: str | None) -> bool:
    return channel is not None and found.channel == "vm" and channel in found.samples.channels


def _curve(found: Found, channel: str) -> FiCurve:
    samples = found.samples
    steps = find_steps(samples.channels[channel], resolution=samples.resolutions[channel], breaks=found.breaks)
    return fi_curve(found.spikes, steps)


def _document(found: Found, train: SpikeTrain) -> dict[str, Any]:
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
        **asdict(train),
        "spike_times_ms": samples.times_ms[found.spikes].tolist(),
        "notes": notes_of(samples),
    }


def _curve_document(curve: FiCurve) -> dict[str, Any]:
    return {
        "points": [asdict(point) for point in curve.points],
        "rheobase": curve.rheobase,
        "silent_below": curve.silent_below,
        "gain_hz_per_unit": curve.gain_hz_per_unit,
        "n_left_out": curve.n_left_out,
    }


def _show(every: list[Found], trains: list[SpikeTrain]) -> None:
    out = console()
    screen = Screen(box=None, pad_edge=False)
    screen.add_column("recording")
    screen.add_column("neuron")
    for title in ("threshold", "spikes", "gaps", "recorded", "rate", "interval", "shortest", "CV", "CV2", "Lv"):
        screen.add_column(title, justify="right")
    for one, train in zip(every, trains, strict=True):
        screen.add_row(
            one.samples.name,
            one.neuron,
            "none found" if one.threshold_mv is None else f"{one.threshold_mv:.4g} mV",
            str(train.n_spikes),
            str(len(one.breaks)),
            f"{train.recorded_ms:.1f} ms",
            *(_quantity(train.rate_hz, "Hz"), _quantity(train.mean_interval_ms, "ms")),
            _quantity(train.shortest_interval_ms, "ms"),
            *(_quantity(value) for value in (train.cv, train.cv2, train.lv)),
        )
    out.print(screen)
    out.print("times are of the model: 0.1 ms per step", style="dim")


def _show_curve(name: str, curve: FiCurve, unit: str) -> None:
    out = console()
    if not curve.points:
        out.print(f"{name}: no steps of 5 ms or more with both ends in the recording ({curve.n_left_out} were cut)")
        return
    screen = Screen(box=None, pad_edge=False, title=f"{name}: rate at each step", title_justify="left")
    for title in ("level", "steps", "rate", "sd", "first interval", "steady", "latency"):
        screen.add_column(title, justify="right")
    for point in curve.points:
        screen.add_row(
            f"{point.level:.4g} {unit}",
            str(point.n_steps),
            *(_quantity(point.rate_hz, "Hz"), _quantity(point.rate_sd_hz, "Hz")),
            *(_quantity(point.first_interval_hz, "Hz"), _quantity(point.steady_hz, "Hz")),
            _quantity(point.latency_ms, "ms"),
        )
    out.print(screen)
    if not math.isnan(curve.rheobase):
        out.print(
            f"rheobase between {curve.silent_below:.4g} and {curve.rheobase:.4g} {unit}, "
            f"gain {_quantity(curve.gain_hz_per_unit, f'Hz per {unit}')}"
        )


def _quantity(value: float, unit: str = "") -> str:
    # Regular spikes vary by some 1e-15, the rounding of their times.
    return "-" if math.isnan(value) else f"{round(value, 9):.4g} {unit}".rstrip()
