"""``replay:`` links: a journal folder as a board, in its own time or faster."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from pathlib import Path

from spikedaq.link.base import OnBytes, OnLost, host_now_ns
from spikedaq.link.journal_frames import JournalFrames
from spikedaq.link.replayed import LEAD_US, ReplayedBoard
from spikedaq.link.url import LinkUrl
from spikedaq.model import ConfigError, LinkLostError, LinkOpenError
from spikedaq.wire import Frame, FrameDecoder

REPLAY_ENDED = "has ended after"
"""In the detail of a device whose replay came to its end: there is nothing more to wait for."""
_BATCH = 32
"""Frames given out in one go at the highest speed, before requests and everybody else have their turn."""

_ended: dict[str, str] = {}
"""Replays that came to their end in this process: opened again they would begin anew, which nobody asked for."""


async def open_replay(url: LinkUrl) -> ReplayLink:
    """Open ``replay:/path/to/journal/alpha?speed=max&loop=1&from=0&to=100000``; the last two are journal offsets.

    Raises
    ------
    LinkOpenError
        No journal, none that can be replayed, or one whose replay has ended.
    """
    if url.text in _ended:
        raise LinkOpenError(_ended[url.text], url=url.text)
    speed = url.option("speed", "1")
    try:
        last = url.option("to", "")
        read = partial(JournalFrames, first=int(url.option("from", "0")), last=int(last) if last else None)
        frames = await asyncio.to_thread(read, Path(url.target))
        rate = None if speed == "max" else float(speed)
        return ReplayLink(
            url.text,
            frames,
            board=await asyncio.to_thread(_board, frames, rate),
            speed=rate,
            loop=url.option("loop", "0") not in ("0", "false", "no"),
        )
    except (ConfigError, OSError) as error:
        raise LinkOpenError(f"{url.text}: {error}", url=url.text) from error


def _board(frames: JournalFrames, speed: float | None) -> ReplayedBoard:
    """Make a board of the journal, as another boot; the host has as long to prepare as with a real one."""
    salt = (host_now_ns() // 1000) & 0xFFFFFFFF or 1
    return ReplayedBoard(frames, boot_salt=salt, lead_us=round(LEAD_US * (speed or 1.0)))


class ReplayLink:
    """A `Link` to a replayed board.

    Parameters
    ----------
    speed : float or None
        Device seconds per second; None for as fast as the host takes it.
    loop : bool
        Begin anew at the end, as another boot.
    """

    def __init__(
        self, url: str, frames: JournalFrames, *, board: ReplayedBoard, speed: float | None, loop: bool
    ) -> None:
        self.url = url
        self.detail = f"replay of the journal in {frames.folder}"
        self._frames = frames
        self._board = board
        self._speed = speed
        self._again = loop
        self._decoder = FrameDecoder()
        self._wake = asyncio.Event()
        self._requests: list[bytes] = []
        self._task: asyncio.Task[None] | None = None
        self._on_bytes: OnBytes | None = None
        self._on_lost: OnLost | None = None
        self._lost: LinkLostError | None = None
        self._anchor: tuple[int, int] | None = None  # host time and tick at the host's first word to this boot

    def start(self, on_bytes: OnBytes, on_lost: OnLost) -> None:
        """Begin to deliver."""
        self._on_bytes, self._on_lost = on_bytes, on_lost
        self._task = asyncio.get_running_loop().create_task(self._run())

    def write(self, data: bytes) -> None:
        """Send, without waiting."""
        if self._lost is not None or self._on_bytes is None:
            raise self._lost or LinkLostError(f"{self.url} is closed", url=self.url)
        self._requests += [item.message for item in self._decoder.feed(data) if isinstance(item, Frame)]
        self._wake.set()

    async def close(self) -> None:
        """End it."""
        self._on_bytes = self._on_lost = None
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        given = 0
        while self._lost is None:
            while self._requests:
                self._answer(self._requests.pop(0))
            wait_s = self._wait_s()
            if wait_s is None or wait_s > 0:
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()
            elif self._board.next_tick is None:
                await self._finish()
            else:
                self._give()
                given += 1
                if given % _BATCH == 0:
                    await asyncio.sleep(0)

    def _answer(self, message: bytes) -> None:
        if self._anchor is None:
            self._anchor = (host_now_ns(), self._board.tick)
        self._deliver(self._board.answer(message, self._tick_now()))

    def _wait_s(self) -> float | None:
        """Seconds until there is something to give out; None for when the host says something."""
        board = self._board
        if board.reboots:
            return 0.0
        if not board.started or (self._speed is None and not board.running):
            return None
        if board.next_tick is None or self._speed is None:
            return 0.0
        return max(0.0, (board.next_tick - self._tick_now()) * 1e-6 / self._speed)

    def _give(self) -> None:
        if self._board.reboots:
            self._anchor = None
        try:
            data = self._board.take()
        except OSError as error:
            self._lose(f"the replay of {self._frames.folder} cannot go on ({error.strerror})")
        else:
            self._deliver(data)

    async def _finish(self) -> None:
        """Begin anew, or end."""
        board = self._board
        what = f"the replay of {self._frames.folder} {REPLAY_ENDED} {board.blocks} blocks and {board.events} events"
        if not self._again:
            _ended[self.url] = f"{what}; start it again, or give it ?loop=1"
            self._lose(_ended[self.url])
            return
        self._board = await asyncio.to_thread(_board, self._frames, self._speed)
        self._anchor = None
        self._requests.clear()
        self._deliver(self._board.hello())

    def _lose(self, what: str) -> None:
        self._lost = LinkLostError(what, url=self.url)
        on_lost, self._on_bytes, self._on_lost = self._on_lost, None, None
        if on_lost is not None:
            on_lost(self._lost)

    def _tick_now(self) -> int:
        if self._speed is None or self._anchor is None:
            return self._board.tick
        t_host_ns, tick = self._anchor
        return max(self._board.tick, tick + int((host_now_ns() - t_host_ns) * self._speed / 1000))

    def _deliver(self, data: bytes) -> None:
        if self._on_bytes is not None and data:
            self._on_bytes(data, host_now_ns())
