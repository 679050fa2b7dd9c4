"""`spikedaq spikes`: find spikes in recordings."""

from __future__ import annotations

import argparse
from typing import Any

from spikedaq.cli.analysis_options import add_reading_options, add_spike_options, check_reading_options


def add_commands(commands: Any) -> None:
    """Add this module's command."""
    parser = commands.add_parser(
        "spikes", help="find spikes in recordings or live: events, intervals, rates, F-I curve"
    )
    add_reading_options(parser)
    add_spike_options(parser)
    parser.add_argument(
        "--fi",
        choices=("stimulus", "i_total"),
        metavar="CHANNEL",
        help="also the rate at each step of this channel, stimulus or i_total (F-I curve)",
    )
    parser.set_defaults(run=run_spikes)


def run_spikes(arguments: argparse.Namespace) -> int:
    """Find spikes, say what was found, write tables where asked to."""
    check_reading_options(arguments)
    if arguments.live:
        # ZeroMQ and HDF5 take half a second to load; the other commands do without.
        from spikedaq.cli.live_report import run_live  # noqa: PLC0415

        return run_live(arguments)
    # HDF5 and numpy take 0.3 s to load; the other commands do without.
    from spikedaq.cli.spike_report import report  # noqa: PLC0415

    return report(arguments)
