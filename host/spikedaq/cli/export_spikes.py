"""`spikedaq export --to`: the spikes of a recording, found by threshold, in the files of other tools."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from spikedaq.cli.analysis_options import not_negative, positive_number, threshold_mv
from spikedaq.cli.common import console, print_json
from spikedaq.model import ConfigError, StoreError

if TYPE_CHECKING:
    from spikedaq.analysis import SpikeTrains
    from spikedaq.recording import Recording

# Loading the formats takes HDF5 and numpy, 0.3 s; a test compares these with the formats.
TARGETS = ("hdf5", "nwb", "kilosort", "pickle", "spikeinterface", "neo", "csv")
UNITS = ("s", "ms", "samples")


def add_target_options(parser: argparse.ArgumentParser) -> None:
    """Add how spikes are written."""
    parser.add_argument(
        "--style", choices=("ragged", "group", "paired", "raster"), help="layout of hdf5 (default: ragged)"
    )
    parser.add_argument(
        "--bin", type=positive_number, metavar="MS", dest="bin_ms", help="width of a bin, for the layout raster"
    )
    parser.add_argument(
        "--time-unit", choices=UNITS, help="of times in hdf5 (default: s, paired: ms) and kilosort (samples)"
    )
    parser.add_argument(
        "--fs",
        type=positive_number,
        metavar="HZ",
        dest="fs_hz",
        help="sampling rate of times in samples (default: that of the source)",
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `spikedaq export` takes for spikes."""
    group = parser.add_argument_group("spikes", "with --to: the spikes of each device, one file for each")
    group.add_argument(
        "--to",
        choices=TARGETS,
        metavar="FORMAT",
        help=f"write spikes, not samples, as one of {', '.join(TARGETS)}",
    )
    group.add_argument(
        "--channels", metavar="NAME", nargs="+", help="find spikes in these (default: vm); each is a unit"
    )
    group.add_argument(
        "--threshold", type=_level_mv, metavar="MV", default=None, help="a spike crosses this upward (default: -20)"
    )
    group.add_argument(
        "--sigma", type=positive_number, metavar="N", help="or N standard deviations from the channel's mean"
    )
    group.add_argument("--refractory", type=not_negative, default=0.0, metavar="MS", help="least time between two (0)")
    add_target_options(group)  # type: ignore[arg-type]


def _level_mv(text: str) -> float:
    level_mv = threshold_mv(text)
    if level_mv is None:
        raise argparse.ArgumentTypeError(
            "'auto' suggests one threshold per trace; see it with spikedaq spikes, give mV"
        )
    return level_mv


def run(arguments: argparse.Namespace) -> int:
    """Find the spikes of each device and write them."""
    # HDF5 and numpy take 0.3 s to load; the other commands do without.
    from spikedaq.interchange.formats import FORMATS, save_spikes  # noqa: PLC0415
    from spikedaq.recording import open_recordings  # noqa: PLC0415

    if arguments.time is not None or arguments.stock_header:
        raise ConfigError(
            f"--time and --stock-header are of the CSV of samples; leave them out with --to {arguments.to}"
        )
    chosen = FORMATS[arguments.to]
    with open_recordings(arguments.recording, device=arguments.device) as opened:
        devices: dict[str, Recording] = dict(opened.devices)
        suffix = chosen.suffixes[0] if chosen.suffixes else f"_{chosen.name}"
        targets = _targets(arguments, devices, suffix)
        _refuse(targets.values(), overwrite=arguments.overwrite)
        written = []
        for name, recording in devices.items():
            with told() as notes:
                trains = _spikes_of(recording, name, arguments)
                options = options_of(arguments, chosen.options, recording.sampling_frequency)
                with working(arguments) as doing:
                    doing(f"write {targets[name]}")
                    save_spikes(trains, targets[name], format=chosen.name, overwrite=arguments.overwrite, **options)
            written.append(
                {"file": str(targets[name]), "device": name, **described(trains), "notes": [*recording.flags, *notes]}
            )
    report(arguments, chosen.name, written)
    return 0


