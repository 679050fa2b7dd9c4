"""``python -m spikedaq.library FOLDER``: verify one session, telling progress and findings as JSON lines on stdout."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from pathlib import Path

from spikedaq.model import StoreError
from spikedaq.recorder import verify

_NICENESS = 10
_SAY_S = 0.2
EXIT_DONE, EXIT_WRONG_USE = 0, 2


def main(arguments: list[str]) -> int:
    """Verify; return the exit status."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m spikedaq.library SESSION_FOLDER\n")
        return EXIT_WRONG_USE
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    said_s = 0.0

    def show(done: int, total: int) -> None:
        nonlocal said_s
        if time.monotonic() - said_s >= _SAY_S:
            said_s = time.monotonic()
            _say({"done": done, "total": total})

    try:
        findings = verify([Path(arguments[0])], show)
    except (StoreError, OSError) as error:
        _say({"error": str(error)})
        return EXIT_DONE
    _say({"findings": [finding.to_map() for finding in findings]})
    return EXIT_DONE


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    """Whoever asked may be killed, and nobody would hear the result: standard input ends then."""
    while os.read(0, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
