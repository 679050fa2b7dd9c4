"""The benches of a class: which they are."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikedaq.cli.common import add_json_option, add_url_option
from spikedaq.inlet import ControlClient, control_url
from spikedaq.model import CommandTimeout, ConfigError


def add_bench_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which benches."""
    parser.add_argument(
        "--bench", action="append", default=[], metavar="ADDRESS", help="another bench (again for more)"
    )
    parser.add_argument("--list", type=Path, metavar="FILE", help="benches, one address a line; '#' begins a remark")
    add_url_option(parser)
    add_json_option(parser)


def addresses(arguments: argparse.Namespace) -> list[str]:
    """Return the benches asked for, this computer's first; that one only where it is asked for or answers."""
    given = [_address(text) for text in arguments.bench]
    if arguments.list is not None:
        try:
            lines = arguments.list.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the list of benches {arguments.list} cannot be read ({error})") from error
        given += [_address(text) for line in lines if (text := line.partition("#")[0].strip())]
    own = control_url(arguments.url)
    if arguments.url is not None or not given or _answers(own, arguments):
        given.insert(0, own)
    return list(dict.fromkeys(given))


def _address(text: str) -> str:
    """Complete ``lab3`` and ``lab3:5571`` to an endpoint."""
    if "://" in text:
        return text
    return f"tcp://{text}" if text.rpartition(":")[2].isdecimal() and ":" in text else f"tcp://{text}:5571"


def _answers(url: str, arguments: argparse.Namespace) -> bool:
    try:
        with ControlClient(url, key=arguments.key, timeout_s=2.0) as client:
            client.call("hello")
    except CommandTimeout:
        return False
    return True
