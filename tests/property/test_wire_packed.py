"""Codec 1 against a slow encoder written from the page, and payloads that nobody should send."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spikedaq.model import LocalProtocolError, RemoteProtocolError
from spikedaq.wire import BlockMessage, decode_samples, encode_samples

MAX_FRAME_BYTES = 4096


def slow_encode(columns, spare_bits=0):
    """Write the payload of a list of channels bit by bit; ``spare_bits`` widens each channel."""
    out = bytearray()
    for column in columns:
        codes = []
        for before, after in itertools.pairwise(column):
            d = (after - before + 32768) % 65536 - 32768
            codes.append(2 * d if d >= 0 else -2 * d - 1)
        width = min(16, max((code.bit_length() for code in codes), default=0) + spare_bits)
        out += (column[0] % 65536).to_bytes(2, "little") + bytes([width])
        bits = "".join(format(code, f"0{width}b")[::-1] for code in codes) if width else ""
        out += bytes(int(bits[k : k + 8][::-1], 2) for k in range(0, len(bits), 8))
    return bytes(out)


def decode(payload, n, n_channels):
    return decode_samples(BlockMessage(0, 0, 0, 0, 100, n, 1, payload, 0), n_channels)


values = st.one_of(st.integers(-32768, 32767), st.integers(-3, 3), st.sampled_from([-32768, 32767, 0]))
blocks = st.tuples(st.integers(1, 40), st.integers(1, 9)).flatmap(
    lambda shape: arrays(np.int16, shape, elements=values)
)


@settings(max_examples=300, deadline=None)
@given(blocks, st.integers(0, 17))
def test_packed_round_trip(samples, spare_bits):
    """What the slow encoder writes, at any width, is what was sampled; our encoder writes the narrowest."""
    columns = samples.T.tolist()
    np.testing.assert_array_equal(decode(slow_encode(columns, spare_bits), *samples.shape), samples)
    narrowest = slow_encode(columns)
    assert encode_samples(samples, 1) == (1, narrowest)
    codec, payload = encode_samples(samples)
    assert codec == (len(narrowest) < samples.size * 2)
    assert payload == (narrowest if codec else samples.T.astype("<i2").tobytes())


@pytest.mark.parametrize("n", [2, 511, 512, 513, 514, 3000])
def test_long_blocks(n):
    """Blocks longer than any device sends decode as well."""
    samples = np.random.default_rng(n).integers(-40, 40, (n, 3)).astype(np.int16)
    samples[:, 1] = 7
    np.testing.assert_array_equal(decode(slow_encode(samples.T.tolist()), n, 3), samples)


def test_decoded_samples_are_read_only_and_channel_major():
    """As those of codec 0, of which they take the place."""
    samples = np.arange(24, dtype=np.int16).reshape(8, 3)
    for codec in (0, 1):
        payload = encode_samples(samples, codec)[1]
        decoded = decode_samples(BlockMessage(0, 0, 0, 0, 100, 8, codec, payload, 0), 3)
        assert not decoded.flags.writeable
        assert decoded.T.flags.c_contiguous
        assert decoded.dtype == np.dtype("<i2")


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 65535), st.integers(0, 255))
def test_hostile_payload_is_refused_or_of_its_shape(payload, n, n_channels):
    """Nothing but RemoteProtocolError comes of any bytes."""
    try:
        decoded = decode(payload, n, n_channels)
    except RemoteProtocolError:
        return
    assert decoded.shape == (n, n_channels)


@settings(max_examples=300, deadline=None)
@given(blocks, st.integers(0, 10**6), st.integers(1, 255), st.integers(-3, 3))
def test_damaged_payload_is_refused_or_of_its_shape(samples, position, change, longer):
    """A payload with a byte changed and its end moved is refused unless its length still fits its widths."""
    payload = bytearray(encode_samples(samples, 1)[1])
    payload[position % len(payload)] ^= change
    payload = payload[:longer] if longer < 0 else payload + bytes(longer)
    try:
        decoded = decode(bytes(payload), *samples.shape)
    except RemoteProtocolError:
        return
    assert decoded.shape == samples.shape


@pytest.mark.parametrize(
    ("payload", "n_channels"),
    [
        (b"\1\0\0" * 255, 255),  # all constant
        (b"\1\0\0" * 3 + b"\0\0\1" + bytes(8192 // 8 * 8 - 1), 4),  # one that changes, cut off
        (b"\1\0\1" * 255, 255),  # bits that are not there
    ],
)
def test_memory_is_bounded_by_the_samples(payload, n_channels):
    """The longest block of the shortest payload takes its samples' memory, and a refused one next to none."""
    n = 65535
    tracemalloc.start()
    try:
        decoded = decode(payload[:MAX_FRAME_BYTES], n, n_channels)
        bound = 2 * n * n_channels
        assert decoded.shape == (n, n_channels)
    except RemoteProtocolError:
        bound = 0
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < bound + 2**20


def test_memory_of_a_long_block_that_changes():
    """One bit per value: the longest that a frame can carry."""
    n = 8 * 4000
    payload = b"\0\0\1" + bytes(range(256)) * 15 + bytes(160)
    decode(payload[: 3 + (n - 1 + 7) // 8], n, 1)
    tracemalloc.start()
    try:
        decode(payload[: 3 + (n - 1 + 7) // 8], n, 1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * n + 2**21


@pytest.mark.parametrize(("shape", "codec"), [((0, 8), None), ((4, 0), 0), ((3, 2), 2), ((3, 2), -1)])
def test_encoder_refuses_what_makes_no_block(shape, codec):
    """Nothing is written that nobody could read."""
    with pytest.raises(LocalProtocolError):
        encode_samples(np.zeros(shape, np.int16), codec)
