"""A device with a memory, a damaging channel and a host, on a manual clock: what the lossless link is tried on."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgpack
import numpy as np

from spikedaq.device.resend import GiveUp, Resend
from spikedaq.device.seams import Timing
from spikedaq.wire import (
    Connection,
    EventMessage,
    Frame,
    FrameDecoder,
    Hello,
    HelloRequest,
    Log,
    Ping,
    Pong,
    Reply,
    Status,
    decode_message,
    encode_frame,
    encode_message,
    encode_samples,
)
from spikedaq.wire import Resend as ResendRequest

N_CHANNELS = 8
STEP_US = 100
LATENCY_NS = 2_000_000


class Channel:
    """Flips bits, drops frames and doubles them, by a seed; never changes their order.

    Parameters
    ----------
    flips : float
        Probability per bit.
    drops, doubles : float
        Probabilities per frame.
    """

    def __init__(self, seed: int, *, flips: float = 0.0, drops: float = 0.0, doubles: float = 0.0) -> None:
        self.flips, self.drops, self.doubles = flips, drops, doubles
        self.flipped = self.dropped = self.doubled = 0
        self._random = random.Random(seed)
        self._to_flip = self._draw()

    def carry(self, frame: bytes) -> bytes:
        """Return what arrives of a frame."""
        if self.drops and self._random.random() < self.drops:
            self.dropped += 1
            return b""
        if self.doubles and self._random.random() < self.doubles:
            self.doubled += 1
            frame += frame
        n_bits = 8 * len(frame)
        if self._to_flip >= n_bits:
            self._to_flip -= n_bits
            return frame
        damaged = bytearray(frame)
        while self._to_flip < n_bits:
            damaged[self._to_flip // 8] ^= 1 << self._to_flip % 8
            self.flipped += 1
            self._to_flip += 1 + self._draw()
        self._to_flip -= n_bits
        return bytes(damaged)

    def heal(self) -> None:
        """Damage nothing from now on."""
        self.flips = self.drops = self.doubles = 0.0
        self._to_flip = 2**62

    def _draw(self) -> int:
        """Bits until the next flip: exponential, which at these rates is as good as geometric."""
        return int(self._random.expovariate(self.flips)) if self.flips else 2**62


class Waveforms:
    """A few blocks' worth of samples with their payloads, so that a million blocks need no million encodings."""

    def __init__(self, seed: int, n: int, count: int = 64) -> None:
        rng = np.random.default_rng(seed)
        self.samples, self.payloads = [], []
        for k in range(count):
            samples = np.zeros((n, N_CHANNELS), np.int16)
            for channel in range(N_CHANNELS if k % 8 else 1):
                samples[:, channel] = np.cumsum(rng.normal(0, 10.0 ** (k % 5), n)).astype(np.int64).astype(np.int16)
            samples[0, -1] = k
            self.samples.append(samples)
            self.payloads.append(encode_samples(samples))


