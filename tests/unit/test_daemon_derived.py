"""Derived streams: what the daemon takes from whom, what it publishes of it, and when it ends one."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedaq.bus import DerivedInfo, DerivedPlace, Message, decode, decode_derived, derived_payload
from spikedaq.bus.derived import MAX_VALUES, RESERVED
from spikedaq.daemon.commands.derived import DerivedCommands
from spikedaq.daemon.derived import BURST_BYTES, BYTES_PER_S, MAX_NAMES_PER_DEVICE, MAX_PER_DEVICE, DerivedStreams
from spikedaq.inlet.derived import derived_block
from spikedaq.model import CommandRejected, ConfigError, RemoteProtocolError
from spikedaq.outlet import Peer

ANNA, BEN = Peer("127.0.0.1", "anna"), Peer("127.0.0.1", "ben")
CHANNELS = [{"name": "f", "unit": "a.u."}, {"name": "ca", "unit": "uM"}]


class Rig:
    def __init__(self) -> None:
        self.now_ns = 10**12
        self.sent: list[Message] = []
        self.told: list[tuple[str, str, str]] = []
        self.streams = DerivedStreams(
            self,
            "bench",
            "e1",
            now_ns=lambda: self.now_ns,
            tell=lambda device, what, stream: self.told.append((device, what, stream["stream"])),
        )
        members = {name: SimpleNamespace(name=name) for name in ("alpha", "beta")}

        def member(name: str) -> Any:
            if not isinstance(name, str) or name not in members:
                raise CommandRejected("no such device", code="unknown_device")
            return members[name]

        bench: Any = SimpleNamespace(member=member)
        self.operations = DerivedCommands(bench, self.streams).operations()

    def publish(self, topic: str, message: bytes) -> bool:
        self.sent.append(decode(message))
        assert self.sent[-1].topic == topic
        return True

    def ask(self, op: str, peer: Peer = ANNA, **args: Any) -> Any:
        return asyncio.run(self.operations[op].run(peer, **args))

    def open(self, peer: Peer = ANNA, **args: Any) -> str:
        given = {"device": "alpha", "stream": "imaging", "channels": CHANNELS, "pitch_steps": 100}
        return str(self.ask("derive_open", peer, **{**given, **args})["id"])

    def derive(self, stream_id: str, **args: Any) -> Any:
        given = {"device": "alpha", "stream": "imaging", "boot": 7, "step": 500, "step_us": 100}
        return self.ask("derive", **{**given, "id": stream_id, "samples": struct.pack("<4f", 1, 2, 3, 4), **args})

    def refused(self, code: str, call: Any, *args: Any, **named: Any) -> str:
        with pytest.raises(CommandRejected) as caught:
            call(*args, **named)
        assert caught.value.code == code, caught.value
        return str(caught.value)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_what_is_published_is_what_a_subscriber_decodes(rig: Rig) -> None:
    """Literal bytes: two values of channel f, then two of ca; headers as docs/reference/bus.md has them."""
    stream_id = rig.open(settings={"indicator": "Generic", "hill": 2.0})
    assert rig.derive(stream_id, tick=123, t_ns=10**15, u_ns=5) == {"count": 2}
    (message,) = rig.sent
    assert message.topic == "bench/alpha/imaging/"
    assert message.header == {
        "v": 1, "n": 0, "epoch": "e1", "boot": 7, "stream": "imaging", "step": 500, "tick": 123, "step_us": 100,
        "pitch_steps": 100, "count": 2, "channels": 2, "dtype": "f4", "t_ns": 10**15, "u_ns": 5,
        "layout": "channel-major",
    }  # fmt: skip
    assert message.payload.hex() == "0000803f00000040" + "0000404000008040"
    block = derived_block("alpha", message)
    assert block.values.tolist() == [[1.0, 3.0], [2.0, 4.0]] and block.steps.tolist() == [500, 600]
    (told,) = rig.streams.of("alpha")
    assert told == {
        "stream": "imaging",
        "channels": [
            {"name": name, "unit": unit, "scale_mantissa": 1, "scale_exponent": 0, "offset_mantissa": 0}
            for name, unit in (("f", "a.u."), ("ca", "uM"))
        ],
        "pitch_steps": 100,
        "dtype": "f4",
        "settings": {"indicator": "Generic", "hill": 2.0},
        "publisher": "anna@127.0.0.1",
        "values": 2,
    }
    assert rig.streams.of("beta") == []


def test_one_publisher_per_stream(rig: Rig) -> None:
    first = rig.open()
    text = rig.refused("exists", rig.open, BEN)
    assert "anna@127.0.0.1 publishes the stream 'imaging' of alpha already" in text and "10 s" in text
    rig.refused("exists", rig.open, BEN, replace=True)
    rig.refused("exists", rig.open)
    second = rig.open(replace=True)
    assert "somebody else's by now" in rig.refused("unknown_stream", rig.derive, first)
    rig.derive(second)
    rig.open(BEN, device="beta")
    assert rig.told == [
        ("alpha", "opened", "imaging"), ("alpha", "replaced", "imaging"), ("alpha", "opened", "imaging"),
        ("beta", "opened", "imaging"),
    ]  # fmt: skip


def test_a_publisher_that_is_gone_takes_its_stream_with_it(rig: Rig) -> None:
    """After its time without a word the stream is over; a word without values is enough to keep it."""
    stream_id = rig.open(ttl_s=4.0)
    rig.now_ns += 3_900_000_000
    assert rig.derive(stream_id, samples=b"") == {"count": 0}
    rig.now_ns += 3_900_000_000
    assert len(rig.streams.of("alpha")) == 1
    rig.now_ns += 200_000_000
    rig.streams.expire()
    assert rig.streams.of("alpha") == [] and rig.told[-1] == ("alpha", "expired", "imaging")
    assert "not open" in rig.refused("unknown_stream", rig.derive, stream_id)
    rig.derive(rig.open(BEN))
    assert [m.header["n"] for m in rig.sent] == [0], "nothing was published of the empty word"


def test_numbers_go_on_over_publishers(rig: Rig) -> None:
    """A subscriber counts what it missed by ``n``: it must not begin anew within an epoch."""
    one = rig.open()
    rig.derive(one)
    rig.ask("derive_close", device="alpha", stream="imaging", id=one)
    two = rig.open(BEN)
    rig.derive(two)
    rig.derive(two, step=700)
    assert [m.header["n"] for m in rig.sent] == [0, 1, 2]
    rig.refused("unknown_stream", rig.ask, "derive_close", device="alpha", stream="imaging", id=one)


def test_steps_rise_within_a_boot(rig: Rig) -> None:
    stream_id = rig.open()
    rig.derive(stream_id)
    assert "up to step 600" in rig.refused("bad_arguments", rig.derive, stream_id, step=600)
    rig.derive(stream_id, step=601)
    rig.derive(stream_id, boot=8, step=0)
    assert len(rig.sent) == 3


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ({"stream": "samples"}, "the daemon's own"),
        ({"stream": "alarms"}, "the daemon's own"),
        ({"stream": "a/b"}, "has '/' in it"),
        ({"stream": ".."}, r"stream name '\.\.'"),
        ({"stream": ""}, "is empty"),
        ({"stream": "x" * 41}, "at most 40"),
        ({"stream": 5}, "must be a text"),
        ({"channels": []}, "1 to 64"),
        ({"channels": [{"name": "f"}]}, "name and unit"),
        ({"channels": CHANNELS * 2}, "two channels are called 'ca'"),
        ({"channels": [{"name": f"c{k}", "unit": ""} for k in range(65)]}, "1 to 64"),
        ({"channels": [{"name": "f\x1b[2J", "unit": ""}]}, "printable"),
        ({"channels": [{"name": "f", "unit": "x" * 17}]}, "unit"),
        ({"channels": "f"}, "list"),
        ({"pitch_steps": 0}, "pitch_steps"),
        ({"pitch_steps": 1.0}, "pitch_steps"),
        ({"pitch_steps": True}, "pitch_steps"),
        ({"settings": {"a": [1]}}, "settings"),
        ({"settings": {"a": "x" * 201}}, "200"),
        ({"settings": {str(k): k for k in range(65)}}, "64"),
        ({"ttl_s": 0.5}, "from 1 to 60 s"),
        ({"ttl_s": 61}, "from 1 to 60 s"),
        ({"ttl_s": "9"}, "positive"),
        ({"replace": 1}, "true or false"),
    ],
)
def test_streams_that_cannot_be_are_refused(rig: Rig, args: dict[str, Any], text: str) -> None:
    with pytest.raises(CommandRejected, match=text) as caught:
        rig.open(**args)
    assert caught.value.code == "bad_arguments"
    assert rig.streams.of("alpha") == [] and not rig.told


@pytest.mark.parametrize(
    "args",
    [
        {"samples": b"\0" * 12},
        {"samples": "text"},
        {"samples": [1.0, 2.0]},
        {"samples": b"\0" * (4 * MAX_VALUES + 8)},
        {"boot": -1},
        {"boot": 2**32},
        {"step": -1},
        {"step": 2**63},
        {"step": "5"},
        {"step": True},
        {"step_us": 0},
        {"tick": -1},
        {"t_ns": 1.5},
        {"u_ns": 2**63},
        {"stream": None},
        {"id": 3},
    ],
)
def test_values_that_cannot_be_are_refused_and_nothing_is_published(rig: Rig, args: dict[str, Any]) -> None:
    stream_id = rig.open()
    rig.refused("bad_arguments", rig.derive, stream_id, **args)
    assert not rig.sent


def test_unknown_devices_and_names_that_are_reserved(rig: Rig) -> None:
    rig.refused("unknown_device", rig.open, device="gamma")
    assert set(RESERVED) == {"samples", "events", "status", "alarms", "spikes"}
    for name in RESERVED:
        rig.refused("bad_arguments", rig.open, stream=name)


def test_there_is_a_bound_on_streams_and_names(rig: Rig) -> None:
    ids = [rig.open(stream=f"s{k}") for k in range(MAX_PER_DEVICE)]
    rig.refused("too_many", rig.open, stream="one-more")
    rig.open(device="beta")
    for k in range(MAX_PER_DEVICE, MAX_NAMES_PER_DEVICE):
        rig.ask("derive_close", device="alpha", stream=f"s{k - MAX_PER_DEVICE}", id=ids[k - MAX_PER_DEVICE])
        ids.append(rig.open(stream=f"s{k}"))
    rig.ask("derive_close", device="alpha", stream=f"s{MAX_NAMES_PER_DEVICE - 1}", id=ids[-1])
    rig.refused("too_many", rig.open, stream="new-name")
    rig.open(stream="s0")


def test_nobody_floods_the_bus(rig: Rig) -> None:
    """Bytes per second are bounded; a second later as many may come again."""
    stream_id = rig.open()
    payload, sent = bytes(4 * MAX_VALUES), 0
    with pytest.raises(CommandRejected) as caught:
        for _ in range(100):
            rig.derive(stream_id, step=500 + sent * 10**8, samples=payload)
            sent += 1
    assert caught.value.code == "busy" and BURST_BYTES // len(payload) - 1 <= sent <= BURST_BYTES // len(payload)
    rig.now_ns += 1_000_000_000
    rig.derive(stream_id, step=500 + sent * 10**8, samples=payload)


@pytest.mark.parametrize("how", ["replace", "close", "expire"])
def test_nobody_floods_the_bus_by_opening_anew(rig: Rig, how: str) -> None:
    """What a stream may send is its name's, whoever opens it how often."""
    payload, sent = bytes(4 * MAX_VALUES), 0
    for _ in range(3):
        stream_id = rig.open(replace=how == "replace", ttl_s=1.0)
        with contextlib.suppress(CommandRejected):
            while True:
                rig.derive(stream_id, step=500 + sent * 10**8, samples=payload)
                sent += 1
                assert sent < 100
        if how == "close":
            rig.ask("derive_close", device="alpha", stream="imaging", id=stream_id)
        if how == "expire":
            rig.now_ns += 1_000_000_000
    seconds = 3 if how == "expire" else 0
    assert sent <= (BURST_BYTES + seconds * BYTES_PER_S) // len(payload)


