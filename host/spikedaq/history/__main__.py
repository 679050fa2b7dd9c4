"""``python -m spikedaq.history [--keys DIR] JOURNAL_FOLDER BENCH ENDPOINT...``: one per bench, by its daemon."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from spikedaq.history.process import EXIT_CONFIG, serve


def main(arguments: list[str]) -> int:
    """Run the history; return the exit status."""
    keys: Path | None = None
    if len(arguments) > 1 and arguments[0] == "--keys":
        keys, arguments = Path(arguments[1]), arguments[2:]
    if len(arguments) < 3:
        sys.stderr.write("usage: python -m spikedaq.history [--keys FOLDER] JOURNAL_FOLDER BENCH ENDPOINT...\n")
        return EXIT_CONFIG
    # Ctrl-C in a terminal reaches the whole process group; the daemon ends this process by closing its stdin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    folder, bench, *endpoints = arguments
    return serve(Path(folder), bench, endpoints, keys)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
