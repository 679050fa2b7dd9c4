"""``python -m spikedaq.history [OPTION...] JOURNAL_FOLDER BENCH ENDPOINT...``: one per bench, by its daemon."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from spikedaq.history.process import serve
from spikedaq.library import LibraryConfig


def main(arguments: list[str]) -> int:
    """Run the history; return the exit status."""
    given = _parsed(arguments)
    library = None
    if given.recordings is not None:
        library = LibraryConfig(
            recordings=given.recordings,
            folders=tuple(given.folder),
            used=given.used,
            journals=given.journals,
            needed_bytes=given.needed,
            reserve_bytes=given.reserve,
        )
    # Ctrl-C in a terminal reaches the whole process group; the daemon ends this process by closing its stdin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return serve(given.journals, given.bench, given.endpoints, given.keys, library)


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m spikedaq.history", allow_abbrev=False)
    parser.add_argument("--keys", type=Path, help="key folder of the daemon, if it demands keys")
    parser.add_argument("--recordings", type=Path, help="recordings folder; without it nothing is told of recordings")
    parser.add_argument("--folder", type=Path, action="append", default=[], help="further folder of recordings")
    parser.add_argument("--used", type=Path, help="file that lists other folders that were recorded in")
    parser.add_argument("--needed", type=int, default=0, metavar="BYTES", help="free space to begin a recording with")
    parser.add_argument("--reserve", type=int, default=0, metavar="BYTES", help="kept free of recordings")
    parser.add_argument("journals", type=Path, metavar="JOURNAL_FOLDER")
    parser.add_argument("bench", metavar="BENCH")
    parser.add_argument("endpoints", nargs="+", metavar="ENDPOINT")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
