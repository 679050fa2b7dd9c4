"""Samples of a live device on their way into a simulation: gathered, each with its channels and its time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from spikedaq.bus import SAMPLES, DerivedPlace, Message, Unavailable, decode_mode, decode_samples, split_topic
from spikedaq.formats.imaging_gather import Gathered
from spikedaq.formats.imaging_source import SourceBlock
from spikedaq.inlet import Bench
from spikedaq.model import ChannelInfo, ClampMode

# Blocks are gathered for so long: each computation has its price, however short the block.
_GATHER_S = 0.05
_MAX_GATHERED = 4000
"""Samples; what the history gives at once is not held back further."""
_QUIET_S = 1.0


class Inflow:
    """Follows one device. Samples that this computer missed come from the daemon's history.

    Parameters
    ----------
    step_us : int
        Wall time of a step until a block says otherwise.
    reference_ns : (int, int), optional
        The instant that times count from, on the daemon's clock and in UTC; by default that of the first sample.

    Attributes
    ----------
    place : DerivedPlace
        Of the newest block.
    unavailable : int
        Stretches of samples that nobody could give any more.
    """

    def __init__(self, bench: Bench, device: str, step_us: int, reference_ns: tuple[int, int] | None = None) -> None:
        self.place = DerivedPlace(0, 0, step_us)
        self.unavailable = 0
        self._bench = bench
        self._device = device
        self._reference_ns = reference_ns
        self._channels: dict[tuple[int, ClampMode], list[ChannelInfo]] = {}
        self._gathered = Gathered()

    @property
    def reference_utc_ns(self) -> int:
        """Return the instant that times count from; 0 before the first sample."""
        return self._reference_ns[1] if self._reference_ns else 0

    def count_from(self, reference_ns: tuple[int, int] | None) -> None:
        """Count times from another instant, where nothing waits; None: that of the next sample."""
        self._reference_ns = reference_ns

    def take(self) -> list[tuple[SourceBlock, DerivedPlace]]:
        """Return what waits, in stretches without a gap, each with the place of its first sample."""
        return self._gathered.take()

    def pieces(self) -> Iterator[bool]:
        """Yield for good, when it is time to `take` what waits: whether samples still come."""
        with self._bench.follow(self._device, timeout_s=_QUIET_S) as follower:
            taken_s = time.monotonic()
            while True:
                for message in follower:
                    if isinstance(message, Unavailable):
                        self.unavailable += 1
                    elif split_topic(message.topic).stream == SAMPLES:
                        self._gather(message)
                    if time.monotonic() - taken_s >= _GATHER_S or self._gathered.n_samples >= _MAX_GATHERED:
                        yield True
                        taken_s = time.monotonic()
                yield False

    def _gather(self, message: Message) -> None:
        header = message.header
        t_ns = self._time_of(header)
        if t_ns is None:
            return  # the clock will be known in a moment
        mode = decode_mode(message)
        key = (header["boot"], mode)
        if key not in self._channels:
            self._channels[key] = self._bench.channels(self._device, mode)
        self.place = DerivedPlace(
            header["boot"], header["step"], header["step_us"], header["tick"], t_ns, header.get("u_ns")
        )
        if self._reference_ns is None:
            clock = self._bench.client.call("clock")
            self._reference_ns = (t_ns, clock["utc_ns"] + t_ns - clock["host_ns"])
        start_s = (t_ns - self._reference_ns[0]) / 1e9
        self._gathered.add(self.place, self._channels[key], decode_samples(message), start_s)

    def _time_of(self, header: dict[str, Any]) -> int | None:
        """Return the host time of a block's first sample; by the block before it where the clock is not known."""
        t_ns, before = header.get("t_ns"), self.place
        if t_ns is not None:
            return int(t_ns)
        if before.t_ns is None or before.boot_id != header["boot"]:
            return None
        return before.t_ns + (int(header["step"]) - before.step) * int(header["step_us"]) * 1000
