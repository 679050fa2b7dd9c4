"""What a page says on its websocket, junk included, and what it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedaq.scope import page_connection
from spikedaq.scope.access import WebRole
from spikedaq.scope.asking import Asker
from spikedaq.scope.event_log import EventLog
from spikedaq.scope.frames import decode_bins
from spikedaq.scope.hub import Hub
from spikedaq.scope.page_connection import MAX_TEXT_BYTES, PageConnection, viewer_name
from spikedaq.scope.past import MAX_BINS
from spikedaq.scope.traces import Traces
from spikedaq.scope.viewer import MAX_WATCHES, Viewer


class Socket:
    """A websocket whose other end is the test."""

    def __init__(self) -> None:
        self.to_server: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.to_page: asyncio.Queue[Any] = asyncio.Queue()
        self.begun: list[Any] = []

    async def receive(self) -> dict[str, Any]:
        return await self.to_server.get()

    async def send_text(self, text: str) -> None:
        await self.to_page.put(json.loads(text))

    async def send_bytes(self, data: bytes) -> None:
        await self.to_page.put(data)

    def say(self, what: Any) -> None:
        text = what if isinstance(what, str) else json.dumps(what)
        self.to_server.put_nowait({"type": "websocket.receive", "text": text})

    async def told(self, say: str) -> dict[str, Any]:
        """The next text of a kind; others are passed over."""
        while True:
            message = await self.to_page.get()
            if isinstance(message, dict) and message["say"] == say:
                return message

    async def frame(self) -> bytes:
        while True:
            message = await self.to_page.get()
            if isinstance(message, bytes):
                return message


class Feed:
    """A bench that has what the test put into it."""

    def __init__(self) -> None:
        self.name, self.url = "lab", "tcp://127.0.0.1:9"
        self.traces = {"alpha": Traces("lab", "alpha")}
        self.events = {"alpha": EventLog()}
        self.state = {"bench": "lab", "here": False, "error": "a test"}
        samples = np.full((400, 2), -6500, np.int16)
        samples[217, 0] = 3000
        header = {"boot": 7, "step": 1000, "step_us": 100, "t_ns": 10**9, "epoch": "e"}
        self.traces["alpha"].take(header, samples)
        self.derived = Traces("lab", "alpha", "imaging")
        derived = {**header, "step": 100, "pitch_steps": 100}
        self.derived.take(derived, np.arange(20, dtype=np.float32).reshape(10, 2))
        self.events["alpha"].see(7, 1000)
        self.events["alpha"].take({"kind": "spike", "boot": 7, "step": 1217, "seq": 3})

    def traces_of(self, device: str, stream: str) -> Traces | None:
        return self.traces.get(device) if stream == "samples" else self.derived


def talk(test: Callable[[Socket, Hub], Awaitable[None]], role: WebRole = WebRole.CONTROLLER) -> None:
    async def both() -> None:
        hub = Hub([])
        hub.feeds = [Feed()]  # type: ignore[list-item]
        socket = Socket()
        connection = PageConnection(socket, hub, role, page_id="abc", given_name="Mia")  # type: ignore[arg-type]
        serving = asyncio.create_task(connection.serve())
        async with asyncio.timeout(20):
            socket.begun = [await socket.to_page.get() for _ in range(2)]
            await test(socket, hub)
            socket.to_server.put_nowait({"type": "websocket.disconnect"})
            await serving
        assert hub.viewers == set(), "a page that is gone is forgotten"

    asyncio.run(both())


def test_it_begins_with_hello_and_the_benches() -> None:
    async def test(socket: Socket, _: Hub) -> None:
        assert socket.begun[0] == {"say": "hello", "v": 1, "name": viewer_name("Mia", "abc"), "role": "controller"}
        assert socket.begun[1] == {"say": "bench", "bench": "lab", "here": False, "error": "a test"}

    talk(test)


JUNK = [
    "", "{", "null", "[]", "3", '"do"', "{}", '{"do": null}', '{"do": []}', '{"do": {}}', '{"do": "__init__"}',
    '{"do": "watch"}', '{"do": "watch", "id": 1, "bench": "lab", "device": "alpha", "level": 99}',
    '{"do": "watch", "id": 1, "bench": "lab", "device": "alpha", "level": -1}',
    '{"do": "watch", "id": 1, "bench": "lab", "device": "alpha", "level": true}',
    '{"do": "watch", "id": [], "bench": "lab", "device": "alpha", "level": 1}',
    '{"do": "unwatch"}', '{"do": "unwatch", "id": "x"}', '{"do": "ack"}', '{"do": "ack", "n": "many"}',
    '{"do": "ack", "n": null}', '{"do": "past"}', '{"do": "events"}', '{"do": "ask"}', '{"do": "want_lease"}',
    "[" * 100_000, '{"do": "ack", "n": NaN}', '{"do": "ack", "n": 1e999}',
]  # fmt: skip


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_junk_is_complained_about_and_changes_nothing(junk: str) -> None:
    async def test(socket: Socket, hub: Hub) -> None:
        socket.say(junk)
        complaint = await socket.told("wrong")
        assert complaint["text"]
        assert hub._watching == {}
        socket.say({"do": "clock", "asked": 5})
        assert (await socket.told("clock"))["asked"] == 5, "it goes on"

    talk(test)


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["do", "id", "bench", "device", "level", "first", "stop", "boot", "n", "op", "args", "asked"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
            | st.sampled_from(["watch", "unwatch", "ack", "past", "events", "ask", "clock", "lab", "alpha"]),
            lambda some: st.lists(some, max_size=2) | st.dictionaries(st.text(max_size=3), some, max_size=2),
            max_leaves=3,
        ),
    )
)  # fmt: skip
def test_no_text_ends_the_connection(said: dict[str, Any]) -> None:
    async def test(socket: Socket, _: Hub) -> None:
        socket.say(said)
        socket.say({"do": "clock", "asked": "still here"})
        while (await socket.told("clock"))["asked"] != "still here":
            pass

    talk(test)


def test_bytes_and_huge_texts_are_refused() -> None:
    async def test(socket: Socket, _: Hub) -> None:
        socket.to_server.put_nowait({"type": "websocket.receive", "bytes": b"\0" * 10})
        assert "texts" in (await socket.told("wrong"))["text"]
        socket.say('{"do": "clock", "asked": "' + "x" * MAX_TEXT_BYTES + '"}')
        assert "mebibyte" in (await socket.told("wrong"))["text"]

    talk(test)


def test_watches_are_bounded() -> None:
    async def test(socket: Socket, hub: Hub) -> None:
        for number in range(MAX_WATCHES + 1):
            socket.say({"do": "watch", "id": number, "bench": "lab", "device": f"d{number}", "level": 0})
        assert str(MAX_WATCHES) in (await socket.told("wrong"))["text"]
        assert len(hub._watching) == MAX_WATCHES
        socket.say({"do": "watch", "id": 3, "bench": "lab", "device": "alpha", "level": 1})
        socket.say({"do": "clock", "asked": 1})
        await socket.told("clock")
        assert ("lab", "alpha", "samples") in hub._watching
        assert ("lab", "d3", "samples") not in hub._watching

    talk(test)


def test_the_past_that_is_kept_comes_before_its_end_is_told() -> None:
    """At level 4 the spike at step 1217 is in bin 76; frames say which request they answer."""

    async def test(socket: Socket, _: Hub) -> None:
        what = {"bench": "lab", "device": "alpha", "boot": 7, "level": 4, "first": 63, "stop": 80}
        socket.say({"do": "past", "id": 12, **what})
        header, bins = decode_bins(await socket.frame())
        assert (header["past"], header["first"], header["count"]) == (12, 63, 17)
        assert np.flatnonzero(bins.high[0] == 3000).tolist() == [76 - 63]
        assert (await socket.told("past")) == {"say": "past", "id": 12, "ok": True, "value": {}}

    talk(test)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"level": 14}, "bad_arguments"),
        ({"first": 80}, "bad_arguments"),
        ({"first": -1}, "bad_arguments"),
        ({"stop": 1 << 53}, "bad_arguments"),
        ({"first": 1.5}, "bad_arguments"),
        ({"stop": 63 + MAX_BINS + 1}, "too_large"),
        ({"level": 13, "stop": 63 + 3000}, "too_large"),
        ({"bench": "elsewhere"}, "unknown_bench"),
        ({"first": 0, "boot": None}, "bad_arguments"),
    ],
)
def test_a_past_that_cannot_be_is_refused_to_whoever_asked(change: dict[str, Any], code: str) -> None:
    """Not only complained about: the page waits for an answer."""

    async def test(socket: Socket, _: Hub) -> None:
        what = {"bench": "lab", "device": "alpha", "boot": 7, "level": 4, "first": 63, "stop": 80, **change}
        socket.say({"do": "past", "id": 9, **what})
        answer = await socket.told("answer")
        assert (answer["id"], answer["ok"], answer["code"]) == (9, False, code)

    talk(test)


def test_events_that_are_kept_are_told() -> None:
    async def test(socket: Socket, _: Hub) -> None:
        socket.say({"do": "events", "id": 4, "bench": "lab", "device": "alpha", "boot": 7, "first": 1000, "stop": 2000})
        answer = await socket.told("answer")
        spike = {"kind": "spike", "boot": 7, "step": 1217}
        assert answer == {"say": "answer", "id": 4, "ok": True, "value": {"events": [spike], "complete": True}}
        socket.say({"do": "events", "id": 5, "bench": "lab", "device": "alpha", "boot": 7, "first": 5, "stop": 5})
        assert (await socket.told("answer"))["code"] == "bad_arguments"

    talk(test)


def test_a_viewer_is_refused_what_changes_something() -> None:
    async def test(socket: Socket, _: Hub) -> None:
        socket.say({"do": "ask", "id": 1, "bench": "lab", "op": "set", "args": {"device": "alpha", "values": {"a": 1}}})
        answer = await socket.told("answer")
        assert (answer["ok"], answer["code"]) == (False, "not_allowed")
        socket.say({"do": "ask", "id": 2, "bench": "lab", "op": "get", "args": ["alpha"]})
        assert "map" in (await socket.told("answer"))["text"]

    talk(test, WebRole.VIEWER)


def test_the_clock_tells_what_was_held_back() -> None:
    async def test(socket: Socket, hub: Hub) -> None:
        next(iter(hub.viewers)).skipped = 42
        socket.say({"do": "clock", "asked": 1.5})
        answer = await socket.told("clock")
        assert (answer["asked"], answer["skipped"], answer["dropped"]) == (1.5, 42, 0)
        assert answer["host_ms"] > 0

    talk(test)


@pytest.mark.parametrize("change", [{"op": "nonsense"}, {"args": []}, {"op": None}])
def test_an_order_for_all_benches_that_cannot_be_is_answered(change: dict[str, Any]) -> None:
    """Not only complained about: the page would wait for ever, with its button pressed."""

    async def test(socket: Socket, _: Hub) -> None:
        socket.say({"do": "everywhere", "id": 8, "op": "record_start", "args": {"session": "s"}, **change})
        answer = await socket.told("answer")
        assert (answer["id"], answer["ok"]) == (8, False)

    talk(test)


@pytest.mark.parametrize("do", ["ask", "past"])
def test_a_failure_that_nobody_thought_of_is_answered(do: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(socket: Socket, hub: Hub) -> None:
        def fail(*_: Any, **__: Any) -> None:
            raise ZeroDivisionError("surprise")

        monkeypatch.setattr(page_connection, "connect", fail)
        monkeypatch.setattr(Asker, "_call", fail)
        hub.urls["lab"] = "tcp://127.0.0.1:9"
        what = {"bench": "lab", "device": "alpha", "boot": 6, "level": 0, "first": 0, "stop": 5, "op": "list"}
        socket.say({"do": do, "id": 3, **what})
        answer = await socket.told("answer")
        assert (answer["id"], answer["ok"], answer["code"]) == (3, False, "internal")
        assert "surprise" in answer["text"]

    talk(test)


def test_a_page_that_can_be_sent_nothing_is_let_go() -> None:
    """Before, its sender ended without a word, and it stayed: open, watching, and dark."""

    async def test() -> None:
        socket = Socket()

        async def fail(_: Any) -> None:
            raise RuntimeError("no")

        socket.send_text = fail  # type: ignore[method-assign, assignment]
        hub = Hub([])
        connection = PageConnection(socket, hub, WebRole.VIEWER, page_id="a", given_name="")  # type: ignore[arg-type]
        async with asyncio.timeout(20):
            with pytest.raises(RuntimeError, match="no"):
                await connection.serve()
        assert hub.viewers == set()

    asyncio.run(test())


def test_a_long_queue_is_not_sent_without_a_breath() -> None:
    """The news that a connection is lost comes to the loop: hundreds of messages would be sent into it before."""

    async def test() -> None:
        socket, hub, sent = Socket(), Hub([]), 0
        begun = asyncio.Event()

        async def send(_: Any) -> None:
            nonlocal sent
            sent += 1
            begun.set()

        socket.send_text = send  # type: ignore[method-assign, assignment]
        connection = PageConnection(socket, hub, WebRole.VIEWER, page_id="a", given_name="")  # type: ignore[arg-type]
        for _ in range(300):
            connection.viewer.tell("news")
        serving = asyncio.create_task(connection.serve())
        await begun.wait()
        assert sent < 5
        socket.to_server.put_nowait({"type": "websocket.disconnect"})
        await serving
        assert sent < 20

    asyncio.run(test())


@pytest.mark.parametrize(
    "change", [{"bench": "elsewhere"}, {"bench": ["lab"]}, {"device": "x" * 1000}, {"device": {"a": 1}}, {"device": 3}]
)
def test_a_wish_for_a_lease_that_cannot_be_reaches_nobody(change: dict[str, Any]) -> None:
    """What it says goes to every page: a mebibyte of it, again and again, would fill the memory of the server."""

    async def test(socket: Socket, hub: Hub) -> None:
        other = Viewer("other#1", WebRole.VIEWER)
        hub.viewers.add(other)
        socket.say({"do": "want_lease", "bench": "lab", "device": "alpha", **change})
        assert (await socket.told("wrong"))["text"]
        assert not other.has_news
        socket.say({"do": "want_lease", "bench": "lab", "device": None})
        wanted = await socket.told("lease_wanted")
        assert wanted == {"say": "lease_wanted", "bench": "lab", "device": None, "by": viewer_name("Mia", "abc")}
        hub.viewers.discard(other)

    talk(test)


def test_who_may_only_watch_asks_for_no_lease() -> None:
    async def test(socket: Socket, _: Hub) -> None:
        socket.say({"do": "want_lease", "bench": "lab", "device": "alpha"})
        assert "controller" in (await socket.told("wrong"))["text"]

    talk(test, WebRole.VIEWER)


@pytest.mark.parametrize(
    ("given", "start"),
    [("Mia", "Mia#"), ("", "page#"), ("a@b#c", "abc#"), ("x" * 99, "x" * 20 + "#"), ("\x00\n\u202e", "page#")],
)
def test_names(given: str, start: str) -> None:
    """Nothing in a name can look like another's, or like what the daemon adds."""
    name = viewer_name(given, "some page")
    assert name.startswith(start)
    assert name != viewer_name(given, "another page")
    assert name == viewer_name(given, "some page")
