"""`spikedaq keys new|allow|list|revoke`: who may connect to a daemon, and one's own key."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from rich.table import Table

from spikedaq.cli.common import add_json_option, console, print_json
from spikedaq.inlet import default_name, new_key_pair
from spikedaq.keys import (
    ClientKey,
    KeyRing,
    Role,
    check_key_name,
    client_key_path,
    config_folder,
    key_from_hex,
    read_client_key,
    write_client_key,
)
from spikedaq.model import ConfigError

FOLDER_VARIABLE = "SPIKEDAQ_KEYS"


def add_commands(commands: Any) -> None:
    """Add this module's commands."""
    group = commands.add_parser("keys", help="make keys, and say who may connect to a daemon")
    actions = group.add_subparsers(metavar="new|allow|list|revoke", required=True)

    parser = actions.add_parser("new", help="make a key of your own, or the daemon's")
    parser.add_argument("name", nargs="?", metavar="NAME", help="what the key is called (default: your user name)")
    parser.add_argument("--daemon", action="store_true", help="make the daemon's own key, in its key folder")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="where to write (default: ~/.config/spikedaq/client.key)"
    )
    parser.add_argument("--daemon-key", metavar="KEY", help="public key of the daemon that this key is for")
    _add_folder_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_new)

    parser = actions.add_parser("allow", help="let somebody connect to this computer's daemon")
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("key", nargs="?", metavar="KEY", help="their public key, 64 hexadecimal digits")
    parser.add_argument(
        "--new", metavar="FILE", type=Path, help="make their key here and now: the file to hand to them, and to delete"
    )
    parser.add_argument("--role", choices=list(Role), default=Role.OBSERVER, help="observer (default) or controller")
    _add_folder_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_allow)

    parser = actions.add_parser("list", help="show the daemon's public key, and whom it allows")
    _add_folder_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_list)

    parser = actions.add_parser("revoke", help="let somebody connect no longer; it holds at once")
    parser.add_argument("name", metavar="NAME")
    _add_folder_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_revoke)


def _add_folder_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--folder",
        metavar="DIR",
        type=Path,
        help=f"the daemon's key folder (default: ${FOLDER_VARIABLE}, else ~/.config/spikedaq/keys)",
    )


def _ring(arguments: argparse.Namespace) -> KeyRing:
    named = arguments.folder or os.environ.get(FOLDER_VARIABLE)
    return KeyRing(Path(named) if named else config_folder() / "keys")


def run_new(arguments: argparse.Namespace) -> int:
    """Make a key."""
    if arguments.daemon:
        return _new_daemon_key(arguments)
    path = arguments.out or client_key_path()[0]
    name = check_key_name(arguments.name or default_name())
    daemon = None if arguments.daemon_key is None else key_from_hex(arguments.daemon_key, "--daemon-key")
    public, secret = new_key_pair()
    write_client_key(path, ClientKey(name, public, secret, daemon))
    if arguments.json:
        print_json({"file": str(path), "name": name, "public": public.hex()})
        return 0
    print(f"{path} holds your key, for you alone. On the daemon's computer have it allowed:")
    print(f"  spikedaq keys allow {name} {public.hex()} --role observer")
    if daemon is None:
        print(f"and add the daemon's public key, which 'spikedaq keys list' shows there, to {path}:")
        print('  daemon = "..."')
    return 0


def _new_daemon_key(arguments: argparse.Namespace) -> int:
    if arguments.name or arguments.out or arguments.daemon_key:
        raise ConfigError("the daemon's key has no name and lies in its folder; give --folder only")
    ring = _ring(arguments)
    public, secret = new_key_pair()
    ring.write_daemon_key(public, secret)
    if arguments.json:
        print_json({"file": str(ring.daemon_path), "public": public.hex()})
        return 0
    print(f"{ring.daemon_path} holds the daemon's key. Its public half, for the clients:")
    print(f"  {public.hex()}")
    print("Have the daemon demand keys, in its spikedaq.toml:")
    print("  [security]")
    print(f'  keys = "{ring.folder.absolute()}"')
    return 0


def run_allow(arguments: argparse.Namespace) -> int:
    """Allow a key."""
    ring = _ring(arguments)
    daemon, _ = ring.daemon_key()
    role = Role(arguments.role)
    if (arguments.key is None) == (arguments.new is None):
        raise ConfigError("give either their public KEY, or --new FILE to make one")
    if arguments.new is None:
        known = {key.name: key.public for key in ring.allowed().values()}
        given = key_from_hex(arguments.key, "KEY")
        ring.allow(arguments.name, given, role)
        if arguments.json:
            print_json({"name": arguments.name, "role": str(role), "public": given.hex(), "file": None})
            return 0
        print(f"{arguments.name} may connect as {role}" + (", as before" if arguments.name in known else ""))
        return 0
    if any(key.name == arguments.name for key in ring.allowed().values()):
        raise ConfigError(
            f"{arguments.name!r} has a key already; revoke it first: spikedaq keys revoke {arguments.name}"
        )
    public, secret = new_key_pair()
    # The file first: a key that is allowed and that nobody has would only look odd; the other way round it is lost.
    write_client_key(arguments.new, ClientKey(check_key_name(arguments.name), public, secret, daemon))
    try:
        ring.allow(arguments.name, public, role)
    except BaseException:
        arguments.new.unlink(missing_ok=True)
        raise
    if arguments.json:
        file = str(arguments.new)
        print_json({"name": arguments.name, "role": str(role), "public": public.hex(), "file": file})
        return 0
    print(
        f"{arguments.name} may connect as {role} with {arguments.new}. Give it to them over a safe way, and delete it:"
    )
    print("  there it belongs into ~/.config/spikedaq/client.key, or is named with --key FILE or SPIKEDAQ_KEY")
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """Show who is allowed."""
    ring = _ring(arguments)
    daemon, _ = ring.daemon_key()
    keys = sorted(ring.allowed().values(), key=lambda key: key.name)
    path, _ = client_key_path()
    own = read_client_key(path).public if path.exists() else None
    if arguments.json:
        entries = [{"name": key.name, "role": str(key.role), "public": key.public.hex()} for key in keys]
        print_json({"folder": str(ring.folder), "daemon": daemon.hex(), "keys": entries})
        return 0
    out = console()
    out.print(f"daemon's public key: {daemon.hex()}", markup=False, soft_wrap=True)
    if not keys:
        out.print("nobody is allowed yet; do so with: spikedaq keys allow NAME KEY", markup=False)
        return 0
    table = Table(box=None, pad_edge=False)
    table.add_column("name")
    table.add_column("role")
    table.add_column("public key", no_wrap=True)
    for key in keys:
        table.add_row(key.name, str(key.role), key.public.hex() + ("  (yours)" if key.public == own else ""))
    out.print(table)
    return 0


def run_revoke(arguments: argparse.Namespace) -> int:
    """Revoke a key."""
    _ring(arguments).revoke(arguments.name)
    if arguments.json:
        print_json({"name": arguments.name})
        return 0
    print(
        f"{arguments.name} is not let in any more; a running daemon ends what they subscribed to within a second or two"
    )
    return 0
