"""The real image of Spikeling v1 on a simulated ATmega328P: 1 kHz x 8 channels, dense, while a host asks and sets."""

from __future__ import annotations

import itertools
import json
import os
import socket
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from cobs import cobs

from helpers.simulators import V1_IMAGE, SimAvr, built

SECONDS = int(os.environ.get("SPIKEDAQ_V1_SECONDS", "15"))
BLOCKS_PER_REQUEST = 16
"""A request for every so many blocks of 6 samples: one in 96 ms of the board's time.

A client on a busy machine reads late, and then many blocks at once; it waits for its last answer, as a host does, lest
requests come in bursts in the board's time.
"""

HELLO, DESCRIPTION, BLOCK, EVENT, PONG, REPLY, STATUS = range(1, 8)
INPUTS = [
    "--adc",
    "0=600",
    "--adc",
    "2=1500",
    "--adc",
    "3=2600",
    "--adc",
    "5=1000",
    "--adc",
    "6=1000",
    "--adc",
    "7=4000",
]


class Client:
    """The smallest host: frames in and out of a socket."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(60)
        self.messages = self._read()

    def send(self, *items: object) -> None:
        """Send one message."""
        message = msgpack.packb(list(items), use_single_float=True)
        self.socket.sendall(cobs.encode(message + struct.pack("<I", zlib.crc32(message))) + b"\0")

    def _read(self) -> Iterator[list[Any]]:
        rest = b""
        while data := self.socket.recv(65536):
            *frames, rest = (rest + data).split(b"\0")
            for frame in filter(None, frames):
                body = cobs.decode(frame)
                assert zlib.crc32(body) == 0x2144DF1C, "a frame came damaged"
                yield msgpack.unpackb(body[:-4])

    def ask(self, *items: object) -> list[Any]:
        """Send a request, and return the answer to it."""
        self.send(*items)
        return next(m for m in self.messages if m[0] in (DESCRIPTION, REPLY) and m[2] == items[1])


def requests(index: dict[str, int]) -> Iterator[tuple[list[object], int]]:
    """What a user at a panel would send, over and over, each with the type of its answer."""
    for k in itertools.count(1000):
        yield [34, k], PONG
        yield [35, k, index["syn1_gain"]], REPLY
        yield [36, k + 100_000, [index["syn2_gain"], float(k % 20)]], REPLY
        yield [33, k, 1, k % len(index)], DESCRIPTION
        if k % 4 == 0:
            yield [36, k + 200_000, [index["preset"], k // 4 % 3, index["i_clamp"], 15.0 + k % 7]], REPLY


@pytest.mark.slow
def test_no_sample_is_lost_at_one_kilohertz(tmp_path: Path) -> None:
    """Every step's sample comes, in order, and no counter of a loss moves."""
    report = tmp_path / "report"
    options = ["--speed", "0", "--lossless", "--seconds", str(SECONDS + 3), "--report", str(report), *INPUTS]
    with SimAvr(built(V1_IMAGE, "firmware-v1"), *options) as board:
        client = Client(board.port)
        client.send(32, 1, 1)
        hello = next(m for m in client.messages if m[0] == HELLO)
        n_channels, n_parameters = hello[11], hello[12]
        assert (hello[6], hello[9], n_channels) == ("v1", 1000, 8)
        index = {client.ask(33, 10 + k, 1, k)[5][0]: k for k in range(n_parameters)}
        # Noise, light, a square wave and spikes, so that nothing is constant.
        assert client.ask(36, 1, [index["noise_sd"], 4.0, index["photo_gain"], 5.0, index["i_clamp"], 20.0])[3] == 0
        assert client.ask(36, 2, [index["stim_strength"], 80.0, index["stim_period"], 40])[3] == 0
        first_step = client.ask(37, 3, 0)[4]

        asked, answered, events = Counter[int](), Counter[int](), Counter[int]()
        todo = requests(index)
        statuses: list[list[Any]] = []
        blocks, samples, payload, next_step, seq, next_request = 0, 0, 0, first_step, None, 0
        for message in client.messages:
            assert seq is None or message[1] == seq + 1, "a frame is missing"
            seq = message[1]
            if message[0] == BLOCK:
                _, _, _, step, tick, step_us, n, _, data, _ = message
                assert (step, step_us) == (next_step, 1000)
                next_step, samples, payload, blocks = step + n, samples + n, payload + len(data), blocks + 1
                if blocks >= next_request and asked.total() == answered.total():
                    next_request = blocks + BLOCKS_PER_REQUEST
                    request, answer = next(todo)
                    client.send(*request)
                    asked[answer] += 1
                if samples >= 1000 * SECONDS:
                    break
            elif message[0] == STATUS:
                statuses.append(message)
            elif message[0] == EVENT:
                events[message[2]] += 1
            else:
                answered[message[0]] += 1
                assert message[0] != REPLY or message[3] == 0, message
        client.socket.close()
        assert board.stop() == 0

    assert samples == next_step - first_step
    assert len(statuses) >= SECONDS - 1
    for status in statuses:
        _, _, tick, step, overruns, overrun_samples, events_dropped, _, _, bad_frames, _, cpu_permille = status
        assert (overruns, overrun_samples, events_dropped, bad_frames) == (0, 0, 0, 0), status
        assert 0 < cpu_permille < 1000, status
        assert abs(tick - statuses[0][2] - 1000 * (step - statuses[0][3])) <= 2000, "steps and microseconds part"
    # The last answer may still be on its way.
    assert sum((asked - answered).values()) <= 1, (asked, answered)
    assert answered.total() > SECONDS, "requests"
    assert events[0] > SECONDS, "spikes"
    found = json.loads(report.read_text())
    assert found["untouched_ram_bytes"] >= 16, "the stack comes too near the variables"
    cpu = sorted(status[-1] for status in statuses)
    print(
        f"{samples} samples, {payload / samples:.2f} bytes of payload each; {sum(answered.values())} requests; "
        f"processor {cpu[len(cpu) // 2]} permille, at most {cpu[-1]}; "
        f"{found['untouched_ram_bytes']} bytes of the stack never used"
    )
