"""Who may not, and who means harm: a clear answer, nothing changed, nothing executed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from harness import DaemonProcess
from helpers.chromium import Complaints
from helpers.page_frames import PageFrames, wait_until_it_moves
from helpers.page_server import PageProcess

WAIT_S = 30


@contextmanager
def opened(server: PageProcess, *, token: str = "", origin: str | None = None) -> Iterator[ClientConnection]:
    """Open the page's websocket as a program would; it was greeted when it comes."""
    url = server.address.replace("http:", "ws:") + "ws?page=test" + (f"&token={token}" if token else "")
    with connect(url, origin=server.address.rstrip("/") if origin is None else origin) as socket:
        said = json.loads(socket.recv(WAIT_S))
        assert said["say"] == "hello", said
        yield socket


def answer(socket: ClientConnection, request: dict[str, Any]) -> dict[str, Any]:
    """Ask, and return what comes back for it."""
    socket.send(json.dumps({"id": 77, **request}))
    return next_said(socket, lambda said: said["say"] == "wrong" or said.get("id") == 77)


def next_said(socket: ClientConnection, wanted: Any) -> dict[str, Any]:
    while True:
        message = socket.recv(WAIT_S)
        if isinstance(message, str) and wanted(said := json.loads(message)):
            return said


JUNK: list[tuple[str, str | bytes]] = [
    ("no JSON", "{"),
    ("bytes", b"\x00\xff\x00"),
    ("no map", "[1, 2]"),
    ("a number", "1e999"),
    ("nothing to do", '{"id": 1}'),
    ("unknown", '{"do": "erase"}'),
    ("do is a list", '{"do": ["watch"]}'),
    ("do is a map", '{"do": {}}'),
    ("deep", "[" * 100_000),
    ("deep map", '{"do":' * 50_000),
    ("no number", '{"do": "watch", "id": "x", "bench": "demo", "device": "alpha", "level": 3}'),
    ("level -1", '{"do": "watch", "id": 1, "bench": "demo", "device": "alpha", "level": -1}'),
    ("level 1e400", '{"do": "watch", "id": 1, "bench": "demo", "device": "alpha", "level": 1e400}'),
    ("level true", '{"do": "watch", "id": 1, "bench": "demo", "device": "alpha", "level": true}'),
    ("ack of a list", '{"do": "ack", "n": []}'),
    ("ack of infinity", '{"do": "ack", "n": Infinity}'),
    ("unwatch NaN", '{"do": "unwatch", "id": NaN}'),
    ("args are a list", '{"do": "ask", "id": 1, "bench": "demo", "op": "list", "args": [1]}'),
    ("op ends the daemon", '{"do": "ask", "id": 1, "bench": "demo", "op": "shutdown"}'),
    ("op is a list", '{"do": "ask", "id": 1, "bench": "demo", "op": ["set"]}'),
    ("no such bench", '{"do": "ask", "id": 1, "bench": "../etc", "op": "list"}'),
    ("op as argument", '{"do": "ask", "id": 1, "bench": "demo", "op": "get", "args": {"op": "set"}}'),
    (
        "past backwards",
        '{"do": "past", "id": 1, "bench": "demo", "device": "alpha", "level": 0, "first": 9, "stop": 1}',
    ),
    (
        "past of all",
        '{"do": "past", "id": 1, "bench": "demo", "device": "alpha", "level": 0, "first": 0, "stop": 1e18}',
    ),
    ("lone surrogate", '{"do": "ask", "id": 1, "bench": "\\ud800", "op": "list"}'),
]


def test_junk_on_the_websocket_is_answered_in_words_and_harms_nothing(shared_server: PageProcess) -> None:
    """Whatever is sent, that connection serves on; the server has logged no exception."""
    logged = len(shared_server.log())
    with opened(shared_server) as socket:
        for name, junk in JUNK:
            socket.send(junk)
            try:
                reply = next_said(socket, lambda said: said["say"] in ("wrong", "answer", "past"))
            except ConnectionClosed as error:
                pytest.fail(f"{name}: it was cut off ({error}):\n{shared_server.log()[logged:]}")
            assert reply["say"] == "wrong" or reply["ok"] is False, (name, reply)
            assert len(reply["text"]) > 10, (name, reply)
            assert "Traceback" not in reply["text"]
        devices = answer(socket, {"do": "ask", "bench": "demo", "op": "list"})
        assert [entry["name"] for entry in devices["value"]] == ["alpha", "beta"]
    assert "Traceback" not in shared_server.log()[logged:]


def test_a_message_of_more_than_a_mebibyte_ends_only_its_own_connection(shared_server: PageProcess) -> None:
    with opened(shared_server) as other:
        with opened(shared_server) as flooding, pytest.raises(ConnectionClosed):
            flooding.send("x" * (2 << 20))
            while True:
                flooding.recv(WAIT_S)
        assert answer(other, {"do": "ask", "bench": "demo", "op": "list"})["ok"]


def test_many_questions_at_once_are_refused_beyond_a_bound(shared_server: PageProcess) -> None:
    """A page that asks without waiting is told so; each question is answered, one way or the other."""
    with opened(shared_server) as socket:
        for number in range(300):
            socket.send(json.dumps({"do": "ask", "id": number, "bench": "demo", "op": "list"}))
        answers: dict[int, dict[str, Any]] = {}
        while len(answers) < 300:
            said = next_said(socket, lambda said: said["say"] == "answer")
            answers[said["id"]] = said
    codes = {said["code"] for said in answers.values() if not said["ok"]}
    assert codes == {"busy"}
    assert any(said["ok"] for said in answers.values())


