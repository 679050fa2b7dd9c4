"""`spikedaq trigger arm|disarm|fire|list`."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from spikedaq.cli.common import add_json_option, add_url_option, console, number_text, open_client, print_json
from spikedaq.cli.devices import assignment
from spikedaq.inlet import ControlClient
from spikedaq.model import CommandRejected, ConfigError, SpikedaqError

_EXAMPLE = """examples:
  spikedaq trigger arm spike --level vm=-30 --device alpha --pre 0.5 --post 1
  spikedaq trigger arm calm --rate 20 --window 1 --device alpha --set beta.i_clamp=0 --hold-off 2
  spikedaq trigger arm mark --by-hand --target alpha --pre 60 --post 60
  spikedaq trigger arm mark                 arm again what was disarmed
  spikedaq trigger arm --file triggers.toml     every [[trigger]] of a file, as in spikedaq.toml"""


def add_commands(commands: Any) -> None:
    """Add this module's commands."""
    group = commands.add_parser("trigger", help="record, mark or act when something happens")
    actions = group.add_subparsers(metavar="arm|disarm|fire|list", required=True)

    parser = actions.add_parser(
        "arm",
        help="define a trigger and arm it, or arm one again",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", metavar="NAME")
    parser.add_argument("--file", type=Path, metavar="FILE", help="arm every [[trigger]] of this file")
    when = parser.add_argument_group("condition").add_mutually_exclusive_group()
    when.add_argument(
        "--level", type=named_level, metavar="CHANNEL=LEVEL", help="a channel passes a level, in its unit"
    )
    when.add_argument("--spikes", type=int, metavar="N", help="so many spikes within --window")
    when.add_argument("--rate", type=float, metavar="HZ", help="so many spikes per second within --window")
    when.add_argument("--stimulus", action="store_true", help="a stimulus loop starts")
    when.add_argument("--event", metavar="KIND", help="the device reports spike, parameter, overrun, ..., any")
    when.add_argument("--by-hand", action="store_true", help="only by 'spikedaq trigger fire'")
    parser.add_argument("--edge", choices=("rising", "falling", "either"), help="which way (default: rising)")
    parser.add_argument("--hysteresis", type=float, metavar="X", help="how far the channel must go back, in its unit")
    parser.add_argument("--window", type=float, metavar="SECONDS", help="for --spikes and --rate")
    parser.add_argument("--index", type=int, metavar="N", help="only events of this index")
    parser.add_argument("--hold-off", type=float, metavar="SECONDS", help="after a firing none for so long")
    parser.add_argument("--device", action="append", metavar="NAME", help="look here (again for more; default: all)")
    does = parser.add_argument_group("what it does")
    does.add_argument("--pre", type=float, metavar="SECONDS", help="record so long before")
    does.add_argument("--post", type=float, metavar="SECONDS", help="and so long after; without both it only marks")
    does.add_argument("--target", action="append", metavar="NAME", help="record or mark this device (again for more)")
    does.add_argument(
        "--set", action="append", type=setting, metavar="[DEVICE.]NAME=VALUE", help="set a parameter (again for more)"
    )
    for verb in ("start", "stop", "play"):
        what = "play the waveform that was uploaded to" if verb == "play" else verb
        does.add_argument(f"--{verb}", action="append", metavar="DEVICE", help=f"{what} a device")
    does.add_argument("--within", type=float, metavar="SECONDS", help="send no command later than this (default: 1)")
    add_url_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_arm)

    parser = actions.add_parser("disarm", help="look for a trigger no more; it can be armed again")
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--forget", action="store_true", help="and take it off the list")
    add_url_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_disarm)

    parser = actions.add_parser("fire", help="fire a trigger now, whatever its condition")
    parser.add_argument("name", metavar="NAME")
    add_url_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_fire)

    parser = actions.add_parser("list", help="show every trigger and what became of it")
    add_url_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_list)


def named_level(text: str) -> tuple[str, float]:
    """Read ``channel=level``."""
    name, level = assignment(text)
    if level is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no level; write for instance vm=-30")
    return name, level


def setting(text: str) -> tuple[str, str, float | None]:
    """Read ``device.name=value`` or ``name=value``; a device's name may have dots in it."""
    name, value = assignment(text)
    device, _, parameter = name.rpartition(".")
    return device, parameter, value


def definition(arguments: argparse.Namespace) -> dict[str, Any] | None:
    """Return the definition that the options make, None where they say nothing but a name."""
    table: dict[str, Any] = {}
    if arguments.level is not None:
        table |= {"when": "level", "channel": arguments.level[0], "level": arguments.level[1]}
    elif arguments.spikes is not None:
        table |= {"when": "spikes", "spikes": arguments.spikes}
    elif arguments.rate is not None:
        table |= {"when": "rate", "rate_hz": arguments.rate}
    elif arguments.event is not None:
        table |= {"when": "event", "event": int(arguments.event) if arguments.event.isdecimal() else arguments.event}
    elif arguments.stimulus or arguments.by_hand:
        table |= {"when": "stimulus" if arguments.stimulus else "hand"}
    optional = {
        "edge": arguments.edge, "hysteresis": arguments.hysteresis, "window_s": arguments.window,
        "index": arguments.index, "holdoff_s": arguments.hold_off, "devices": arguments.device,
        "pre_s": arguments.pre, "post_s": arguments.post, "targets": arguments.target, "within_s": arguments.within,
    }  # fmt: skip
    table |= {key: value for key, value in optional.items() if value is not None}
    commands: list[dict[str, Any]] = []
    settings: dict[str, dict[str, float | None]] = {}
    for device, name, value in arguments.set or ():
        settings.setdefault(device, {})[name] = value
    commands += [{"do": "set", "device": device, "values": values} for device, values in settings.items()]
    for verb in ("start", "stop", "play"):
        commands += [{"do": verb, "device": device} for device in getattr(arguments, verb) or ()]
    if commands:
        table["command"] = commands
    if table and "when" not in table:
        raise ConfigError(
            "a trigger needs a condition: --level, --spikes, --rate, --stimulus, --event or --by-hand; to arm again "
            "one that is defined, give its name alone"
        )
    return {"name": arguments.name, **table} if table else None


