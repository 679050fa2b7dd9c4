"""A spikedaq-device that is told on its stdin what is to go wrong, and says on its stdout when it did."""

from __future__ import annotations

import select
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from spikedaq.link import find_device_program


@dataclass(frozen=True)
class Done:
    """One fault that was done: when (CLOCK_MONOTONIC, in seconds), what, to whom."""

    time_s: float
    what: str
    detail: str


class FaultyDevice:
    """A virtual board behind a symbolic link, with a hand on its cable."""

    def __init__(self, path: Path, name: str, *options: str) -> None:
        command = [str(find_device_program()), "--pty", str(path), "--name", name, "--fault-script", "-", *options]
        self.process = subprocess.Popen(
            [*command, "--die-with-parent"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline().startswith("ready pty")

    def do(self, line: str, until: str) -> Done:
        """Have a script's line done now; return when ``until`` was told of."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"now {line}\n")
        return self.heard(until, f"after {line!r}")

    def heard(self, what: str, when: str = "") -> Done:
        """Return the next of what it says about its faults that is this."""
        assert self.process.stdout is not None
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if select.select([self.process.stdout], [], [], 1)[0]:
                _, time_s, said, detail = self.process.stdout.readline().rstrip().split(" ", 3)
                if said == what:
                    return Done(float(time_s), what, detail)
        raise AssertionError(f"the device did not say {what!r} {when}")

    def end(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.communicate(timeout=10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.end()
