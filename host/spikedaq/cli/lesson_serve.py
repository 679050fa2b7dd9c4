"""`spikedaq class serve`: the page of all benches of a class, and the one address that its students need."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from spikedaq.cli.lesson_benches import add_bench_options, addresses
from spikedaq.cli.lesson_page import remembered
from spikedaq.cli.scope import add_page_options, run_scope
from spikedaq.model import StoreError

LISTEN = "0.0.0.0:5580"
"""For the students' computers; nobody gets in without a token."""


def add_action(actions: Any) -> None:
    """Add the action to `spikedaq class`."""
    parser = actions.add_parser("serve", help="serve the web page of all benches; print the students' address")
    parser.add_argument("--listen", default=LISTEN, metavar="HOST:PORT", help=f"default: {LISTEN}")
    add_page_options(parser)
    add_bench_options(parser)
    # For `class start`: the page that it serves ends as the class is stopped.
    parser.add_argument("--until-stop", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(run=run_serve)


def run_serve(arguments: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C; students may watch, who has the teacher's address may change things."""
    arguments.url = urls = addresses(arguments)
    arguments.words = ("students watch at", "you control at")
    arguments.needs_token = True
    with remembered() as tell:

        def served(page: dict[str, str]) -> None:
            try:
                tell(page["viewers"], urls, until_stop=arguments.until_stop)
            except StoreError as error:
                print(f"note: {error}", file=sys.stderr)

        arguments.on_served = served
        return run_scope(arguments)
