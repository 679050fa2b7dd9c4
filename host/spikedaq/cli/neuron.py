"""`spikedaq neuron save|load|list`."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from rich.table import Table

from spikedaq.cli.common import add_json_option, add_url_option, console, number_text, open_client, print_json
from spikedaq.cli.stimulus import only_device
from spikedaq.model import CommandRejected


def add_commands(commands: Any) -> None:
    """Add this module's commands."""
    group = commands.add_parser(
        "neuron", help="presets of a device; keep a neuron in the stock CSV, or take one from it"
    )
    actions = group.add_subparsers(metavar="list|save|load", required=True)

    parser = actions.add_parser("list", help="show the presets of a device, and which one it is")
    _add_device_options(parser)
    parser.set_defaults(run=run_list)

    parser = actions.add_parser("save", help="write the neuron that a device is now")
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is already there")
    _add_device_options(parser)
    parser.set_defaults(run=run_save)

    parser = actions.add_parser("load", help="make a device the neuron of a file, all of it or nothing")
    parser.add_argument("file", type=Path, metavar="FILE")
    _add_device_options(parser)
    parser.set_defaults(run=run_load)


def _add_device_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", metavar="NAME", help="default: the only one of the bench")
    add_url_option(parser)
    add_json_option(parser)


def run_list(arguments: argparse.Namespace) -> int:
    """Show the presets."""
    with open_client(arguments) as client:
        device = only_device(client, arguments.device)
        presets = client.call("describe", device=device)["presets"]
        now = None
        if presets:
            value = client.call("get", device=device, name="preset")["value"]
            # 255 is a neuron that is none of them (protocol/README.md, section 4.3); NaN: nobody knows.
            now = int(value) if math.isfinite(value) and 0 <= value < len(presets) else None
    if arguments.json:
        print_json({"device": device, "presets": presets, "preset": now})
        return 0
    if not presets:
        print(f"{device} has no presets")
        return 0
    table = Table(box=None, pad_edge=False)
    for heading in ("", "preset", "name", "a", "b", "c (mV)", "d", "v_rest (mV)"):
        table.add_column(heading, justify="left" if heading in ("", "name") else "right", no_wrap=True)
    for index, preset in enumerate(presets):
        numbers = (number_text(preset[key]) for key in ("a", "b", "c", "d", "v_rest"))
        table.add_row("*" if index == now else "", str(index), preset["name"], *numbers)
    out = console()
    out.print(table)
    if now is None:
        print(f"{device} is none of them")
    print(f"choose one: spikedaq set {device} preset=N")
    return 0


def run_save(arguments: argparse.Namespace) -> int:
    """Write a neuron."""
    from spikedaq.formats.neuron import FIELDS, save_neuron  # noqa: PLC0415 - HDF5 takes 0.3 s to load

    with open_client(arguments) as client:
        device = only_device(client, arguments.device)
        has = {parameter["name"] for parameter in client.call("describe", device=device)["parameters"]}
        missing = [field.parameter for field in FIELDS if field.parameter not in has]
        if missing:
            message = f"{device} has no {', '.join(missing)}, which the file of a neuron needs"
            raise CommandRejected(message, code="unknown_parameter")
        names = [field.parameter for field in FIELDS]
        values = {name: float(client.call("get", device=device, name=name)["value"]) for name in names}
    save_neuron(values, arguments.file, overwrite=arguments.overwrite)
    if arguments.json:
        print_json({"device": device, "file": str(arguments.file), "values": values})
    else:
        print(f"{arguments.file}: the neuron of {device}; {_values_text(values)}")
    return 0


def run_load(arguments: argparse.Namespace) -> int:
    """Take a neuron from a file."""
    from spikedaq.formats.neuron import load_neuron  # noqa: PLC0415 - HDF5 takes 0.3 s to load

    values = load_neuron(arguments.file)
    with open_client(arguments) as client:
        device = only_device(client, arguments.device)
        found = client.call("set", device=device, values=values)
    if arguments.json:
        print_json({"device": device, "file": str(arguments.file), "values": found})
    else:
        has = {name: float(entry["value"]) for name, entry in found.items()}
        print(f"{device} is the neuron of {arguments.file}; {_values_text(has)}")
    return 0


def _values_text(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {number_text(value)}" for name, value in values.items())
