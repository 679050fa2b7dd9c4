"""A device of a running bench, handled as one of PyNN's populations.

Nothing waits for it: what a device sends is in the daemon's journal, and is fetched from there as it is asked for, in
order and once.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

from spikedaq.bus import EVENTS, SAMPLES, Message, decode_mode, decode_samples
from spikedaq.inlet import Bench, HistoryClient
from spikedaq.model import ClampMode, RemoteProtocolError, SpikedaqError
from spikedaq.pynn.device import DeviceData
from spikedaq.pynn.memory import DEFAULT_MEMORY_BYTES, HeldBlock, Memory
from spikedaq.pynn.runs import Boundary
from spikedaq.pynn.stretches import FloatArray, Stretch
from spikedaq.recording import Channel

_NS_PER_S = 1e9
_MAX_WAITING = 3000
"""Blocks and spikes that may wait for the board's clock to be known: that takes a second, this is half a minute."""


class BenchClock:
    """How a bench's clock stands to that of the handle.

    Attributes
    ----------
    reference_utc_ns : int
        Where the handle's clock is 0.
    """

    def __init__(self, bench: Bench, reference_utc_ns: int | None = None) -> None:
        now = bench.client.call("clock")
        self.reference_utc_ns = int(now["utc_ns"]) if reference_utc_ns is None else reference_utc_ns
        self._zero_host_ns = int(now["host_ns"]) - (int(now["utc_ns"]) - self.reference_utc_ns)

    def time_s(self, host_ns: int) -> float:
        """Return a time of the bench's clock, CLOCK_BOOTTIME of its computer, on that of the handle."""
        return (host_ns - self._zero_host_ns) / _NS_PER_S

    def host_ns(self, time_s: float) -> int:
        """Return a time of the handle's clock on that of the bench."""
        return self._zero_host_ns + round(time_s * _NS_PER_S)


