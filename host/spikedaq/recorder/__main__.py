"""``python -m spikedaq.recorder [OPTION ...] SESSION_FOLDER``: started by the daemon, one per session."""

from __future__ import annotations

import argparse
import faulthandler
import signal
import sys
from pathlib import Path

from spikedaq.memory import leave_start_out
from spikedaq.recorder.at_work import NO_FD, AtWork
from spikedaq.recorder.process import EXIT_FAILED, run


def main(arguments: list[str]) -> int:
    """Run the recorder; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m spikedaq.recorder", allow_abbrev=False)
    parser.add_argument("session", metavar="SESSION_FOLDER", type=Path, help="holds session.json")
    parser.add_argument("--only", metavar="DEVICE", action="append", default=[], help="no other one (again for more)")
    parser.add_argument(
        "--without", metavar="DEVICE=SECONDS", type=_left_out, action="append", default=[],
        help="do without it for so long: it ended earlier recorders",
    )  # fmt: skip
    parser.add_argument(
        "--at-work", metavar="FD", type=int, default=NO_FD, help="memory to say in what is done for whom"
    )
    try:
        given = parser.parse_args(arguments)
    except SystemExit:
        return EXIT_FAILED
    # Ctrl-C in a terminal reaches the whole process group; the daemon ends its recorders by ending the session.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable(all_threads=False)  # where HDF5 was when it crashed
    leave_start_out()
    return run(given.session, only=given.only, without=dict(given.without), at_work=AtWork(given.at_work))


def _left_out(text: str) -> tuple[str, float]:
    device, seconds = text.split("=")
    return device, float(seconds)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
