"""`spikedaq stimulus list|make|show|play|stop`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from spikedaq.cli.common import add_json_option, add_url_option, console, open_client, print_json
from spikedaq.cli.stimulus_source import Source, add_source_options, open_source
from spikedaq.inlet import ControlClient, check_fits, play_waveform
from spikedaq.model import CommandRejected

_EXAMPLE = """examples:
  spikedaq stimulus list
  spikedaq stimulus make steps --set count=5 --set first=10 --set increment=10 --out steps.csv
  spikedaq stimulus show steps.csv
  spikedaq stimulus play steps.csv --device alpha --once
  spikedaq stimulus play chirp_linear --set end_hz=30 --device alpha
  spikedaq stimulus stop --device alpha"""
_PLOT_LINES = 8
_PLOT_COLUMNS = 72


def add_commands(commands: Any) -> None:
    """Add this module's commands."""
    group = commands.add_parser(
        "stimulus",
        help="make, look at and play stimulus waveforms",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = group.add_subparsers(metavar="list|make|show|play|stop", required=True)

    parser = actions.add_parser("list", help="show the generators, or the parameters of one")
    parser.add_argument("generator", nargs="?", metavar="GENERATOR")
    add_json_option(parser)
    parser.set_defaults(run=run_list)

    parser = actions.add_parser("make", help="write a stimulus CSV, as the stock software reads it")
    parser.add_argument("source", metavar="GENERATOR", help="a generator, or a specification SPEC.json")
    add_source_options(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=".csv, or .json for the specification")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is already there")
    add_json_option(parser)
    parser.set_defaults(run=run_make)

    parser = actions.add_parser("show", help="show a stimulus as a picture and in numbers")
    parser.add_argument("source", metavar="FILE|GENERATOR")
    add_source_options(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_show)

    parser = actions.add_parser("play", help="upload a stimulus to a device and play it, one row per step")
    parser.add_argument("source", metavar="FILE|GENERATOR")
    add_source_options(parser)
    parser.add_argument("--device", metavar="NAME", help="default: the only one of the bench")
    often = parser.add_mutually_exclusive_group()
    often.add_argument("--once", action="store_true", help="then silence, until 'spikedaq stimulus stop'")
    often.add_argument("--loop", action="store_true", help="again and again (the default)")
    add_url_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_play)

    parser = actions.add_parser("stop", help="go back to the device's own square wave")
    parser.add_argument("--device", metavar="NAME", help="default: the only one of the bench")
    add_url_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_stop)


def run_list(arguments: argparse.Namespace) -> int:
    """Show the generators."""
    from spikedaq.stimulus import GENERATORS, generator  # noqa: PLC0415 - numpy takes 0.2 s to load

    chosen = (generator(arguments.generator),) if arguments.generator else GENERATORS
    if arguments.json:
        print_json([one.to_map() for one in chosen])
        return 0
    out = console()
    table = Table(box=None, pad_edge=False)
    if arguments.generator:
        for heading in ("parameter", "default", "range", "meaning"):
            table.add_column(heading, justify="right" if heading == "default" else "left", no_wrap=heading != "meaning")
        for p in chosen[0].parameters:
            table.add_row(p.name, f"{p.default:g}", p.range_text().removeprefix("from "), p.description)
        out.print(f"{chosen[0].name}: {chosen[0].description}", markup=False)
    else:
        for heading in ("generator", "what it is", "parameters"):
            table.add_column(heading, no_wrap=heading == "generator")
        for one in chosen:
            table.add_row(one.name, one.description, ", ".join(p.name for p in one.parameters))
    out.print(table)
    return 0


def run_make(arguments: argparse.Namespace) -> int:
    """Write a stimulus."""
    from spikedaq.formats.output import written_whole  # noqa: PLC0415 - HDF5 takes 0.3 s to load
    from spikedaq.formats.stimulus_csv import stimulus_csv  # noqa: PLC0415

    source = _source(arguments)
    as_spec = arguments.out.suffix.casefold() == ".json"
    if as_spec and source.waveform.spec is None:
        message = f"{arguments.source} is a file of rows, of which there is no specification; write it as .csv"
        raise CommandRejected(message, code="bad_arguments")
    data = json.dumps(source.waveform.spec, indent=2).encode() + b"\n" if as_spec else stimulus_csv(source.waveform)
    with written_whole(arguments.out, overwrite=arguments.overwrite) as file:
        file.write(data)
    facts = {"out": str(arguments.out), **_facts(source)}
    if arguments.json:
        print_json(facts)
    else:
        print(f"{arguments.out}: {_facts_text(facts)}")
    return 0