class LiveDevice(DeviceData):
    """A device of a bench, and what this handle has fetched of it."""

    def __init__(
        self, bench: Bench, name: str, cell_id: int, clock: BenchClock, *, memory_bytes: int = DEFAULT_MEMORY_BYTES
    ) -> None:
        super().__init__()
        self.connection = bench
        self.clock = clock
        self.device = name
        self.label = name
        self.bench = bench.name
        self.cell_id = cell_id
        self.reference_utc_ns = clock.reference_utc_ns
        self.memory = Memory(memory_bytes)
        self._described = bench.describe(name)
        self._channels = {mode: _channels(bench, name, mode) for mode in ClampMode}
        self._modes = [ClampMode.CURRENT]
        self._position: tuple[int, int] | None = None
        self._anchor: HeldBlock | None = None
        self._waiting: deque[Message] = deque()
        self._timeless_samples = 0
        self.begins_s = clock.time_s(now_ns(bench))
        self.closes: list[Bench] = []
        self._history: HistoryClient | None = None

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What it records, in all clamp modes in which it did so far."""
        every = [channel for mode in self._modes for channel in self._channels[mode]]
        return tuple({channel.name: channel for channel in every}.values())

    @property
    def step_us(self) -> float:
        """Microseconds between samples."""
        return float(self._anchor.step_us if self._anchor else self._described["step_us"])

    @property
    def has_spikes(self) -> bool:
        """True."""
        return True

    @property
    def is_live(self) -> bool:
        """True."""
        return True

    def refresh(self) -> None:
        """Fetch what has come since the last time, up to the live edge.

        Raises
        ------
        CommandError
            The daemon does not answer, or has no history running.
        """
        after, since_ns = self._position, None
        if after is None:
            since_ns = self.clock.host_ns(self.begins_s)
        if self._history is None:
            self._history = self.connection.history()
        try:
            reading = self._history.read(self.device, after=after, t_ns=since_ns)
            holes = 0
            for message in reading:
                self._take(message)
                holes = reading.holes
        except SpikedaqError:
            # The history may have been started again, elsewhere; the next call asks where.
            self._history.close()
            self._history = None
            raise
        self.unavailable += holes if after is not None else 0
        self.dropped_samples = self.memory.dropped_samples + self._timeless_samples
        self.dropped_spikes = self.memory.dropped_spikes

    def _take(self, message: Message) -> None:
        header = message.header
        is_block = message.topic.endswith(f"/{SAMPLES}/")
        if is_block or (message.topic.endswith(f"/{EVENTS}/") and header.get("kind") == "spike"):
            time_s = self._time_s(header)
            if time_s is None:
                self._wait_with(message)
            else:
                self._take_waiting(header, time_s)
                self._put(message, time_s)
        if "boot" in header and "seq" in header:
            self._position = (int(header["boot"]), int(header["seq"]))

    def _wait_with(self, message: Message) -> None:
        """Keep what came before anybody knew how the board's clock stands, until somebody does."""
        self._waiting.append(message)
        if len(self._waiting) > _MAX_WAITING:
            self._let_go(self._waiting.popleft())

    def _take_waiting(self, header: dict[str, Any], time_s: float) -> None:
        """Take what waited, by the board's ticks before a message whose time is known."""
        while self._waiting:
            message = self._waiting.popleft()
            if message.header["boot"] == header["boot"]:
                self._put(message, time_s - (int(header["tick"]) - int(message.header["tick"])) * 1e-6)
            else:  # of a boot whose clock nobody ever knew
                self._let_go(message)

    def _let_go(self, message: Message) -> None:
        self._timeless_samples += int(message.header.get("count", 0))

    def _put(self, message: Message, time_s: float) -> None:
        if not message.topic.endswith(f"/{SAMPLES}/"):
            if time_s >= self.begins_s:
                self.memory.add_spike(time_s)
            return
        header = message.header
        samples = decode_samples(message).copy()
        mode = decode_mode(message)
        if len(self._channels[mode]) != samples.shape[1]:
            raise RemoteProtocolError(
                f"{self.device} sends {samples.shape[1]} channels and describes {len(self._channels[mode])}; "
                "connect again"
            )
        block = HeldBlock(int(header["boot"]), int(header["step"]), int(header["step_us"]), mode, time_s, samples)
        self._anchor = block
        if mode not in self._modes:
            self._modes.append(mode)
        late = round((self.begins_s - time_s) / (block.step_us * 1e-6))
        if late >= len(samples):
            return  # it was on its way as the first run began
        if late > 0:
            later_s = time_s + late * block.step_us * 1e-6
            block = replace(block, first_step=block.first_step + late, time_s=later_s, samples=samples[late:])
        self.memory.add(block)

    def _time_s(self, header: dict[str, Any]) -> float | None:
        """Return the time of a block or a spike; by the block before it, where it does not say."""
        if header.get("t_ns") is not None:
            return self.clock.time_s(int(header["t_ns"]))
        anchor = self._anchor
        if anchor is None or anchor.boot_id != header.get("boot"):
            return None
        return anchor.time_s + (int(header["step"]) - anchor.first_step) * anchor.step_us * 1e-6

    def stretches(self) -> list[Stretch]:
        """Return what is there of its samples, in order."""
        return self.memory.stretches(self._channels)

    def spikes_s(self) -> FloatArray:
        """Return the times of its spikes."""
        return self.memory.spikes_s

    @property
    def newest_s(self) -> float | None:
        """Time up to which its samples are here."""
        last = self._anchor
        return None if last is None else last.time_s + len(last.samples) * last.step_us * 1e-6

    def add_reset(self, reset: Boundary) -> None:
        """Begin a new run."""
        self.resets.append(reset)

    def close(self) -> None:
        """End the connections that were made for it."""
        if self._history is not None:
            self._history.close()
            self._history = None
        for bench in self.closes:
            bench.close()

    def _forget(self) -> None:
        self.memory.clear()
        self.resets = []


def now_ns(bench: Bench) -> int:
    """Return the clock of a bench now: CLOCK_BOOTTIME of its computer, nanoseconds."""
    return int(bench.client.call("clock")["host_ns"])


def _channels(bench: Bench, name: str, mode: ClampMode) -> tuple[Channel, ...]:
    return tuple(Channel(one.name, one.unit, float(one.scale), float(one.offset)) for one in bench.channels(name, mode))
