"""Runs the Python tests in two lanes at once, each of which waits for real processes most of the time.

Computers that run them are often shared, and a process may then be late. So a few tests that failed while they waited
are run once more, by themselves, when nothing else runs; which ones is printed. What fails twice has failed, and what
a property or a fuzzer finds has at once. With arguments it is just pytest with these.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO

MAX_AGAIN = 5
"""More failures than these are no accident."""


@dataclass
class Part:
    """Tests that one pytest runs."""

    folders: tuple[str, ...]
    waits: bool = True
    status: int = 0
    again: tuple[str, ...] = ()
    """Those that failed at first and passed by themselves."""

    @property
    def name(self) -> str:
        """Where they are."""
        return " ".join(self.folders)

    def run(self, cache: Path, output: IO[str] | None) -> None:
        """Run them; what failed is remembered in the folder ``cache``."""
        self.status = self._pytest(cache, *self.folders, output=output)

    def run_again(self, cache: Path) -> None:
        """Run what failed once more, where there may be an accident."""
        if self.status != 1 or not self.waits:
            return
        failed = tuple(json.loads((cache / self.folders[0] / "v/cache/lastfailed").read_text("utf-8")))
        if len(failed) > MAX_AGAIN:
            return
        print(f"once more, by themselves: {', '.join(failed)}", flush=True)
        self.status = self._pytest(cache, "--last-failed", "--last-failed-no-failures=none", *self.folders, output=None)
        if self.status == 0:
            self.again = failed

    def _pytest(self, cache: Path, *arguments: str, output: IO[str] | None) -> int:
        command = (sys.executable, "-m", "pytest", "-o", f"cache_dir={cache / self.folders[0]}", *arguments)
        return subprocess.call(command, stdout=output, stderr=None if output is None else subprocess.STDOUT)

    def __str__(self) -> str:
        said = "passed" if self.status == 0 else f"FAILED (pytest ended with {self.status})"
        return f"{self.name}: {said}" + (f"; at the second attempt {', '.join(self.again)}" if self.again else "")


def main(arguments: list[str]) -> int:
    """Run the tests; return 0 where all passed."""
    if arguments:
        return subprocess.call((sys.executable, "-m", "pytest", *arguments))
    seen = [Part(("tests/system",))]
    beside = [
        Part(("tests/contract", "tests/fault", "tests/perf")),
        Part(("tests/browser",)),
        Part(("tests/unit",)),
        Part(("tests/property", "tests/fuzz"), waits=False),
    ]
    with tempfile.TemporaryFile("w+") as kept, tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)

        def run_beside() -> None:
            for part in beside:
                part.run(cache, kept)

        lane = threading.Thread(target=run_beside)
        lane.start()
        for part in seen:
            part.run(cache, None)
        lane.join()
        kept.seek(0)
        sys.stdout.write(kept.read())
        sys.stdout.flush()
        for part in (*seen, *beside):
            part.run_again(cache)
    for part in (*seen, *beside):
        print(part)
    return max(part.status for part in (*seen, *beside))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
