"""Bus messages: literal bytes, bounds, and every kind of damage."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np
import pytest

from spikedaq.bus import (
    MAX_HEADER_BYTES,
    Message,
    decode,
    decode_mode,
    decode_samples,
    encode,
    encode_samples,
    event_header,
    gap_header,
    split_topic,
    topic_for,
)
from spikedaq.daemon.publish import DeviceOutlet
from spikedaq.model import (
    Block,
    BlockFlag,
    ClampMode,
    ClockMap,
    ConfigError,
    Event,
    Gap,
    GapCause,
    LocalProtocolError,
    RemoteProtocolError,
)

# Written by hand from docs/reference/bus.md: topic, NUL, map of 1 {"v": 1}, payload.
LITERAL = b"b/d/events/\x00\x81\xa1v\x01\x00\xff\x00"


def block(samples: np.ndarray) -> Block:
    return Block(7, 8, 0, 2**40, 2**41, 100, BlockFlag.SATURATED | BlockFlag.AFTER_START, samples)


def test_the_literal_bytes_are_what_the_reference_says() -> None:
    assert encode("b/d/events/", {"v": 1}, b"\x00\xff\x00") == LITERAL
    assert decode(LITERAL) == Message("b/d/events/", {"v": 1}, b"\x00\xff\x00")


def test_samples_go_channel_by_channel_little_endian() -> None:
    samples = np.array([[1, -1], [2, -2], [0x0102, -32767]], np.int16)
    data = encode_samples("b/d/samples/", block(samples), n=0, epoch="e", t_ns=5, u_ns=6)
    message = decode(data)
    assert message.payload == bytes.fromhex("010002000201fffffeff0180")
    assert decode_samples(message).tolist() == samples.tolist()
    assert message.header["step"] == 2**40
    assert message.header["tick"] == 2**41
    assert message.header["flags"] == 5
    assert (message.header["count"], message.header["channels"]) == (3, 2)


@pytest.mark.parametrize("order", ["C", "F"])
def test_samples_survive_whatever_their_memory_order(order: str) -> None:
    samples = np.array(np.random.default_rng(1).integers(-32768, 32767, (100, 8)), np.int16, order=order)
    message = decode(encode_samples("b/d/samples/", block(samples), n=0, epoch="e", t_ns=None, u_ns=None))
    assert np.array_equal(decode_samples(message), samples)
    assert message.header["t_ns"] is None


def header(**changes: object) -> dict[str, object]:
    fields = {"v": 1, "n": 0, "epoch": "e", "count": 2, "channels": 2, "layout": "channel-major"}
    return {key: value for key, value in {**fields, **changes}.items() if value != "absent"}


@pytest.mark.parametrize(
    ("changes", "payload", "says"),
    [
        ({}, b"\0" * 7, "7 bytes do not hold 2 samples"),
        ({}, b"\0" * 9, "9 bytes do not hold"),
        ({"count": 0}, b"", "no usable shape"),
        ({"count": -2, "channels": -2}, b"\0" * 8, "no usable shape"),
        ({"count": "absent"}, b"\0" * 8, "no usable shape"),
        ({"count": True}, b"\0" * 4, "no usable shape"),
        ({"count": 2.0}, b"\0" * 8, "no usable shape"),
        ({"layout": "absent"}, b"\0" * 8, "unknown layout None"),
        ({"layout": "zstd"}, b"\0" * 8, "unknown layout 'zstd'"),
    ],
)
def test_samples_of_a_wrong_shape_are_refused(changes: dict[str, object], payload: bytes, says: str) -> None:
    with pytest.raises(RemoteProtocolError, match=says):
        decode_samples(decode(encode("b/d/samples/", header(**changes), payload)))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no topic"),
        (b"topic without end", "no topic"),
        (b"x" * 600 + b"\0\x81\xa1v\x01", "no topic"),
        (b"\xff\xfe\0\x81\xa1v\x01", "not UTF-8"),
        (b"t\0", "in the middle"),
        (b"t\0\x82\xa1v\x01", "in the middle"),
        (b"t\0\x91\x01", "a list, not a map"),
        (b"t\0\x07", "a int, not a map"),
        (b"t\0\x81\x01\x01", "not msgpack"),
        (b"t\0\xc1", "not msgpack"),
        (b"t\0\x81\xa1v\xa1\xff", "not msgpack"),
        (b"t\0\x80", "no version"),
        (b"t\0\x81\xa1v\xc3", "no version"),
        (b"t\0\x81\xa1v\x02", "version 2, this program speaks version 1"),
        (b"t\0\xdf\xff\xff\xff\xff", "not msgpack|in the middle"),
        (b"t\0" + b"\x91" * 3000, "not msgpack"),
    ],
)
def test_damage_is_named(data: bytes, says: str) -> None:
    with pytest.raises(RemoteProtocolError, match=says):
        decode(data)


def test_every_truncation_of_a_header_is_refused() -> None:
    data = encode("b/d/samples/", header())
    for length in range(len(data)):
        with pytest.raises(RemoteProtocolError):
            decode(data[:length])
    assert decode(data).header == header()


def test_a_header_over_the_bound_is_refused_on_both_sides() -> None:
    with pytest.raises(LocalProtocolError, match="at most 65536"):
        encode("t", {"v": 1, "x": "y" * MAX_HEADER_BYTES})
    with pytest.raises(RemoteProtocolError, match=r"larger than the bound|not msgpack"):
        decode(b"t\0" + msgpack.packb({"v": 1, "x": "y" * MAX_HEADER_BYTES}))
    # The greatest that fits, with a payload behind it that alone would pass the bound.
    fits = {"v": 1, "x": "y" * (MAX_HEADER_BYTES - len(msgpack.packb({"v": 1, "x": "y" * 65000})) + 65000)}
    assert len(msgpack.packb(fits)) == MAX_HEADER_BYTES
    assert decode(encode("t", fits, b"z" * MAX_HEADER_BYTES)) == Message("t", fits, b"z" * MAX_HEADER_BYTES)


def test_what_msgpack_cannot_express_is_our_own_fault() -> None:
    with pytest.raises(LocalProtocolError):
        encode("t", {"v": object()})
    with pytest.raises(LocalProtocolError):
        encode("t\0t", {"v": 1})


def test_topics_end_with_a_slash_and_come_apart_again() -> None:
    topic = topic_for("bench", "dev1", "samples")
    assert topic == "bench/dev1/samples/"
    assert split_topic(topic) == ("bench", "dev1", "samples")
    assert not topic_for("bench", "dev10", "samples").startswith("bench/dev1/")


@pytest.mark.parametrize("bad", ["", "a/b", "..", "a b", "\0"])
def test_names_that_cannot_stand_in_a_topic_are_refused(bad: str) -> None:
    with pytest.raises(ConfigError):
        topic_for("bench", bad, "samples")


@pytest.mark.parametrize("bad", ["", "a/b/c", "a//c/", "/b/c/", "a/b/c/d/"])
def test_topics_of_another_form_are_refused(bad: str) -> None:
    with pytest.raises(RemoteProtocolError):
        split_topic(bad)


def test_events_carry_their_kind_by_name_also_when_it_is_new() -> None:
    event = Event(1, 2, 0, 3, 4, 0, 30.0)
    assert event_header(event, n=1, epoch="e", t_ns=1, u_ns=2)["kind"] == "spike"
    assert event_header(Event(1, 2, 77, 3, 4, 0, 0.0), n=1, epoch="e", t_ns=1, u_ns=2)["kind"] == "kind_77"
    gap = gap_header(Gap(1, 0, 10, 5, 1000, GapCause.LOST), n=2, epoch="e", t_ns=None, u_ns=None)
    assert (gap["kind"], gap["cause"], gap["step"], gap["count"]) == ("gap", "lost", 10, 5)
    assert decode(encode("b/d/events/", gap)).header == gap


def clamped(flags: BlockFlag, step: int = 0) -> Block:
    return Block(1, 2, 0, step, step * 100, 100, flags, np.zeros((5, 8), np.int16))


def test_a_block_says_in_which_mode_it_was_taken() -> None:
    for flags, mode in ((BlockFlag.VOLTAGE_CLAMP, "voltage"), (BlockFlag.SATURATED, "current")):
        message = decode(encode_samples("b/d/samples/", clamped(flags), n=0, epoch="e", t_ns=None, u_ns=None))
        assert message.header["mode"] == mode
        assert decode_mode(message) == mode


def test_a_mode_that_nobody_knows_is_refused_and_none_is_current_clamp() -> None:
    assert decode_mode(Message("b/d/samples/", {"v": 1}, b"")) is ClampMode.CURRENT
    with pytest.raises(RemoteProtocolError, match="unknown mode 'dynamic'"):
        decode_mode(Message("b/d/samples/", {"v": 1, "mode": "dynamic"}, b""))


def test_a_change_of_mode_is_told_before_its_first_block() -> None:
    """One event per change, with the exact step; none for the first block, whose mode the block itself says."""
    published: list[dict[str, Any]] = []

    class Bus:
        def publish(self, topic: str, message: bytes) -> bool:
            published.append(decode(message).header)
            return True

    outlet = DeviceOutlet(Bus(), "b", "d", "e", lambda: 0)
    clock = ClockMap(1, 0, 1000, 1000.0, 7)
    flags = [BlockFlag(0), BlockFlag(0), BlockFlag.VOLTAGE_CLAMP, BlockFlag.VOLTAGE_CLAMP, BlockFlag.SATURATED]
    for k, flag in enumerate(flags):
        outlet.block(clamped(flag, 5 * k), clock)
    told = [(h.get("kind", "samples"), h["step"], h["mode"]) for h in published]
    assert told == [
        ("samples", 0, "current"),
        ("samples", 5, "current"),
        ("mode", 10, "voltage"),
        ("samples", 10, "voltage"),
        ("samples", 15, "voltage"),
        ("mode", 20, "current"),
        ("samples", 20, "current"),
    ]
    assert (published[2]["tick"], published[2]["t_ns"], published[2]["u_ns"]) == (1000, 1_001_000, 7)