class SimulatedDevice:
    """A device that sends blocks, events and statuses, and remembers its last frames.

    Attributes
    ----------
    depth, memory_bytes : int
        How many frames it remembers, and how many bytes of them.
    n_frames, n_blocks, step, overrun_samples : int
        Sent for the first time, and where it stands.
    events : list of int
        Steps of the spikes it has sent.
    """

    def __init__(
        self, seed: int, *, n: int = 100, depth: int = 128, memory_bytes: int = 96 * 1024, overruns: float = 0.0
    ) -> None:
        self.depth, self.memory_bytes = depth, memory_bytes
        self.n = n
        self.waveforms = Waveforms(seed, n)
        self.boot_id = 7
        self.n_frames = self.n_blocks = self.step = self.overrun_samples = self.misses = 0
        self.events: list[int] = []
        self.running = False
        self._overruns = overruns
        self._random = random.Random(seed)
        self._history: deque[tuple[int, bytes]] = deque()
        self._history_bytes = 0
        self._decoder = FrameDecoder(1024)

    def hello(self) -> bytes:
        """Return the next hello."""
        return self._message(
            Hello(
                self.n_frames, 1, 1, "0.3.0", "abc", "simulated", b"\1\2\3\4", self.boot_id, STEP_US, self.n,
                N_CHANNELS, 0, 0, self.depth, 0, 3, 1024, self.running,
            )
        )  # fmt: skip

    def produce(self) -> list[bytes]:
        """Return the frames of the next block's time."""
        self.running = True
        frames = []
        flags = 4 if self.n_blocks == 0 else 0
        if self._overruns and self._random.random() < self._overruns:
            lost = self._random.randrange(1, 3 * self.n)
            frames.append(self._message(EventMessage(self.n_frames, 3, self.step, self._tick(), lost, 0.0)))
            self.step += lost
            self.overrun_samples += lost
            flags |= 2
        if self._random.random() < 0.2:
            self.events.append(self.step)
            frames.append(self._message(EventMessage(self.n_frames, 0, self.step, self._tick(), 0, 31.0)))
        codec, payload = self.waveforms.payloads[self.step % len(self.waveforms.payloads)]
        fields = [3, self.n_frames, 0, self.step, self._tick(), STEP_US, self.n, codec, payload, flags]
        frames.append(self._keep(encode_frame(msgpack.packb(fields))))
        self.step += self.n
        self.n_blocks += 1
        if self.n_blocks % 100 == 0:
            frames.append(self.status())
        return frames

    def status(self) -> bytes:
        """Return the next status."""
        tick = self.step * STEP_US
        return self._message(Status(self.n_frames, tick, self.step, 0, 0, 0, 0, self.misses, 0, 0, 0))

    def receive(self, data: bytes) -> list[bytes]:
        """Take bytes of the host; return the answers, and after them what is sent again."""
        frames = []
        for item in self._decoder.feed(data):
            if not isinstance(item, Frame):
                continue
            match decode_message(item.message):
                case HelloRequest():
                    frames.append(self.hello())
                case Ping(token):
                    frames.append(self._message(Pong(self.n_frames, token, self.step * STEP_US, self.step)))
                case ResendRequest(request_id, first_seq, count):
                    again = [raw for seq, raw in self._history if (seq - first_seq) % 2**32 < count]
                    self.misses += count - len(again)
                    frames.append(self._message(Reply(self.n_frames, request_id, 0, len(again))))
                    frames += again
        return frames

    def lose_memory(self) -> None:
        """Forget every frame."""
        self._history.clear()
        self._history_bytes = 0

    def _tick(self) -> int:
        return self.step * STEP_US % 2**32

    def _message(self, message: Any) -> bytes:
        return self._keep(encode_frame(encode_message(message)))

    def _keep(self, raw: bytes) -> bytes:
        self._history.append((self.n_frames, raw))
        self._history_bytes += len(raw)
        while len(self._history) > self.depth or self._history_bytes > self.memory_bytes:
            self._history_bytes -= len(self._history.popleft()[1])
        self.n_frames += 1
        return raw


