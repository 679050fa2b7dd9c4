"""Options that the commands which analyse recordings share."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from spikedaq.cli.common import add_json_option, add_url_option
from spikedaq.model import ConfigError


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Add what names recordings, a part of them, and where tables go."""
    parser.add_argument(
        "paths",
        type=Path,
        nargs="*",
        metavar="PATH",
        help="a folder of a session or device, a .nwb file, a nine-column CSV, or a folder with any of these in it; "
        "with --live names of devices, none for all",
    )
    parser.add_argument("--device", metavar="NAME", help="only this device of a session")
    parser.add_argument(
        "--start", type=seconds, metavar="S", help="leave out what is before this second of the recording"
    )
    parser.add_argument("--stop", type=seconds, metavar="S", help="leave out this second and what is after it")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="write tables there, in a folder for each recording if they are several",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace tables and figures that are already there")
    parser.add_argument(
        "--plot",
        action="store_true",
        help="also draw figures, as PNG: beside the tables of --out, else in the current folder",
    )
    add_json_option(parser)
    live: Any = parser.add_argument_group("of a running bench")
    live.add_argument("--live", action="store_true", help="follow a bench until Ctrl-C, which sums up")
    live.add_argument("--seconds", type=positive_number, metavar="N", help="end after this long")
    live.add_argument("--every", type=positive_number, default=1.0, metavar="S", help="show numbers this often (1)")
    add_url_option(live)


def check_reading_options(arguments: argparse.Namespace) -> None:
    """Raise ConfigError where options do not go together."""
    if arguments.live:
        return
    if not arguments.paths:
        raise ConfigError("name a recording or a folder of recordings, or --live for a running bench")
    if given := [f"--{name}" for name in ("seconds", "url", "key") if getattr(arguments, name) is not None]:
        raise ConfigError(f"{given[0]} is of a running bench; add --live, or leave it out")


def add_spike_options(parser: argparse.ArgumentParser) -> None:
    """Add what a spike is."""
    parser.add_argument(
        "--threshold",
        type=threshold_mv,
        default=-20.0,
        metavar="MV",
        help="a spike is a crossing of this potential (default: -20, as in the stock software), or 'auto'",
    )
    parser.add_argument("--falling", action="store_true", help="look for crossings downward")
    parser.add_argument(
        "--hysteresis", type=not_negative, default=0.0, metavar="MV", help="how far it must go back in between (0)"
    )
    parser.add_argument(
        "--refractory", type=not_negative, default=0.0, metavar="MS", help="least time between two spikes (0)"
    )


def seconds(text: str) -> float:
    """Read a number of seconds of any sign."""
    return _number(text, "seconds")


def not_negative(text: str) -> float:
    """Read a number that is not below 0."""
    value = _number(text, "0 or more")
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is below 0")
    return value


def positive_number(text: str) -> float:
    """Read a number above 0."""
    value = _number(text, "a number above 0")
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not above 0")
    return value


def threshold_mv(text: str) -> float | None:
    """Read a threshold in mV; None for ``auto``."""
    return None if text == "auto" else _number(text, "mV, or 'auto'")


def _number(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is no number; give {what}")
    return value
