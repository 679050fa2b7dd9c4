"""The command `spikedaq`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from spikedaq import __version__
from spikedaq.cli import (
    average,
    boards,
    demo,
    devices,
    export,
    imaging,
    import_spikes,
    info,
    keys,
    lease,
    lesson,
    linktest,
    neuron,
    record,
    recordings,
    replay,
    save,
    scope,
    selftest,
    service,
    sim,
    spikes,
    status,
    stimulus,
    trigger,
    verify,
    watch,
)
from spikedaq.model import SpikedaqError

_GROUPS = (
    demo,
    boards,
    devices,
    status,
    stimulus,
    record,
    recordings,
    replay,
    trigger,
    watch,
    scope,
    selftest,
    linktest,
    neuron,
    info,
    save,
    export,
    import_spikes,
    spikes,
    average,
    imaging,
    verify,
    lease,
    lesson,
    keys,
    service,
    sim,
)

EXIT_FAILURE = 1
EXIT_INTERRUPTED = 130


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of every command."""
    parser = argparse.ArgumentParser(
        prog="spikedaq", description="Acquisition, recording and sharing of Spikeling data.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"spikedaq {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in _GROUPS:
        group.add_commands(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 done, 1 failed, 2 used wrongly, 130 interrupted."""
    parser = build_parser()
    arguments, rest = parser.parse_known_args(argv)
    if rest and not getattr(arguments, "passes_options", False):
        parser.error(f"unknown arguments: {' '.join(rest)}")
    arguments.options = rest
    try:
        return int(arguments.run(arguments))
    except SpikedaqError as error:
        print(f"spikedaq: {one_line(error)}", file=sys.stderr)
        return EXIT_FAILURE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe (head, less) has seen enough; what Python would still flush goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def one_line(error: BaseException) -> str:
    """Return an error's text on one line."""
    return " ".join(str(error).split())


if __name__ == "__main__":
    sys.exit(main())
