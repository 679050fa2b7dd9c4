"""The benches of a class: which they are."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikedaq.cli.common import add_json_option, add_url_option
from spikedaq.cli.lesson_found import completed, find_benches, read_list
from spikedaq.inlet import ControlClient, control_url
from spikedaq.model import CommandTimeout


def add_bench_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which benches."""
    parser.add_argument(
        "--bench", action="append", default=[], metavar="ADDRESS", help="another bench (again for more)"
    )
    parser.add_argument("--list", type=Path, metavar="FILE", help="benches, one address a line; '#' begins a remark")
    add_url_option(parser)
    add_json_option(parser)


def is_named(arguments: argparse.Namespace) -> bool:
    """Tell whether the command line says which benches."""
    return bool(arguments.bench) or arguments.list is not None or arguments.url is not None


def addresses(arguments: argparse.Namespace) -> list[str]:
    """Return the benches that are named, this computer's first; where none is named, those that are found.

    Beside others that are named, this computer's is one of them where it is named too or answers.
    """
    if not is_named(arguments):
        return find_benches(arguments.key)
    given = [completed(text) for text in arguments.bench]
    if arguments.list is not None:
        given += read_list(arguments.list)
    own = control_url(arguments.url)
    if arguments.url is not None or not given or _answers(own, arguments):
        given.insert(0, own)
    return list(dict.fromkeys(given))


def _answers(url: str, arguments: argparse.Namespace) -> bool:
    try:
        with ControlClient(url, key=arguments.key, timeout_s=2.0) as client:
            client.call("hello")
    except CommandTimeout:
        return False
    return True
