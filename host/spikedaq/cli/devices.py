"""`spikedaq get | set | device start|stop`."""

from __future__ import annotations

import argparse
import difflib
from typing import Any

from rich.table import Table

from spikedaq.cli.common import (
    add_json_option,
    add_url_option,
    console,
    number_text,
    open_client,
    print_json,
)
from spikedaq.model import CommandRejected

Commands = Any  # argparse gives the type of subparsers no public name


def add_commands(commands: Commands) -> None:
    """Add this module's commands."""
    parser = commands.add_parser("get", help="show parameters of a device")
    parser.add_argument("device")
    parser.add_argument("names", nargs="*", metavar="NAME", help="parameters (default: all)")
    add_url_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_get)

    parser = commands.add_parser("set", help="set parameters of a device, all or none")
    parser.add_argument("device")
    parser.add_argument(
        "values", nargs="+", type=assignment, metavar="NAME=VALUE", help="NAME= hands the parameter back to its knob"
    )
    add_url_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_set)

    parser = commands.add_parser("device", help="start or stop a device's sampling")
    parser.add_argument("action", choices=("start", "stop"))
    parser.add_argument("device")
    add_url_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_start_stop)


def assignment(text: str) -> tuple[str, float | None]:
    """Read ``name=value``; an empty value is None."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE, such as i_clamp=15")
    if not value:
        return name, None
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"the value {value!r} of {name} is not a number") from None


def run_get(arguments: argparse.Namespace) -> int:
    """Show parameters."""
    with open_client(arguments) as client:
        description = client.call("describe", device=arguments.device)
        known = {parameter["name"]: parameter for parameter in description["parameters"]}
        for name in arguments.names:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known)}"
                raise CommandRejected(
                    f"device {arguments.device!r} has no parameter {name!r}; {hint}", code="unknown_parameter"
                )
        names = arguments.names or list(known)
        rows = [{**known[name], **client.call("get", device=arguments.device, name=name)} for name in names]
    if arguments.json:
        print_json(rows)
        return 0
    table = Table(box=None, pad_edge=False)
    table.add_column("parameter")
    table.add_column("value", justify="right")
    for heading in ("unit", "held by", "range"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        bounds = f"{number_text(row['minimum'])} to {number_text(row['maximum'])}"
        holder = "default" if row["holder"] == "knob" and not row["has_knob"] else str(row["holder"])
        table.add_row(row["name"], number_text(row["value"]), row["unit"], holder, bounds)
    console().print(table)
    return 0


def run_set(arguments: argparse.Namespace) -> int:
    """Set parameters."""
    with open_client(arguments) as client:
        value = client.call("set", device=arguments.device, values=dict(arguments.values))
    if arguments.json:
        print_json(value)
    return 0


def run_start_stop(arguments: argparse.Namespace) -> int:
    """Start or stop a device."""
    with open_client(arguments) as client:
        value = client.call(arguments.action, device=arguments.device)
    if arguments.json:
        print_json(value)
    return 0
