"""``python -m spikedaq.recorder SESSION_FOLDER``: started by the daemon, one per session."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from spikedaq.recorder.process import EXIT_FAILED, run


def main(arguments: list[str]) -> int:
    """Run the recorder; return the exit status."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("usage: python -m spikedaq.recorder SESSION_FOLDER (which holds session.json)\n")
        return EXIT_FAILED
    # Ctrl-C in a terminal reaches the whole process group; the daemon ends its recorders by ending the session.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return run(Path(arguments[0]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
