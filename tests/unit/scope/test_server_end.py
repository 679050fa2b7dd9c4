"""The page's server ends when it is told to, whatever its viewers, benches and threads do."""

from __future__ import annotations

import base64
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from spikedaq.scope.access import Access
from spikedaq.scope.app import make_app
from spikedaq.scope.hub import Hub
from spikedaq.scope.last_resort import LastResort
from spikedaq.scope.server import PageServer, bind

STUCK = """
import asyncio, sys
from spikedaq.scope.server import PageServer, bind

async def app(scope, receive, send):
    assert (await receive())["type"] == "lifespan.startup"
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await asyncio.Event().wait()

PageServer(app, started=lambda: print("serves", flush=True), end_s=1.0).run(sockets=[bind("127.0.0.1", 0)])
"""


def test_it_ends_although_something_of_it_never_does() -> None:
    """Before, one thing that hung at the end kept the port and every connection for ever."""
    with subprocess.Popen(
        [sys.executable, "-c", STUCK], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "serves\n"
            process.terminate()
            _, said = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 128 + signal.SIGTERM
    assert "did not end within" in said


def last_resort(is_needed: Any = lambda: False, end_s: float = 0.2) -> tuple[LastResort, queue.SimpleQueue[Any]]:
    ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
    made = LastResort(end_s, is_needed, lambda status: ended.put((status, time.monotonic())))
    made.start()
    return made, ended


def test_the_last_resort_waits_for_its_time(capfd: pytest.CaptureFixture[str]) -> None:
    made, ended = last_resort(end_s=0.5)
    with pytest.raises(queue.Empty):
        ended.get(timeout=0.05)
    begun_s = time.monotonic()
    made.begin(signal.SIGTERM)
    status, ended_s = ended.get(timeout=10)
    assert status == 143
    assert ended_s - begun_s >= 0.5
    assert "cut off" in capfd.readouterr().err


def test_a_trial_that_ends_in_order_is_waited_for() -> None:
    runs = threading.Event()
    made, ended = last_resort(lambda: not runs.is_set())
    made.begin(signal.SIGTERM)
    with pytest.raises(queue.Empty):
        ended.get(timeout=0.6)
    runs.set()
    assert ended.get(timeout=10)[0] == 143


def test_who_asks_twice_does_not_wait() -> None:
    """A second Ctrl-C also gives up a trial that is being ended."""
    made, ended = last_resort(lambda: True, end_s=60.0)
    made.begin(signal.SIGINT)
    made.begin(signal.SIGINT, at_once=True)
    assert ended.get(timeout=20)[0] == 130


def stalled_viewer(port: int) -> socket.socket:
    """A websocket whose other end reads nothing but the handshake."""
    viewer = socket.socket()
    viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    viewer.connect(("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    viewer.sendall(
        f"GET /ws?page=p HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    assert viewer.recv(12) == b"HTTP/1.1 101"
    return viewer


def test_viewers_that_read_nothing_do_not_keep_it() -> None:
    """Their goodbye waits behind megabytes that nobody takes; the time for orderly ends is not spent on it."""
    hub = Hub([])
    serves = threading.Event()
    server = PageServer(make_app(hub, Access("127.0.0.1")), hub, started=serves.set)
    server.config.timeout_graceful_shutdown = 120
    listening = bind("127.0.0.1", 0)
    port = listening.getsockname()[1]
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    viewers = []
    try:
        assert serves.wait(20)
        viewers = [stalled_viewer(port) for _ in range(3)]
        deadline_s = time.monotonic() + 20
        connections = server.server_state.connections
        while len(hub.viewers) < 3 or any(connection.writable.is_set() for connection in list(connections)):  # type: ignore[union-attr]
            assert time.monotonic() < deadline_s, "the sockets never filled"
            for viewer in list(hub.viewers):
                viewer.tell("x" * 500_000)
            time.sleep(0.01)  # polled, with a deadline
    finally:
        server.should_exit = True
        thread.join(20)
        for each in viewers:
            each.close()
    assert not thread.is_alive()
    assert hub.viewers == set()


def test_a_server_whose_benches_are_not_followed_any_more_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page on which nothing moves, and which says that all is well, is worse than none."""
    hub = Hub(["tcp://127.0.0.1:1"])
    monkeypatch.setattr(hub.feeds[0], "_take_what_came", lambda: 1 // 0)
    server = PageServer(make_app(hub, Access("127.0.0.1")), hub)
    thread = threading.Thread(target=server.run, args=([bind("127.0.0.1", 0)],))
    thread.start()
    thread.join(30)
    server.should_exit = True
    assert not thread.is_alive()
    assert "ZeroDivisionError" in hub.failure
