"""What the commands share: options, output, texts of quantities."""

from __future__ import annotations

import argparse
import io
import json
import math
import re
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any, TextIO, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from spikedaq.inlet import ControlClient, control_url

# Wider than any line of ours: what reads a pipe wants one line per thing.
_PIPE_WIDTH = 2000


def add_url_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--url`` and ``--key``."""
    parser.add_argument(
        "--url", help="the daemon's control endpoint (default: $SPIKEDAQ_URL, else tcp://127.0.0.1:5571)"
    )
    parser.add_argument(
        "--key",
        metavar="FILE",
        help="your key, where the daemon demands one (default: $SPIKEDAQ_KEY, else ~/.config/spikedaq/client.key)",
    )


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")


def open_client(arguments: argparse.Namespace) -> ControlClient:
    """Return a client of the daemon that the arguments or the environment name."""
    return ControlClient(control_url(arguments.url), key=arguments.key)


def console() -> Console:
    """Return a console on stdout; where that is no terminal it writes no control characters and wraps nothing."""
    # Texts of others are no markup: a bracket in a name would end the command.
    console = partial(Console, highlight=False, markup=False, emoji=False)
    if sys.stdout.isatty():
        return console(file=sys.stdout)
    return console(file=cast(TextIO, _WithoutPadding(sys.stdout)), width=_PIPE_WIDTH)


class _WithoutPadding(io.TextIOBase):
    """Text without the blanks that rich puts behind what is narrower than a table, or than a console without an end."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        self._out.write(re.sub(r" +(?=\n)", "", text))
        return len(text)

    def flush(self) -> None:
        self._out.flush()


def samples_progress(arguments: argparse.Namespace) -> Progress:
    """Return a bar that counts samples; none with ``--json``, or where stdout is no terminal."""
    out = console()
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("samples"),
        TimeRemainingColumn(),
        console=out,
        disable=arguments.json or not out.is_terminal,
    )


def print_json(value: Any) -> None:
    """Print a value that came from the daemon, as one JSON document on one line."""
    print(json.dumps(only_finite(value), default=_jsonable, allow_nan=False), flush=True)


def only_finite(value: Any) -> Any:
    """Return a value with null for each number that JSON does not know: NaN (nobody can read it), and infinities."""
    if isinstance(value, dict):
        return {key: only_finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [only_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _jsonable(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"{type(value).__name__} cannot stand in JSON")


def printable(text: str) -> str:
    """Return a text of others without what would move the terminal's cursor."""
    return "".join(c if c.isprintable() else " " for c in text)


def bytes_text(n: float | None) -> str:
    """Return a size as ``3.4 MB`` (powers of ten, as df -H and file managers)."""
    if n is None:
        return "-"
    for unit in ("B", "kB", "MB", "GB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.1f} TB"


def span_text(seconds: float) -> str:
    """Return a length of time in its two largest units: ``3 d 4 h``, ``12 min 5 s``, ``0.4 s``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    units = (("y", 31_557_600), ("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
    left = round(seconds)
    parts: list[str] = []
    for name, length in units:
        n, left = divmod(left, length)
        if n or parts:
            parts.append(f"{n} {name}" if n else "")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if part)


def rate_text(rate_hz: float) -> str:
    """Return a sampling rate as ``10000 Hz``."""
    return f"{rate_hz:.0f} Hz"


def clock_text(uncertainty_ns: int | None) -> str:
    """Return a clock uncertainty as ``±52 us``; ``not fitted`` for None."""
    if uncertainty_ns is None:
        return "not fitted"
    us = uncertainty_ns / 1000
    return f"±{us:.0f} us" if us < 1000 else f"±{us / 1000:.1f} ms"


def gaps_text(gaps: Mapping[str, int | None]) -> str:
    """Return missing samples by cause: ``none``, or ``3 lost, 1 dropped``; ``not countable`` where nobody can know."""
    known = ", ".join(f"{n} {cause}" for cause, n in gaps.items() if n)
    if None in gaps.values():
        return "not countable" + (f", {known}" if known else "")
    return known or "none"


def link_text(link: Mapping[str, int]) -> str:
    """Return what a link lost and got back: ``12 frames sent again, 1 missing``; empty where it lost nothing."""
    named = (
        (link.get("frames_resent", 0), "frames sent again"),
        (link.get("frames_missing", 0), "missing"),
        (link.get("frames_held", 0), "waiting for others"),
        (link.get("duplicates", 0), "came twice"),
    )
    return ", ".join(f"{n} {what}" for n, what in named if n)


def number_text(value: float | None) -> str:
    """Return a parameter's value without needless digits (parameters are 32-bit floats on a device)."""
    if value is None:
        return "-"
    return "unknown" if math.isnan(value) else f"{value:.7g}"


def positive_seconds(text: str) -> float:
    """Read a positive number of seconds."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return seconds
