"""`spikedaq selftest`: every input of a board, to compare with a voltmeter and the board's wiring."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from spikedaq.cli.common import add_json_option, add_url_option, console, open_client, positive_seconds, print_json

_PERIOD_S = 0.2
"""Between two readings of all inputs while watching: as fast as a hand turns a knob, far below what a link carries."""

Readings = list[dict[str, Any]]


def add_commands(commands: Any) -> None:
    """Add this module's command."""
    parser = commands.add_parser("selftest", help="read every knob, jack and sensor of a device's board")
    parser.add_argument("device")
    parser.add_argument("--watch", action="store_true", help="read them again and again, until Ctrl-C")
    parser.add_argument("--seconds", type=positive_seconds, metavar="N", help="with --watch: end after this long")
    add_url_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_self_test)


def run_self_test(arguments: argparse.Namespace) -> int:
    """Show the inputs, once or until Ctrl-C."""
    with open_client(arguments) as client:

        def read() -> Readings:
            readings: Readings = client.call("self_test", device=arguments.device)
            return readings

        if not arguments.watch:
            show(read(), as_json=arguments.json, out=console())
            return 0
        end_s = None if arguments.seconds is None else time.monotonic() + arguments.seconds
        try:
            watch(
                read,
                as_json=arguments.json,
                out=console(),
                until=lambda: end_s is not None and time.monotonic() >= end_s,
                sleep=time.sleep,
            )
        except KeyboardInterrupt:
            return 0
    return 0


def show(readings: Readings, *, as_json: bool, out: Console) -> None:
    """Print the inputs once."""
    if as_json:
        print_json(readings)
    else:
        out.print(input_table(readings))


def watch(
    read: Callable[[], Readings],
    *,
    as_json: bool,
    out: Console,
    until: Callable[[], bool],
    sleep: Callable[[float], None],
) -> None:
    """Read the inputs again and again: a live table on a terminal, one table or document per reading elsewhere."""
    if as_json or not out.is_terminal:
        show(read(), as_json=as_json, out=out)
        while not until():
            sleep(_PERIOD_S)
            show(read(), as_json=as_json, out=out)
        return
    with Live(input_table(read()), console=out, auto_refresh=False) as live:
        while not until():
            sleep(_PERIOD_S)
            live.update(input_table(read()), refresh=True)


def input_table(readings: Readings) -> Table:
    """Return the inputs as a table."""
    table = Table(box=None, pad_edge=False)
    table.add_column("input", no_wrap=True)
    for heading in ("raw", "value"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    table.add_column("read", no_wrap=True)
    for row in readings:
        # A pin's value is its raw number again; only what has a unit is worth decimals.
        value = f"{row['value']:.0f}" if row["unit"] == "1" else f"{row['value']:.3f}"
        table.add_row(str(row["name"]), str(row["raw"]), value, str(row["unit"]), period_text(row["period_us"]))
    return table


def period_text(period_us: int) -> str:
    """Return how often an input is read as ``every 1.2 ms (833 Hz)``."""
    if period_us == 0:
        return "when asked"
    period = f"{period_us} us" if period_us < 1000 else f"{period_us / 1000:g} ms"
    return f"every {period} ({_rate_text(1e6 / period_us)} Hz)"


def _rate_text(rate_hz: float) -> str:
    return f"{rate_hz:.0f}" if rate_hz >= 1000 else f"{rate_hz:.4g}"
