"""The 18-byte frames of the stock firmwares v2.5 and v3: AA 55 and eight int16, without length, number or check.

AA 55 may stand inside the payload too (a current of 219.30 a.u. is these very bytes), so a header alone proves nothing.
A phase is believed when headers follow each other 18 bytes apart, the values between them are ones that a board can
send, and no other phase is as good; and a row is given out only when what follows it is the next header, or lines of
text and then the next header. Source of layout and ranges: the stock firmware's wire format as measured,
docs/reference/stock-dialects.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from spikedaq.stock.items import MAX_LINE_BYTES, DecoderCounters, Item, LineSifter, LogLine, Rows, Skipped, is_text

HEADER: Final = b"\xaa\x55"
FRAME_BYTES: Final = 18
N_FIELDS: Final = 8
V, STIMULUS, I_TOTAL, SYN1_VM, SYN1_I, SYN2_VM, SYN2_I, TRIGGER = range(N_FIELDS)

# What a board can send, per field. v_out is clamped to -110..30 mV; the stimulus is a percentage, up to 300 by a stock
# defect, or the command of a voltage clamp in mV; a synapse's voltage reads -117 to 100 mV at 1 or 0.01 mV; currents
# wrap or saturate, so anything; the trigger is 0 or 1.
_LOWEST: Final = np.array([-11050, -120, -32768, -12000, -32768, -12000, -32768, 0], np.int16)
_HIGHEST: Final = np.array([3050, 300, 32767, 12000, 32767, 12000, 32767, 1], np.int16)

LEAST_CONFIRMED: Final = 3
"""Frames that a header 18 bytes on must have confirmed before a phase is believed; they are not lost, only held."""
MAX_WINDOW: Final = 64 * FRAME_BYTES
"""Bytes searched at most: with two phases equally good for longer than this, the oldest bytes are skipped."""
_DOMINANCE: Final = 4  # the longest run wins over another that lasts, too, if it is this many times as long
_MAX_TEXT_BYTES: Final = 4 * MAX_LINE_BYTES  # between two frames; a host may have sent several unknown commands at once
_MAX_STRIKES: Final = 3  # rows rejected one after the other before the phase itself is doubted
_ALIGNED: Final = 18  # the search decides at these offsets of the stream only, so that cuts change nothing


@dataclass(frozen=True, slots=True)
class _Chain:
    """Frames that follow each other from ``start`` on."""

    start: int
    confirmed: int
    """Frames with a plausible content and a header after them."""
    lasts: bool
    """Whether nothing speaks against it up to the end of what is there."""


class BinaryDecoder:
    """Finds the frames in a byte stream, whatever it is cut into and wherever it starts.

    Attributes
    ----------
    counters : DecoderCounters
    locked : bool
        A phase is believed.
    """

    def __init__(self) -> None:
        self.counters = DecoderCounters()
        self.locked = False
        self._buffer = bytearray()
        self._offset = 0  # of the buffer's first byte in the stream
        self._searched = 0  # offset in the stream up to which the search has decided
        self._strikes = 0
        self._sifter = LineSifter(self.counters)

    @property
    def held_bytes(self) -> int:
        """Bytes about which nothing has been said yet."""
        return len(self._buffer) + self._sifter.held_bytes

    def feed(self, data: bytes) -> list[Item]:
        """Take bytes; see `Decoder`."""
        self._buffer += data
        items: list[Item] = []
        while self._follow(items) if self.locked else self._search(items):
            pass
        return items

    # ---- without a phase ----

    def _search(self, items: list[Item]) -> bool:
        """Look for a phase at the next aligned offset; False where more bytes are needed."""
        buffer = self._buffer
        first = buffer.find(HEADER)
        if first < 0:
            self._skip(len(buffer) - (buffer[-1:] == HEADER[:1]), items)
            return False
        if first:
            self._skip(first, items)
        # The window grows from one aligned offset to the next, always the same way.
        while True:
            end = max(self._searched, self._offset + 1)
            end += -end % _ALIGNED
            size = end - self._offset
            if size > len(buffer):
                return False
            if self._decide(size, items):
                self._searched = end  # what is left is looked at again
                return True
            self._searched = end + 1

    def _decide(self, size: int, items: list[Item]) -> bool:
        """Believe a phase, or skip something, on the first ``size`` bytes; False where that is too early."""
        chains = _chains(bytes(self._buffer[:size]))
        lasting = [chain for chain in chains if chain.lasts]
        leader = max(lasting, key=lambda chain: chain.confirmed, default=None)
        if leader is not None and leader.confirmed >= LEAST_CONFIRMED:
            rival = max((c.confirmed for c in lasting if c is not leader), default=0)
            if rival * _DOMINANCE < leader.confirmed:
                self._skip(leader.start, items)
                self._sifter.flush(self._offset, items)
                self.locked, self._strikes = True, 0
                return True
        useful = min((c.start for c in lasting), default=size)
        if useful:
            self._skip(useful, items)
            return True
        if size >= MAX_WINDOW:
            self.counters.ambiguous_bytes += FRAME_BYTES
            self._skip(FRAME_BYTES, items)
            return True
        return False

    def _skip(self, n_bytes: int, items: list[Item]) -> None:
        if n_bytes:
            dropped = bytes(self._buffer[:n_bytes])
            del self._buffer[:n_bytes]
            self._offset += n_bytes
            self._sifter.take(dropped, self._offset - n_bytes, items)

    # ---- with a phase ----

    def _follow(self, items: list[Item]) -> bool:
        """Give the rows that are confirmed; False where more bytes are needed."""
        buffer = self._buffer
        n_frames = (len(buffer) - len(HEADER)) // FRAME_BYTES
        if n_frames > 0:
            # A following header confirms each frame but the last of the run.
            framed = np.frombuffer(bytes(buffer[: n_frames * FRAME_BYTES + 2]), np.uint8)
            marks = (framed[FRAME_BYTES::FRAME_BYTES] == HEADER[0]) & (
                framed[FRAME_BYTES + 1 :: FRAME_BYTES] == HEADER[1]
            )
            run = n_frames if marks.all() else int(np.argmin(marks))
            if run:
                self._take(run, items)
                return True
        if len(buffer) <= FRAME_BYTES:
            return False
        return self._read_text(items)

    def _take(self, n_frames: int, items: list[Item]) -> None:
        """Give out confirmed frames at the buffer's head, leaving out what no board sends."""
        size = n_frames * FRAME_BYTES
        values = _fields(bytes(self._buffer[:size]))
        good = _plausible(values)
        ends = self._offset + FRAME_BYTES * np.arange(1, n_frames + 1, dtype=np.int64)
        taken = n_frames
        if not good.all():
            for number in range(n_frames):
                self._strikes = 0 if good[number] else self._strikes + 1
                if self._strikes >= _MAX_STRIKES:
                    taken = number + 1
                    break
        else:
            self._strikes = 0
        begin = 0
        while begin < taken:
            end = begin + 1
            while end < taken and good[end] == good[begin]:
                end += 1
            if good[begin]:
                self.counters.rows += end - begin
                items.append(Rows(values[begin:end].astype(np.int32), ends[begin:end]))
            else:
                self.counters.rejected_rows += end - begin
                self.counters.skipped_bytes += (end - begin) * FRAME_BYTES
                items.append(Skipped((end - begin) * FRAME_BYTES, int(ends[end - 1])))
            begin = end
        del self._buffer[: taken * FRAME_BYTES]
        self._offset += taken * FRAME_BYTES
        if self._strikes >= _MAX_STRIKES:
            self._lose()

    def _read_text(self, items: list[Item]) -> bool:
        """Read what stands between a frame and the next header, if it is lines of text; else lose the phase."""
        after = bytes(self._buffer[FRAME_BYTES : FRAME_BYTES + _MAX_TEXT_BYTES + len(HEADER)])
        end = after.find(HEADER[:1])
        text = after[:_MAX_TEXT_BYTES] if end < 0 else after[:end]
        possible = is_text(text) and end <= _MAX_TEXT_BYTES and (end <= 0 or text.endswith(b"\n"))
        if possible and (end + 1 >= len(after) if end >= 0 else len(after) < _MAX_TEXT_BYTES):
            return False
        if not possible or end < 0 or after[end + 1] != HEADER[1]:
            self._lose()
            return True
        # The frame is confirmed across the lines.
        line_end = self._offset + FRAME_BYTES
        self._take(1, items)
        del self._buffer[:end]
        self._offset += end
        for line in text.splitlines(keepends=True):
            line_end += len(line)
            stripped = line.strip()
            if stripped:
                self.counters.lines += 1
                items.append(LogLine(stripped.decode("ascii"), line_end))
        return True

    def _lose(self) -> None:
        self.locked = False
        self.counters.sync_losses += 1


