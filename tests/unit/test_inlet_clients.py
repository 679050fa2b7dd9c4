"""Subscriber, control client and bench against real sockets with scripted other ends."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import zmq

from spikedaq.bus import decode_request, encode, encode_error, encode_reply, encode_samples, topic_for
from spikedaq.inlet import ControlClient, Subscriber, connect, control_url
from spikedaq.model import (
    Block,
    BlockFlag,
    ChannelInfo,
    ClampMode,
    CommandRejected,
    CommandTimeout,
    ConfigError,
    LocalProtocolError,
    RemoteProtocolError,
)
from spikedaq.outlet import Publisher

TOPIC = "b/d/samples/"


def message(n: int, epoch: str = "e", topic: str = TOPIC) -> bytes:
    return encode(topic, {"v": 1, "n": n, "epoch": epoch})


@contextmanager
def pair(topic: str = TOPIC) -> Iterator[tuple[Publisher, Subscriber]]:
    with Publisher("tcp://127.0.0.1:0") as publisher, Subscriber(publisher.endpoint, [topic]) as subscriber:
        for _ in range(100_000):
            if publisher.subscriptions:
                break
        yield publisher, subscriber


def test_what_is_missed_is_counted_per_topic() -> None:
    with pair("") as (publisher, subscriber):
        for n in (0, 1, 4):
            publisher.publish(TOPIC, message(n))
        publisher.publish("b/e/samples/", message(7, topic="b/e/samples/"))
        received = [subscriber.recv(5) for _ in range(4)]
        assert all(received)
        assert subscriber.missed == {TOPIC: 2, "b/e/samples/": 0}


def test_messages_that_are_none_are_counted_and_skipped() -> None:
    with pair("") as (publisher, subscriber):
        for n, bad in enumerate((TOPIC.encode() + b"\0\xc1", encode(TOPIC, {"v": 1}), TOPIC.encode() + b"\0")):
            publisher.publish(TOPIC, bad)
            publisher.publish(TOPIC, message(n))
        received = [subscriber.recv(5) for _ in range(3)]
        assert [m.header["n"] for m in received if m is not None] == [0, 1, 2]
        assert subscriber.malformed == 3
        assert subscriber.missed == {TOPIC: 0}


def test_nothing_comes_within_the_timeout() -> None:
    with pair() as (_, subscriber):
        assert subscriber.recv(0.01) is None


def test_the_asynchronous_iterator_gives_the_same() -> None:
    async def collect(publisher: Publisher, subscriber: Subscriber) -> list[int]:
        for n in (0, 2, 3):
            publisher.publish(TOPIC, message(n))
        numbers = []
        async with asyncio.timeout(5):
            async for received in subscriber:
                numbers.append(received.header["n"])
                if len(numbers) == 3:
                    break
        return numbers

    with pair() as (publisher, subscriber):
        assert asyncio.run(collect(publisher, subscriber)) == [0, 2, 3]
        assert subscriber.missed == {TOPIC: 1}


def test_an_address_that_makes_no_sense_is_named() -> None:
    for make in (Subscriber, ControlClient):
        with pytest.raises(ConfigError, match="nonsense"):
            make("nonsense")


REFERENCE = Path(__file__).parents[2] / "docs/reference/bus.md"


class FakeDaemon:
    """A ROUTER in a thread that answers as the test says."""

    def __init__(self, answer: Callable[[Any], list[bytes]], url: str | None = None) -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        if url is None:
            url = f"tcp://127.0.0.1:{self.socket.bind_to_random_port('tcp://127.0.0.1')}"
        else:
            self.socket.bind(url)
        self.url = url
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.serve, args=(answer,))
        self.thread.start()

    def serve(self, answer: Callable[[Any], list[bytes]]) -> None:
        while not self.ended.is_set():
            if self.socket.poll(20):
                peer, data = self.socket.recv_multipart()
                for reply in answer(decode_request(data)):
                    self.socket.send_multipart([peer, reply])

    def __enter__(self) -> FakeDaemon:
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()
        self.context.destroy(linger=0)


def test_a_call_returns_the_value_and_a_refusal_raises_with_its_code() -> None:
    def answer(request: Any) -> list[bytes]:
        if request.op == "no":
            return [encode_error(request.id, "read_only", "u is read only")]
        return [encode_reply(request.id, request.args)]

    with FakeDaemon(answer) as daemon, ControlClient(daemon.url) as client:
        assert client.call("get", device="alpha", name="a") == {"device": "alpha", "name": "a"}
        with pytest.raises(CommandRejected, match="u is read only") as caught:
            client.call("no")
        assert caught.value.code == "read_only"


def test_the_late_answer_to_an_abandoned_question_is_not_taken_for_the_next() -> None:
    late: list[bytes] = []

    def answer(request: Any) -> list[bytes]:
        if request.op == "slow":
            late.append(encode_reply(request.id, "slow"))
            return []
        return [*late, encode_reply(request.id, request.op)]

    with FakeDaemon(answer) as daemon, ControlClient(daemon.url) as client:
        with pytest.raises(CommandTimeout, match=rf"{daemon.url} did not answer 'slow' within 0.05 s") as caught:
            client.call("slow", timeout_s=0.05)
        assert caught.value.code == "timeout"
        assert client.call("quick") == "quick"


class Epoch:
    """Answers of a daemon of one epoch, and what it was asked; a note it takes, and does not answer."""

    def __init__(self, epoch: str, *, notes: bool) -> None:
        self.epoch = epoch
        self.notes = notes
        self.asked: list[str] = []
        self.noted = threading.Event()

    def __call__(self, request: Any) -> list[bytes]:
        self.asked.append(request.op)
        if request.op == "note" and not self.notes:
            self.noted.set()
            return []
        return [encode_reply(request.id, {"epoch": self.epoch})]


def test_what_was_given_up_is_not_done_later() -> None:
    first, second = Epoch("1", notes=True), Epoch("2", notes=True)
    with FakeDaemon(first) as daemon, ControlClient(daemon.url) as client:
        client.call("note", text="a")
        daemon.__exit__()
        for _ in range(3):
            with pytest.raises(CommandTimeout):
                client.call("note", text="b", timeout_s=0.1)
        with FakeDaemon(second, daemon.url):
            client.call("hello")
    assert first.asked == ["hello", "note"]
    assert second.asked == ["hello"]


@pytest.mark.parametrize(("epoch", "asked"), [("1", ["hello", "note"]), ("2", ["hello"])])
def test_a_change_is_asked_again_of_the_same_daemon_only(epoch: str, asked: list[str]) -> None:
    first, second = Epoch("1", notes=False), Epoch(epoch, notes=True)
    outcome: list[Any] = []

    def note(client: ControlClient) -> None:
        try:
            outcome.append(client.call("note", text="a", timeout_s=20))
        except CommandTimeout as error:
            outcome.append(error.code)

    with FakeDaemon(first) as daemon, ControlClient(daemon.url) as client:
        thread = threading.Thread(target=note, args=(client,))
        thread.start()
        assert first.noted.wait(10)
        daemon.__exit__()
        with FakeDaemon(second, daemon.url):
            thread.join()
    assert second.asked == asked
    assert outcome == ([{"epoch": "1"}] if epoch == "1" else ["restarted"])


def test_a_closed_port_is_told_at_once_with_how_to_start_a_daemon() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    with (
        ControlClient(url, timeout_s=60) as client,
        pytest.raises(CommandTimeout, match=rf"{url}.*spikedaqd") as caught,
    ):
        client.call("hello")
    assert caught.value.code == "absent"


@pytest.mark.parametrize("reply", [b"\xc1", msgpack.packb({"v": 1, "id": "", "ok": False})])
def test_an_answer_that_is_none_is_an_error_of_the_other_side(reply: bytes) -> None:
    refused = pytest.raises(RemoteProtocolError)
    with FakeDaemon(lambda _: [reply]) as daemon, ControlClient(daemon.url) as client, refused:
        client.call("hello")


def test_a_request_that_is_too_large_is_not_sent() -> None:
    def answer(request: Any) -> list[bytes]:
        return [encode_reply(request.id, None)]

    with FakeDaemon(answer) as daemon, ControlClient(daemon.url) as client:
        with pytest.raises(LocalProtocolError):
            client.call("stimulus", rows=b"\0" * (1 << 20))
        assert client.call("hello") is None


def test_the_address_comes_from_the_argument_then_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPIKEDAQ_URL", raising=False)
    assert control_url() == "tcp://127.0.0.1:5571"
    monkeypatch.setenv("SPIKEDAQ_URL", "tcp://127.0.0.1:9")
    assert control_url() == "tcp://127.0.0.1:9"
    assert control_url("tcp://127.0.0.1:8") == "tcp://127.0.0.1:8"


def test_a_bench_gives_blocks_with_what_was_missed_before_each() -> None:
    topic = topic_for("bench", "alpha", "samples")
    asked: list[tuple[str, dict[str, Any]]] = []

    def described(name: str, unit: str) -> list[dict[str, Any]]:
        return [asdict(ChannelInfo("vm", "mV", 1, -2)), asdict(ChannelInfo(name, unit, 1, 0))]

    with Publisher("tcp://127.0.0.1:0") as publisher:

        def answer(request: Any) -> list[bytes]:
            asked.append((request.op, request.args))
            values = {
                "hello": {"bench": "bench", "publish": publisher.endpoint},
                "list": [{"name": "alpha"}, {"name": "beta"}],
                "get": {"value": 15, "holder": "host"},
                "describe": {"channels": described("stimulus", "%"), "clamp_channels": described("v_command", "mV")},
            }
            return [encode_reply(request.id, values.get(request.op))]

        with FakeDaemon(answer) as daemon, connect(daemon.url) as bench:
            assert bench.devices == ["alpha", "beta"]
            assert bench.get("alpha", "i_clamp") == 15.0
            bench.set("alpha", i_clamp=20, preset=None)
            assert asked[-1] == ("set", {"device": "alpha", "values": {"i_clamp": 20, "preset": None}})

            def publish() -> None:
                while topic not in publisher.subscriptions:
                    pass
                for n in (0, 1, 5):
                    samples = np.full((10, 8), n, np.int16)
                    flags = BlockFlag.VOLTAGE_CLAMP if n == 5 else BlockFlag(0)
                    block = Block(1, n, 0, n * 10, n * 1000, 100, flags, samples)
                    publisher.publish(topic, encode_samples(topic, block, n=n, epoch="e", t_ns=n, u_ns=1))

            thread = threading.Thread(target=publish)
            thread.start()
            blocks = []
            for block in bench.blocks("alpha", timeout_s=10):
                blocks.append(block)
                if len(blocks) == 3:
                    break
            thread.join()
            assert [(b.first_step, b.missed) for b in blocks] == [(0, 0), (10, 0), (50, 3)]
            assert blocks[2].samples.tolist() == [[5] * 8] * 10
            assert blocks[2].t_host_ns == 5
            assert [b.mode for b in blocks] == [ClampMode.CURRENT, ClampMode.CURRENT, ClampMode.VOLTAGE]
            assert [c.unit for c in bench.channels("alpha", blocks[2].mode)] == ["mV", "mV"]
            assert [c.name for c in bench.channels("alpha", blocks[0].mode)] == ["vm", "stimulus"]


def test_the_reference_s_client_without_spikedaq_runs_as_it_stands() -> None:
    (example, _) = re.findall(r"```python\n(.*?)```", REFERENCE.read_text(), re.DOTALL)
    topic = topic_for("bench", "alpha", "samples")
    ended = threading.Event()
    with Publisher("tcp://127.0.0.1:0") as publisher:

        def answer(request: Any) -> list[bytes]:
            return [encode_reply(request.id, {"bench": "bench", "publish": publisher.endpoint})]

        def publish() -> None:
            n = 0
            while not ended.is_set():
                samples = np.arange(80, dtype=np.int16).reshape(10, 8)
                block = Block(1, n, 0, n * 10, n * 1000, 100, BlockFlag(0), samples)
                publisher.publish(topic, encode_samples(topic, block, n=n, epoch="e", t_ns=n, u_ns=1))
                n += 1
                ended.wait(0.001)

        thread = threading.Thread(target=publish)
        thread.start()
        names: dict[str, Any] = {}
        try:
            with FakeDaemon(answer) as daemon:
                exec(example.replace("tcp://127.0.0.1:5571", daemon.url), names)
        finally:
            ended.set()
            thread.join()
            names["context"].destroy(linger=0)
    assert names["samples"].tolist() == np.arange(80).reshape(10, 8).tolist()