def run_arm(arguments: argparse.Namespace) -> int:
    """Arm one trigger, or all of a file."""
    defined = definition(arguments)
    if arguments.file is not None:
        if defined is not None or arguments.name is not None:
            raise ConfigError("--file brings its own names and definitions; leave the others out")
        requests: list[dict[str, Any]] = [{"trigger": table} for table in tables_of(arguments.file)]
    elif arguments.name is None:
        raise ConfigError("which trigger? give a NAME, or a --file with some")
    else:
        requests = [{"trigger": defined} if defined is not None else {"name": arguments.name}]
    with open_client(arguments) as client:
        before = {trigger["name"]: trigger for trigger in client.call("trigger_list")}
        armed: list[dict[str, Any]] = []
        try:
            for request in requests:
                armed.append(client.call("trigger_arm", **request))
        except SpikedaqError as error:
            # All of a file or nothing.
            if left := _take_back(client, armed, before):
                text = f"{error}; what was armed before it could not all be taken back: {'; '.join(left)}"
                raise CommandRejected(text, code="not_undone") from error
            raise
    show(armed, as_json=arguments.json)
    return 0


def _take_back(client: ControlClient, armed: list[dict[str, Any]], before: Mapping[str, dict[str, Any]]) -> list[str]:
    """Leave each trigger that was armed as it was before; return what went wrong."""
    left = []
    for trigger in armed:
        name, old = trigger["name"], before.get(trigger["name"])
        try:
            if old is None:
                client.call("trigger_disarm", name=name, forget=True)
            elif old["state"] != "armed":
                client.call("trigger_disarm", name=name)
                if old["definition"] != trigger["definition"]:
                    # Only arming gives a definition.
                    client.call("trigger_arm", trigger=old["definition"])
                    client.call("trigger_disarm", name=name)
        except SpikedaqError as error:
            left.append(f"{name} ({error})")
    return left


def tables_of(path: Path) -> list[dict[str, Any]]:
    """Read the triggers of a TOML file; whatever else it says is for the daemon."""
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    tables = values.get("trigger")
    if not isinstance(tables, list) or not tables:
        raise ConfigError(f"{path} has no [[trigger]] in it")
    return tables


def run_disarm(arguments: argparse.Namespace) -> int:
    """Disarm one."""
    with open_client(arguments) as client:
        value = client.call("trigger_disarm", name=arguments.name, forget=arguments.forget)
    if arguments.json:
        print_json(value)
    return 0


def run_fire(arguments: argparse.Namespace) -> int:
    """Fire one."""
    with open_client(arguments) as client:
        value = client.call("trigger_fire", name=arguments.name)
    if arguments.json:
        print_json(value)
        return 0
    where = ", ".join(value["written"]) or "no journal, since no device has answered yet"
    console().print(f"{value['trigger']} fired (firing {value['firings']}); written to {where}", markup=False)
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """List all."""
    with open_client(arguments) as client:
        triggers = client.call("trigger_list")
    show(triggers, as_json=arguments.json)
    return 0


def show(triggers: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print triggers as a table, or as JSON."""
    if as_json:
        print_json(triggers)
        return
    out = console()
    if not triggers:
        out.print("there are no triggers; define one with 'spikedaq trigger arm', or in spikedaq.toml")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("trigger", "state", "condition", "on", "window", "firings", "commands"):
        table.add_column(heading, justify="right" if heading == "firings" else "left", no_wrap=True)
    for trigger in triggers:
        says, commands = trigger["definition"], trigger["commands"]
        window = (
            f"-{says.get('pre_s', 0):g} to {says.get('post_s', 0):g} s" if "pre_s" in says or "post_s" in says else ""
        )
        sent = ", ".join(f"{n} {how}" for how, n in commands.items() if n) if says.get("command") else ""
        on = ", ".join(says.get("devices", ())) or "every device"
        row = (trigger["name"], trigger["state"], condition_text(says), on, window, str(trigger["firings"]), sent)
        table.add_row(*row)
    out.print(table)
    for trigger in triggers:
        for problem in trigger["problems"]:
            out.print(f"{trigger['name']}: {problem}", markup=False)


def condition_text(says: dict[str, Any]) -> str:
    """Return a definition's condition in words."""
    edge = says.get("edge", "rising")
    over = "below" if edge == "falling" else "across" if edge == "either" else "reaches"
    match says["when"]:
        case "level":
            back = f" (hysteresis {number_text(says['hysteresis'])})" if says.get("hysteresis") else ""
            return f"{says['channel']} {over} {number_text(says['level'])}{back}"
        case "spikes":
            return f"number of spikes in {says['window_s']:g} s {over} {says['spikes']}"
        case "rate":
            return f"spikes per second in {says['window_s']:g} s {over} {number_text(says['rate_hz'])}"
        case "event":
            return f"event {says['event']}" + (f" {says['index']}" if "index" in says else "")
    return {"stimulus": "stimulus loop starts", "hand": "by hand"}[says["when"]]
