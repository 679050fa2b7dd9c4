"""`spikedaq class serve`: the page of all benches of a class, and the one address that its students need."""

from __future__ import annotations

import argparse
from typing import Any

from spikedaq.cli.lesson_benches import add_bench_options, addresses
from spikedaq.cli.scope import run_scope

LISTEN = "0.0.0.0:5580"
"""For the students' computers; nobody gets in without a token."""


def add_action(actions: Any) -> None:
    """Add the action to `spikedaq class`."""
    parser = actions.add_parser("serve", help="serve the web page of all benches; print the students' address")
    parser.add_argument("--listen", default=LISTEN, metavar="HOST:PORT", help=f"default: {LISTEN}")
    parser.add_argument("--viewer-token", metavar="TEXT", help="the students'; made where it is not given")
    parser.add_argument("--controller-token", metavar="TEXT", help="yours; made where it is not given")
    parser.add_argument("--open", action="store_true", help="open it in this computer's browser")
    parser.add_argument("--no-qr", action="store_true", help="print no QR code")
    add_bench_options(parser)
    parser.set_defaults(run=run_serve)


def run_serve(arguments: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C; students may watch, who has the teacher's address may change things."""
    arguments.url = addresses(arguments)
    arguments.words = ("students watch at", "you control at")
    arguments.needs_token = True
    return run_scope(arguments)
