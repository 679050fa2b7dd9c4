"""`spikedaq average`: average recordings over stimulus loops."""

from __future__ import annotations

import argparse
from typing import Any

from spikedaq.cli.analysis_options import (
    add_reading_options,
    add_spike_options,
    check_reading_options,
    not_negative,
    positive_number,
)


def add_commands(commands: Any) -> None:
    """Add this module's command."""
    parser = commands.add_parser(
        "average", help="average recordings, or live, over stimulus loops: mean, spread, raster"
    )
    add_reading_options(parser)
    add_spike_options(parser)
    parser.add_argument(
        "--length", type=positive_number, metavar="MS", help="length of a loop (default: what most triggers are apart)"
    )
    parser.add_argument(
        "--tolerance",
        type=not_negative,
        default=0.0,
        metavar="MS",
        help="use loops that are this much shorter or longer, too (0)",
    )
    parser.add_argument(
        "--sta", type=positive_number, metavar="MS", help="also the stimulus before spikes, on average, this far back"
    )
    parser.set_defaults(run=run_average)


def run_average(arguments: argparse.Namespace) -> int:
    """Average over loops, say what was found, write tables where asked to."""
    check_reading_options(arguments)
    if arguments.live:
        # ZeroMQ and HDF5 take half a second to load; the other commands do without.
        from spikedaq.cli.live_report import run_live  # noqa: PLC0415
        from spikedaq.formats.loop_averages import LoopRule  # noqa: PLC0415

        return run_live(arguments, LoopRule(arguments.length, arguments.tolerance))
    # HDF5 and numpy take 0.3 s to load; the other commands do without.
    from spikedaq.cli.average_report import report  # noqa: PLC0415

    return report(arguments)