def options_of(arguments: argparse.Namespace, known: Any, fs_hz: float | None) -> dict[str, Any]:
    """Return the options of a format that were given, and the sampling rate where the format wants one."""
    given = {"style": arguments.style, "time_unit": arguments.time_unit, "bin_ms": arguments.bin_ms}
    options = {name: value for name, value in given.items() if value is not None}
    if arguments.fs_hz is not None:
        options["fs_hz"] = arguments.fs_hz
    elif fs_hz is not None and "fs_hz" in known:
        options["fs_hz"] = fs_hz
    return options


@contextmanager
def told() -> Iterator[list[str]]:
    """Collect warnings as texts, each once."""
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield notes
    notes.extend(dict.fromkeys(str(one.message) for one in caught if issubclass(one.category, UserWarning)))


@contextmanager
def working(arguments: argparse.Namespace) -> Iterator[Callable[[str], None]]:
    """Show on a terminal what is being done, and that it goes on; nothing where it is no terminal."""
    out = console()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=out, disable=arguments.json or not out.is_terminal, transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda what: progress.update(task, description=what)


def described(trains: SpikeTrains) -> dict[str, Any]:
    """Return the numbers of spike trains."""
    return {
        "n_units": trains.N,
        "n_spikes": sum(len(train) for train in trains.trains),
        "start_time_ms": trains.start_time,
        "length_ms": trains.length,
    }


def report(arguments: argparse.Namespace, format_name: str, written: list[dict[str, Any]]) -> None:
    """Say what was written."""
    if arguments.json:
        print_json([{"format": format_name, **one} for one in written])
        return
    for one in written:
        for note in one["notes"]:
            print(f"spikedaq: note: {note}", file=sys.stderr)
        print(f"{one['file']}: {one['n_units']} units, {one['n_spikes']} spikes in {one['length_ms'] / 1000:.7g} s")


def _targets(arguments: argparse.Namespace, devices: dict[str, Recording], suffix: str) -> dict[str, Path | str]:
    out = arguments.out
    if out is not None and "://" in str(out):
        base = str(out).rstrip("/")
        if len(devices) == 1 and base.endswith(suffix):
            return dict.fromkeys(devices, base)
        return {name: f"{base}/{_stem(recording)}_spikes{suffix}" for name, recording in devices.items()}
    if out is not None and not Path(out).is_dir():
        if len(devices) > 1:
            named = ", ".join(devices)
            raise StoreError(f"{out} is one file, but the recording has {named}; name one with --device, or a folder")
        return dict.fromkeys(devices, Path(out))
    found: dict[str, Path | str] = {}
    for name, recording in devices.items():
        # Of a recording in S3 the spikes go where the command is given.
        beside = Path.cwd() if "://" in str(arguments.recording) else Path(arguments.recording).resolve()
        folder = beside if out is None else Path(out)
        found[name] = (folder if folder.is_dir() else folder.parent) / f"{_stem(recording)}_spikes{suffix}"
    return found


def _stem(recording: Recording) -> str:
    parts = [part for part in (recording.session, recording.device) if part]
    return "_".join(parts) or Path(recording.name).stem


def _refuse(targets: Any, *, overwrite: bool) -> None:
    """Refuse what is there before the first device is read; a folder is looked at when it is written."""
    for target in targets:
        if not overwrite and "://" not in str(target) and Path(target).exists():
            raise StoreError(f"{target} exists; choose another place with --out, or replace it with --overwrite")


def _spikes_of(recording: Recording, name: str, arguments: argparse.Namespace) -> SpikeTrains:
    out = console()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    hidden = arguments.json or not out.is_terminal
    with Progress(*columns, console=out, disable=hidden, transient=True) as progress:
        task = progress.add_task(f"find spikes of {name}", total=None)
        found = recording.spike_trains(
            arguments.channels,
            threshold=arguments.threshold,
            threshold_sigma=arguments.sigma,
            refractory_ms=arguments.refractory,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    if recording.flags:
        found.metadata["flags"] = list(recording.flags)
    if recording.reference_utc_ns is not None:
        start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=recording.reference_utc_ns // 1000)
        found.metadata.setdefault("session_start_time", start.isoformat())
    return found
