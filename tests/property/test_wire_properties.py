"""Properties of the wire that must hold for every input."""

import contextlib
import itertools
import struct
import zlib
from dataclasses import astuple, fields

import msgpack
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedaq.model import Block, RemoteProtocolError
from spikedaq.wire import (
    BadFrame,
    BlockMessage,
    Connection,
    EventMessage,
    Frame,
    FrameDecoder,
    Hello,
    Log,
    Pong,
    UnknownMessage,
    decode_message,
    encode_frame,
    encode_message,
)
from spikedaq.wire.codec import _CLASSES, _LAYOUTS, _STIMULI
from spikedaq.wire.frame import max_encoded_bytes

HELLO = Hello(0, 1, 0, "0.1.0", "abc", "native", b"\1\2\3\4", 7, 100, 4, 2, 0, 0, 0, 0, 1, 1024, False)
f32 = st.floats(width=32, allow_nan=False)
KINDS = {
    "u8": st.integers(0, 2**8 - 1),
    "u16": st.integers(0, 2**16 - 1),
    "u32": st.integers(0, 2**32 - 1),
    "u64": st.integers(0, 2**64 - 1),
    "f32": f32,
    "bool": st.booleans(),
    "str": st.text(max_size=40),
    "bin": st.binary(max_size=300),
    "uid": st.binary(min_size=4, max_size=16),
    "array": st.just(("vm", "mV", 1, -2, 0)),
    "pairs": st.lists(st.tuples(st.integers(0, 255), st.none() | f32 | st.integers(-100, 100)), max_size=6).map(
        lambda pairs: tuple(item for pair in pairs for item in pair)
    ),
    "any": st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | f32
        | st.text(max_size=8)
        | st.binary(max_size=8),
        lambda inner: st.lists(inner, max_size=4).map(tuple),
        max_leaves=8,
    ),
}


def fix(cls, values):
    """Keep to what only together makes sense: our major version, and a channel's body for a description."""
    by_name = dict(zip((f.name for f in fields(cls)), values, strict=True))
    if cls.__name__ == "Hello":
        by_name["major"] = 1
    if cls.__name__ == "Description":
        by_name["kind"] = 0
    return cls(**by_name)


messages = st.sampled_from((*_CLASSES, *_STIMULI)).flatmap(
    lambda cls: st.tuples(*(KINDS[kind] for _, kind in _LAYOUTS[cls])).map(lambda values: fix(cls, values))
)


def cut(data, cuts):
    """The data in pieces, at cuts taken modulo its length."""
    edges = sorted({0, len(data), *(c % (len(data) + 1) for c in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def key(received):
    """Something comparable of a received thing; stream offsets left out."""
    if isinstance(received, Block):
        head = [getattr(received, f.name) for f in fields(received) if f.name != "samples"]
        return (*head, received.samples.tobytes())
    if isinstance(received, BadFrame):
        return ("bad", received.reason, received.raw)
    return (type(received).__name__, *astuple(received))


@settings(deadline=None)
@given(messages)
def test_message_round_trip(message):
    """Every message comes back equal through msgpack, CRC and COBS."""
    (frame,) = FrameDecoder(10_000).feed(encode_frame(encode_message(message)))
    assert decode_message(frame.message) == message


@settings(deadline=None)
@given(messages, st.integers(0, 10**6), st.integers(0, 7))
def test_single_bit_flip_is_always_seen(message, position, bit):
    """No frame with one bit changed passes for a good frame, unless the bytes it decodes to are the same."""
    raw = encode_frame(encode_message(message))
    changed = bytearray(raw)
    changed[position % len(raw)] ^= 1 << bit
    good = FrameDecoder().feed(raw)
    found = FrameDecoder().feed(bytes(changed))
    assert not [item for item in found if isinstance(item, Frame) and item.message == good[0].message]
    assert not [item for item in found if isinstance(item, Frame)]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60) | messages.map(lambda m: encode_frame(encode_message(m))), max_size=12),
       st.lists(st.integers(0, 10**6), max_size=12))  # fmt: skip
def test_decoder_does_not_see_the_cuts(parts, cuts):
    """Frames, bad frames and their offsets are the same however the stream is cut."""
    data = b"".join(parts)
    whole = FrameDecoder(200).feed(data)
    decoder = FrameDecoder(200)
    assert [item for piece in cut(data, cuts) for item in decoder.feed(piece)] == whole
    decoder = FrameDecoder(200)
    assert [item for k in range(len(data)) for item in decoder.feed(data[k : k + 1])] == whole


@settings(deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=3000), max_size=30))
def test_random_bytes_are_bounded(pieces):
    """Random bytes never raise and never make the decoder hold more than one frame."""
    decoder = FrameDecoder(256)
    connection = Connection()
    for piece in pieces:
        for item in decoder.feed(piece):
            assert isinstance(item, Frame | BadFrame)
            assert len(item.raw) <= max_encoded_bytes(256) + 1
        assert decoder.pending_bytes <= max_encoded_bytes(256)
        connection.receive(piece)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_random_messages_never_surprise(message):
    """Whatever stands in a frame with a good CRC, decoding gives a message or RemoteProtocolError."""
    with contextlib.suppress(RemoteProtocolError):
        decode_message(message)
    connection = Connection()
    connection.receive(encode_frame(encode_message(HELLO)))
    assert len(connection.receive(encode_frame(message))) <= 2


