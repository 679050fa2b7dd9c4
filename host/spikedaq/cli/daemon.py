"""The command `spikedaqd`: the daemon."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from spikedaq import __version__
from spikedaq.cli.check import check
from spikedaq.cli.common import positive_seconds
from spikedaq.cli.main import EXIT_FAILURE, one_line
from spikedaq.daemon import DaemonConfig, load_config, run, with_overrides
from spikedaq.model import SpikedaqError


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog="spikedaqd",
        description="Owns the boards of one bench: journals, publishes and records what they send.",
        epilog="link URLs: serial:/dev/ttyUSB0?baud=500000  tcp:host:port  pty:/path  sim:NAME?preset=0&rate=10000. "
        "Options on the command line go before those of the configuration file.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"spikedaqd {__version__}")
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration, TOML")
    parser.add_argument("--device", action="append", default=[], metavar="NAME=URL", help="a board (again for more)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where journals and recordings go")
    parser.add_argument("--bench", metavar="NAME", help="name of the bench, the first part of every topic")
    parser.add_argument("--control", metavar="ENDPOINT", help="control endpoint (tcp://127.0.0.1:5571)")
    parser.add_argument("--publish", metavar="ENDPOINT", help="publish endpoint (tcp://127.0.0.1:5570)")
    parser.add_argument("--keys", type=Path, metavar="DIR", help="demand keys: the folder made by 'spikedaq keys'")
    parser.add_argument("--roll", type=positive_seconds, metavar="SECONDS", help="begin a new file this often")
    parser.add_argument("--check", action="store_true", help="check configuration, endpoints and data folder, and end")
    # For programs that start a daemon of their own: it then ends with them however they end.
    parser.add_argument("--end-with-stdin", action="store_true", help=argparse.SUPPRESS)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the daemon until SIGINT, SIGTERM or a `shutdown` request; 0 ended, 1 failed, 2 not startable like this."""
    arguments = build_parser().parse_args(argv)
    try:
        config = configuration(arguments)
        if arguments.check:
            return check(config)
        if arguments.end_with_stdin:
            threading.Thread(target=_end_when_stdin_ends, name="stdin", daemon=True).start()
        return run(config, _loader(arguments) if arguments.config is not None else None)
    except SpikedaqError as error:
        print(f"spikedaqd: {one_line(error)}", file=sys.stderr)
        return EXIT_FAILURE


def _loader(arguments: argparse.Namespace) -> Callable[[], DaemonConfig]:
    """Read the configuration as now, also after the working folder has changed."""
    arguments.config = arguments.config.absolute()
    return lambda: configuration(arguments)


def configuration(arguments: argparse.Namespace) -> DaemonConfig:
    """Return the configuration that the arguments stand for."""
    base = DaemonConfig() if arguments.config is None else load_config(arguments.config)
    return with_overrides(
        base,
        bench=arguments.bench,
        control=arguments.control,
        publish=arguments.publish,
        data=arguments.data,
        devices=arguments.device,
        roll_s=arguments.roll,
        keys=arguments.keys,
    )


def _end_when_stdin_ends() -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
