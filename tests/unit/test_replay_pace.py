"""A replay faster than life: how long it takes, and that its clock is known as well as that of a real board."""

from __future__ import annotations

import asyncio
import contextlib
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.device_rig import FAST, WAIT_S, Listener, Witness
from spikedaq.clock.unpaced import NOTHING_KNOWN_NS
from spikedaq.daemon.alarms import Alarms
from spikedaq.daemon.config import AlarmsConfig
from spikedaq.daemon.health.devices import DeviceSight, DeviceWatch
from spikedaq.device import Device, DeviceState
from spikedaq.device.clock import ClockKeeper
from spikedaq.journal import JournalWriter
from spikedaq.link import host_now_ns, open_link, pace_of
from spikedaq.wire import (
    BlockMessage,
    Description,
    Frame,
    FrameDecoder,
    FrameType,
    Hello,
    Ping,
    Pong,
    Start,
    decode_message,
    encode_frame,
    encode_message,
)

UID = bytes.fromhex("0011223344556677")
STEP_US, N = 10_000, 10
"""Blocks of a tenth of a second."""
FIRST_TICK = 1000 * 10**6
SECOND = 10**9


def journal(folder: Path, seconds: int) -> None:
    """Journal a board that was started long after its boot."""
    said: list[Any] = [
        Hello(0, 1, 1, "0.1", "abc", "native", UID, 1, STEP_US, N, 1, 1, 0, 128, 1000, 3, 64, False, 4),
        Description(1, 7, 0, 0, ("vm", "mV", 1, -2, 0)),
        Description(2, 8, 1, 0, ("i_clamp", "a.u.", 0, -100.0, 100.0, 0.0, 1.0, 1, 2)),
        Pong(3, 1, FIRST_TICK, 0),
    ]
    samples = np.arange(N, dtype="<i2").tobytes()
    said += [
        BlockMessage(4 + k, 0, k * N, (FIRST_TICK + k * N * STEP_US) % 2**32, STEP_US, N, 0, samples, 0)
        for k in range(10 * seconds)
    ]
    writer = JournalWriter(folder, device="alpha", unique_id=UID.hex())
    for message in said:
        writer.append_frames(1, [encode_frame(encode_message(message))])
    writer.close()


def test_a_replay_takes_its_share_of_the_time(tmp_path: Path) -> None:
    """Twenty seconds at 20x take one, neither none nor twenty."""
    journal(tmp_path, seconds=20)
    came_ns: list[int] = []

    async def test() -> None:
        link = await open_link(f"replay:{tmp_path}?speed=20")
        ended, decoder = asyncio.Event(), FrameDecoder()

        def take(data: bytes, t_ns: int) -> None:
            frames = [item for item in decoder.feed(data) if isinstance(item, Frame)]
            came_ns.extend(t_ns for frame in frames if frame.message[1] == FrameType.BLOCK)

        link.start(take, lambda _error: ended.set())
        link.write(encode_frame(encode_message(Start(1, 0))))
        async with asyncio.timeout(10):
            await ended.wait()
        await link.close()

    asyncio.run(test())
    assert len(came_ns) == 200
    # No block comes before its time; a busy computer may be late with the first.
    assert 0.5 * SECOND < came_ns[-1] - came_ns[0] < 8 * SECOND


@pytest.mark.parametrize(("speed", "lead_s"), [("100", 150), ("1", 1.5), ("0.1", 0.15), ("max", 1.5)])
def test_a_host_has_as_long_to_prepare_at_any_speed(tmp_path: Path, speed: str, lead_s: float) -> None:
    """The board's clock stands a second and a half before the first block: of the host's time."""
    journal(tmp_path, seconds=1)
    pongs: list[Pong] = []

    async def test() -> None:
        link = await open_link(f"replay:{tmp_path}?speed={speed}")
        came, decoder = asyncio.Event(), FrameDecoder()

        def take(data: bytes, _t_ns: int) -> None:
            messages = [decode_message(item.message) for item in decoder.feed(data) if isinstance(item, Frame)]
            pongs.extend(message for message in messages if isinstance(message, Pong))
            came.set()

        link.start(take, lambda error: pytest.fail(str(error)))
        link.write(encode_frame(encode_message(Ping(1))))
        async with asyncio.timeout(WAIT_S):
            await came.wait()
        await link.close()

    asyncio.run(test())
    # It runs from the first request on, which is the ping.
    assert pongs[0].tick == pytest.approx(FIRST_TICK - lead_s * 1e6, abs=lead_s * 1e5)


@pytest.mark.parametrize("speed", [10, 100])
def test_a_device_that_is_replayed_has_a_clock(tmp_path: Path, speed: int) -> None:
    """Its ticks are as short as the speed says, and its clock is known within what raises no alarm."""
    journal(tmp_path, seconds=12 * speed)

    async def test() -> None:
        witness = Witness()
        device = Device(
            "alpha",
            f"replay:{tmp_path}?speed={speed}",
            open_journal=witness.open_journal,
            listener=Listener(witness),
            timing=FAST,
        )
        task = asyncio.create_task(device.run())
        began_ns = host_now_ns()

        def is_known() -> bool:
            clock = device.clock
            if clock.map is None or clock.uncertainty_ns is None or device.received.blocks < 50:
                return False
            return clock.uncertainty_ns < 50e6 and abs(clock.map.ns_per_tick * speed / 1000 - 1) < 0.02

        try:
            async with asyncio.timeout(WAIT_S):
                while not is_known():
                    witness.changed.clear()
                    await witness.changed.wait()
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        assert device.clock.map is not None
        newest = witness.of("block")[-1]
        assert began_ns < device.clock.map.host_ns(newest.first_tick) < host_now_ns() + SECOND

    asyncio.run(test())


