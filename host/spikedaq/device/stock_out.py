"""Frames of a translated board: numbered as they are made, lines of text at a bounded rate."""

from __future__ import annotations

from typing import Any, Final

from spikedaq.wire import Log, encode_frame, encode_message

LOG_LINES_PER_S: Final = 10
DEBUG, INFO, WARNING = 10, 20, 30
_SECOND_NS: Final = 1_000_000_000
_U32: Final = 2**32


class FrameSender:
    """Makes frames and keeps them until they are taken."""

    def __init__(self) -> None:
        self._frames: list[bytes] = []
        self._seq = 0
        self._log_ns = 0
        self._log_budget = LOG_LINES_PER_S

    def boot(self) -> None:
        """Begin to number again."""
        self._seq = 0

    def next(self) -> int:
        """Return the number of the next frame; it has to be sent."""
        seq = self._seq
        self._seq = (seq + 1) % _U32
        return seq

    def send(self, message: Any) -> bytes:
        """Add a message's frame; return it."""
        frame = encode_frame(encode_message(message))
        self._frames.append(frame)
        return frame

    def repeat(self, frame: bytes) -> None:
        """Add a frame once more."""
        self._frames.append(frame)

    def log(self, level: int, text: str, t_ns: int) -> None:
        """Add a line of text, unless `LOG_LINES_PER_S` were; those left out are counted and told."""
        if t_ns - self._log_ns >= _SECOND_NS:
            if self._log_budget < 0:
                self.send(Log(self.next(), WARNING, f"{-self._log_budget} more lines of the board were left out"))
            self._log_ns, self._log_budget = t_ns, LOG_LINES_PER_S
        self._log_budget -= 1
        if self._log_budget >= 0:
            self.send(Log(self.next(), level, text))

    def taken(self) -> bytes:
        """Return, and forget, the frames."""
        data = b"".join(self._frames)
        self._frames.clear()
        return data
