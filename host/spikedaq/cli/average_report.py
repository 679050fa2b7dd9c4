"""What `spikedaq average` says and writes."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from rich.table import Table as Screen

from spikedaq.analysis import Table
from spikedaq.cli.analysed import find_all, read, say_notes, write_tables
from spikedaq.cli.common import console, print_json
from spikedaq.formats.found_spikes import NEURON_CHANNELS
from spikedaq.formats.loop_averages import (
    AVERAGED_UNITS,
    Averaged,
    LoopRule,
    average_document,
    average_over,
    average_tables,
    before_table,
    left_out,
    loops_of,
    stimulus_before,
)
from spikedaq.model import MODEL_STEP_MS, StoreError


def report(arguments: argparse.Namespace) -> int:
    """Average over loops, say what was found, write tables where asked to; 1 where no recording has a whole loop."""
    recordings = read(arguments, [*NEURON_CHANNELS, *AVERAGED_UNITS, "trigger"])
    rule = LoopRule(arguments.length, arguments.tolerance)
    loops = {id(samples): loops_of(samples, rule) for samples in recordings if "trigger" in samples.channels}
    every = [
        average_over(one, loops[id(one.samples)]) for one in find_all(recordings, arguments) if id(one.samples) in loops
    ]
    if not every:
        raise StoreError(
            f"{', '.join(samples.name for samples in recordings)}: there is no channel trigger with values in it, "
            "so loops cannot be told; record with a stimulus"
        )
    if not any(one.n_used for one in every):
        where = "; ".join(f"{one.found.samples.name}: {left_out(one.loops)}" for one in every if _is_first(one))
        raise StoreError(f"there is no whole stimulus loop to average ({where}); see --length and --tolerance")
    files: list[Path] = []
    if arguments.out is not None:
        tables: dict[str, list[Table]] = {}
        for one in every:
            tables.setdefault(one.found.samples.name, []).extend(_tables(one, arguments))
        files = write_tables(arguments, tables, recordings)
    if arguments.json:
        print_json({"neurons": [average_document(one) for one in every], "files": [str(path) for path in files]})
        return 0
    _show(every)
    say_notes(recordings)
    for path in files:
        print(path)
    return 0


def _is_first(one: Averaged) -> bool:
    return one.found.channel == "vm"


def _tables(one: Averaged, arguments: argparse.Namespace) -> list[Table]:
    tables = average_tables(one)
    if arguments.sta is not None and "stimulus" in one.found.samples.channels:
        tables.append(before_table(one.found, stimulus_before(one.found, arguments.sta)))
    return tables


def _show(every: list[Averaged]) -> None:
    out = console()
    screen = Screen(box=None, pad_edge=False)
    for title in ("recording", "neuron"):
        screen.add_column(title)
    for title in ("loops", "used", "length", "spikes", "per loop", "peak rate", "at"):
        screen.add_column(title, justify="right")
    screen.add_column("left out")
    for one in every:
        peak_hz, at_ms = one.peak
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
            left_out(one.loops),
        )
    out.print(screen)
    for one in every:
        if _is_first(one) and one.n_used * 2 < len(one.loops.every):
            out.print(
                f"{one.found.samples.name}: fewer than half of its loops are whole; samples or triggers are missing "
                "from it, or the stimulus was changed. --tolerance uses loops of nearly the usual length, too"
            )