class Replayed:
    """What a daemon makes of a replay's pongs, some at once and then one a second; the time is manual."""

    def __init__(self, url: str) -> None:
        self.rng = random.Random(1)
        self.keeper = ClockKeeper()
        self.keeper.pace(pace_of(url))
        self.keeper.boot(7)
        self.alarms = Alarms(lambda: 0)
        self.watch = DeviceWatch("alpha", self.alarms, AlarmsConfig())
        self.t_ns = self.start_ns = 500 * SECOND
        self.blocks = self.n_pings = 0

    def tick(self, t_ns: int, speed: float) -> int:
        return FIRST_TICK + int((t_ns - self.start_ns) * speed) // 1000

    def run(self, pings: int, speed: float) -> list[str]:
        """Return the alarms that there ever were."""
        kinds = []
        for _ in range(pings):
            token = self.keeper.next_token()
            self.keeper.sent(token, self.t_ns)
            read_ns = self.t_ns + 50_000 + int(self.rng.random() * 1e6)
            back_ns = read_ns + 50_000 + int(self.rng.random() * 1e6)
            tick = self.tick(read_ns, speed)
            self.keeper.pong(Pong(0, token, tick, 0), back_ns, tick)
            self.blocks += 10
            self.watch.look(self.sight(back_ns), back_ns / SECOND)
            kinds += [str(kind) for kind, _ in self.alarms.standing]
            self.n_pings += 1
            self.t_ns += SECOND if self.n_pings > 8 else 20_000_000
        return kinds

    def sight(self, t_ns: int) -> DeviceSight:
        clock = self.keeper
        age_s = (t_ns - clock.measured.t_host_ns) / SECOND if clock.measured is not None else 0.0
        return DeviceSight(
            name="alpha", state=DeviceState.RUNNING, detail="", wanted=True, blocks=self.blocks, samples=self.blocks,
            missing=0, nominal_hz=100.0, block_period_s=0.1, clock_u_ns=clock.uncertainty_ns, clock_age_s=age_s,
            is_paced=clock.is_paced,
        )  # fmt: skip


@pytest.mark.parametrize("speed", ["0.1", "1", "2", "10", "100"])
def test_no_speed_raises_an_alarm(speed: str) -> None:
    """The time of a sample is that at which it is replayed, to a fraction of a millisecond, whatever the speed."""
    replayed = Replayed(f"replay:/journal?speed={speed}")
    assert replayed.run(300, float(speed)) == []
    clock = replayed.keeper
    assert clock.map is not None
    assert clock.uncertainty_ns is not None
    assert clock.uncertainty_ns < 500_000
    tick = replayed.tick(replayed.t_ns, float(speed))
    assert abs(clock.map.host_ns(tick) - replayed.t_ns) < 500_000
    assert clock.map.ns_per_tick == pytest.approx(1000 / float(speed), rel=1e-4)


def test_as_fast_as_possible_times_are_the_boards_own() -> None:
    """Nobody can fit a clock without a pace: that is no alarm, and samples are as far apart as they were recorded."""
    replayed = Replayed("replay:/journal?speed=max")
    assert replayed.run(60, 37.0) == []
    clock = replayed.keeper
    assert clock.map is not None
    assert (clock.uncertainty_ns, clock.measured, clock.map.uncertainty_ns) == (None, None, NOTHING_KNOWN_NS)
    first = replayed.tick(replayed.start_ns, 37.0)
    assert clock.map.host_ns(first + 10**6) - clock.map.host_ns(first) == SECOND
    assert clock.map.host_ns(first) == pytest.approx(replayed.start_ns, abs=SECOND)
    assert clock.map.host_ns(replayed.tick(replayed.t_ns, 37.0)) > replayed.t_ns


def test_times_of_an_unpaced_device_are_never_behind() -> None:
    """A device that was stopped, or cannot keep up, would else be timed before the recording that it is in."""
    replayed = Replayed("replay:/journal?speed=max")
    replayed.run(10, 1.0)
    before = replayed.keeper.map
    stopped = replayed.tick(replayed.t_ns, 1.0)
    assert before is not None
    replayed.tick = lambda t_ns, speed: stopped  # type: ignore[method-assign]
    replayed.run(60, 1.0)
    replayed.tick = lambda t_ns, speed: stopped + 1  # type: ignore[method-assign]
    replayed.run(1, 1.0)
    after = replayed.keeper.map
    assert after is not None
    assert after.tick0 > before.tick0
    assert after.host_ns(stopped + 1) >= replayed.t_ns - SECOND
    assert after.host_ns(stopped + 1) > before.host_ns(stopped + 1)


@pytest.mark.parametrize(
    ("url", "pace"),
    [
        ("serial:/dev/ttyUSB0", 1000.0),
        ("a board of a test", 1000.0),
        ("replay:/journal", 1000.0),
        ("replay:/journal?speed=0.5&loop=1", 2000.0),
        ("replay:/journal?speed=max", None),
        ("fault:flip=1e-5;replay:/journal?speed=20", 50.0),
    ],
)
def test_the_pace_of_a_link(url: str, pace: float | None) -> None:
    """What stands in its URL, also behind a bad cable; everything else is real."""
    assert pace_of(url) == pace
