"""Runs the Python tests in two halves at once: those that compute, politely, and those that wait for real processes.

The second half uses half a core; alone, the two would take their times one after the other. With arguments it is just
pytest with these.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

COMPUTING = ("tests/unit", "tests/property", "tests/fuzz")
WAITING = ("tests/contract", "tests/fault", "tests/system", "tests/perf")


def main(arguments: list[str]) -> int:
    """Run the tests; return 0 where all passed."""
    pytest = (sys.executable, "-m", "pytest")
    if arguments:
        return subprocess.call((*pytest, *arguments))
    with tempfile.TemporaryFile("w+") as output:
        computing = subprocess.Popen(
            (*pytest, "-p", "no:cacheprovider", *COMPUTING),
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: os.nice(10),  # noqa: PLW1509 - no threads here
        )
        try:
            waiting = subprocess.call((*pytest, *WAITING))
            computed = computing.wait()
        finally:
            if computing.poll() is None:
                computing.kill()
                computing.wait()
        output.seek(0)
        sys.stdout.write(output.read())
    print(f"tests that wait: {_word(waiting)}; tests that compute: {_word(computed)}")
    return waiting or computed


def _word(status: int) -> str:
    return "passed" if status == 0 else f"FAILED (pytest ended with {status})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