@dataclass
class SimulatedHost:
    """What device/receive.py does with a connection and a `Resend`, on a manual clock."""

    send: Callable[[bytes], None]
    take: Callable[[Any], None]
    keep: Callable[[list[Frame]], None]
    connection: Connection = field(default_factory=lambda: Connection(reorders=True))
    resend: Resend = field(default_factory=lambda: Resend(Timing()))
    most_held: int = 0
    most_held_bytes: int = 0
    longest_held_ns: int = 0
    _ids: itertools.count = field(default_factory=itertools.count)

    def receive(self, data: bytes, now_ns: int) -> None:
        """Take bytes of the link."""
        self._deliver(self.connection.receive(data, now_ns), now_ns)
        self.look(now_ns)

    def look(self, now_ns: int) -> None:
        """Do what is due."""
        self.most_held = max(self.most_held, len(self.connection.held))
        self.most_held_bytes = max(self.most_held_bytes, self.connection.held.n_bytes)
        while (step := self.resend.next(self.connection, now_ns)) is not None:
            if isinstance(step, GiveUp):
                self._deliver(self.connection.give_up(step.before_seq), now_ns)
                continue
            request_id = next(self._ids)
            self.send(encode_frame(encode_message(ResendRequest(request_id, step.first_seq, step.count))))
            self.resend.asked(step, request_id, now_ns)

    def _deliver(self, received: list[Any], now_ns: int) -> None:
        frames = self.connection.last_frames
        if frames:
            self.longest_held_ns = max(self.longest_held_ns, now_ns - min(f.t_host_ns for f in frames))
            self.keep(frames)
        for item in received:
            if isinstance(item, Reply):
                self.resend.answered(item, now_ns)
            self.take(item)


class Simulation:
    """Device, two channels and host; time goes from one thing to the next."""

    def __init__(
        self, device: SimulatedDevice, down: Channel, up: Channel, take: Callable[[Any], None],
        keep: Callable[[list[Frame]], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self.device, self.down, self.up = device, down, up
        self.now_ns = 0
        self.host = SimulatedHost(self._to_device, take, keep)
        self.hello_wanted_ns = -(10**9)
        self._queue: list[tuple[int, int, Callable[[bytes], None], bytes]] = []
        self._order = itertools.count()
        self._tokens = itertools.count()

    def start(self) -> None:
        """Say hello, undamaged."""
        self.host.receive(self.device.hello(), self.now_ns)
        self.now_ns += 1

    def run(self, n_blocks: int) -> None:
        """Let the device make blocks, one each block's time."""
        period_ns = self.device.n * STEP_US * 1000
        for k in range(n_blocks):
            end_ns = self.now_ns + period_ns
            for frame in self.device.produce():
                self._to_host(frame)
            if k % 97 == 0:
                self._to_device(encode_frame(encode_message(Ping(next(self._tokens) % 2**32))))
            self._until(end_ns)

    def settle(self) -> None:
        """Heal the channels and let a few seconds pass, so that what was lost last is noticed, too."""
        self.down.heal()
        self.up.heal()
        for _ in range(40):
            self._to_host(self.device.status())
            self._until(self.now_ns + 200_000_000)

    def say(self, text: str) -> None:
        """Let the device send a line."""
        self._to_host(self.device._message(Log(self.device.n_frames, 20, text)))

    def _to_host(self, frame: bytes) -> None:
        self._carry(self.down, frame, self._at_host)

    def _to_device(self, frame: bytes) -> None:
        self._carry(self.up, frame, self._at_device)

    def _carry(self, channel: Channel, frame: bytes, to: Callable[[bytes], None]) -> None:
        data = channel.carry(frame)
        if data:
            heapq.heappush(self._queue, (self.now_ns + LATENCY_NS, next(self._order), to, data))

    def _at_host(self, data: bytes) -> None:
        self.host.receive(data, self.now_ns)
        if self.host.connection.wants_hello and self.now_ns - self.hello_wanted_ns >= 500_000_000:
            self.hello_wanted_ns = self.now_ns
            self._to_device(encode_frame(encode_message(HelloRequest())))

    def _at_device(self, data: bytes) -> None:
        for frame in self.device.receive(data):
            self._to_host(frame)

    def _until(self, end_ns: int) -> None:
        while True:
            due_ns = self.host.resend.due_ns
            next_ns = self._queue[0][0] if self._queue else end_ns
            if due_ns is not None and due_ns <= min(next_ns, end_ns):
                self.now_ns = max(self.now_ns, due_ns)
                self.host.look(self.now_ns)
            elif next_ns < end_ns:
                self.now_ns, _, to, data = heapq.heappop(self._queue)
                to(data)
            else:
                self.now_ns = end_ns
                return
