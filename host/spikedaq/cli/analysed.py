"""What the commands that analyse recordings do alike: read with a progress bar, find spikes, say what is in doubt."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from spikedaq.cli.common import console
from spikedaq.formats.found_spikes import NEURON_CHANNELS, Found, SpikeRule, find_in, notes_of
from spikedaq.formats.samples import Samples, read_samples
from spikedaq.model import ClampMode, StoreError


def read_source(
    path: Path, channels: Sequence[str], arguments: argparse.Namespace, progress: Progress
) -> list[Samples]:
    """Read one source, and show how far that is."""
    task = progress.add_task(f"read {path.name}", total=None)

    def show(done: int, total: int) -> None:
        progress.update(task, completed=done, total=total)

    try:
        span_s = {"start_s": arguments.start, "stop_s": arguments.stop}
        return read_samples(path, channels, device=arguments.device, progress=show, **span_s)
    finally:
        progress.remove_task(task)


def find_all(recordings: Sequence[Samples], arguments: argparse.Namespace) -> list[Found]:
    """Find the spikes of each potential; those at synapses are left out where they have none."""
    return [
        one
        for samples in recordings
        if samples.mode is not ClampMode.VOLTAGE
        for channel in NEURON_CHANNELS
        if channel in samples.channels
        for one in [find_in(samples, channel, rule_of(arguments))]
        # An unplugged jack has a potential, too.
        if channel == "vm" or len(one.spikes)
    ]


def refuse_nothing(found: Sequence[object], recordings: Sequence[Known]) -> None:
    """Raise StoreError where in none of the recordings spikes can be looked for."""
    if found or not recordings:
        return
    where = ", ".join(one.name for one in recordings)
    if all(one.mode is ClampMode.VOLTAGE for one in recordings):
        raise StoreError(f"{where}: recorded in voltage clamp, where a neuron has no spikes; name another recording")
    raise StoreError(f"{where}: there is no channel vm with values in it; name another recording")


@dataclass(frozen=True, slots=True)
class Known:
    """What is kept of a recording when its samples are gone."""

    name: str
    mode: ClampMode
    notes: tuple[str, ...]

    @classmethod
    def of(cls, name: str, samples: Samples) -> Known:
        """Keep what is to be said of samples."""
        return cls(name, samples.mode, tuple(notes_of(samples)))


def rule_of(arguments: argparse.Namespace) -> SpikeRule:
    """Return what the options call a spike."""
    return SpikeRule(arguments.threshold, arguments.falling, arguments.hysteresis, arguments.refractory)


def say_notes(recordings: Sequence[Known]) -> None:
    """Print on stderr what a reader of the numbers could get wrong."""
    for one in recordings:
        for note in one.notes:
            print(f"spikedaq: note: {one.name}: {note}", file=sys.stderr)


def progress_bar(arguments: argparse.Namespace) -> Progress:
    """Return a progress bar, which shows nothing but on a terminal."""
    out = console()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=out, disable=arguments.json or not out.is_terminal, transient=True)
