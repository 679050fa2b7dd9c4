"""What `spikedaq spikes` says and writes."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from rich.table import Table as Screen

from spikedaq.analysis import FiCurve, SpikeTrain, Table
from spikedaq.analysis.tables import fi_table
from spikedaq.cli.analysed import find_all, read, say_notes, write_tables
from spikedaq.cli.common import console, print_json
from spikedaq.formats.found_spikes import (
    NEURON_CHANNELS,
    STEP_UNITS,
    Found,
    curve_document,
    curve_of,
    spike_document,
    spike_tables,
)


def report(arguments: argparse.Namespace) -> int:
    """Find spikes, say what was found, write tables where asked to."""
    recordings = read(arguments, [*NEURON_CHANNELS, *([arguments.fi] if arguments.fi else [])])
    every = find_all(recordings, arguments)
    trains = [one.describe() for one in every]
    curves = {one.samples.name: curve_of(one, arguments.fi) for one in every if _has_curve(one, arguments.fi)}
    files: list[Path] = []
    if arguments.out is not None:
        tables: dict[str, list[Table]] = {}
        for one in every:
            tables.setdefault(one.samples.name, []).extend(spike_tables(one))
        for name, curve in curves.items():
            tables[name].append(fi_table(curve, unit=STEP_UNITS[arguments.fi]))
        files = write_tables(arguments, tables, recordings)
    if arguments.json:
        print_json(
            {
                "neurons": [spike_document(one) for one in every],
                "fi": {name: curve_document(curve) for name, curve in curves.items()},
                "files": [str(path) for path in files],
            }
        )
        return 0
    _show(every, trains)
    for name, curve in curves.items():
        _show_curve(name, curve, STEP_UNITS[arguments.fi])
    if arguments.fi and not curves:
        print(f"no steps to show: the recording has no channel {arguments.fi} with values in it")
    say_notes(recordings)
    for path in files:
        print(path)
    return 0


def _has_curve(found: Found, channel: str | None) -> bool:
    return channel is not None and found.channel == "vm" and channel in found.samples.channels


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
