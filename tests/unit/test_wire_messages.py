"""Messages that no vector can hold: what an encoder must refuse, and depths that would break a naive decoder."""

import math
from dataclasses import replace

import msgpack
import numpy as np
import pytest

from spikedaq.model import LocalProtocolError, RemoteProtocolError
from spikedaq.wire import (
    BlockMessage,
    Description,
    EventMessage,
    Hello,
    HelloRequest,
    Log,
    Ping,
    Reply,
    ReplyCode,
    Set,
    StimulusPlay,
    UnknownMessage,
    decode_message,
    decode_samples,
    encode_message,
)

HELLO = Hello(0, 1, 0, "0.1.0", "abc", "native", b"\1\2\3\4", 7, 100, 100, 8, 20, 20, 0, 1000, 1, 1024, False)
BLOCK = BlockMessage(1, 0, 0, 0, 100, 2, 0, bytes(range(32)), 0)


@pytest.mark.parametrize(
    "message",
    [
        Ping(-1),
        Ping(2**32),
        Ping(True),
        Ping(1.0),
        Ping(None),
        Log(0, 256, ""),
        Log(0, 10, b"bytes"),
        replace(HELLO, unique_id=b"123"),
        replace(HELLO, unique_id=bytes(17)),
        replace(HELLO, running=1),
        EventMessage(0, 0, 0, 0, 0, 1e39),
        EventMessage(0, 0, 0, 0, 0, "1"),
        Set(1, (0,)),
        Set(1, (0, "1")),
        Set(1, (256, 1.0)),
        Set(1, (0, 1e39)),
        Set(1, (0, True)),
        Set(1, {0: 1}),
        StimulusPlay(1, 0),
        Description(0, 0, 0, 0, ("vm", "mV", 1)),
        Description(0, 0, 0, 0, ("vm", "mV", 1, 200, 0)),
        Reply(0, 0, 0, ...),
        Reply(0, 0, 0, 2**64),
    ],
    ids=repr,
)
def test_encoder_refuses(message):
    """What the wire cannot say is a LocalProtocolError, never another exception and never a wrong frame."""
    with pytest.raises(LocalProtocolError):
        encode_message(message)


def test_encoder_writes_reals_as_f32():
    """An f32 field given as an int, and a list of pairs, are written in the canonical form."""
    assert encode_message(EventMessage(0, 0, 0, 0, 0, 30)) == encode_message(EventMessage(0, 0, 0, 0, 0, 30.0))
    assert encode_message(Set(1, [5, 12.5])) == bytes.fromhex("9324 01 92 05 ca41480000".replace(" ", ""))
    assert encode_message(Set(1, [5, 12])) == bytes.fromhex("932401 92050c".replace(" ", ""))


def test_enums_are_numbers():
    """An IntEnum serves where a number is meant."""
    assert encode_message(Reply(0, 1, ReplyCode.READ_ONLY, "no")) == encode_message(Reply(0, 1, 6, "no"))


def test_infinities_pass():
    """Infinity and NaN are f32 values like others; what they mean is for the reader to say."""
    for value in (math.inf, -math.inf):
        assert decode_message(encode_message(EventMessage(0, 0, 0, 0, 0, value))).value == value
    assert math.isnan(decode_message(encode_message(EventMessage(0, 0, 0, 0, 0, math.nan))).value)


def test_own_hello_request_states_our_version():
    """A hello? made without arguments carries protocol 1.1."""
    assert encode_message(HelloRequest()) == bytes.fromhex("93200101")


@pytest.mark.parametrize(
    "raw",
    [
        b"\x91" * 4000 + b"\x01",
        b"\x94\x08\x01\x14" + b"\x91" * 3000 + b"\xa0",
        b"\x92\x05" + b"\x81" * 2000,
        b"",
        b"\xc1",
        b"\x91\xcf",
        b"\x95\x05\x01\x01\x01\x01\x00",
        msgpack.packb([5, 1, 1, 1]),
    ],
)
def test_decoder_refuses(raw):
    """Malformed bytes raise RemoteProtocolError and nothing else, however deep they nest."""
    with pytest.raises(RemoteProtocolError):
        decode_message(raw)


@pytest.mark.parametrize("extra", [{1: 2}, {None: 1}, {(1, 2): 3}, msgpack.ExtType(5, b"x"), msgpack.Timestamp(1)])
def test_trailing_fields_of_any_sort(extra):
    """What a later version may add at the end does not disturb, odd map keys included."""
    raw = msgpack.packb([34, 7, extra])
    assert decode_message(raw) == Ping(7)


def test_unhashable_map_key_is_malformed():
    """A map with a map for key cannot be a Python dict; it must come out as malformed all the same."""
    with pytest.raises(RemoteProtocolError):
        decode_message(b"\x93\x22\x07\x81\x81\x01\x02\x03")


def test_unknown_type_keeps_its_fields():
    """A type of a later version is given with what it carried."""
    assert decode_message(msgpack.packb([30, 5, [1]])) == UnknownMessage(30, (5, (1,)))


def test_hello_of_another_version_still_tells_its_version():
    """Whatever another major version put into its hello, the two versions can be named."""
    hello = decode_message(msgpack.packb([1, 0, 9, 2, {"all": "different"}, 17]))
    assert (hello.major, hello.minor, hello.board, hello.n_channels) == (9, 2, "", 0)
    with pytest.raises(RemoteProtocolError):
        decode_message(msgpack.packb([1, 0, 1, 2, {"all": "different"}, 17]))


def test_samples_are_a_view():
    """Samples cost no copy, cannot be written by accident, and have one column per channel."""
    samples = decode_samples(BLOCK, 8)
    assert samples.shape == (2, 8)
    assert not samples.flags.owndata
    assert not samples.flags.writeable
    np.testing.assert_array_equal(samples, np.frombuffer(BLOCK.payload, "<i2").reshape(8, 2).T)


@pytest.mark.parametrize(
    ("changes", "n_channels"),
    [({"codec": 1}, 8), ({"codec": 2}, 8), ({"n": 3}, 8), ({"n": 0}, 8), ({}, 7), ({}, 0), ({"payload": b""}, 8)],
)
def test_samples_refused(changes, n_channels):
    """Unknown codecs and wrong lengths raise, naming what is wrong."""
    with pytest.raises(RemoteProtocolError, match=r"codec|payload|width"):
        decode_samples(replace(BLOCK, **changes), n_channels)