def run_show(arguments: argparse.Namespace) -> int:
    """Show a stimulus."""
    from spikedaq.stimulus import braille_plot, envelope  # noqa: PLC0415 - numpy takes 0.2 s to load

    source = _source(arguments)
    facts = _facts(source)
    if arguments.json:
        least, greatest = envelope(source.waveform.percent, _PLOT_COLUMNS)
        print_json({**facts, "spec": source.waveform.spec, "least": least.tolist(), "greatest": greatest.tolist()})
        return 0
    print(f"{source.name}: {_facts_text(facts)}")
    low, high = min(facts["minimum_percent"], 0.0), max(facts["maximum_percent"], 0.0)
    if low == high:
        high = 1.0
    if not _can_print("\u2800"):
        return 0
    lines = braille_plot(source.waveform.percent, width=_PLOT_COLUMNS, height=_PLOT_LINES, low=low, high=high)
    for number, line in enumerate(lines):
        label = f"{high:g} %" if number == 0 else f"{low:g} %" if number == len(lines) - 1 else ""
        print(f"{label:>9} {line}")
    print(f"{'':>9} 0{facts['duration_ms']:>{_PLOT_COLUMNS - 4}g} ms")
    return 0


def run_play(arguments: argparse.Namespace) -> int:
    """Play a stimulus."""
    source = _source(arguments)
    with open_client(arguments) as client:
        device = only_device(client, arguments.device)
        check_fits(client.call("describe", device=device), source.waveform.n_rows)
        hidden = arguments.json or not sys.stderr.isatty()
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.percentage:.0f} %"))
        with Progress(*columns, console=console(), disable=hidden, transient=True) as progress:
            task = progress.add_task(f"upload to {device}", total=source.waveform.n_rows)
            play_waveform(
                client,
                device,
                source.waveform.rows,
                loop=not arguments.once,
                name=source.name,
                on_upload=lambda done, total: progress.update(task, completed=done, total=total),
            )
    facts = {"device": device, "loop": not arguments.once, **_facts(source)}
    if arguments.json:
        print_json(facts)
    else:
        how = "once, then silence" if arguments.once else "in a loop"
        print(f"{device} plays {source.name} {how}: {_facts_text(facts)}")
    return 0


def run_stop(arguments: argparse.Namespace) -> int:
    """Stop a stimulus."""
    with open_client(arguments) as client:
        device = only_device(client, arguments.device)
        client.call("stimulus", device=device, stop=True)
    if arguments.json:
        print_json({"device": device})
    else:
        print(f"{device} is back to its square wave")
    return 0


def _can_print(text: str) -> bool:
    """Whether the output's encoding has these characters; that of a pipe on Windows may not."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def only_device(client: ControlClient, name: str | None) -> str:
    """Return the device that is meant: the one named, else the only one there is.

    Raises
    ------
    CommandRejected
        None is named, and the bench has none or several.
    """
    if name is not None:
        return name
    names = [str(entry["name"]) for entry in client.call("list")]
    if len(names) != 1:
        has = f"the bench has {', '.join(names)}" if names else "the bench has no device"
        raise CommandRejected(f"{has}; say which with --device NAME", code="bad_arguments")
    return names[0]


def _source(arguments: argparse.Namespace) -> Source:
    a = arguments
    return open_source(a.source, a.set, repeat=a.repeat, no_clipping=a.no_clipping)


def _facts(source: Source) -> dict[str, Any]:
    waveform = source.waveform
    return {
        "name": source.name,
        "n_rows": waveform.n_rows,
        "duration_ms": waveform.duration_ms,
        "minimum_percent": int(waveform.rows.min()) / 100,
        "maximum_percent": int(waveform.rows.max()) / 100,
        "mean_percent": round(float(waveform.percent.mean()), 4),
        "n_clipped": waveform.n_clipped,
    }


def _facts_text(facts: dict[str, Any]) -> str:
    return (
        f"{facts['n_rows']} rows, {facts['duration_ms']:g} ms of model time, "
        f"{facts['minimum_percent']:g} to {facts['maximum_percent']:g} %, mean {facts['mean_percent']:g} %"
    )