def test_a_removed_device_has_no_streams(rig: Rig) -> None:
    rig.open()
    rig.streams.forget("alpha")
    assert rig.streams.of("alpha") == []


def test_who_only_watches_cannot_publish() -> None:
    """An observer is refused by the general rule: all three operations change something; no lease is asked for."""
    operations = Rig().operations
    assert set(operations) == {"derive_open", "derive", "derive_close"}
    assert all(each.changes and not each.asks_lease for each in operations.values())


@given(st.lists(st.lists(st.floats(width=32), min_size=3, max_size=3), min_size=1, max_size=20))
def test_values_come_back_bit_for_bit(values: list[list[float]]) -> None:
    """Every 32-bit float, NaN and infinities among them."""
    array = np.array(values, np.float32)
    info = DerivedInfo.from_map("x", [{"name": str(k), "unit": ""} for k in range(3)], 1, None)
    rig = Rig()
    stream_id = rig.streams.open("alpha", info, ANNA)["id"]
    rig.streams.publish("alpha", "x", stream_id, DerivedPlace(1, 0, 100), derived_payload(array))
    np.testing.assert_array_equal(decode_derived(rig.sent[0]).view(np.uint32), array.view(np.uint32))


@pytest.mark.parametrize(
    "changes",
    [
        {"dtype": "f8"},
        {"layout": "rows"},
        {"count": 0},
        {"count": True},
        {"channels": "2"},
        {"count": 3},
        {"dtype": None},
    ],
)
def test_messages_that_are_none_are_refused(changes: dict[str, Any]) -> None:
    header = {"layout": "channel-major", "dtype": "f4", "count": 2, "channels": 1, **changes}
    with pytest.raises(RemoteProtocolError):
        decode_derived(Message("b/d/x/", header, bytes(8)))


def test_a_block_needs_its_place() -> None:
    header = {"layout": "channel-major", "dtype": "f4", "count": 2, "channels": 1, "step": None}
    with pytest.raises(RemoteProtocolError, match="lacks or garbles"):
        derived_block("d", Message("b/d/x/", header, bytes(8)))


def test_names_are_checked_before_topics() -> None:
    with pytest.raises(ConfigError):
        DerivedInfo.from_map("a b", [{"name": "f", "unit": ""}], 1, None)
