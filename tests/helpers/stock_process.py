"""`stock_board.py` as a process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers import stock_board


class StockBoard:
    """A board with a stock firmware, at the port ``port``."""

    def __init__(self, folder: Path, kind: str, *options: str) -> None:
        self.port = folder / "port"
        self.commands = folder / "commands"
        self.commands.touch()
        program = Path(stock_board.__file__)
        self.process = subprocess.Popen(
            [sys.executable, program, kind, self.port, "--commands", self.commands, *options], stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def executed(self) -> list[str]:
        """Command lines that it has executed, without what a hello? left in its buffer."""
        lines = self.commands.read_text().splitlines()
        return [line for line in lines if line.split()[0].isupper() or line[0].isupper()]

    def end(self) -> None:
        """Unplug it."""
        self.process.kill()
        self.process.wait()


@contextmanager
def stock_process(folder: Path, kind: str, *options: str) -> Iterator[StockBoard]:
    """Run a stock board."""
    board = StockBoard(folder, kind, *options)
    try:
        yield board
    finally:
        board.end()
