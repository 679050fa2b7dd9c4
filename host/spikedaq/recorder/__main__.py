"""``python -m spikedaq.recorder SESSION_FOLDER [DEVICE=SECONDS ...]``: started by the daemon, one per session.

Devices that are named are left out for so long: they ended earlier recorders.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from spikedaq.recorder.process import EXIT_FAILED, run


def main(arguments: list[str]) -> int:
    """Run the recorder; return the exit status."""
    try:
        folder, *named = arguments
        without = {device: float(seconds) for device, seconds in (text.split("=") for text in named)}
    except ValueError:
        folder, without = "-", {}
    if folder.startswith("-"):
        sys.stderr.write("usage: python -m spikedaq.recorder SESSION_FOLDER (with session.json) [DEVICE=SECONDS ...]\n")
        return EXIT_FAILED
    # Ctrl-C in a terminal reaches the whole process group; the daemon ends its recorders by ending the session.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return run(Path(folder), without=without)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
