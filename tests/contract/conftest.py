"""One daemon and one board for all tests of a board; each test leaves it streaming, with its defaults."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from contract.boards import BOARDS, Board
from harness import DaemonProcess, wait_for
from spikedaq.bus import EVENTS, SAMPLES, decode_samples, split_topic
from spikedaq.inlet import Subscriber, connect

NAME = "board"


class Contract:
    """A board, the daemon that serves it, and what a user of the daemon can see and do."""

    def __init__(self, board: Board, daemon: DaemonProcess) -> None:
        self.board = board
        self.daemon = daemon

    def call(self, op: str, **args: object) -> Any:
        """Make one request about the board."""
        return self.daemon.call(op, device=NAME, **args)

    def entry(self) -> dict[str, Any]:
        """Its entry in the daemon's status."""
        (entry,) = self.daemon.call("status")["devices"]
        return entry

    def info(self) -> dict[str, Any]:
        """What it says of itself."""
        return self.call("describe")

    def parameters(self) -> dict[str, dict[str, Any]]:
        """Its parameters by name."""
        return {p["name"]: p for p in self.info()["parameters"]}

    def wait_running(self, *, other_than: int | None = None) -> dict[str, Any]:
        """Wait until it streams, in a boot other than this one; return its entry."""

        def streams() -> dict[str, Any] | None:
            before = self.entry()
            if before["state"] != "running" or before["boot"] in (None, other_than):
                return None
            wait_for("samples", lambda: self.entry()["samples"] > before["samples"], 10)
            return self.entry()

        return wait_for("the board to stream", streams, 30)  # type: ignore[return-value]

    @contextlib.contextmanager
    def listen(self) -> Iterator[Ear]:
        """Subscribe to its events and samples; once samples come, events do."""
        with connect(self.daemon.url) as bench, bench.subscribe(EVENTS, SAMPLES, devices=[NAME]) as subscriber:
            ear = Ear(subscriber)
            ear.until("the first block", lambda: len(ear.blocks) > 0)
            yield ear


@dataclass(frozen=True, eq=False)
class BusBlock:
    """A block as it came over the bus; ``samples`` are int16, shape (n_samples, n_channels)."""

    boot: int
    n: int
    step: int
    tick: int
    step_us: int
    samples: npt.NDArray[np.int16]


class Ear:
    """What comes over the bus, kept in order."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self.blocks: list[BusBlock] = []
        self.rows: dict[tuple[int, int], npt.NDArray[np.int16]] = {}  # every sample by boot and step
        self.seconds_heard = 0.0  # of device time
        self.events: list[dict[str, Any]] = []

    def take(self, timeout_s: float = 10.0) -> bool:
        """Take one message in; False when none came in time."""
        message = self._subscriber.recv(timeout_s)
        if message is None:
            return False
        header = message.header
        if split_topic(message.topic).stream == EVENTS:
            self.events.append(header)
        else:
            place = [header[key] for key in ("boot", "n", "step", "tick", "step_us")]
            block = BusBlock(*place, samples=decode_samples(message))
            self.blocks.append(block)
            self.rows.update({(block.boot, block.step + k): row for k, row in enumerate(block.samples)})
            self.seconds_heard += block.step_us * len(block.samples) * 1e-6
        return True

    def until(self, what: str, condition: Any, timeout_s: float = 20.0) -> Any:
        """Take messages until ``condition`` gives something."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if (found := condition()) is not None and found is not False:
                return found
            assert self.take(), f"nothing came while waiting for {what}"
        raise AssertionError(f"waited {timeout_s} s in vain for {what}")

    def seconds(self, seconds: float) -> None:
        """Take messages until there are so many seconds of device time more."""
        end = self.seconds_heard + seconds
        self.until(f"{seconds} s of samples", lambda: self.seconds_heard >= end, 10 * seconds + 20)


@pytest.fixture(scope="module", params=list(BOARDS))
def contract(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contract]:
    """Give each board in turn, streaming."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    board = BOARDS[request.param](folder)
    try:
        with DaemonProcess(folder / "data", {NAME: board.url}) as daemon:
            contract = Contract(board, daemon)
            contract.wait_running()
            yield contract
            assert daemon.stop() == 0
    finally:
        board.close()
