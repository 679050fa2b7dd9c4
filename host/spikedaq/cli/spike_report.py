"""What `spikedaq spikes` says and writes."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table as Screen

from spikedaq.analysis import FiCurve, Table
from spikedaq.analysis.tables import fi_table
from spikedaq.cli.analysed import Known, find_all, refuse_nothing, say_notes
from spikedaq.cli.batch import Batch, Picture, Source
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
from spikedaq.formats.samples import Samples


def report(arguments: argparse.Namespace) -> int:
    """Find spikes, say what was found, write tables and figures where asked to; 1 where a recording failed."""
    batch, told = Batch.of(arguments), _Told()

    def analyse(source: Source, recordings: list[Samples]) -> None:
        names = {id(samples): batch.name_of(source, samples) for samples in recordings}
        told.recordings += [Known.of(names[id(samples)], samples) for samples in recordings]
        every = find_all(recordings, arguments)
        tables: dict[str, list[Table]] = {}
        pictures: dict[str, list[Picture]] = {}
        for one in every:
            name = one.samples.name
            tables.setdefault(name, []).extend(spike_tables(one))
            if arguments.plot:
                pictures.setdefault(name, []).append(_picture(one))
            told.neurons.append(spike_document(one) if arguments.json else _row(names[id(one.samples)], one))
            if _has_curve(one, arguments.fi):
                curve = curve_of(one, arguments.fi)
                told.curves[names[id(one.samples)]] = curve
                tables[name].append(fi_table(curve, unit=STEP_UNITS[arguments.fi]))
        batch.write(source, tables, pictures, len(tables))

    batch.run([*NEURON_CHANNELS, *_more_channels(arguments)], analyse)
    refuse_nothing(told.neurons, told.recordings)
    if arguments.json:
        curves = {name: curve_document(curve) for name, curve in told.curves.items()}
        print_json({"neurons": told.neurons, "fi": curves, **batch.document()})
        return batch.finish()
    if told.neurons:
        _show(told.neurons)
    for name, curve in told.curves.items():
        _show_curve(name, curve, STEP_UNITS[arguments.fi])
    if arguments.fi and told.neurons and not told.curves:
        print(f"no steps to show: the recording has no channel {arguments.fi} with values in it")
    say_notes(told.recordings)
    for path in batch.files:
        print(path)
    return batch.finish()


@dataclass(slots=True)
class _Told:
    """What is kept of all recordings: their samples are gone by then."""

    recordings: list[Known] = field(default_factory=list)
    neurons: list[Any] = field(default_factory=list)
    curves: dict[str, FiCurve] = field(default_factory=dict)


def _more_channels(arguments: argparse.Namespace) -> list[str]:
    wanted = {arguments.fi} if arguments.fi else set()
    return sorted(wanted | ({"stimulus"} if arguments.plot else set()))


def _picture(found: Found) -> Picture:
    def draw() -> bytes:
        # Matplotlib is an extra, and slow to load.
        from spikedaq.formats.figures import spike_figure  # noqa: PLC0415

        return spike_figure(found)

    return Picture(f"spikes{found.suffix}.png", draw)


def _has_curve(found: Found, channel: str | None) -> bool:
    return channel is not None and found.channel == "vm" and channel in found.samples.channels


def _row(name: str, one: Found) -> tuple[str, ...]:
    train = one.describe()
    return (
        name,
        one.neuron,
        "none found" if one.threshold_mv is None else f"{one.threshold_mv:.4g} mV",
        str(train.n_spikes),
        str(len(one.breaks)),
        f"{train.recorded_ms:.1f} ms",
        *(_quantity(train.rate_hz, "Hz"), _quantity(train.mean_interval_ms, "ms")),
        _quantity(train.shortest_interval_ms, "ms"),
        *(_quantity(value) for value in (train.cv, train.cv2, train.lv)),
    )


def _show(rows: list[tuple[str, ...]]) -> None:
    out = console()
    screen = Screen(box=None, pad_edge=False)
    screen.add_column("recording")
    screen.add_column("neuron")
    for title in ("threshold", "spikes", "gaps", "recorded", "rate", "interval", "shortest", "CV", "CV2", "Lv"):
        screen.add_column(title, justify="right")
    for row in rows:
        screen.add_row(*row)
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
