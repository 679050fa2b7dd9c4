"""What `spikedaq average` says and writes."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table as Screen

from spikedaq.analysis import Table
from spikedaq.cli.analysed import Known, find_all, refuse_nothing, say_notes
from spikedaq.cli.batch import Batch, Picture, Source
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
from spikedaq.formats.samples import Samples
from spikedaq.model import MODEL_STEP_MS, StoreError


def report(arguments: argparse.Namespace) -> int:
    """Average over loops, say what was found, write tables and figures where asked to.

    1 where a recording failed, or none has a whole loop.
    """
    batch, told, rule = Batch.of(arguments), _Told(), LoopRule(arguments.length, arguments.tolerance)

    def analyse(source: Source, recordings: list[Samples]) -> None:
        names = {id(samples): batch.name_of(source, samples) for samples in recordings}
        told.recordings += [Known.of(names[id(samples)], samples) for samples in recordings]
        loops = {id(samples): loops_of(samples, rule) for samples in recordings if "trigger" in samples.channels}
        found = find_all(recordings, arguments)
        told.n_found += len(found)
        every = [average_over(one, loops[id(one.samples)]) for one in found if id(one.samples) in loops]
        tables: dict[str, list[Table]] = {}
        pictures: dict[str, list[Picture]] = {}
        for one in every:
            name = names[id(one.found.samples)]
            told.n_used += one.n_used
            if _is_first(one):
                told.left_out.append(f"{name}: {left_out(one.loops)}")
                told.few_loops += [name] if one.n_used * 2 < len(one.loops.every) else []
            told.neurons.append(average_document(one) if arguments.json else _row(name, one))
        if any(one.n_used for one in every):
            for one in every:
                tables.setdefault(one.found.samples.name, []).extend(_tables(one, arguments))
                if arguments.plot and one.n_used:
                    pictures.setdefault(one.found.samples.name, []).append(_picture(one))
            batch.write(source, tables, pictures, len(tables))

    batch.run([*NEURON_CHANNELS, *AVERAGED_UNITS, "trigger"], analyse)
    told.refuse_nothing()
    if arguments.json:
        print_json({"neurons": told.neurons, **batch.document()})
        return batch.finish()
    if told.neurons:
        _show(told)
    say_notes(told.recordings)
    for path in batch.files:
        print(path)
    return batch.finish()


@dataclass(slots=True)
class _Told:
    """What is kept of all recordings: their samples are gone by then."""

    recordings: list[Known] = field(default_factory=list)
    neurons: list[Any] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    few_loops: list[str] = field(default_factory=list)
    n_found: int = 0
    n_used: int = 0

    def refuse_nothing(self) -> None:
        """Raise StoreError where nothing at all could be averaged."""
        if not self.recordings:
            return  # none could be read, and that is told
        refuse_nothing([None] * self.n_found, self.recordings)
        if not self.neurons:
            raise StoreError(
                f"{', '.join(one.name for one in self.recordings)}: there is no channel trigger with values in it, "
                "so loops cannot be told; record with a stimulus"
            )
        if not self.n_used:
            where = "; ".join(self.left_out)
            raise StoreError(f"there is no whole stimulus loop to average ({where}); see --length and --tolerance")


def _picture(one: Averaged) -> Picture:
    def draw() -> bytes:
        # Matplotlib is an extra, and slow to load.
        from spikedaq.formats.figures import average_figure  # noqa: PLC0415

        return average_figure(one)

    return Picture(f"averages{one.found.suffix}.png", draw)


def _is_first(one: Averaged) -> bool:
    return one.found.channel == "vm"


def _tables(one: Averaged, arguments: argparse.Namespace) -> list[Table]:
    tables = average_tables(one)
    if arguments.sta is not None and "stimulus" in one.found.samples.channels:
        tables.append(before_table(one.found, stimulus_before(one.found, arguments.sta)))
    return tables


def _row(name: str, one: Averaged) -> tuple[str, ...]:
    peak_hz, at_ms = one.peak
    n_spikes = len(one.raster.offsets)
    return (
        name,
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


def _show(told: _Told) -> None:
    out = console()
    screen = Screen(box=None, pad_edge=False)
    for title in ("recording", "neuron"):
        screen.add_column(title)
    for title in ("loops", "used", "length", "spikes", "per loop", "peak rate", "at"):
        screen.add_column(title, justify="right")
    screen.add_column("left out")
    for row in told.neurons:
        screen.add_row(*row)
    out.print(screen)
    for name in told.few_loops:
        out.print(
            f"{name}: fewer than half of its loops are whole; samples or triggers are missing from it, or the stimulus "
            "was changed. --tolerance uses loops of nearly the usual length, too"
        )
