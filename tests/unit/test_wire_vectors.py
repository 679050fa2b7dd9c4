"""Every golden vector of protocol/vectors, read as it stands."""

import json
import math
import struct
import zlib
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from cobs import cobs

from spikedaq.model import RemoteProtocolError
from spikedaq.wire import (
    BadFrame,
    BlockMessage,
    Connection,
    FrameDecoder,
    FrameType,
    UnknownMessage,
    decode_message,
    decode_samples,
    encode_frame,
    encode_message,
    encode_samples,
)
from spikedaq.wire.messages import StimulusMessage

VECTORS = Path(__file__).parents[2] / "protocol" / "vectors"
NAMES = {t: t.name.lower() for t in FrameType} | {FrameType.HELLO_REQUEST: "hello?"}
LEAST = {"cobs": 25, "crc32": 10, "messages": 400, "block_raw": 10, "block_packed": 40, "streams": 8}


def load(name):
    data = json.loads((VECTORS / f"{name}.json").read_text())
    assert data["version"] == "1.1"
    return data["cases"]


def cases(name):
    return [pytest.param(case, id=case["id"]) for case in load(name)]


def plain(value):
    """JSON value as a decoder gives it: bin as bytes, arrays as tuples."""
    if isinstance(value, dict) and set(value) == {"hex"}:
        return bytes.fromhex(value["hex"])
    if isinstance(value, list):
        return tuple(plain(item) for item in value)
    return value


def fields_of(message):
    found = {name: getattr(message, name) for name in (f.name for f in fields(message))}
    if isinstance(message, StimulusMessage):
        found["operation"] = message.OPERATION
    return found


def judge(item):
    """Name of what a frame holds, or why it is bad."""
    if isinstance(item, BadFrame):
        return f"bad:{item.reason}"
    try:
        message = decode_message(item.message)
    except RemoteProtocolError:
        return "bad:malformed"
    return "bad:unknown_type" if isinstance(message, UnknownMessage) else NAMES[message.TYPE]


def same(a, b):
    """Equal in value and in type, f32 values to the bit."""
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) or isinstance(b, float):
        return float(a) == float(b) and math.copysign(1, a) == math.copysign(1, b)
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("case", cases("cobs"))
def test_cobs_vector(case):
    """The COBS library does what the page says, in both directions."""
    encoded = bytes.fromhex(case["encoded"])
    if case["result"] == "invalid":
        with pytest.raises(cobs.DecodeError):
            cobs.decode(encoded)
        return
    assert 0 not in encoded
    assert cobs.decode(encoded).hex() == case["plain"]
    assert cobs.encode(bytes.fromhex(case["plain"])) == encoded


@pytest.mark.parametrize("case", cases("crc32"))
def test_crc_vector(case):
    """The CRC is zlib's, and a frame with it passes while one with another does not."""
    data, crc = bytes.fromhex(case["data"]), int(case["crc"], 16)
    valid = case["result"] == "valid"
    assert (zlib.crc32(data) == crc) == valid
    if data:
        (item,) = FrameDecoder().feed(cobs.encode(data + struct.pack("<I", crc)) + b"\0")
        assert isinstance(item, BadFrame) != valid
        if valid:
            assert item.message == data


@pytest.mark.parametrize("case", cases("messages"))
def test_message_vector(case):
    """Each frame decodes to its fields or its reason, and a canonical one is what the encoder gives."""
    frame = bytes.fromhex(case["frame"])
    (item,) = FrameDecoder().feed(frame)
    if case["result"] == "invalid":
        assert judge(item) == f"bad:{case['reason']}"
        return
    assert judge(item) == case["name"]
    message = decode_message(item.message)
    expected = {name: plain(value) for name, value in case["fields"].items()}
    found = fields_of(message)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert same(found[name], value), name
    if case["canonical"]:
        assert encode_frame(encode_message(message)) == frame
    else:
        assert decode_message(encode_message(message)) == message


@pytest.mark.parametrize("case", cases("block_raw"))
def test_block_vector(case):
    """A raw payload is the samples it says, channel by channel."""
    block = BlockMessage(0, 0, 0, 0, 100, case["n"], 0, bytes.fromhex(case["payload"]), 0)
    if case["result"] == "invalid":
        with pytest.raises(RemoteProtocolError):
            decode_samples(block, case["n_channels"])
        return
    samples = decode_samples(block, case["n_channels"])
    assert samples.dtype == np.int16
    assert samples.shape == (case["n"], case["n_channels"])
    assert samples.tolist() == case["samples"]


@pytest.mark.parametrize("case", cases("block_packed"))
def test_packed_block_vector(case):
    """A packed payload is the samples it says; where it is the canonical one, the encoder gives it."""
    payload = bytes.fromhex(case["payload"])
    block = BlockMessage(0, 0, 0, 0, 100, case["n"], 1, payload, 0)
    if case["result"] == "invalid":
        with pytest.raises(RemoteProtocolError):
            decode_samples(block, case["n_channels"])
        return
    samples = decode_samples(block, case["n_channels"])
    assert samples.dtype == np.int16
    assert samples.tolist() == case["samples"]
    assert (encode_samples(samples, 1) == (1, payload)) == case["canonical"]
    n_raw_bytes = samples.size * 2
    assert encode_samples(samples)[0] == (len(encode_samples(samples, 1)[1]) < n_raw_bytes)


@pytest.mark.parametrize("case", cases("streams"))
@pytest.mark.parametrize("size", [1, 7, 10**9])
def test_stream_vector(case, size):
    """A stream gives its messages and bad frames in order, however it is cut."""
    data = bytes.fromhex(case["bytes"])
    decoder = FrameDecoder()
    items = [item for i in range(0, len(data), size) for item in decoder.feed(data[i : i + size])]
    assert [judge(item) for item in items] == case["expect"]
    Connection().receive(data)


def test_vectors_are_there(capsys):
    """No file has shrunk; how many cases ran is printed, as the C++ side does."""
    counts = {name: len(load(name)) for name in LEAST}
    with capsys.disabled():
        print("\nvectors: " + ", ".join(f"{name} {n}" for name, n in counts.items()), f"= {sum(counts.values())}")
    assert all(counts[name] >= least for name, least in LEAST.items())
    for name in LEAST:
        ids = [case["id"] for case in load(name)]
        assert len(set(ids)) == len(ids)


def test_every_type_has_vectors():
    """Every message type has a canonical vector, one with trailing fields, and (from devices) malformed ones."""
    messages = load("messages")
    for name in NAMES.values():
        own = [case for case in messages if case.get("name") == name]
        assert any(case["canonical"] for case in own), name
        assert any(not case["canonical"] for case in own) or name in ("description", "reset"), name
