"""Properties of the bus encoding."""

from __future__ import annotations

import contextlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spikedaq.bus import decode, decode_reply, decode_request, decode_samples, encode, encode_samples
from spikedaq.model import Block, BlockFlag, RemoteProtocolError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
TOPICS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=40)


@given(TOPICS, st.dictionaries(st.text(), VALUES, max_size=6), st.binary(max_size=200))
def test_every_message_comes_back(topic: str, header: dict[str, object], payload: bytes) -> None:
    header["v"] = 1
    message = decode(encode(topic, header, payload))
    assert (message.topic, message.header, message.payload) == (topic, header, payload)


@given(hnp.arrays(np.int16, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_every_block_comes_back(samples: np.ndarray) -> None:
    block = Block(1, 2, 0, 3, 4, 5, BlockFlag(0), samples)
    message = decode(encode_samples("b/d/samples/", block, n=0, epoch="", t_ns=0, u_ns=0))
    assert np.array_equal(decode_samples(message), samples)


@given(st.binary(max_size=300) | st.binary(max_size=200).map(lambda tail: b"b/d/samples/\0\x81\xa1v\x01" + tail))
def test_arbitrary_bytes_raise_nothing_but_the_documented_error(data: bytes) -> None:
    for read in (decode, decode_request, decode_reply):
        with contextlib.suppress(RemoteProtocolError):
            message = read(data)
            if read is decode:
                decode_samples(message)
