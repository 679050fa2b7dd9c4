"""`spikedaq lease take|release|list`: who alone may write to a device for a while."""

from __future__ import annotations

import argparse
import time
from typing import Any

from rich.table import Table

from spikedaq.cli.common import add_json_option, add_url_option, console, open_client, positive_seconds, print_json


def add_commands(commands: Any) -> None:
    """Add this module's commands."""
    group = commands.add_parser("lease", help="keep others from writing to a device, or to the bench")
    actions = group.add_subparsers(metavar="take|release|list", required=True)

    parser = actions.add_parser("take", help="take or renew a lease; each change you make renews it, too")
    parser.add_argument("device", nargs="?", metavar="DEVICE", help="default: the bench, that is all of them")
    parser.add_argument(
        "--for", dest="ttl_s", type=positive_seconds, metavar="SECONDS", help="how long without use (default: 300)"
    )
    parser.add_argument("--force", action="store_true", help="take it from others; on the daemon's computer only")
    add_url_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_take)

    parser = actions.add_parser("release", help="give a lease back")
    parser.add_argument("device", nargs="?", metavar="DEVICE", help="default: the bench")
    add_url_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_release)

    parser = actions.add_parser("list", help="show who has what")
    add_url_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_list)


def run_take(arguments: argparse.Namespace) -> int:
    """Take a lease."""
    with open_client(arguments) as client:
        lease = client.call("lease_take", device=arguments.device, ttl_s=arguments.ttl_s, force=arguments.force)
    if arguments.json:
        print_json(lease)
    else:
        print(f"{_thing(lease)} is yours ({lease['holder']}) {_until(lease)}, and longer while you use it")
    return 0


def run_release(arguments: argparse.Namespace) -> int:
    """Give a lease back."""
    with open_client(arguments) as client:
        client.call("lease_release", device=arguments.device)
    if arguments.json:
        print_json({"device": arguments.device})
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """Show the leases."""
    with open_client(arguments) as client:
        leases = client.call("lease_list")
    if arguments.json:
        print_json(leases)
        return 0
    out = console()
    if not leases:
        out.print("nobody has a lease: everybody who may control may write")
        return 0
    table = Table(box=None, pad_edge=False)
    for heading in ("of", "held by", "until"):
        table.add_column(heading)
    for lease in leases:
        table.add_row(_thing(lease), lease["holder"], _until(lease))
    out.print(table)
    return 0


def _thing(lease: dict[str, Any]) -> str:
    return str(lease["device"] or "the bench")


def _until(lease: dict[str, Any]) -> str:
    # By this computer's clock: the daemon's may be set otherwise.
    return time.strftime("until %H:%M:%S", time.localtime(time.time() + float(lease["left_s"])))
