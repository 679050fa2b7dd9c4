"""Finding out what is at the other end of a fresh link."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from spikedaq.wire import Connection, Hello, Rebooted

HELD_BYTES = 4 * 2**20
"""What may wait for the journal of the board that answers: 25 s of a device at 10 kHz x 8 channels."""
SAMPLE_BYTES = 48


class Identification:
    """Takes a link's first bytes, looks for a hello, and holds everything back until there is a journal to put it in.

    Attributes
    ----------
    watch : callable or None
        Is shown all bytes, too.
    tried : list of int
        Baud rates, where there was more than one.
    hello : Hello or None
        The newest one.
    chunks : deque of (bytes, int)
        What was read and when, oldest first; at most `HELD_BYTES`, the oldest go first and are counted in ``dropped``.
    """

    def __init__(self) -> None:
        self.hello: Hello | None = None
        self.arrived = asyncio.Event()
        self.chunks: deque[tuple[bytes, int]] = deque()
        self.n_bytes = 0
        self.dropped = 0
        self._held = 0
        self._sample = b""
        self._probe = Connection()
        self.watch: Callable[[bytes, int], None] | None = None
        self.tried: list[int] = []

    def forget(self) -> None:
        """Begin again with what comes next: at another baud rate, or through a translator."""
        self.chunks.clear()
        self._held = 0
        self._probe = Connection()
        self.watch = None

    def take(self, data: bytes, t_host_ns: int) -> None:
        """Take bytes as they were read."""
        self.n_bytes += len(data)
        if len(self._sample) < SAMPLE_BYTES:
            self._sample = (self._sample + data)[:SAMPLE_BYTES]
        self.chunks.append((data, t_host_ns))
        self._held += len(data)
        while self._held > HELD_BYTES:
            old, _ = self.chunks.popleft()
            self._held -= len(old)
            self.dropped += len(old)
        for item in self._probe.receive(data):
            if isinstance(item, Rebooted):
                self.hello = item.hello
            elif isinstance(item, Hello):
                self.hello = item
        if self.hello is not None:
            self.arrived.set()
        if self.watch is not None:
            self.watch(data, t_host_ns)

    def failure(self, url: str, seconds: float) -> str:
        """Say why nothing was identified."""
        at = f" at any of {', '.join(map(str, self.tried))} baud" if len(self.tried) > 1 else ""
        if not self.n_bytes:
            return (
                f"nothing answers on {url}{at} within {seconds:g} s; is the board powered, does it run the spikedaq "
                "firmware or a stock one, and is the baud rate right?"
            )
        counters = self._probe.counters
        bad = sum(counters.bad_frames.values()) + counters.malformed
        return (
            f"{url} speaks something else than the spikedaq protocol{at}: {self.n_bytes} bytes came in {seconds:g} s "
            f"({bad} bad frames, {counters.frames} good ones, no hello, no stock dialect), beginning with "
            f"{self._sample!r}; flash the spikedaq firmware, or correct the port or its baud rate"
        )
