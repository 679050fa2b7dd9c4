"""Random and mutated bytes into everything that reads a device's bytes: no exception, bounded memory.

FUZZ_BYTES says how many (`make fuzz-python FUZZ_BYTES=100000000`); FUZZ_SEED which.
"""

from __future__ import annotations

import json
import os
import random
import tracemalloc
from pathlib import Path
from typing import Any

import msgpack

from helpers.simulated_link import SimulatedDevice
from spikedaq.device.resend import Ask, GiveUp, Resend
from spikedaq.device.seams import Timing
from spikedaq.journal import JournalState
from spikedaq.model import Block
from spikedaq.wire import Connection, Frame, FrameDecoder, encode_frame, sequence_number
from spikedaq.wire.frame import MAX_DEVICE_FRAME_BYTES, max_encoded_bytes
from spikedaq.wire.held import MAX_HELD_BYTES, MAX_HELD_FRAMES

BYTES = int(os.environ.get("FUZZ_BYTES", "400000"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
TRACED_BYTES = 300_000
VECTORS = Path(__file__).parents[2] / "protocol" / "vectors"
# What a connection, its decoder and its resend may hold at any time, held frames twice (raw and message).
MEMORY_BYTES = 3 * MAX_HELD_BYTES + MAX_HELD_FRAMES * 1024 + 8 * 2**20

_INTERESTING = (
    0,
    1,
    2,
    7,
    127,
    128,
    255,
    256,
    32767,
    65535,
    65536,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**62,
    2**63,
    2**64 - 1,
)


class Corpus:
    """Frames to start from: golden vectors, and what devices of several depths send."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.runs: list[list[bytes]] = []
        self.frames = [bytes.fromhex(c["frame"]) for c in _cases("messages")]
        self.frames += [bytes.fromhex(c["bytes"]) for c in _cases("streams")]
        for depth in (0, 4, 128, 65535):
            device = SimulatedDevice(depth, n=rng.choice((1, 10, 100)), depth=depth, overruns=0.1)
            device.boot_id = depth
            run = [device.hello()]
            for _ in range(40):
                run += device.produce()
            self.runs.append(run)
            self.frames += run
        self.messages = [
            item.message for raw in self.frames for item in FrameDecoder().feed(raw) if isinstance(item, Frame)
        ]
        self.messages = [m for m in self.messages if sequence_number(m) is not None]
        self.hellos = [m for m in self.messages if msgpack.unpackb(m, strict_map_key=False)[0] == 1]

    def piece(self) -> bytes:
        """Return something to send."""
        rng = self._rng
        kind = rng.random()
        if kind < 0.02:
            # A device from its boot on, with frames missing, doubled and damaged.
            run = rng.choice(self.runs)
            fates = rng.choices(("as it is", "lost", "twice", "damaged"), (85, 5, 5, 5), k=len(run) - 1)
            made = {"as it is": lambda f: f, "lost": lambda _: b"", "twice": lambda f: f + f}
            return run[0] + b"".join(
                made.get(fate, lambda f: mutated(rng, f))(frame) for frame, fate in zip(run[1:], fates, strict=True)
            )
        if kind < 0.3:
            return rng.choice(self.frames)
        if kind < 0.5:
            return mutated(rng, rng.choice(self.frames))
        if kind < 0.65:
            return encode_frame(mutated(rng, rng.choice(self.messages)))
        if kind < 0.93:
            return encode_frame(self._changed())
        if kind < 0.96:
            return rng.randbytes(rng.randrange(600))
        return encode_frame(rng.choice(self.hellos))

    def _changed(self) -> bytes:
        """A message with a good CRC and some fields replaced by others that are just as well formed."""
        rng = self._rng
        fields = list(msgpack.unpackb(rng.choice(self.messages), strict_map_key=False))
        for _ in range(rng.randrange(1, 4)):
            place = rng.randrange(len(fields))
            fields[place] = self._value()
        if rng.random() < 0.7 and len(fields) > 1:
            fields[1] = rng.choice((rng.randrange(300), rng.choice(_INTERESTING), 2**32 - rng.randrange(1, 300)))
        return bytes(msgpack.packb(fields))

    def _value(self) -> Any:
        rng = self._rng
        return rng.choice(
            (
                *(rng.choice(_INTERESTING), -rng.choice(_INTERESTING[:14]), rng.randrange(70)),
                *(True, None, float("nan"), 1e300, "text", [], [1, [2]], {"a": 1}),
                *(rng.randbytes(rng.randrange(40)), bytes((1, 0, 0)) * rng.randrange(300)),
            )
        )


def _cases(name: str) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((VECTORS / f"{name}.json").read_text())["cases"]
    return cases


def rss_bytes() -> int:
    """Memory that this process has in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Return the bytes with a few flipped, replaced, removed, repeated or cut off."""
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        if not changed:
            break
        at = rng.randrange(len(changed))
        match rng.randrange(5):
            case 0:
                changed[at] ^= 1 << rng.randrange(8)
            case 1:
                changed[at] = rng.choice((0, 1, 0x90, 0xC4, 0xC6, 0xCF, 0xDC, 0xFF))
            case 2:
                del changed[at : at + rng.randrange(1, 5)]
            case 3:
                changed[at:at] = changed[at : at + rng.randrange(1, 9)]
            case _:
                del changed[at:]
    return bytes(changed)


class Prey:
    """A connection with its resend and a journal's state, used as the daemon does."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.connection = Connection(reorders=True)
        self.replay = Connection()
        self.resend = Resend(Timing())
        self.state = JournalState()
        self.now_ns = 10**9
        self.blocks = self.requests = self.surrenders = self.kept = 0
        self.most_held_bytes = self.most_held = 0

    def feed(self, data: bytes) -> None:
        """Take bytes; assert what must hold whatever they are."""
        connection = self.connection
        self.now_ns += self._rng.randrange(50_000_000)
        self._take(connection.receive(data, self.now_ns))
        for _ in range(64):
            step = self.resend.next(connection, self.now_ns)
            if isinstance(step, GiveUp):
                self._take(connection.give_up(step.before_seq))
                self.surrenders += 1
            elif isinstance(step, Ask):
                assert 0 < step.n_missing <= step.count < 2**16 and 0 <= step.first_seq < 2**32
                self.resend.asked(step, self.requests, self.now_ns)
                self.requests += 1
            else:
                break
        else:
            raise AssertionError("it wants ever more")
        held = connection.held
        assert (self.resend.due_ns is None) == (not held)
        assert held.n_bytes <= MAX_HELD_BYTES and len(held) <= MAX_HELD_FRAMES
        assert connection._decoder.pending_bytes <= max_encoded_bytes(MAX_DEVICE_FRAME_BYTES)
        assert len(connection.descriptions) <= 4 * 256 and len(self.state.descriptions) <= 4 * 256
        assert len(self.state.parameters) <= 256
        self.most_held = max(self.most_held, len(held))
        self.most_held_bytes = max(self.most_held_bytes, held.n_bytes)

    def _take(self, received: list[Any]) -> None:
        frames = self.connection.last_frames
        self.kept += len(frames)
        blocks = [item for item in received if isinstance(item, Block)]
        self.blocks += len(blocks)
        again: list[Any] = []
        for frame in frames:
            again += self.replay.receive_frame(frame)
            self.state.frame(frame.raw)
        # Whatever was done to the order, a reader of the journal sees the same samples.
        assert [(b.boot_id, b.seq, b.first_step) for b in again if isinstance(b, Block)] == [
            (b.boot_id, b.seq, b.first_step) for b in blocks
        ]


def test_any_bytes_leave_the_connection_sound() -> None:
    """Golden, mutated and random bytes, cut anyhow: nothing is raised, and memory stays within its bound."""
    rng = random.Random(SEED)
    corpus = Corpus(rng)
    preys: list[Prey] = []
    n_bytes = peak = 0
    prey = Prey(rng)
    rss = rss_bytes()
    tracemalloc.start()  # it makes everything three times slower, so only the first part is traced
    try:
        while n_bytes < BYTES:
            if rng.random() < 2e-4:
                preys.append(prey)
                prey = Prey(rng)
            data = b"".join(corpus.piece() for _ in range(rng.randrange(1, 5)))
            n_bytes += len(data)
            cut = rng.randrange(len(data) + 1)
            for part in (data[:cut], data[cut:]):
                prey.feed(part)
            if tracemalloc.is_tracing():
                peak = max(peak, tracemalloc.get_traced_memory()[0])
                if n_bytes > TRACED_BYTES:
                    tracemalloc.stop()
    finally:
        tracemalloc.stop()
    preys.append(prey)
    counters = [p.connection.counters for p in preys]
    print(
        f"\n{n_bytes} bytes, seed {SEED}: {len(preys)} connections, {sum(c.frames for c in counters)} good frames, "
        f"{sum(p.blocks for p in preys)} blocks, {sum(c.malformed for c in counters)} malformed, "
        f"{sum(c.late for c in counters)} late, {sum(c.reboots for c in counters)} reboots, "
        f"{sum(p.requests for p in preys)} requests, {sum(p.surrenders for p in preys)} surrenders; "
        f"held at most {max(p.most_held for p in preys)} frames, {max(p.most_held_bytes for p in preys)} bytes; "
        f"traced {peak / 2**20:.1f} MiB at most, the process grew by {(rss_bytes() - rss) / 2**20:.1f} MiB"
    )
    assert peak < MEMORY_BYTES
    assert rss_bytes() - rss < MEMORY_BYTES + 128 * 2**20
    # It was no walk past closed doors.
    assert all(sum(getattr(c, name) for c in counters) > 0 for name in ("blocks", "malformed", "late", "reboots"))
    assert sum(p.surrenders for p in preys) > 0
