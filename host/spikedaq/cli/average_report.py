"""What `spikedaq average` says and writes."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table as Screen

from spikedaq.analysis import (
    Average,
    Loops,
    Raster,
    Table,
    aligned,
    average,
    find_loops,
    held_rate_hz,
    inter_spike_intervals_ms,
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
from spikedaq.cli.analysed import (
    NEURON_CHANNELS,
    NEURON_CURRENTS,
    Found,
    find_all,
    notes_of,
    read,
    say_notes,
    write_tables,
)
from spikedaq.cli.common import console, print_json
from spikedaq.formats.samples import Samples
from spikedaq.model import MODEL_STEP_MS, ConfigError, StoreError

_UNITS = {"stimulus": "%", "i_total": "a.u.", "syn1_i": "a.u.", "syn2_i": "a.u."}


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


def report(arguments: argparse.Namespace) -> int:
    """Average over loops, say what was found, write tables where asked to; 1 where no recording has a whole loop."""
    recordings = read(arguments, [*NEURON_CHANNELS, *_UNITS, "trigger"])
    loops = {id(samples): _loops(samples, arguments) for samples in recordings if "trigger" in samples.channels}
    every = [
        _average(one, loops[id(one.samples)]) for one in find_all(recordings, arguments) if id(one.samples) in loops
    ]
    if not every:
        raise StoreError(
            f"{', '.join(samples.name for samples in recordings)}: there is no channel trigger with values in it, "
            "so loops cannot be told; record with a stimulus"
        )
    if not any(one.n_used for one in every):
        where = "; ".join(f"{one.found.samples.name}: {_left_out(one.loops)}" for one in every if _is_first(one))
        raise StoreError(f"there is no whole stimulus loop to average ({where}); see --length and --tolerance")
    files: list[Path] = []
    if arguments.out is not None:
        tables: dict[str, list[Table]] = {}
        for one in every:
            tables.setdefault(one.found.samples.name, []).extend(_tables(one, arguments))
        files = write_tables(arguments, tables, recordings)
    if arguments.json:
        print_json({"neurons": [_document(one) for one in every], "files": [str(path) for path in files]})
        return 0
    _show(every)
    say_notes(recordings)
    for path in files:
        print(path)
    return 0


def _is_first(one: Averaged) -> bool:
    return one.found.channel == "vm"


def _loops(samples: Samples, arguments: argparse.Namespace) -> Loops:
    def n_steps(length_ms: float) -> int:
        return round(length_ms / MODEL_STEP_MS)

    length = None if arguments.length is None else n_steps(arguments.length)
    if length == 0:
        raise ConfigError(f"a loop of {arguments.length} ms is shorter than a step of {MODEL_STEP_MS} ms")
    rises = trigger_rises(samples.channels["trigger"])
    tolerance = n_steps(arguments.tolerance)
    return find_loops(rises, samples.n_samples, steps=samples.steps, length=length, tolerance=tolerance)


def _average(found: Found, loops: Loops) -> Averaged:
    samples = found.samples
    rate_hz = held_rate_hz(found.spikes, samples.n_samples, breaks=found.breaks)
    averages = {"rate (Hz)": average(aligned(rate_hz, loops))}
    averages[f"{found.channel} (mV)"] = average(aligned(samples.channels[found.channel], loops))
    for channel in (NEURON_CURRENTS[found.channel], "stimulus"):
        if channel in samples.channels:
            averages[f"{channel} ({_UNITS[channel]})"] = average(aligned(samples.channels[channel], loops))
    return Averaged(found, loops, raster(found.spikes, loops, samples.n_samples), averages)


def _tables(one: Averaged, arguments: argparse.Namespace) -> list[Table]:
    found, samples, loops = one.found, one.found.samples, one.loops
    of = one.averages
    current = of.get(f"{NEURON_CURRENTS[found.channel]} (a.u.)")
    suffix = "" if found.channel == "vm" else f"_{found.channel}"
    times_ms = samples.times_ms
    tables = [
        stock_means_table(
            of["rate (Hz)"].mean,
            of[f"{found.channel} (mV)"].mean,
            None if current is None else current.mean,
            neuron=found.neuron,
        ),
        stock_raster_table(one.raster, neuron=found.neuron),
        average_table(of, step_ms=MODEL_STEP_MS, name=f"averages{suffix}.csv"),
        spike_table(
            found.spikes,
            steps=samples.steps,
            times_ms=times_ms,
            intervals_ms=inter_spike_intervals_ms(found.spikes, times_ms, breaks=found.breaks),
            loops=loops,
            step_ms=MODEL_STEP_MS,
            name=f"spikes{suffix}.csv",
        ),
    ]
    if _is_first(one):
        tables.append(loop_table(loops, step_ms=MODEL_STEP_MS))
    if arguments.sta is not None and "stimulus" in samples.channels:
        around = spike_triggered_average(
            samples.channels["stimulus"],
            found.spikes,
            n_before=max(round(arguments.sta / MODEL_STEP_MS), 1),
            breaks=found.breaks,
        )
        name = f"spike_triggered_average{suffix}.csv"
        tables.append(lag_table({"stimulus (%)": around.average}, around.lags, step_ms=MODEL_STEP_MS, name=name))
    return tables


def _document(one: Averaged) -> dict[str, Any]:
    samples = one.found.samples
    return {
        "recording": samples.name,
        "path": str(samples.path),
        "device": samples.device,
        "neuron": one.found.neuron,
        "channel": one.found.channel,
        "threshold_mv": one.found.threshold_mv,
        "n_loops": len(one.loops.every),
        "n_used": one.n_used,
        "left_out": {str(fault): n for fault, n in one.loops.faults.items()},
        "length_ms": one.loops.length * MODEL_STEP_MS,
        "n_spikes": len(one.found.spikes),
        "n_spikes_in_loops": len(one.raster.offsets),
        "peak_rate_hz": _peak(one)[0],
        "peak_at_ms": _peak(one)[1],
        "notes": notes_of(samples),
    }


def _peak(one: Averaged) -> tuple[float, float]:
    """Return the highest mean rate, in Hz, and where in the loop it is first reached, in ms."""
    mean = one.averages["rate (Hz)"].mean
    if not one.n_used or not mean.any():
        return math.nan, math.nan
    return float(mean.max()), float(np.argmax(mean)) * MODEL_STEP_MS


def _left_out(loops: Loops) -> str:
    """Say why loops are left out: ``2 missed trigger, 1 incomplete``."""
    return ", ".join(f"{n} {fault}" for fault, n in loops.faults.items()) or (
        "none" if loops.every else "it has no trigger"
    )


def _show(every: list[Averaged]) -> None:
    out = console()
    screen = Screen(box=None, pad_edge=False)
    for title in ("recording", "neuron"):
        screen.add_column(title)
    for title in ("loops", "used", "length", "spikes", "per loop", "peak rate", "at"):
        screen.add_column(title, justify="right")
    screen.add_column("left out")
    for one in every:
        peak_hz, at_ms = _peak(one)
        n_spikes = len(one.raster.offsets)
        screen.add_row(
            one.found.samples.name,
            one.found.neuron,
            str(len(one.loops.every)),
            str(one.n_used),
            f"{one.loops.length * MODEL_STEP_MS:.1f} ms",
            str(n_spikes),
            f"{n_spikes / one.n_used:.4g}" if one.n_used else "-",
            "-" if math.isnan(peak_hz) else f"{peak_hz:.4g} Hz",
            "-" if math.isnan(at_ms) else f"{at_ms:.1f} ms",
            _left_out(one.loops),
        )
    out.print(screen)
    for one in every:
        if _is_first(one) and one.n_used * 2 < len(one.loops.every):
            out.print(
                f"{one.found.samples.name}: fewer than half of its loops are whole; samples or triggers are missing "
                "from it, or the stimulus was changed. --tolerance uses loops of nearly the usual length, too"
            )
