"""How another computer's clock stands to ours, from questions and answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from spikedaq.inlet.control import ControlClient

TRIES = 24


@dataclass(frozen=True, slots=True)
class ClockReading:
    """One reading of a daemon's clock.

    Attributes
    ----------
    ours_ns, theirs_ns : int
        The same instant on our clock and on that of the daemon's computer, both CLOCK_BOOTTIME.
    uncertainty_ns : int
        Half the round trip: how far apart the two may be at most, whatever the network does.
    """

    ours_ns: int
    theirs_ns: int
    uncertainty_ns: int

    def theirs_at(self, ours_ns: int) -> int:
        """Return their clock at an instant of ours near the reading."""
        return self.theirs_ns + ours_ns - self.ours_ns


def read_clock(client: ControlClient, now_ns: Callable[[], int], *, tries: int = TRIES) -> ClockReading:
    """Read a daemon's clock: the best of several questions, which is the one that was answered soonest.

    Raises
    ------
    CommandError
        No answer, or an older daemon that has no such question (code ``unknown_op``).
    """
    best: ClockReading | None = None
    for _ in range(tries):
        asked_ns = now_ns()
        theirs_ns = int(client.call("clock")["host_ns"])
        answered_ns = now_ns()
        half_ns = (answered_ns - asked_ns + 1) // 2
        if best is None or half_ns < best.uncertainty_ns:
            best = ClockReading(asked_ns + half_ns, theirs_ns, half_ns)
    if best is None:
        raise ValueError("tries must be at least 1")
    return best
