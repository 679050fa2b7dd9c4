"""`spikedaq devices | rename | reload`: which boards there are, what they are called, the configuration read anew."""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Console
from rich.table import Table

from spikedaq.bus import DeviceStatus
from spikedaq.cli.common import add_json_option, add_url_option, console, link_text, open_client, print_json
from spikedaq.model import CommandRejected, check_session_name

# A device that is removed is stopped first, and one that does not answer is waited for.
RELOAD_TIMEOUT_S = 30.0


def add_commands(commands: Any) -> None:
    """Add this module's commands."""
    parser = commands.add_parser(
        "devices", help="list the devices of the bench, where they are, and what else was found and why it is not used"
    )
    parser.add_argument("--rescan", action="store_true", help="first ask anew on every port that is not in use")
    add_url_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_devices)

    parser = commands.add_parser("rename", help="give a board that no configuration names a name, for good")
    parser.add_argument("device", help="as `spikedaq devices` shows it")
    parser.add_argument("name", help="letters, digits, '.', '_' and '-'")
    add_url_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_rename)

    parser = commands.add_parser("reload", help="have the daemon read its configuration anew: all of it, or nothing")
    add_url_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_reload)


def run_devices(arguments: argparse.Namespace) -> int:
    """List the devices, and the ports that lead to none."""
    with open_client(arguments) as client:
        if arguments.rescan:
            client.call("rescan")
        entries = client.call("list")
        try:
            ports = client.call("ports")
        except CommandRejected as error:
            if error.code != "unknown_op":  # an older daemon
                raise
            ports = []
    if arguments.json:
        print_json({"devices": entries, "ports": ports})
        return 0
    out = console()
    if entries:
        out.print(_device_table(entries))
        print_details(out, [DeviceStatus.from_map({"device": entry["name"], **entry}) for entry in entries])
    else:
        out.print("this bench has no devices; plug a board in, or give spikedaqd one with --device NAME=URL")
    others = [port for port in ports if port["state"] != "used"]
    if others:
        out.print("\nports that no device uses:")
    for port in others:
        about = " ".join(part for part in (port["description"], f"({port['usb']})" if port["usb"] else "") if part)
        line = f"{port['url']}{' ' + about if about else ''}: {port['state']}"
        out.print(f"{line}: {port['detail']}" if port["detail"] else line, markup=False)
    return 0


def _device_table(entries: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("device", "state", "board", "firmware", "id", "link"):
        table.add_column(heading, no_wrap=True)
    for entry in entries:
        name = entry["name"] if entry.get("configured", True) else f"{entry['name']} *"
        link = entry.get("port") or entry["url"]
        table.add_row(name, entry["state"], entry["board"], entry["firmware"], entry["unique_id"], link)
    if any(not entry.get("configured", True) for entry in entries):
        table.caption = "* found by itself; `spikedaq rename` gives it a name of its own"
        table.caption_justify = "left"
    return table


def print_details(out: Console, statuses: list[DeviceStatus]) -> None:
    """Print what is to be said of each device, one line each."""
    for status in statuses:
        if status.detail:
            out.print(f"{status.device}: {status.detail}", markup=False)
        if status.lease:
            thing = "the bench" if status.lease.get("device") is None else "it"
            out.print(f"{status.device}: {thing} is leased by {status.lease.get('holder')}", markup=False)
        if link := link_text(status.link):
            out.print(f"{status.device}: link: {link}", markup=False)


def run_rename(arguments: argparse.Namespace) -> int:
    """Name a board."""
    name = check_session_name(arguments.name, "device name")
    with open_client(arguments) as client:
        value = client.call("name_device", device=arguments.device, name=name, timeout_s=RELOAD_TIMEOUT_S)
    if arguments.json:
        print_json(value)
        return 0
    print(f"board {value['unique_id']} is called {value['name']} now, and will be whenever it is plugged in")
    return 0


def run_reload(arguments: argparse.Namespace) -> int:
    """Reload the configuration."""
    with open_client(arguments) as client:
        changes = client.call("reload", timeout_s=RELOAD_TIMEOUT_S)["changes"]
    if arguments.json:
        print_json({"changes": changes})
        return 0
    for line in changes or ["nothing has changed"]:
        print(line)
    return 0
