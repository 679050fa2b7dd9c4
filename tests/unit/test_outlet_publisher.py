"""The publisher, and what may be bound."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest
import zmq

from spikedaq.bus import encode, topic_for
from spikedaq.inlet import Subscriber
from spikedaq.model import ConfigError
from spikedaq.outlet import ControlServer, Publisher

TOPIC = "b/dev1/samples/"


def message(n: int, topic: str = TOPIC) -> bytes:
    return encode(topic, {"v": 1, "n": n, "epoch": "e"}, b"x" * 100)


def wait_for_subscriptions(publisher: Publisher, *topics: str) -> None:
    for _ in range(100_000):
        if publisher.subscriptions >= set(topics):
            return
    raise AssertionError(f"only {publisher.subscriptions} subscribed")


def test_subscribers_get_their_topic_and_not_one_that_begins_alike() -> None:
    with Publisher("tcp://127.0.0.1:0") as publisher, Subscriber(publisher.endpoint, [TOPIC]) as subscriber:
        wait_for_subscriptions(publisher, TOPIC)
        publisher.publish("b/dev10/samples/", message(0, "b/dev10/samples/"))
        publisher.publish(TOPIC, message(0))
        received = subscriber.recv(5)
        assert received is not None
        assert received.topic == TOPIC
        assert subscriber.recv(0.0) is None
        assert (publisher.published, publisher.dropped) == (2, 0)


def test_publishing_to_nobody_is_not_a_drop() -> None:
    with Publisher("tcp://127.0.0.1:0") as publisher:
        assert all(publisher.publish(TOPIC, message(n)) for n in range(5000))
        assert (publisher.published, publisher.dropped) == (5000, 0)


def test_subscriptions_are_known_also_once_they_end() -> None:
    with Publisher("tcp://127.0.0.1:0") as publisher:
        with Subscriber(publisher.endpoint, [TOPIC]):
            wait_for_subscriptions(publisher, TOPIC)
        for _ in range(100_000):
            if not publisher.subscriptions:
                break
        assert publisher.subscriptions == frozenset()


def test_a_message_for_another_topic_is_a_mistake() -> None:
    with Publisher("tcp://127.0.0.1:0") as publisher, pytest.raises(ValueError, match="not encoded for"):
        publisher.publish("b/dev1/status/", message(0))


def test_no_bound_is_no_choice() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Publisher("tcp://127.0.0.1:0", hwm=0)


async def nothing(op: str, args: dict[str, object], peer: object) -> None:
    return None


@pytest.mark.parametrize(
    ("endpoint", "says"),
    [
        ("127.0.0.1:5570", "is not an endpoint"),
        ("tcp://127.0.0.1", "is not an endpoint"),
        ("tcp://127.0.0.1:99999", "ports end at 65535"),
        ("udp://127.0.0.1:5570", "is not an endpoint"),
        ("ipc://", "is not an endpoint"),
        ("ipc://@spikedaq", "every user of this computer.*write ipc:///path"),
        ("", "is not an endpoint"),
        ("tcp://0.0.0.0:5570", "other computers.*ssh -L"),
        ("tcp://*:5570", "other computers"),
        ("tcp://192.168.1.5:5570", "other computers"),
        ("tcp://[::]:5570", "other computers"),
        ("tcp://eth0:5570", "other computers"),
        ("ipc:///no/such/folder/socket", "cannot bind ipc:///no/such/folder/socket.*--publish"),
    ],
)
def test_endpoints_that_cannot_be_bound_are_named_with_the_remedy(endpoint: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Publisher(endpoint)


def test_a_port_in_use_names_who_holds_it_and_the_option_to_change() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(ConfigError, match=rf"{endpoint} is already in use.*pid {os.getpid()}.*--publish"):
            Publisher(endpoint)
        # The control server leaves nothing behind either.
        with pytest.raises(ConfigError, match=r"--control"):
            ControlServer(endpoint, nothing)
    Publisher(endpoint).close()


def test_a_second_daemon_cannot_take_an_ipc_endpoint_and_a_dead_one_leaves_it(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/bus"
    with Publisher(endpoint) as publisher:
        with pytest.raises(ConfigError, match="already in use"):
            Publisher(endpoint)
        with Subscriber(endpoint, [TOPIC]) as subscriber:
            wait_for_subscriptions(publisher, TOPIC)
            publisher.publish(TOPIC, message(0))
            assert subscriber.recv(5) is not None
    with socket.socket(socket.AF_UNIX) as dead:
        Path(f"{tmp_path}/bus").unlink(missing_ok=True)
        dead.bind(f"{tmp_path}/bus")
    Publisher(endpoint).close()


def test_a_viewer_that_takes_nothing_is_known_by_its_connection() -> None:
    """Stalled is who leaves its messages in the system's queue, nobody else."""
    topic = topic_for("bench", "alpha", "samples")
    message = encode(topic, {"v": 1, "n": 0, "epoch": "e"}, bytes(100_000))
    context = zmq.Context()
    with Publisher("tcp://127.0.0.1:0") as publisher:
        taking, stalled = context.socket(zmq.SUB), context.socket(zmq.SUB)
        for socket in (taking, stalled):
            socket.setsockopt(zmq.RCVHWM, 1)
            socket.setsockopt(zmq.RCVBUF, 4096)
            socket.subscribe(topic)
            socket.connect(publisher.endpoint)
        end = time.monotonic() + 20
        while len(publisher._subscriptions.connections()) < 2:
            publisher.tend()
            assert time.monotonic() < end
        assert publisher.stalled_viewers() == 0
        while publisher.stalled_viewers() != 1:
            publisher.publish(topic, message)
            while taking.poll(20):
                taking.recv()
            assert time.monotonic() < end
    context.destroy(linger=0)
