"""`spikedaq sim`: a virtual Spikeling by itself, for a daemon or another program to connect to."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from typing import Any

from spikedaq.link import find_device_program
from spikedaq.model import LinkOpenError


def add_commands(commands: Any) -> None:
    """Add this module's command."""
    parser = commands.add_parser(
        "sim",
        help="run a virtual Spikeling by itself and say which URL to use",
        description="Options that are not listed here go to spikedaq-device as they are; see spikedaq-device --help.",
        epilog="example: spikedaq sim --rate 10000 --preset 2 --param i_clamp=15",
        allow_abbrev=False,
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--tcp", metavar="HOST:PORT", help="listen on TCP instead of a pseudo-terminal (port 0: any)")
    where.add_argument("--pty", metavar="SYMLINK", help="also give the pseudo-terminal this name")
    parser.set_defaults(run=run_sim, passes_options=True)


def device_command(program: str, arguments: argparse.Namespace) -> list[str]:
    """Return the command line of the virtual device."""
    if arguments.tcp is not None:
        where = ["--tcp", arguments.tcp]
    else:
        where = ["--pty", *([arguments.pty] if arguments.pty is not None else [])]
    return [program, *where, *arguments.options]


def url_of(ready_line: str) -> str:
    """Return the link URL that a ready line stands for.

    Raises
    ------
    LinkOpenError
        It is none.
    """
    match ready_line.split():
        case ["ready", "pty" | "tcp" as scheme, address]:
            return f"{scheme}:{address}"
    raise LinkOpenError(f"spikedaq-device did not start; it said {ready_line.strip()!r}")


def run_sim(arguments: argparse.Namespace) -> int:
    """Run the device until it ends or Ctrl-C."""
    command = device_command(str(find_device_program()), arguments)
    # Ctrl-C reaches the whole foreground group; the device ends by itself and we wait for it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=_default_sigint) as process:  # noqa: PLW1509
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        first = process.stdout.readline() if process.stdout else ""
        if not first:
            process.wait()
            raise LinkOpenError(f"spikedaq-device did not start; it ended with status {process.returncode}")
        url = url_of(first)
        print(f"{url}\nuse it with: spikedaqd --device NAME={url} --data DIR", flush=True)
        for line in process.stdout or ():
            sys.stdout.write(line)
    return 0 if process.returncode in (0, -signal.SIGINT, -signal.SIGTERM) else 1


def _default_sigint() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
