"""Downloads: ranges, and that what fails on the way ends visibly, never as a short file."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import threading
import urllib.request
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from spikedaq.inlet import FilePiece
from spikedaq.model import CommandTimeout, RemoteProtocolError, SpikedaqError
from spikedaq.scope.downloads import RangeError, Source, Streamed, byte_range, file_pieces
from spikedaq.scope.server import PageServer, address_of, bind

SOURCE = Source("b", "s", "/f", "alpha", "x.nwb")


class Bench:
    """A bench with one file: gone from the offset ``fail_at`` on, another one from ``changed_at`` on."""

    def __init__(self, data: bytes, piece: int = 4) -> None:
        self.data = data
        self.piece = piece
        self.sha256: str | None = hashlib.sha256(data).hexdigest()
        self.fail_at = self.changed_at = len(data) + 1

    def first(self, offset: int = 0) -> FilePiece:
        if offset >= self.fail_at:
            raise CommandTimeout("nobody answers", code="timeout")
        sha256 = "another" if offset >= self.changed_at else self.sha256
        data = self.data[offset : offset + self.piece]
        is_last = offset + len(data) >= len(self.data)
        return FilePiece(data, len(self.data), is_last=is_last, sha256=sha256)

    async def ask(self, bench: str, work: Callable[[Any], Any]) -> Any:
        assert bench == "b"
        return work(_Library(self))


class _Library:
    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def piece(self, session: str, device: str | None, name: str, *, folder: str, offset: int = 0) -> FilePiece:
        assert (session, device, name, folder) == ("s", "alpha", "x.nwb", "/f")
        return self._bench.first(offset)


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (None, None),
        ("bytes=0-3", (0, 4)),
        ("bytes=4-", (4, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-99", (0, 10)),
        ("bytes=2-99", (2, 10)),
        ("bytes=9-9", (9, 10)),
        ("bytes=5-2", None),
        ("bytes=0-1,4-5", None),
        ("bytes=-", None),
        ("lines=0-3", None),
        ("bytes=a-b", None),
        ("bytes= 0-3", None),
    ],
)
def test_ranges(header: str | None, wanted: tuple[int, int] | None) -> None:
    """Of a file of ten bytes; what is no single range of bytes is answered with all of it (RFC 9110, 14.2)."""
    assert byte_range(header, 10) == wanted


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=99-100", "bytes=-0", "bytes=" + "9" * 40 + "-"])
def test_ranges_outside_of_the_file(header: str) -> None:
    with pytest.raises(RangeError):
        byte_range(header, 10)


def served(pieces: AsyncIterator[bytes], n_bytes: int) -> tuple[list[dict[str, Any]], bool]:
    """Send it to a browser that takes everything; what was sent, and whether it was ended as complete."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Streamed("x", pieces, n_bytes)({"type": "http"}, receive, send))
    return sent, sent[-1]["type"] == "http.response.body" and not sent[-1]["more_body"]


def body(sent: list[dict[str, Any]]) -> bytes:
    return b"".join(message.get("body", b"") for message in sent)


def whole(bench: Bench, begin: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
    return file_pieces(bench, SOURCE, bench.first(begin), begin=begin, stop=stop)  # type: ignore[arg-type]


def test_a_whole_file_comes_with_its_length() -> None:
    bench = Bench(b"0123456789")
    sent, is_complete = served(whole(bench), 10)
    assert (body(sent), is_complete) == (b"0123456789", True)
    assert (b"content-length", b"10") in sent[0]["headers"]


@pytest.mark.parametrize(("begin", "stop"), [(0, 4), (3, 10), (5, 6), (9, 10), (0, 1)])
def test_a_part_of_a_file(begin: int, stop: int) -> None:
    sent, is_complete = served(whole(Bench(b"0123456789"), begin, stop), stop - begin)
    assert (body(sent), is_complete) == (b"0123456789"[begin:stop], True)


@pytest.mark.parametrize("what", ["fail_at", "changed_at", "sha256"])
def test_a_download_that_cannot_go_on_is_not_ended_as_if_it_were_whole(what: str) -> None:
    """The bench goes away, the file is replaced, its bytes are not those of the manifest."""
    bench = Bench(b"0123456789")
    if what == "sha256":
        bench.sha256 = hashlib.sha256(b"other").hexdigest()
    else:
        setattr(bench, what, 8)
    sent, is_complete = served(whole(bench), 10)
    assert not is_complete
    assert len(body(sent)) < 10


def test_a_source_that_promises_more_than_it_has() -> None:
    async def short() -> AsyncIterator[bytes]:
        yield b"abc"

    assert served(short(), 4)[1] is False


def test_who_leaves_ends_the_fetching() -> None:
    """The iterator is closed, so that a bench is not read for nobody."""
    closed: list[bool] = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
                await asyncio.sleep(0)
        finally:
            closed.append(True)

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        pass

    asyncio.run(Streamed("x", endless(), 1 << 40)({"type": "http"}, receive, send))
    assert closed == [True]


def test_who_asks_for_the_size_only_makes_nobody_read_the_file() -> None:
    taken: list[bytes] = []
    sent: list[Any] = []

    async def pieces() -> AsyncIterator[bytes]:
        taken.append(b"x")
        yield b"x"

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Streamed("x", pieces(), 1)({"type": "http", "method": "HEAD"}, receive, send))
    assert taken == []
    assert (b"content-length", b"1") in sent[0]["headers"]
    assert sent[1:] == [{"type": "http.response.body", "body": b"", "more_body": False}]


def test_an_empty_file() -> None:
    sent, is_complete = served(whole(Bench(b"")), 0)
    assert (body(sent), is_complete) == (b"", True)


def test_errors_are_ours() -> None:
    """What ends a download is caught by what it is: anything else is a defect, and is to be seen."""
    assert issubclass(RemoteProtocolError, SpikedaqError)

    async def defect() -> AsyncIterator[bytes]:
        yield b"x"
        raise KeyError("x")

    with pytest.raises(KeyError):
        served(defect(), 2)


def test_a_browser_sees_that_it_was_cut_off() -> None:
    """With the real server on a socket: the connection ends before the bytes that were promised."""

    async def failing() -> AsyncIterator[bytes]:
        yield b"x" * 5000
        raise CommandTimeout("nobody answers", code="timeout")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await Streamed("x", failing(), 10_000)(scope, receive, send)

    listening = bind("127.0.0.1", 0)
    started = threading.Event()
    server = PageServer(Starlette(routes=[Mount("/", app)]), started=started.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        assert started.wait(60)
        with urllib.request.urlopen(address_of(listening), timeout=60) as answer:
            assert answer.headers["content-length"] == "10000"
            with pytest.raises(http.client.IncompleteRead) as cut:
                answer.read()
        assert cut.value.partial == b"x" * 5000
    finally:
        server.should_exit = True
        thread.join()
