"""The fault engine to the bit, and the fault: link over a real socket."""

from __future__ import annotations

import asyncio
import json
import math
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from spikedaq.link import Link, open_link
from spikedaq.link.fault_spec import FaultAction, FaultSpec, parse_script, parse_spec
from spikedaq.link.faults import FaultDice, FaultRandom, FaultSchedule, FaultStream
from spikedaq.model import ConfigError, LinkLostError, LinkOpenError

WAIT_S = 10.0


def spec_of(text: str) -> FaultSpec:
    return parse_spec([(name, value) for name, value in (pair.split("=") for pair in text.split(","))])


def frames(n: int, length: int) -> bytes:
    return b"".join(bytes(1 + (k + i) % 255 for i in range(length)) + b"\0" for k in range(n))


def cut(data: bytes, sizes: Iterator[int]) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size = next(sizes)
        yield data[at : at + size]
        at += size


def test_the_generator_and_one_damaged_stream_to_the_bit() -> None:
    """The same bytes as firmware/test/native/test_faults.cpp, so that a rehearsal is the same on either side."""
    assert FaultRandom(0).next() == 0xE220A8397B1DCDAF
    stream = FaultStream(spec_of("flip=0.02,drop=0.05,drop_frame=0.2,duplicate=0.2,truncate=0.2,seed=7"), 0)
    assert stream.take(frames(8, 6)).hex() == (
        "0000030485060f00840507090908060708090a03010608090a0b000708090a4b0c0008090a0b0c"
    )


@pytest.mark.parametrize("seed", range(5))
def test_cuts_change_nothing(seed: int) -> None:
    """However the stream is cut into reads, the same comes out; the other direction is damaged otherwise."""
    spec = spec_of(f"flip=1e-3,drop=1e-2,drop_frame=0.1,duplicate=0.1,truncate=0.1,seed={seed}")
    data = b"\0" + frames(200, 60) + b"noise without an end" * 1000 + b"\0" + frames(20, 5)
    whole = FaultStream(spec, 0).take(data)
    choice = random.Random(seed)
    stream = FaultStream(spec, 0)
    assert b"".join(map(stream.take, cut(data, iter(lambda: choice.randint(1, 90), 0)))) == whole
    assert FaultStream(spec, 1).take(data) != whole != data
    assert stream.counts.bytes_in == len(data)
    assert stream.counts.bytes_out == len(whole)


def test_no_faults_pass_everything() -> None:
    """A spec of nothing is a good cable."""
    data = frames(50, 50)
    assert FaultStream(FaultSpec(), 0).take(data) == data


def test_rates_of_one_take_everything() -> None:
    """Every bit, every byte."""
    assert FaultStream(spec_of("flip=1"), 0).take(b"\x00\xa5\xff") == b"\xff\x5a\x00"
    assert FaultStream(spec_of("drop=1"), 0).take(b"\x01\x02\x03") == b""


def test_counts_are_what_happened() -> None:
    """Each counter against the bytes themselves."""
    data = frames(1000, 99)
    flips = FaultStream(spec_of("flip=1e-3,seed=5"), 0)
    out = flips.take(data)
    assert sum((a ^ b).bit_count() for a, b in zip(data, out, strict=True)) == flips.counts.flipped_bits
    assert 650 < flips.counts.flipped_bits < 950
    both = FaultStream(spec_of("drop_frame=0.1,duplicate=0.2,seed=5"), 0)
    out = both.take(data)
    assert len(out) == 100 * (1000 - both.counts.dropped_frames + both.counts.duplicated_frames)
    assert both.counts.dropped_frames > 60
    assert both.counts.duplicated_frames > 120


def test_hits_in_bulk_are_those_one_by_one() -> None:
    """Passing many at once and one at a time hit the same."""
    one, many = FaultDice(3, 0), FaultDice(3, 0)
    one.set_rate(0.05)
    many.set_rate(0.05)
    singly = [k for k in range(1000) if one.hit()]
    choice = random.Random(1)
    at, bulk = 0, []
    while at < 1000:
        n = min(choice.randint(0, 70), 1000 - at)
        bulk += [at + k for k in many.hits_in(n)]
        at += n
    assert bulk == singly != []


def test_lose_takes_whole_frames_and_then_stops() -> None:
    """The next two frames are lost and no other."""
    stream = FaultStream(FaultSpec(), 0)
    stream.lose(2)
    assert b"".join(map(stream.take, cut(frames(5, 3), iter(lambda: 1, 0)))) == frames(5, 3)[8:]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("soon stall 1", "line 1: 'soon' is not a time"),
        ("1 stall", "time in seconds"),
        ("1 stall long", "time in seconds"),
        ("1 explode", "there are stall, unplug, lose, flip"),
        ("1 reboot", "happens to a board"),
        ("1 lose 0", "number of frames"),
        ("1 flip 3", "from 0 to 1"),
        ("1 flip nan", "from 0 to 1"),
        ("\n# fine\n-1 stall 1", "line 3"),
    ],
)
def test_a_wrong_script_names_the_line(text: str, words: str) -> None:
    """The text says which line, and what would be right."""
    with pytest.raises(ConfigError) as caught:
        parse_script(text, "faults.txt")
    assert words in str(caught.value)
    assert "faults.txt" in str(caught.value)


