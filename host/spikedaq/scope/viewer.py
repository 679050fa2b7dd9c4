"""One open page: what it watches, what waits to be sent to it, and how it keeps from falling behind."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from spikedaq.bus import SAMPLES
from spikedaq.scope.access import WebRole

MAX_TEXTS = 500
MAX_TEXT_CHARS = 4_000_000
"""All together: some seconds of everything that twelve benches say; a page that asks for much and reads nothing would
otherwise fill the memory of the server."""
MAX_FRAMES = 100
HELD_BACK_S = 0.75
"""Frames that the page has not confirmed for so long are enough: more would only arrive late."""
MAX_ON_THE_WAY = 16
"""Parts of the past that a page has not confirmed. Live frames do not count: of many devices, or over a slow network,
more of them are always on their way."""
MAX_WATCHES = 64


@dataclass(frozen=True, slots=True)
class Watch:
    """One stream of a device at one zoom; ``is_packed`` in fewer bytes."""

    bench: str
    device: str
    level: int
    stream: str = SAMPLES
    is_packed: bool = False


class Viewer:
    """The sending side of one page.

    Frames go out only as fast as the page confirms them: one on a slow network, or on a laptop that sleeps, misses
    some (the page sees the hole and asks for it) and is never sent a backlog.

    Attributes
    ----------
    name : str
        What it is called at the benches.
    watches : dict of int to Watch
        By the page's own number for each.
    skipped, texts_dropped : int
        Frames that were not sent because it did not confirm earlier ones; texts that did not fit into its queue.
    """

    def __init__(self, name: str, role: WebRole, now_s: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.role = role
        self.watches: dict[int, Watch] = {}
        self.skipped = 0
        self.texts_dropped = 0
        self._now_s = now_s
        self._texts: deque[str] = deque()
        self._n_chars = 0
        self._frames: deque[tuple[bytes | str, bool]] = deque()
        """Each with whether it is of the past."""
        self._something = asyncio.Event()
        self._room = asyncio.Event()
        self._sent: deque[tuple[int, float, bool]] = deque()
        self._n_sent = 0
        self._n_past = 0

    @property
    def has_news(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._texts or self._frames)

    def tell(self, text: str) -> None:
        """Queue a text; the oldest gives way where there is no room."""
        while self._texts and (len(self._texts) >= MAX_TEXTS or self._n_chars + len(text) > MAX_TEXT_CHARS):
            self._n_chars -= len(self._texts.popleft())
            self.texts_dropped += 1
        self._texts.append(text)
        self._n_chars += len(text)
        self._something.set()

    def show(self, frame: bytes) -> bool:
        """Queue a frame, unless the page is behind; tell whether it was queued."""
        is_behind = bool(self._sent) and self._now_s() - self._sent[0][1] > HELD_BACK_S
        if is_behind or len(self._frames) >= MAX_FRAMES:
            self.skipped += 1
            return False
        self._frames.append((frame, False))
        self._something.set()
        return True

    async def show_all(self, frame: bytes | str) -> None:
        """Queue a frame of which none may be left out, once the page has taken enough of those before it.

        A text can be queued likewise: it comes behind the frames that it is about.
        """
        while self._n_past >= MAX_ON_THE_WAY:
            self._room.clear()
            await self._room.wait()
        self._frames.append((frame, True))
        self._n_past += 1
        self._something.set()

    def confirm(self, n_received: int) -> None:
        """Note how many frames the page has received since it connected."""
        while self._sent and self._sent[0][0] <= n_received:
            self._n_past -= self._sent.popleft()[2]
        self._room.set()

    async def next(self) -> str | bytes:
        """Return what is to be sent next; texts first."""
        while not self.has_news:
            self._something.clear()
            await self._something.wait()
        if self._texts:
            text = self._texts.popleft()
            self._n_chars -= len(text)
            return text
        frame, is_past = self._frames.popleft()
        if isinstance(frame, str):  # which nobody confirms
            self._n_past -= is_past
            self._room.set()
            return frame
        self._n_sent += 1
        self._sent.append((self._n_sent, self._now_s(), is_past))
        return frame
