"""`spikedaq import`: spikes in the files of other tools, looked at, or written in another format."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table as Screen

from spikedaq.cli.analysis_options import positive_number
from spikedaq.cli.common import add_json_option, console, print_json, printable
from spikedaq.cli.export_spikes import TARGETS, UNITS, add_target_options, described, options_of, told, working
from spikedaq.model import ConfigError

if TYPE_CHECKING:
    from spikedaq.analysis import SpikeTrains

# As of interchange.formats, which takes 0.3 s to load; a test compares them.
SOURCES = ("hdf5", "nwb", "kilosort", "pickle", "spikelab-npz", "spikeinterface", "neo", "csv")
_SHOWN = 40


def add_commands(commands: Any) -> None:
    """Add this module's command."""
    parser = commands.add_parser(
        "import", aliases=["convert"], help="read spikes of other tools: say what is there, or write another format"
    )
    parser.add_argument("source", metavar="PATH", help="a file or folder with spikes, or an s3:// URL")
    parser.add_argument(
        "--from", choices=SOURCES, metavar="FORMAT", dest="source_format",
        help=f"what it is: {', '.join(SOURCES)} (default: found out)",
    )  # fmt: skip
    parser.add_argument("--out", metavar="PATH", help="write the spikes there; the extension says the format")
    parser.add_argument("--to", choices=TARGETS, metavar="FORMAT", help=f"or this does: {', '.join(TARGETS)}")
    parser.add_argument(
        "--source-fs", type=positive_number, metavar="HZ", help="sampling rate of a source that does not say it"
    )
    parser.add_argument("--source-unit", choices=UNITS, help="of times in hdf5 and kilosort that do not say it")
    parser.add_argument("--length", type=positive_number, metavar="MS", help="leave out and count later spikes")
    parser.add_argument("--clusters", metavar="FILE", help="table of clusters in a KiloSort folder: keep good and mua")
    parser.add_argument("--noise", action="store_true", help="with --clusters: keep all that the table lists")
    parser.add_argument(
        "--trust", action="store_true", help="read a pickle (.pkl, .npz): you know who made it, for it can run code"
    )
    add_target_options(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace what is at --out")
    add_json_option(parser)
    parser.set_defaults(run=run_import)


def run_import(arguments: argparse.Namespace) -> int:
    """Read spikes; write them, or say what they are."""
    # HDF5 and numpy take 0.3 s to load; the other commands do without.
    from spikedaq.interchange.formats import (  # noqa: PLC0415
        FORMATS,
        format_of_source,
        format_of_target,
        load_spikes,
        save_spikes,
    )
    from spikedaq.interchange.window import cut_at  # noqa: PLC0415

    if arguments.to is not None and arguments.out is None:
        raise ConfigError("--to needs --out, a name for what is written")
    source = FORMATS[arguments.source_format] if arguments.source_format else format_of_source(arguments.source)
    target = None
    if arguments.out is not None:
        target = FORMATS[arguments.to] if arguments.to else format_of_target(arguments.out)
    with told() as notes, working(arguments) as doing:
        doing(f"read {arguments.source}")
        trains = load_spikes(arguments.source, format=source.name, **_reading(arguments, source.name))
        trains = cut_at(trains, arguments.length)
        if target is not None:
            known = trains.metadata.get("fs_Hz")
            fs_hz = float(known) if isinstance(known, int | float) else arguments.source_fs
            if target.name in ("kilosort", "spikeinterface") and fs_hz is None and arguments.fs_hz is None:
                raise ConfigError(f"{target} counts samples, and {arguments.source} says no sampling rate; give --fs")
            options = options_of(arguments, target.options, fs_hz)
            doing(f"write {arguments.out}")
            save_spikes(trains, arguments.out, format=target.name, overwrite=arguments.overwrite, **options)
    _report(arguments, trains, source.name, None if target is None else target.name, notes)
    return 0


def _reading(arguments: argparse.Namespace, source: str) -> dict[str, Any]:
    """Return the options of the loader that were given."""
    options: dict[str, Any] = {}
    if source in ("pickle", "spikelab-npz") or (source == "neo" and arguments.trust):
        options["trust"] = arguments.trust
        if source == "pickle":
            options["allow_remote"] = True  # who types the address knows that it is one
    if arguments.source_unit is not None:
        if source not in ("hdf5", "kilosort"):
            raise ConfigError(f"--source-unit is of hdf5 and kilosort, and {arguments.source} is {source}")
        options["time_unit"] = arguments.source_unit
    if arguments.source_fs is not None and source in ("kilosort", "csv", "hdf5"):
        options["fs_Hz"] = arguments.source_fs
    if arguments.clusters is not None:
        if source != "kilosort":
            raise ConfigError(f"--clusters is of KiloSort folders, and {arguments.source} is {source}")
        options |= {"cluster_info_tsv": arguments.clusters, "include_noise": arguments.noise}
    return options


def _report(
    arguments: argparse.Namespace, trains: SpikeTrains, source: str, target: str | None, notes: list[str]
) -> None:
    if arguments.json:
        units = [
            {"n_spikes": len(train), "rate_hz": float(rate), "attributes": attributes}
            for train, rate, attributes in zip(trains.trains, trains.rates("Hz"), _attributes(trains), strict=True)
        ]
        print_json(
            {
                "source": arguments.source,
                "format": source,
                **described(trains),
                "units": units,
                "written": None if target is None else {"file": arguments.out, "format": target},
                "notes": notes,
            }
        )
        return
    for note in notes:
        print(f"spikedaq: note: {note}", file=sys.stderr)
    if target is None:
        _show(trains)
    name = Path(arguments.source).name or arguments.source
    window = f"{trains.start_time:.10g} to {trains.end_time:.10g} ms"
    n_spikes = sum(len(train) for train in trains.trains)
    print(f"{printable(name)} ({source}): {trains.N} units, {n_spikes} spikes, {window}")
    if target is not None:
        print(arguments.out)


def _show(trains: SpikeTrains) -> None:
    out = console()
    screen = Screen(box=None, pad_edge=False)
    for title in ("unit", "name"):
        screen.add_column(title)
    for title in ("electrode", "spikes", "rate"):
        screen.add_column(title, justify="right")
    rows = zip(trains.trains, trains.rates("Hz"), _attributes(trains), strict=True)
    for number, (train, rate, one) in enumerate(rows):
        if number == _SHOWN:
            screen.add_row("...", f"{trains.N - _SHOWN} more", "", "", "")
            break
        shown = [printable(str(one.get(key, ""))) for key in ("unit_id", "name", "electrode")]
        screen.add_row(shown[0] or str(number), *shown[1:], str(len(train)), f"{rate:.4g} Hz")
    out.print(screen)


def _attributes(trains: SpikeTrains) -> list[dict[str, Any]]:
    """Return what is known of each unit and can stand in JSON."""
    import numpy as np  # noqa: PLC0415 - as above

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray | np.generic):
            return value.tolist()
        return value if isinstance(value, bool | int | float | str | list | None) else str(value)

    return [{str(k): plain(v) for k, v in one.items()} for one in trains.neuron_attributes or [{}] * trains.N]
