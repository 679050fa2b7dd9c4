"""Frames that wait for those before them."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from typing import Final

from spikedaq.wire.frame import Frame

MAX_HELD_BYTES: Final = 4 * 2**20
"""As they came on the link: at 10 kHz and 8 channels, 25 s of raw blocks."""
MAX_HELD_FRAMES: Final = 4096
"""However many a device says it can send again: each costs some 500 bytes besides its own."""
_MIN_HELD_FRAMES: Final = 64
_MODULUS: Final = 2**32


@dataclass(frozen=True, slots=True)
class HeldFrame:
    """One of them.

    Attributes
    ----------
    frame : Frame
    given : bool
        Its message was given out when it came; only its place in the order is left.
    near_tick : int or None
        The 64-bit tick that the message told.
    readable : bool
        It was no malformed one.
    hello : bool
        It says that this boot goes on.
    """

    frame: Frame
    given: bool = False
    near_tick: int | None = None
    readable: bool = True
    hello: bool = False


class HeldFrames:
    """Held frames by sequence number, which wraps.

    Parameters
    ----------
    resend_depth : int
        What the device can send again. When twice as many and some more are held, those before them will not come: they
        have left the device's memory, and what was asked for in time went ahead of what is held.

    Attributes
    ----------
    n_bytes : int
        Of the held frames on the link.
    """

    def __init__(self, resend_depth: int) -> None:
        self.n_bytes = 0
        self._max_frames = min(2 * resend_depth + _MIN_HELD_FRAMES, MAX_HELD_FRAMES)
        self._frames: dict[int, HeldFrame] = {}
        self._order: list[int] = []

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def overfull(self) -> bool:
        """Whether some have to go."""
        return self.n_bytes > MAX_HELD_BYTES or len(self._frames) > self._max_frames

    @property
    def first(self) -> int:
        """Number of the first one."""
        return self._order[0]

    @property
    def newest(self) -> int:
        """Number of the last one."""
        return self._order[-1]

    def get(self, seq: int) -> HeldFrame | None:
        """Return a held frame."""
        return self._frames.get(seq)

    def add(self, seq: int, held: HeldFrame, next_seq: int) -> None:
        """Hold a frame that is not held yet; it and all others lie after ``next_seq``."""
        self._frames[seq] = held
        self.n_bytes += len(held.frame.raw)
        insort(self._order, seq, key=lambda s: (s - next_seq) % _MODULUS)

    def pop(self, seq: int) -> HeldFrame | None:
        """Take out the first one if its number is ``seq``."""
        if not self._order or self._order[0] != seq:
            return None
        del self._order[0]
        return self._remove(seq)

    def drop_newest(self) -> None:
        """Drop the last one."""
        self._remove(self._order.pop())

    def missing(self, next_seq: int) -> list[tuple[int, int]]:
        """Return (first, count) of each run of numbers from ``next_seq`` on that is missing before the newest one."""
        found = []
        for seq in self._order:
            if seq != next_seq:
                found.append((next_seq, (seq - next_seq) % _MODULUS))
            next_seq = (seq + 1) % _MODULUS
        return found

    def _remove(self, seq: int) -> HeldFrame:
        held = self._frames.pop(seq)
        self.n_bytes -= len(held.frame.raw)
        return held
