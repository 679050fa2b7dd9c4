"""How a daemon's clock stands to that of the page's server."""

from __future__ import annotations

from spikedaq.inlet import ClockReading


class ClockOffset:
    """How a daemon's clock stands to ours: the best reading counts, and ages, because two clocks drift apart.

    On one computer both are the same clock; then the offset is within the uncertainty, and told as 0.
    """

    _AGEING = 1.05

    def __init__(self) -> None:
        self.offset_ns = 0
        self.uncertainty_ns: float | None = None

    def take(self, reading: ClockReading) -> None:
        """Take a reading, where it is better than what is known."""
        if self.uncertainty_ns is not None:
            self.uncertainty_ns *= self._AGEING
            if reading.uncertainty_ns > self.uncertainty_ns:
                return
        self.offset_ns, self.uncertainty_ns = reading.theirs_ns - reading.ours_ns, reading.uncertainty_ns

    def told(self) -> dict[str, float | None]:
        """Return it for the page, in milliseconds."""
        if self.uncertainty_ns is None:
            return {"offset_ms": 0.0, "uncertainty_ms": None}
        is_same = abs(self.offset_ns) <= self.uncertainty_ns
        return {"offset_ms": 0.0 if is_same else self.offset_ns / 1e6, "uncertainty_ms": self.uncertainty_ns / 1e6}
