"""Ends this process some seconds after a signal, whatever keeps it from ending in order.

A thread that waits for a bench, a disk that hangs or a computer that is far too busy would otherwise keep the page's
server, its port and its connections.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import time
from collections.abc import Callable

END_S = 4.5
"""From the signal on; in order it takes less than 3 s."""
NEEDED_S = 90.0
"""So long at most for what would do harm if it were cut off: a trial that has to close its files."""
_LOOK_S = 0.1
_HURRY_S = 0.5


class LastResort:
    """A thread that sleeps until a signal comes.

    Parameters
    ----------
    end_s : float
    is_needed : callable
        Whether something is under way that is worth waiting for, up to `NEEDED_S`.
    exit_now : callable
        Ends the process with a status; for tests.
    """

    def __init__(
        self, end_s: float, is_needed: Callable[[], bool] = lambda: False, exit_now: Callable[[int], None] = os._exit
    ) -> None:
        self._end_s = end_s
        self._is_needed = is_needed
        self._exit_now = exit_now
        # The only queue of Python's that a signal handler may put into whatever it interrupted.
        self._signals: queue.SimpleQueue[tuple[int, bool, float]] = queue.SimpleQueue()

    def start(self) -> None:
        """Begin to wait for signals."""
        threading.Thread(target=self._run, name="last resort", daemon=True).start()

    def begin(self, sig: int, *, at_once: bool = False) -> None:
        """Note a signal; may be called by its handler. ``at_once``: who sent it will not wait."""
        self._signals.put((sig, at_once, time.monotonic()))

    def _run(self) -> None:
        sig, at_once, begun_s = self._signals.get()
        limit_s = _HURRY_S if at_once else self._end_s
        while (elapsed_s := time.monotonic() - begun_s) < (NEEDED_S if self._is_needed() and not at_once else limit_s):
            try:
                _, second, second_s = self._signals.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
            if second:
                at_once, begun_s, limit_s = True, second_s, _HURRY_S
        text = f"spikedaq scope: what was under way did not end within {elapsed_s:.1f} s of the signal; cut off\n"
        with contextlib.suppress(OSError, ValueError):
            os.write(sys.stderr.fileno(), text.encode())
        self._exit_now(128 + sig)
