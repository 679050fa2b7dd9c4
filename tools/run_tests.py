"""Runs the Python tests in two lanes at once, each of which waits for real processes most of the time.

With arguments it is just pytest with these.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from typing import IO

LANES = (
    # Each list is run as one pytest, the lists of a lane one after the other.
    (("tests/system",),),
    (("tests/contract", "tests/fault", "tests/perf"), ("tests/unit", "tests/property", "tests/fuzz")),
)


def main(arguments: list[str]) -> int:
    """Run the tests; return 0 where all passed."""
    pytest = (sys.executable, "-m", "pytest")
    if arguments:
        return subprocess.call((*pytest, *arguments))
    results: dict[str, int] = {}
    with tempfile.TemporaryFile("w+") as kept:

        def run(lane: tuple[tuple[str, ...], ...], output: IO[str] | None) -> None:
            for folders in lane:
                command = (*pytest, "-p", "no:cacheprovider", *folders)
                results[" ".join(folders)] = subprocess.call(command, stdout=output, stderr=subprocess.STDOUT)

        # One lane is seen as it runs, the other afterwards.
        beside = threading.Thread(target=run, args=(LANES[1], kept))
        beside.start()
        run(LANES[0], None)
        beside.join()
        kept.seek(0)
        sys.stdout.write(kept.read())
    for folders, status in results.items():
        print(f"{folders}: {'passed' if status == 0 else f'FAILED (pytest ended with {status})'}")
    return max(results.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
