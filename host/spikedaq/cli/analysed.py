"""What the commands that analyse recordings do alike: read with a progress bar, find spikes, write tables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from spikedaq.analysis import Table
from spikedaq.cli.common import console
from spikedaq.formats.found_spikes import NEURON_CHANNELS, Found, SpikeRule, find_in, notes_of
from spikedaq.formats.output import refuse_existing, written_whole
from spikedaq.formats.samples import Samples, read_samples
from spikedaq.model import ClampMode, StoreError


def read(arguments: argparse.Namespace, channels: Sequence[str]) -> list[Samples]:
    """Read what the arguments name, with a progress bar on a terminal."""
    found: list[Samples] = []
    with _progress(arguments) as progress:
        for path in dict.fromkeys(arguments.paths):
            task = progress.add_task(f"read {path.name}", total=None)

            def show(done: int, total: int, task: Any = task) -> None:
                progress.update(task, completed=done, total=total)

            span_s = {"start_s": arguments.start, "stop_s": arguments.stop}
            found += read_samples(path, channels, device=arguments.device, progress=show, **span_s)
    return found


def find_all(recordings: Sequence[Samples], arguments: argparse.Namespace) -> list[Found]:
    """Find the spikes of each potential; those at synapses are left out where they have none.

    Raises
    ------
    StoreError
        In none of the recordings can spikes be looked for.
    """
    found = [
        one
        for samples in recordings
        if samples.mode is not ClampMode.VOLTAGE
        for channel in NEURON_CHANNELS
        if channel in samples.channels
        for one in [find_in(samples, channel, rule_of(arguments))]
        # An unplugged jack has a potential, too.
        if channel == "vm" or len(one.spikes)
    ]
    if not found:
        where = ", ".join(samples.name for samples in recordings)
        if all(samples.mode is ClampMode.VOLTAGE for samples in recordings):
            raise StoreError(
                f"{where}: recorded in voltage clamp, where a neuron has no spikes; name another recording"
            )
        raise StoreError(f"{where}: there is no channel vm with values in it; name another recording")
    return found


def rule_of(arguments: argparse.Namespace) -> SpikeRule:
    """Return what the options call a spike."""
    return SpikeRule(arguments.threshold, arguments.falling, arguments.hysteresis, arguments.refractory)


def say_notes(recordings: Sequence[Samples]) -> None:
    """Print on stderr what a reader of the numbers could get wrong."""
    for samples in recordings:
        for note in notes_of(samples):
            print(f"spikedaq: note: {samples.name}: {note}", file=sys.stderr)


def write_tables(
    arguments: argparse.Namespace, tables: dict[str, list[Table]], recordings: list[Samples]
) -> list[Path]:
    """Write the tables of each recording, by name, under ``--out``; return the files, none where it was not given.

    Raises
    ------
    StoreError
        Two recordings of one name; something there must not be replaced, looked at before the first is written; or it
        cannot be written.
    """
    if arguments.out is None:
        return []
    names = [samples.name for samples in recordings]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise StoreError(
            f"there are two recordings called {', '.join(twice)}, and their tables would be, too; "
            "analyse them one at a time"
        )
    files = list(_files(arguments.out, tables, several=len(tables) > 1))
    for path, _ in files:
        refuse_existing(path, overwrite=arguments.overwrite)
    with _progress(arguments) as progress:
        task = progress.add_task("write", total=sum(table.n_rows for _, table in files))
        for path, table in files:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                message = f"cannot make {path.parent}: {error.strerror}; choose another place with --out"
                raise StoreError(message) from error
            with written_whole(path, overwrite=arguments.overwrite) as file:
                for lines in table.lines():
                    file.write(lines.encode())
                    progress.update(task, advance=lines.count("\n"))
    return [path for path, _ in files]


def _progress(arguments: argparse.Namespace) -> Progress:
    out = console()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=out, disable=arguments.json or not out.is_terminal, transient=True)


def _files(out: Path, tables: dict[str, list[Table]], *, several: bool) -> Iterator[tuple[Path, Table]]:
    for name, those in tables.items():
        for table in those:
            yield (out / name if several else out) / table.name, table
