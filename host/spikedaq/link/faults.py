"""What a bad cable does to a stream of bytes, and when: pure, so that it can be tested to the bit.

With the same words and the same seed the virtual board damages the same bytes (firmware/boards/native/fault_stream.h).
"""

from __future__ import annotations

import bisect
import math
from dataclasses import asdict, dataclass, field
from typing import Final

from spikedaq.link.fault_spec import FaultAction, FaultSpec

_U64: Final = 2**64 - 1
_NEVER: Final = 2**63
_MAX_FRAME_BYTES: Final = 8192
"""Longer than any frame: noise without a 00 passes in pieces of this size."""


class FaultRandom:
    """splitmix64 (Steele, Lea, Flood 2014): three lines that give the same numbers in every language."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _U64

    def next(self) -> int:
        """Return 64 random bits."""
        self._state = z = (self._state + 0x9E3779B97F4A7C15) & _U64
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _U64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _U64
        return z ^ (z >> 31)

    def uniform(self) -> float:
        """Return a number above 0, at most 1."""
        return ((self.next() >> 11) + 1) * 2.0**-53

    def interval_s(self, mean_s: float) -> float:
        """Return a time between two things that happen at random."""
        return -math.log(self.uniform()) * mean_s


class FaultDice:
    """Says of each of many things in turn whether it is hit. Draws once per hit, not once per thing.

    Attributes
    ----------
    misses : int
        Things before the next hit.
    """

    def __init__(self, seed: int, which: int) -> None:
        self._random = FaultRandom(seed * 16 + which)
        self._rate = 0.0
        self.misses = _NEVER

    def set_rate(self, rate: float) -> None:
        """Hit each thing with this probability from now on."""
        if rate != self._rate:
            self._rate = rate
            self.draw()

    def draw(self) -> None:
        """Draw where the next hit is."""
        if self._rate <= 0:
            self.misses = _NEVER
        elif self._rate >= 1:
            self.misses = 0
        else:
            # Misses before a hit are geometrically distributed; inverted, with u in (0, 1].
            self.misses = min(_NEVER, math.floor(math.log(self._random.uniform()) / math.log1p(-self._rate)))

    def hit(self) -> bool:
        """Pass one thing; return whether it is hit."""
        if self._rate <= 0:
            return False
        if self.misses:
            self.misses -= 1
            return False
        self.draw()
        return True

    def hits_in(self, n: int) -> list[int]:
        """Pass ``n`` things; return the places of those that are hit."""
        hits = []
        at = 0
        while self._rate > 0 and at + self.misses < n:
            at += self.misses
            hits.append(at)
            at += 1
            self.draw()
        if self._rate > 0:
            self.misses -= n - at
        return hits


@dataclass(slots=True)
class FaultCounts:
    """What was done to one direction of a link."""

    bytes_in: int = 0
    bytes_out: int = 0
    flipped_bits: int = 0
    dropped_bytes: int = 0
    dropped_frames: int = 0
    duplicated_frames: int = 0
    truncated_frames: int = 0

    def to_map(self) -> dict[str, int]:
        """Return it as JSON values."""
        return asdict(self)


class FaultStream:
    """Damages a stream of bytes; what happens to a byte does not depend on how the stream is cut into calls.

    Parameters
    ----------
    direction : int
        0 from the device to the host and 1 the other way, so that both are damaged apart.
    """

    def __init__(self, spec: FaultSpec, direction: int) -> None:
        self.counts = FaultCounts()
        first = direction * 8
        self._dice = [FaultDice(spec.seed, first + which) for which in range(5)]
        self._cut = FaultRandom(spec.seed * 16 + first + 5)
        self._lose = 0
        self._frame = bytearray()
        self._framed = False
        self.change(spec)

    def change(self, spec: FaultSpec) -> None:
        """Take over the rates of a changed spec."""
        rates = (spec.flip, spec.drop, spec.drop_frame, spec.duplicate, spec.truncate)
        for dice, rate in zip(self._dice, rates, strict=True):
            dice.set_rate(rate)
        self._framed = spec.touches_frames

    def lose(self, frames: int) -> None:
        """Lose the next frames."""
        self._lose += frames

    def restart(self) -> None:
        """Forget the part of a frame that is held back."""
        self._frame.clear()

    def take(self, data: bytes) -> bytes:
        """Return what comes out for these bytes. With faults of frames a frame is held back until its 00."""
        self.counts.bytes_in += len(data)
        if not self._framed and not self._lose and not self._frame:
            return self._emit(data)
        out = bytearray()
        for piece in _pieces(data):
            self._frame += piece
            while len(self._frame) >= _MAX_FRAME_BYTES:
                rest = self._frame[_MAX_FRAME_BYTES:]
                del self._frame[_MAX_FRAME_BYTES:]
                out += self._end_frame()
                self._frame += rest
            if self._frame and self._frame[-1] == 0:
                out += self._end_frame()
        return bytes(out)

    def _end_frame(self) -> bytes:
        frame = bytes(self._frame)
        self._frame.clear()
        if len(frame) == 1:  # a 00 between frames
            return self._emit(frame)
        dropped, twice, cut = (dice.hit() for dice in self._dice[2:])
        if self._lose or dropped:
            self._lose = max(0, self._lose - 1)
            self.counts.dropped_frames += 1
            return b""
        if cut:
            self.counts.truncated_frames += 1
            frame = frame[: self._cut.next() % (len(frame) - 1)] + b"\0"
        if twice:
            self.counts.duplicated_frames += 1
            return self._emit(frame) + self._emit(frame)
        return self._emit(frame)

    def _emit(self, data: bytes) -> bytes:
        flips, drops = self._dice[:2]
        out = data
        for place in reversed(drops.hits_in(len(data))):
            self.counts.dropped_bytes += 1
            out = out[:place] + out[place + 1 :]
        bits = flips.hits_in(8 * len(out))
        if bits:
            changed = bytearray(out)
            for bit in bits:
                changed[bit >> 3] ^= 1 << (bit & 7)
            self.counts.flipped_bits += len(bits)
            out = bytes(changed)
        self.counts.bytes_out += len(out)
        return out


def _pieces(data: bytes) -> list[bytes]:
    """Cut after each zero."""
    parts = data.split(b"\0")
    return [part + b"\0" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


@dataclass(slots=True)
class FaultSchedule:
    """When something is to be done: a script's actions, and those that come again and again at random.

    Parameters
    ----------
    spec : FaultSpec
    script : list of FaultAction
        By time. Times count from 0.
    """

    spec: FaultSpec
    script: list[FaultAction] = field(default_factory=list)
    _next: int = 0
    _recurring: list[tuple[float, str]] = field(default_factory=list)
    _random: FaultRandom = field(default_factory=lambda: FaultRandom(0))

    def __post_init__(self) -> None:
        """Draw when the first of each comes."""
        self._random = FaultRandom(self.spec.seed * 16 + 6)
        for what in ("stall", "unplug"):
            if every_s := getattr(self.spec, f"{what}_every_s"):
                self._recurring.append((self._random.interval_s(every_s), what))
        self._recurring.sort()

    def next_s(self) -> float:
        """When the next action is due; infinite for never."""
        times = [self.script[self._next].time_s] if self._next < len(self.script) else []
        return min([*times, self._recurring[0][0]] if self._recurring else times, default=math.inf)

    def due(self, now_s: float) -> list[FaultAction]:
        """Take the actions that are due by now."""
        actions = []
        while self._next < len(self.script) and self.script[self._next].time_s <= now_s:
            actions.append(self.script[self._next])
            self._next += 1
        while self._recurring and self._recurring[0][0] <= now_s:
            _, what = self._recurring.pop(0)
            for_s = getattr(self.spec, f"{what}_for_s")
            actions.append(FaultAction(now_s, what, for_s))
            again_s = now_s + for_s + self._random.interval_s(getattr(self.spec, f"{what}_every_s"))
            bisect.insort(self._recurring, (again_s, what))
        return actions