def test_a_schedule_gives_each_action_once_and_in_time() -> None:
    """A script's actions come in order, random ones again and again, and the same for the same seed."""
    script = parse_script("2 unplug 0.5\n1 stall 0.1 # first\n\n2 flip 1e-3", "s")
    schedule = FaultSchedule(FaultSpec(), script)
    assert schedule.next_s() == 1.0
    assert schedule.due(0.5) == []
    assert [a.what for a in schedule.due(1.5)] == ["stall"]
    assert [a.what for a in schedule.due(9)] == ["unplug", "flip"]
    assert schedule.next_s() == math.inf
    times = []
    schedule = FaultSchedule(spec_of("stall_every_s=1,stall_for_s=0.1,seed=4"))
    while schedule.next_s() < 1000:
        times.append(schedule.next_s())
        assert schedule.due(times[-1]) == [FaultAction(times[-1], "stall", 0.1)]
    assert 800 < len(times) < 1020
    assert FaultSchedule(spec_of("stall_every_s=1,stall_for_s=0.1,seed=4")).next_s() == times[0]


class Wire:
    """A fault: link to a socket of ours."""

    def __init__(self, link: Link, peer: socket.socket) -> None:
        self.link, self.peer = link, peer
        self.data = b""
        self.lost: list[LinkLostError] = []
        self.changed = asyncio.Event()
        link.start(self._bytes, self._lost)

    def _bytes(self, data: bytes, _: int) -> None:
        self.data += data
        self.changed.set()

    def _lost(self, error: LinkLostError) -> None:
        self.lost.append(error)
        self.changed.set()

    async def until(self, condition: object) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():  # type: ignore[operator]
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


async def connect(server: socket.socket, spec: str) -> Wire:
    link = await open_link(f"fault:{spec};tcp:127.0.0.1:{server.getsockname()[1]}")
    return Wire(link, server.accept()[0])


def test_a_link_damages_both_ways_and_reports_it(server: socket.socket, tmp_path: Path) -> None:
    """What comes through is what the engine says for this seed, each way, and the report counts it."""
    report = tmp_path / "report.json"
    spec = spec_of("flip=1e-3,seed=3")
    data = frames(100, 40)

    async def test() -> None:
        wire = await connect(server, f"flip=1e-3,seed=3,report={report}")
        assert "with faults (seed=3,flip=0.001)" in wire.link.detail
        wire.peer.sendall(data)
        await wire.until(lambda: len(wire.data) == len(data))
        assert wire.data == FaultStream(spec, 0).take(data)
        wire.link.write(data)
        assert await asyncio.to_thread(wire.peer.recv, 65536) == FaultStream(spec, 1).take(data)
        await wire.link.close()
        wire.peer.close()

    asyncio.run(test())
    said = json.loads(report.read_text())
    assert said["to_host"]["flipped_bits"] > 10
    assert said["to_device"]["bytes_in"] == len(data)


def test_an_unplugged_link_is_lost_refused_and_back(server: socket.socket, tmp_path: Path) -> None:
    """The link ends once, openings are refused with the time that is left, and then it works again."""
    script = tmp_path / "script"
    script.write_text("0.05 unplug 0.3\n")

    async def test() -> None:
        wire = await connect(server, f"script={script}")
        await wire.until(lambda: wire.lost)
        assert "was unplugged, as its faults want" in str(wire.lost[0])
        with pytest.raises(LinkLostError):
            wire.link.write(b"x")
        await wire.link.close()
        refused = 0
        async with asyncio.timeout(WAIT_S):
            while True:
                try:
                    wire = await connect(server, f"script={script}")
                    break
                except LinkOpenError as error:
                    assert "is unplugged for another" in str(error)
                    refused += 1
                    await asyncio.sleep(0.02)
        assert refused > 3
        wire.peer.sendall(b"hello")
        await wire.until(lambda: wire.data == b"hello")
        await wire.link.close()
        assert not wire.lost

    asyncio.run(test())


def test_a_stall_and_a_delay_hold_back_and_keep_the_order(server: socket.socket, tmp_path: Path) -> None:
    """Nothing comes while it stalls; then all of it comes in order, both ways."""
    script = tmp_path / "script"
    script.write_text("0 stall 0.2\n")

    async def test() -> None:
        wire = await connect(server, f"script={script},delay_ms=5,jitter_ms=20,seed=2")
        loop = asyncio.get_running_loop()
        began = loop.time()
        wire.link.write(b"question")
        for k in range(20):
            wire.peer.sendall(bytes([65 + k]))
            await asyncio.sleep(0)
        await wire.until(lambda: len(wire.data) == 20)
        assert loop.time() - began >= 0.15
        assert wire.data == bytes(range(65, 85))
        assert await asyncio.to_thread(wire.peer.recv, 100) == b"question"
        await wire.link.close()

    asyncio.run(test())


def test_the_link_behind_is_lost_with_its_own_words(server: socket.socket) -> None:
    """What ends the real link ends this one, and says so."""

    async def test() -> None:
        wire = await connect(server, "flip=1e-9,seed=99")
        wire.peer.close()
        await wire.until(lambda: wire.lost)
        assert "closed by the other side" in str(wire.lost[0])
        await wire.link.close()
        await wire.link.close()

    asyncio.run(test())


def test_a_missing_script_is_named() -> None:
    """A script that is not there is an error of opening, with its path."""
    with pytest.raises(LinkOpenError, match="/nowhere/at/all"):
        asyncio.run(open_link("fault:script=/nowhere/at/all;tcp:127.0.0.1:1"))
