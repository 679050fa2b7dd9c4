"""The history process: nobody may use it up, and its daemon says where it is only while it is there."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import zmq
import zmq.asyncio

from spikedaq.bus import Request, decode_reply, encode_request
from spikedaq.daemon.alarms import AlarmKind, Alarms
from spikedaq.daemon.history_process import HistoryProcess
from spikedaq.history import process
from spikedaq.history.requests import Requests
from spikedaq.journal import JournalWriter

N_GREEDY = 2 * process.MAX_REQUESTS


async def ask_for_much(endpoint: str) -> tuple[list[Any], Any]:
    """Wait for new data many times over; return the refusals, and what somebody else gets meanwhile."""
    context = zmq.asyncio.Context()
    greedy, other = context.socket(zmq.DEALER), context.socket(zmq.DEALER)
    try:
        for socket in (greedy, other):
            socket.connect(endpoint)
        args = {"offsets": {"alpha": 2**40}, "wait_s": 10.0}
        for number in range(N_GREEDY):
            await greedy.send(encode_request(Request(str(number), "journal", args, "greedy")))
        refused = [decode_reply(await greedy.recv()) for _ in range(N_GREEDY - process.MAX_PER_CLIENT)]
        await other.send(encode_request(Request("1", "hello", {}, "other")))
        return refused, decode_reply(await other.recv())
    finally:
        context.destroy(linger=0)


def test_one_who_asks_for_much_leaves_room_for_others(tmp_path: Path) -> None:
    """Of the requests that wait, one client has a part; beyond it that client alone is told that it is too many."""
    JournalWriter(tmp_path / "alpha", device="alpha", unique_id="01", host_boot_id="b", boottime_ns=lambda: 1).close()

    async def test() -> None:
        server = process._bind(["tcp://127.0.0.1:0"], Requests(tmp_path, "bench"), None)
        serving = asyncio.create_task(server.run())
        try:
            async with asyncio.timeout(8):
                refused, answer = await ask_for_much(server.endpoint)
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
        assert {reply.code for reply in refused} == {"busy"}
        assert answer.ok

    asyncio.run(test())


class Heard(Alarms):
    """Alarms that say when the history has told where it is: its alarm ends then."""

    def __init__(self) -> None:
        super().__init__(lambda: 0)
        self.heard = asyncio.Event()

    def clear(self, kind: AlarmKind, subject: str = "") -> None:
        super().clear(kind, subject)
        self.heard.set()


def test_where_it_was_is_not_told_once_it_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoint is nil between two of them, and the next one is asked to come back to it first."""
    calls = tmp_path / "calls"
    script = tmp_path / "history"
    said = json.dumps({"endpoint": "tcp://127.0.0.1:4567"})
    script.write_text(f"#!/bin/sh\necho \"$@\" >> {calls}\necho '{said}'\nread -r until_closed\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    alarms = Heard()
    history = HistoryProcess(tmp_path, "bench", ["tcp://127.0.0.1:5572", "tcp://127.0.0.1:0"], alarms)

    async def once() -> None:
        alarms.heard.clear()
        running = asyncio.create_task(history._run_once())
        async with asyncio.timeout(10):
            await alarms.heard.wait()
        assert history.endpoint == "tcp://127.0.0.1:4567"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    async def twice() -> None:
        await once()
        assert (history.endpoint, history.pid) == (None, None)
        await once()

    asyncio.run(twice())
    first, second = calls.read_text().splitlines()
    assert first.endswith("bench tcp://127.0.0.1:5572 tcp://127.0.0.1:0")
    assert second.endswith("bench tcp://127.0.0.1:4567 tcp://127.0.0.1:5572 tcp://127.0.0.1:0")


def test_it_says_again_and_again_that_it_is_alive(tmp_path: Path) -> None:
    """So its daemon knows one that hangs; and one whose daemon does not listen goes on."""
    line = [sys.executable, "-m", "spikedaq.history", str(tmp_path), "bench", "tcp://127.0.0.1:0"]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as history:
        assert history.stdout is not None and history.stdin is not None
        try:
            assert json.loads(history.stdout.readline())["endpoint"]
            assert [history.stdout.readline() for _ in range(2)] == [b"\n", b"\n"]
            history.stdin.close()
            assert history.wait(20) == process.EXIT_ENDED
        finally:
            history.kill()
