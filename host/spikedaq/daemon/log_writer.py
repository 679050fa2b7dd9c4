"""Takes the log's lines to a stream without making anybody wait, or fail, for it.

What reads our stderr may stop reading, and the disk under it may be full: both are more likely in the week in which
nobody looks than in any other, and neither may hold up the loop or end it.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TextIO

MAX_LINES = 5000
"""Waiting to be written; beyond it the oldest go, and are counted."""
_END_S = 2.0


class LogWriter:
    """A text stream for loggers, written by a thread.

    Attributes
    ----------
    lost : int
        Lines that were not written.
    """

    def __init__(self, out: TextIO) -> None:
        self.lost = 0
        self._out = out
        try:
            self._fd: int | None = out.fileno()
        except (OSError, ValueError):
            self._fd = None
        self._lines: deque[str] = deque()
        self._change = threading.Condition()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, text: str) -> int:
        """Take a line; returns at once."""
        with self._change:
            if self._ending:
                self.lost += 1
                return len(text)
            if len(self._lines) >= MAX_LINES:
                self._lines.popleft()
                self.lost += 1
            self._lines.append(text)
            self._change.notify()
        return len(text)

    def flush(self) -> None:
        """Do nothing: the thread flushes."""

    def close(self) -> None:
        """Write what is waiting, and end; at most `_END_S` long."""
        with self._change:
            self._ending = True
            self._change.notify()
        self._thread.join(_END_S)

    def _run(self) -> None:
        while True:
            with self._change:
                while not self._lines and not self._ending:
                    self._change.wait()
                if not self._lines:
                    return
                lines = list(self._lines)
                self._lines.clear()
            try:
                self._put("".join(lines))
            except (OSError, ValueError):
                self.lost += len(lines)

    def _put(self, text: str) -> None:
        if self._fd is None:
            self._out.write(text)
            self._out.flush()
            return
        # Past Python's buffers: they would keep what cannot be written, and fail with it at the end.
        data = text.encode(errors="replace")
        while data:
            data = data[os.write(self._fd, data) :]
