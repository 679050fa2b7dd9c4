"""A follower that loses messages, whose daemon is killed, whose board reboots: every block once, in order."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import DaemonProcess, history_pids, journal_blocks, wait_for
from spikedaq.bus import DeviceOrder, Message, Unavailable
from spikedaq.inlet import Bench, Follower, connect
from spikedaq.model import CommandTimeout

SEED = int(os.environ.get("FOLLOWER_SEED", "1"))
ROUNDS = int(os.environ.get("FOLLOWER_ROUNDS", "6"))
SIM = "sim:alpha?preset=1&rate=10000&seed=3"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[DaemonProcess]:
    with DaemonProcess(tmp_path / "data", {"alpha": SIM}) as process:
        wait_for("the device to run", lambda: process.call("list")[0]["state"] == "running")
        wait_for("the history", lambda: process.call("hello")["history"])
        yield process


def is_block(message: Message) -> bool:
    return message.topic.endswith("/samples/")


class Lossy:
    """A subscriber that loses what a seed says, between the bus and who follows."""

    def __init__(self, follower: Follower, rng: random.Random) -> None:
        self.inner = follower._subscriber
        self.rng = rng
        self.lost = 0
        self.losing = 0

    def recv(self, timeout_s: float) -> Message | None:
        message = self.inner.recv(timeout_s)
        if message is not None and self.losing == 0 and self.rng.random() < 0.02:
            self.losing = self.rng.randint(1, 30)
        if message is None or not self.losing:
            return message
        self.losing -= 1
        self.lost += 1
        return None

    def close(self) -> None:
        self.inner.close()


def take(follower: Follower, n_blocks: int) -> list[Message]:
    """Take so many blocks; anything unavailable fails."""
    taken: list[Message] = []
    for item in follower:
        assert not isinstance(item, Unavailable), item
        if is_block(item):
            taken.append(item)
            if len(taken) == n_blocks:
                return taken
    raise AssertionError(f"only {len(taken)} of {n_blocks} blocks came")


def check(daemon: DaemonProcess, taken: list[Message]) -> None:
    """What was taken is what the journal has, from the first to the last."""
    got = [(m.header["boot"], m.header["seq"], m.header["step"]) for m in taken]
    journal = [(boot, seq, step) for boot, seq, step, _ in journal_blocks(daemon.data / "journal" / "alpha")]
    first = journal.index(got[0])
    assert got == journal[first : first + len(got)]


def test_lost_messages_are_fetched(daemon: DaemonProcess) -> None:
    """One message in a few that gets lost, in runs: nobody who follows notices."""
    with connect(daemon.url) as bench, Follower(bench, "alpha", timeout_s=20.0) as follower:
        lossy = Lossy(follower, random.Random(SEED))
        follower._subscriber = lossy  # type: ignore[assignment]
        taken = take(follower, 400)
        assert lossy.lost > 0
        assert follower.order.recovered >= lossy.lost - 30
    check(daemon, taken)


def test_restarts_and_reboots_leave_no_hole(daemon: DaemonProcess) -> None:
    """The daemon is killed and comes back, the board reboots, the history is stopped: what the journal has is told."""
    rng = random.Random(SEED)
    print(f"FOLLOWER_SEED={SEED} FOLLOWER_ROUNDS={ROUNDS}")
    taken: list[Message] = []
    acts = ["daemon", "reboot", "lose", "history"]
    with connect(daemon.url) as bench, Follower(bench, "alpha", timeout_s=60.0) as follower:
        lossy = Lossy(follower, rng)
        follower._subscriber = lossy  # type: ignore[assignment]
        taken += take(follower, 30)
        for act in (acts + rng.choices(acts, k=ROUNDS))[:ROUNDS]:
            if act == "daemon":
                daemon.kill()
                daemon.start()
            elif act == "reboot":
                wait_for("the reboot", lambda: daemon.call("reset", device="alpha", scope="reboot") is None)
            elif act == "history":
                wait_for("the history", lambda: history_pids(daemon))
                os.kill(history_pids(daemon)[0], signal.SIGKILL)
                lossy.losing = 20
            else:
                lossy.losing = rng.randint(1, 200)
            taken += take(follower, 60)
    check(daemon, taken)


def test_a_client_that_comes_back_gets_what_it_missed(daemon: DaemonProcess) -> None:
    """With the position of the last one, another follower goes on with the very next frame."""
    with connect(daemon.url) as bench:
        taken: list[Message] = []
        position = None
        for _ in range(4):
            with bench.follow("alpha", since=position, timeout_s=20.0) as follower:
                taken += take(follower, 50)
                position = follower.position
            newest = newest_block(bench)
            wait_for("blocks that nobody takes", lambda newest=newest: newest_block(bench) > newest + 2000)
    check(daemon, taken)


def newest_block(bench: Bench) -> int:
    with bench.history() as history:
        return int(history.extent("alpha")["newest"]["step"])


def test_without_a_history_what_is_missing_is_said(daemon: DaemonProcess) -> None:
    """Nothing is waited for longer than the patience, and the number of missing samples is exact."""
    with connect(daemon.url) as bench, Follower(bench, "alpha", timeout_s=20.0, patience_s=0.0) as follower:
        lossy = Lossy(follower, random.Random(SEED))
        follower._subscriber = lossy  # type: ignore[assignment]
        bench.history = None  # type: ignore[assignment,method-assign]
        follower._past = _no_past  # type: ignore[method-assign]
        items = []
        for item in follower:
            items.append(item)
            if len(items) > 500:
                break
        assert isinstance(follower.order, DeviceOrder)
    missing = [item for item in items if isinstance(item, Unavailable)]
    blocks = [item for item in items if isinstance(item, Message) and is_block(item)]
    assert missing
    n_between = blocks[-1].header["step"] - blocks[0].header["step"] - sum(b.header["count"] for b in blocks[:-1])
    assert sum(item.n_samples or 0 for item in missing) == n_between


def _no_past(_: object) -> Iterator[Message]:
    raise daemon_is_away()
    yield  # pragma: no cover


def daemon_is_away() -> Exception:
    return CommandTimeout("nobody answers", code="absent")
