"""`spikedaq info`: what a recording or a file of another kind holds."""

from __future__ import annotations

import argparse
import warnings
from typing import Any

from spikedaq.cli.common import add_json_option, print_json, printable
from spikedaq.model import RecordingWarning


def add_commands(commands: Any) -> None:
    """Add this module's command."""
    parser = commands.add_parser("info", help="what a recording holds: channels, segments, gaps, files, what is odd")
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="a recording file, the folder of a device or session, a pattern, a CSV, or what `save` wrote; "
        "several of one session are taken together",
    )
    parser.add_argument("--device", metavar="NAME", help="only this device of a session")
    parser.add_argument(
        "--mode", choices=("current", "voltage", "common"), help="which samples, where the clamp changed"
    )
    parser.add_argument("--skip-damaged", action="store_true", help="leave files out that cannot be read, and say so")
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what there is; a line for each thing, or one JSON document."""
    # HDF5 and numpy take 0.3 s to load; the other commands do without.
    import spikedaq  # noqa: PLC0415
    from spikedaq.recording.summary import summary  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecordingWarning)  # they are printed as what the recording's flags say
        opened = spikedaq.open(
            *arguments.paths, device=arguments.device, mode=arguments.mode, skip_damaged=arguments.skip_damaged
        )
        with opened:
            if arguments.json:
                print_json({"devices": {name: summary(one) for name, one in opened.devices.items()}})
                return 0
            for name, one in opened.devices.items():
                if len(opened.devices) > 1:
                    print(f"== {printable(name)}")
                for line in str(one).splitlines():
                    print(printable(line))
    return 0