def test_another_sites_page_cannot_use_this_one(page: Page, shared_server: PageProcess, complaints: Complaints) -> None:
    """A page of another origin in the same browser: neither its websocket nor its requests get anywhere."""
    complaints.expect(r"WebSocket connection to .* failed|CORS|ERR_FAILED|status of 403")
    with other_site() as foreign:
        page.goto(foreign)
        closed = page.evaluate(
            """address => new Promise(resolve => {
                const socket = new WebSocket(address.replace("http:", "ws:") + "ws");
                socket.onmessage = () => resolve("it was told something");
                socket.onclose = () => resolve("closed");
            })""",
            shared_server.address,
        )
        assert closed == "closed"
        fetched = page.evaluate(
            "address => fetch(address + 'api/health').then(r => r.text(), error => 'refused')", shared_server.address
        )
        assert fetched == "refused"
    with pytest.raises((InvalidStatus, ConnectionClosed)), opened(shared_server, origin="http://evil.example"):
        pass
    status, _, body = shared_server.get("api/health", headers={"Host": "evil.example"})
    assert (status, b"another site" in body) == (403, True)


@contextmanager
def other_site() -> Iterator[str]:
    """Serve an empty page from another port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>other</title><link rel=icon href='data:,'>")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


def test_without_a_token_the_page_says_that_one_is_needed(
    page: Page, guarded_server: PageProcess, complaints: Complaints
) -> None:
    complaints.expect("status of 401")
    server = guarded_server
    page.goto(server.address)
    expect(page.get_by_text("a token is needed")).to_be_visible()
    page.goto(f"{server.address}?token=guessed-but-not-right")
    expect(page.get_by_text("a token is needed")).to_be_visible()
    for path in ("", "api/health", "index.html", "ws", "assets/", "../../etc/passwd"):
        assert server.get(path, token="")[0] == 401, path
    with pytest.raises((InvalidStatus, ConnectionClosed)), opened(server, token="guessed-but-not-right"):
        pass


def test_a_viewer_sees_everything_and_changes_nothing(
    page: Page, guarded_server: PageProcess, shared_bench: DaemonProcess
) -> None:
    """By the page, which says why, and by a request that the page would never make."""
    server = guarded_server
    assert server.viewer_token is not None
    frames = PageFrames(page)
    page.goto(f"{server.address}?token={server.viewer_token}")
    assert server.viewer_token not in page.url, "addresses get copied and logged"
    expect(page.get_by_text("watching only")).to_be_visible()
    wait_until_it_moves(page)
    frames.wait_for_live(page, "alpha")
    expect(page.get_by_role("button", name="Take the lease")).to_have_count(0)
    before = shared_bench.call("get", device="alpha", name="i_clamp")
    with opened(server, token=server.viewer_token) as socket:
        for op, args in (
            ("set", {"device": "alpha", "values": {"i_clamp": 99}}),
            ("stop", {"device": "alpha"}),
            ("record_start", {"session": "not-mine"}),
            ("lease_take", {"device": "alpha", "force": True}),
            ("note", {"text": "I was here"}),
        ):
            said = answer(socket, {"do": "ask", "bench": "demo", "op": op, "args": args})
            assert (said["ok"], said["code"]) == (False, "not_allowed"), (op, said)
    assert shared_bench.call("get", device="alpha", name="i_clamp") == before
    assert shared_bench.call("record_status") is None


def test_a_controller_by_token_may_change_things(page: Page, guarded_server: PageProcess) -> None:
    page.goto(f"{guarded_server.address}?token={guarded_server.controller_token}")
    page.get_by_role("button", name="Take the lease").click()
    expect(page.get_by_text("you have the lease")).to_be_visible()
    page.get_by_role("button", name="Give it back").click()
    expect(page.get_by_role("button", name="Take the lease")).to_be_visible()


def test_what_people_wrote_is_shown_as_text(context: BrowserContext, shared_server: PageProcess) -> None:
    """A name with markup in it, as another page shows it: the letters, and no element of it."""
    name = "<img src=x onerror=window.hacked=1>"
    writing = context.new_page()
    writing.goto(shared_server.address)
    writing.evaluate("name => localStorage.setItem('spikedaq.name', name)", name)
    writing.reload()
    writing.get_by_role("button", name="Take the lease").click()
    expect(writing.get_by_text("you have the lease")).to_be_visible()
    try:
        reading = context.new_page()
        reading.goto(shared_server.address)
        # In the bar, and in the panel that it locks.
        holders = reading.get_by_text("<img src=x")
        for holder in (holders.first, holders.last):
            expect(holder).to_be_visible()
            expect(holder).to_contain_text("has the lease")
        assert reading.locator("img").count() == 0
        assert reading.evaluate("window.hacked") is None
    finally:
        writing.get_by_role("button", name="Give it back").click()
    expect(reading.get_by_role("button", name="Take the lease")).to_be_visible()


def test_the_page_asks_nothing_of_other_hosts(page: Page, shared_server: PageProcess) -> None:
    """It works offline, and its headers keep it so."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(shared_server.address)
    wait_until_it_moves(page)
    assert {url.split("/")[2] for url in asked if not url.startswith("data:")} == {f"127.0.0.1:{shared_server.port}"}
    _, headers, _ = shared_server.get("")
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