noisy_type = st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 9, 33, 39, 64])


@settings(deadline=None)
@given(noisy_type, st.lists(KINDS["any"] | st.integers(0, 300), max_size=20))
def test_random_fields_never_surprise(code, items):
    """Messages of known types with fields of every sort neither raise nor change what good frames give."""
    message = msgpack.packb([code, *items])
    try:
        decoded = decode_message(message)
    except RemoteProtocolError:
        decoded = None
    if decoded is not None and not isinstance(decoded, UnknownMessage) and getattr(decoded, "major", 1) == 1:
        # An integer or f64 becomes the nearest f32 when it is written, and then stays.
        written = encode_message(decoded)
        assert encode_message(decode_message(written)) == written
    connection = Connection()
    connection.receive(encode_frame(encode_message(HELLO)))
    connection.receive(encode_frame(message))


# A device as a list of what happens to each frame it sends.
happenings = st.lists(
    st.tuples(
        st.sampled_from(["block", "block", "block", "event", "pong", "log", "overrun", "hello", "reboot", "junk"]),
        st.sampled_from(["ok", "ok", "ok", "ok", "lost", "twice", "flipped", "malformed"]),
    ),
    max_size=40,
)


def device_bytes(script):
    """The bytes of a device that does what the script says, and the blocks that arrived whole as (boot, step)."""
    boot, seq, step = 7, 1, 0
    stream = [encode_frame(encode_message(HELLO))]
    arrived = []
    for what, fate in script:
        if what == "reboot":
            # The hello of a reboot always arrives here; tests/unit has those that do not.
            boot, seq, step = boot + 1, 0, 0
            stream.append(encode_frame(encode_message(Hello(*(0, *astuple(HELLO)[1:7], boot, *astuple(HELLO)[8:])))))
            seq = 1
            continue
        if what == "junk":
            stream.append(b"\x03junk\0")
            continue
        message = {
            "block": BlockMessage(seq, 0, step, step * 100, 100, 4, 0, struct.pack("<8h", *range(step, step + 8)), 0),
            "overrun": EventMessage(seq, 3, step, step * 100, 3, 0.0),
            "event": EventMessage(seq, 0, step, step * 100, 0, 31.0),
            "pong": Pong(seq, 1, step * 100, step),
            "log": Log(seq, 20, "x"),
            "hello": Hello(*(seq, *astuple(HELLO)[1:7], boot, *astuple(HELLO)[8:])),
        }[what]
        raw = encode_frame(encode_message(message))
        if what == "block":
            if fate in ("ok", "twice"):
                arrived.append((boot, step))
            step += 4
        if what == "overrun":
            step += 3
        seq += 1
        if fate == "flipped":
            raw = raw[:5] + bytes([raw[5] ^ 0x40 or 1]) + raw[6:]
        if fate == "malformed":
            raw = encode_frame(b"\x92\x03" + bytes([seq - 1]))
        stream.extend({"lost": [], "twice": [raw, raw]}.get(fate, [raw]))
    return b"".join(stream), arrived


@settings(max_examples=200, deadline=None)
@given(happenings, st.lists(st.integers(0, 10**6), max_size=10))
def test_live_and_replay_agree_and_every_sample_is_accounted_for(script, cuts):
    """Any chunking and the frame-wise path give the same; blocks and gaps tile the steps of each boot exactly."""
    data, arrived = device_bytes(script)
    whole = Connection()
    expected = whole.receive(data)

    chunked = Connection()
    received = []
    journal = []
    for piece in cut(data, cuts):
        received += chunked.receive(piece)
        journal += chunked.last_frames
    assert [key(r) for r in received] == [key(r) for r in expected]
    assert chunked.counters == whole.counters

    replayed = Connection()
    again = [r for frame in journal for r in replayed.receive_frame(frame)]
    assert [key(r) for r in again] == [
        key(r) for r in expected if not (isinstance(r, BadFrame) and r.reason != "malformed")
    ]
    assert replayed.counters.bad_frames == {}
    for name in ("blocks", "events", "malformed", "duplicates", "lost_samples", "overrun_samples", "frames_missing"):
        assert getattr(replayed.counters, name) == getattr(whole.counters, name)

    blocks = [r for r in expected if isinstance(r, Block)]
    assert [(b.boot_id, b.first_step) for b in blocks] == arrived
    position = {}
    for r in expected:
        if isinstance(r, Block):
            assert r.first_step == position.get(r.boot_id, r.first_step)
            position[r.boot_id] = r.next_step
            np.testing.assert_array_equal(r.samples.T.ravel(), np.arange(r.first_step, r.first_step + 8))
        elif type(r).__name__ == "Gap":
            assert r.first_step == position[r.boot_id]
            position[r.boot_id] += r.n_steps


@settings(deadline=None)
@given(st.binary(min_size=5, max_size=400))
def test_crc_residue(data):
    """The one-pass residue check is the same as comparing the CRC."""
    good = struct.unpack("<I", data[-4:])[0] == zlib.crc32(data[:-4])
    assert (zlib.crc32(data) == 0x2144DF1C) == good
    assert zlib.crc32(data + struct.pack("<I", zlib.crc32(data))) == 0x2144DF1C
