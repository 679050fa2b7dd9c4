"""A device under asyncio with a scripted board for its link, and a witness that remembers everything in one order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from helpers.scripted_board import ScriptedBoard
from spikedaq.device import Device, DeviceState, Timing
from spikedaq.model import Block, ClockMap, ConfigError, Event, Gap
from spikedaq.wire import Hello

# Short, so that what takes seconds with a real board takes milliseconds here; every wait is on a condition.
FAST = Timing(
    hello_period_s=0.02,
    identify_s=0.1,
    reply_s=0.02,
    quick_ping_s=0.001,
    quick_pong_s=0.02,
    ping_period_s=0.02,
    silent_s=0.1,
    reopen_s=0.3,
    stall_s=60.0,
    backoff_first_s=0.005,
    backoff_last_s=0.01,
)
WAIT_S = 10.0


class Witness:
    """Journal, listener and journal opener in one: remembers everything in one order."""

    def __init__(self) -> None:
        self.log: list[tuple[str, Any]] = []
        self.changed = asyncio.Event()
        self.refuse: str | None = None
        self.next_seq: int | None = None
        self.clock: ClockMap | None = None

    def _note(self, what: str, value: Any = None) -> None:
        self.log.append((what, value))
        self.changed.set()

    def of(self, what: str) -> list[Any]:
        return [value for kind, value in self.log if kind == what]

    async def open_journal(self, hello: Hello) -> Witness:
        if self.refuse is not None:
            raise ConfigError(self.refuse)
        self._note("open_journal", hello)
        await asyncio.sleep(0)
        return self

    def frames(self, t_host_ns: int, frames: list[Any]) -> None:
        self._note("frames", frames)

    def bad_frame(self, t_host_ns: int, reason: str, n_bytes: int) -> None:
        self._note("bad_frame", (reason, n_bytes))

    def link(self, t_host_ns: int, state: str, url: str, detail: str) -> None:
        self._note("link", state)

    def request(self, t_host_ns: int, message: bytes, origin: str) -> None:
        self._note("request", (message, origin))

    def ping(self, t_send_ns: int, token: int) -> None:
        self._note("ping", token)

    def timed(self, boot_id: int) -> tuple[ClockMap, int] | None:
        return None if self.clock is None else (self.clock, 0)

    def resume(self, boot_id: int) -> int | None:
        return self.next_seq

    def clock_fit(self, t_host_ns: int, boot_id: int, measured: Any) -> None:
        self._note("clock_fit", measured)

    def clock_map(self, t_host_ns: int, clock_map: Any) -> None:
        self._note("clock_map", clock_map)

    def block(self, block: Block, clock_map: Any) -> None:
        self._note("block", block)

    def event(self, event: Event, clock_map: Any) -> None:
        self._note("event", event)

    def gap(self, gap: Gap, clock_map: Any) -> None:
        self._note("gap", gap)

    def log_line(self, line: Any) -> None:
        self._note("log", line)

    def state(self, state: DeviceState, detail: str) -> None:
        self._note("state", (state, detail))


class Listener:
    """The listening half, apart because `log` is both a list and a method."""

    def __init__(self, witness: Witness) -> None:
        self.block, self.event, self.gap = witness.block, witness.event, witness.gap
        self.state, self.log = witness.state, witness.log_line


class Rig:
    """A device, its board and its witness."""

    def __init__(self, board: ScriptedBoard, witness: Witness, device: Device) -> None:
        self.board, self.witness, self.device = board, witness, device

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                for event in (self.witness.changed, self.board.changed):
                    event.clear()
                waits = [asyncio.ensure_future(e.wait()) for e in (self.witness.changed, self.board.changed)]
                await asyncio.wait(waits, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
                for wait in waits:
                    wait.cancel()

    async def state(self, state: DeviceState) -> None:
        await self.until(lambda: self.device.state is state)


@contextlib.asynccontextmanager
async def rig(board: ScriptedBoard | None = None, timing: Timing = FAST) -> AsyncIterator[Rig]:
    board = board or ScriptedBoard()
    witness = Witness()
    device = Device(
        "alpha",
        "pty:/board",
        open_journal=witness.open_journal,
        listener=Listener(witness),
        timing=timing,
        opener=board.open,
    )
    task = asyncio.create_task(device.run())
    try:
        yield Rig(board, witness, device)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())
