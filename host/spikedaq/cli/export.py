"""`spikedaq export`: a recording as CSV, or its spikes in the files of other tools."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spikedaq.cli import export_spikes
from spikedaq.cli.common import gaps_text, print_json, samples_progress


def add_commands(commands: Any) -> None:
    """Add this module's command."""
    parser = commands.add_parser(
        "export", help="write a recording as the stock nine-column CSV, or its spikes for other tools"
    )
    parser.add_argument("recording", type=place, help="a folder of a session or device, or one .nwb file")
    parser.add_argument(
        "--out", type=place, metavar="PATH", help="a folder, or NAME.csv for one device (default: beside the recording)"
    )
    parser.add_argument("--device", metavar="NAME", help="only this device of a session")
    parser.add_argument(
        "--time",
        choices=("model", "wall", "arrival", "stock"),
        default=None,
        help="time column: model time, 0.1 ms per step (the default), or real time of this computer; for a board with "
        "a stock firmware measured ms since the first row (its default), or the stock software's row x 0.1 ms",
    )
    parser.add_argument(
        "--stock-header",
        action="store_true",
        help="head voltage clamp as the stock software does, which calls its millivolts per cent",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace CSV files that are already there")
    parser.add_argument("--json", action="store_true", help="print the files' names as JSON")
    export_spikes.add_options(parser)
    parser.set_defaults(run=run_export)


def place(text: str) -> Path | str:
    """Read a path; a URL stays as it is."""
    return text if "://" in text else Path(text)


def run_export(arguments: argparse.Namespace) -> int:
    """Export one recording."""
    if arguments.to is not None:
        return export_spikes.run(arguments)
    # HDF5 and numpy take 0.3 s to load; the other commands do without.
    from spikedaq.formats import export_csv  # noqa: PLC0415

    with samples_progress(arguments) as progress:
        task = progress.add_task("export", total=None)

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        written = export_csv(
            arguments.recording,
            arguments.out,
            device=arguments.device,
            time=arguments.time,
            as_stock=arguments.stock_header,
            overwrite=arguments.overwrite,
            progress=show,
        )
    if arguments.json:
        print_json([{**asdict(file), "csv": str(file.csv), "description": str(file.description)} for file in written])
        return 0
    for file in written:
        if file.warning is not None:
            print(f"spikedaq: warning: {file.csv}: {file.warning}", file=sys.stderr)
        print(f"{file.csv}: {file.n_rows} rows, missing samples: {gaps_text(file.missing)}")
    return 0
