"""The control server, over real sockets: every request is answered once, and nothing hostile ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgpack
import pytest
import zmq
import zmq.asyncio

from spikedaq.bus import MAX_CONTROL_BYTES, Request, decode_reply, encode_request
from spikedaq.model import (
    CommandRejected,
    ConfigError,
    LinkOpenError,
    LocalProtocolError,
    RemoteProtocolError,
    SpikedaqError,
    StoreError,
)
from spikedaq.outlet import ControlServer, Peer

Handler = Callable[[str, dict[str, Any], Peer], Awaitable[Any]]


async def echo(op: str, args: dict[str, Any], peer: Peer) -> Any:
    return {"op": op, "args": args, "who": peer.who}


class Dealer:
    """A raw client that can send anything."""

    def __init__(self, endpoint: str) -> None:
        self.context = zmq.asyncio.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(endpoint)

    async def send(self, *parts: bytes) -> None:
        await self.socket.send_multipart(parts)

    async def ask(self, op: str, request_id: str = "1", **args: object) -> None:
        await self.send(encode_request(Request(request_id, op, args)))

    async def reply(self) -> Any:
        async with asyncio.timeout(5):
            return decode_reply((await self.socket.recv_multipart())[-1])


@asynccontextmanager
async def serving(handler: Handler, **options: int) -> AsyncIterator[tuple[ControlServer, Dealer]]:
    server = ControlServer("tcp://127.0.0.1:0", handler, **options)
    task = asyncio.create_task(server.run())
    dealer = Dealer(server.endpoint)
    try:
        yield server, dealer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        dealer.context.destroy(linger=0)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not others, f"tasks leaked: {others}"


def run(test: Awaitable[None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await test

    asyncio.run(bounded())


def test_a_request_is_answered_with_its_id_and_the_asker_is_told() -> None:
    async def test() -> None:
        async with serving(echo) as (_, dealer):
            await dealer.ask("get", "q7", device="alpha")
            reply = await dealer.reply()
            assert (reply.id, reply.ok) == ("q7", True)
            assert reply.value == {"op": "get", "args": {"device": "alpha"}, "who": "127.0.0.1"}

    run(test())


def test_a_req_socket_works_too() -> None:
    async def test() -> None:
        async with serving(echo) as (_, dealer):
            await dealer.send(b"", encode_request(Request("1", "hello")))
            parts = await dealer.socket.recv_multipart()
            assert parts[0] == b""
            assert decode_reply(parts[1]).ok

    run(test())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CommandRejected("no", code="read_only"), "read_only"),
        (ConfigError("no"), "config"),
        (LinkOpenError("no"), "link"),
        (StoreError("no"), "store"),
        (RemoteProtocolError("no"), "protocol"),
        (LocalProtocolError("no"), "protocol"),
        (SpikedaqError("no"), "error"),
    ],
)
def test_errors_raised_on_purpose_are_told_with_their_code(error: SpikedaqError, code: str) -> None:
    async def handler(op: str, args: dict[str, Any], peer: Peer) -> None:
        raise error

    async def test() -> None:
        async with serving(handler) as (_, dealer):
            await dealer.ask("x")
            reply = await dealer.reply()
            assert (reply.ok, reply.code, reply.text) == (False, code, "no")

    run(test())


def test_a_defect_in_one_request_is_told_as_internal_and_ends_nothing() -> None:
    async def handler(op: str, args: dict[str, Any], peer: Peer) -> Any:
        if op == "crash":
            raise ZeroDivisionError("oh")
        return object() if op == "unspeakable" else 1

    async def test() -> None:
        async with serving(handler) as (_, dealer):
            for op in ("crash", "unspeakable"):
                await dealer.ask(op)
                reply = await dealer.reply()
                assert (reply.ok, reply.code) == (False, "internal")
            await dealer.ask("fine")
            assert (await dealer.reply()).value == 1

    run(test())


@pytest.mark.parametrize(
    ("data", "request_id"),
    [
        (b"", ""),
        (b"\x00\xff garbage", ""),
        (msgpack.packb([1, 2]), ""),
        (msgpack.packb({"v": 1, "id": "q", "op": 1}), "q"),
        (msgpack.packb({"v": 9, "id": "q", "op": "hello"}), "q"),
    ],
)
def test_a_malformed_request_is_answered_so(data: bytes, request_id: str) -> None:
    async def test() -> None:
        async with serving(echo) as (_, dealer):
            await dealer.send(data)
            reply = await dealer.reply()
            assert (reply.id, reply.ok, reply.code) == (request_id, False, "bad_request")
            await dealer.ask("hello")
            assert (await dealer.reply()).ok

    run(test())


def test_an_oversized_request_costs_its_sender_the_connection_and_nobody_else() -> None:
    async def test() -> None:
        async with serving(echo) as (server, dealer):
            other = Dealer(server.endpoint)
            try:
                await dealer.send(b"\0" * (MAX_CONTROL_BYTES + 1))
                await other.ask("hello")
                assert (await other.reply()).ok
                assert server.requests == 1
            finally:
                other.context.destroy(linger=0)

    run(test())


def test_requests_run_side_by_side_and_a_slow_one_holds_up_nobody() -> None:
    async def test() -> None:
        release = asyncio.Event()

        async def handler(op: str, args: dict[str, Any], peer: Peer) -> str:
            if op == "slow":
                await release.wait()
            return op

        async with serving(handler) as (_, dealer):
            await dealer.ask("slow", "1")
            await dealer.ask("quick", "2")
            assert (await dealer.reply()).value == "quick"
            release.set()
            assert (await dealer.reply()).value == "slow"

    run(test())


def test_more_requests_than_the_bound_are_refused_as_busy() -> None:
    async def test() -> None:
        release = asyncio.Event()
        running = 0

        async def handler(op: str, args: dict[str, Any], peer: Peer) -> None:
            nonlocal running
            running += 1
            assert running <= 3
            await release.wait()
            running -= 1

        async with serving(handler, max_requests=3) as (server, dealer):
            for number in range(5):
                await dealer.ask("slow", str(number))
            refused = [await dealer.reply(), await dealer.reply()]
            assert [(reply.id, reply.code) for reply in refused] == [("3", "busy"), ("4", "busy")]
            assert server.refused == 2
            release.set()
            assert all([(await dealer.reply()).ok for _ in range(3)])
            await dealer.ask("again", "6")
            assert (await dealer.reply()).ok

    run(test())


def test_what_still_runs_at_the_end_is_cancelled_and_told() -> None:
    async def test() -> None:
        started = asyncio.Event()

        async def handler(op: str, args: dict[str, Any], peer: Peer) -> None:
            started.set()
            await asyncio.Event().wait()

        server = ControlServer("tcp://127.0.0.1:0", handler)
        task = asyncio.create_task(server.run())
        dealer = Dealer(server.endpoint)
        try:
            await dealer.ask("forever")
            await started.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert (await dealer.reply()).code == "stopping"
        finally:
            dealer.context.destroy(linger=0)

    run(test())


def test_the_reply_to_a_request_that_ends_the_server_gets_out() -> None:
    async def test() -> None:
        end = asyncio.Event()

        async def handler(op: str, args: dict[str, Any], peer: Peer) -> str:
            end.set()
            return "bye"

        server = ControlServer("tcp://127.0.0.1:0", handler)
        task = asyncio.create_task(server.run())
        dealer = Dealer(server.endpoint)
        try:
            await dealer.ask("shutdown")
            await end.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert (await dealer.reply()).value == "bye"
        finally:
            dealer.context.destroy(linger=0)

    run(test())