def _fields(frames: bytes) -> npt.NDArray[np.int16]:
    whole = np.frombuffer(frames, np.uint8).reshape(-1, FRAME_BYTES)
    return np.ascontiguousarray(whole[:, 2:]).view("<i2").astype(np.int16)


def _plausible(values: npt.NDArray[np.int16]) -> npt.NDArray[np.bool_]:
    return np.asarray(((values >= _LOWEST) & (values <= _HIGHEST)).all(axis=1))


def _chains(window: bytes) -> list[_Chain]:
    """Find the runs of frames that start in a window, each begun at its first header."""
    chains: list[_Chain] = []
    seen: set[int] = set()
    at = window.find(HEADER)
    while at >= 0:
        if at not in seen:
            chains.append(_chain(window, at, seen))
        at = window.find(HEADER, at + 1)
    if window[-1:] == HEADER[:1] and len(window) - 1 not in seen:
        chains.append(_Chain(len(window) - 1, 0, lasts=True))
    return chains


def _chain(window: bytes, start: int, seen: set[int]) -> _Chain:
    at, confirmed = start, 0
    while True:
        seen.add(at)
        following = at + FRAME_BYTES
        if following > len(window):
            return _Chain(start, confirmed, lasts=True)
        if not _plausible(_fields(window[at:following]))[0]:
            return _Chain(start, confirmed, lasts=False)
        head = window[following : following + 2]
        if head != HEADER[: len(head)]:
            return _Chain(start, confirmed, lasts=False)
        if len(head) < len(HEADER):
            return _Chain(start, confirmed, lasts=True)
        at = following
        confirmed += 1
