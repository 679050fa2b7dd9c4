"""The frame decoder against hostile streams."""

import struct
import zlib

import pytest
from cobs import cobs

from spikedaq.wire import MAX_DEVICE_FRAME_BYTES, BadFrame, Frame, FrameDecoder, encode_frame
from spikedaq.wire.frame import max_encoded_bytes

GOOD = encode_frame(b"\x92\x22\x63")
OTHER = encode_frame(b"\x92\x22\x64")


def test_frame_by_hand():
    """The bytes of a ping are those one gets with pencil and paper."""
    # message 92 22 63, CRC-32 0x72dfc34e, no zero in it: one group of seven bytes
    assert bytes.fromhex("08 922263 4ec3df72 00") == GOOD


def test_frame_carries_its_raw_bytes_and_offset():
    """Raw bytes include the closing zero, and the offset counts every byte before, empty frames too."""
    assert FrameDecoder().feed(b"\0\0" + GOOD + b"\0" + OTHER) == [
        Frame(b"\x92\x22\x63", GOOD, 2),
        Frame(b"\x92\x22\x64", OTHER, 2 + len(GOOD) + 1),
    ]


def test_offsets_go_on_after_an_oversize_frame():
    """Discarded bytes count in the offsets."""
    decoder = FrameDecoder()
    big = b"\x05" * 6000
    (bad,) = decoder.feed(b"\0" + big)
    assert (bad.reason, bad.offset) == ("oversize", 1)
    assert decoder.feed(b"\x07" * 100) == []
    assert decoder.feed(b"\x07\0" + GOOD) == [Frame(b"\x92\x22\x63", GOOD, 1 + 6000 + 100 + 2)]


@pytest.mark.parametrize("cut", range(1, len(GOOD)))
def test_cut_anywhere(cut):
    """A frame in two pieces is the frame."""
    decoder = FrameDecoder()
    assert decoder.feed(GOOD[:cut]) == []
    assert decoder.feed(GOOD[cut:]) == [Frame(b"\x92\x22\x63", GOOD, 0)]


@pytest.mark.parametrize("n_bytes", [1, 253, 254, 255, 508, 4091, 4092])
@pytest.mark.parametrize("fill", [0, 1])
def test_up_to_the_bound(n_bytes, fill):
    """Every length up to the bound passes, with the longest and shortest COBS form."""
    frame = encode_frame(bytes([fill]) * n_bytes)
    assert len(frame) - 1 <= max_encoded_bytes(n_bytes + 4)
    (item,) = FrameDecoder().feed(frame)
    assert isinstance(item, Frame)
    assert len(item.message) == n_bytes


@pytest.mark.parametrize("n_bytes", [4093, 4100, 4200, 20000])
@pytest.mark.parametrize("fill", [0, 1])
@pytest.mark.parametrize("size", [1, 100, 10**6])
def test_beyond_the_bound(n_bytes, fill, size):
    """One byte too many is one bad frame, and the next frame is good."""
    data = encode_frame(bytes([fill]) * n_bytes) + GOOD
    decoder = FrameDecoder()
    items = [item for i in range(0, len(data), size) for item in decoder.feed(data[i : i + size])]
    assert [getattr(item, "reason", "good") for item in items] == ["oversize", "good"]
    assert len(items[0].raw) <= max_encoded_bytes(MAX_DEVICE_FRAME_BYTES)


def test_own_bound():
    """A smaller bound is kept to the byte."""
    assert isinstance(FrameDecoder(16).feed(encode_frame(b"x" * 12))[0], Frame)
    assert FrameDecoder(16).feed(encode_frame(b"x" * 13))[0].reason == "oversize"


def test_never_holds_more_than_a_frame():
    """An endless frame is not collected."""
    decoder = FrameDecoder()
    n_bad = 0
    for _ in range(1000):
        n_bad += len(decoder.feed(b"\x01" * 1000))
        assert decoder.pending_bytes <= max_encoded_bytes(MAX_DEVICE_FRAME_BYTES)
    assert n_bad == 1


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        (b"\x05\x11", "cobs"),
        (b"\x01", "short"),
        (cobs.encode(b"\x90" + struct.pack("<I", zlib.crc32(b"\x91"))), "crc"),
        (cobs.encode(b"\x22\x33\x44\x55"), "short"),
    ],
)
def test_bad_frame_leaves_the_next_alone(encoded, reason):
    """A bad frame is told with its bytes, and only it is lost."""
    items = FrameDecoder().feed(encoded + b"\0" + GOOD)
    assert items[0] == BadFrame(reason, encoded + b"\0", 0)
    assert isinstance(items[1], Frame)


def test_other_buffers():
    """A bytearray or memoryview, as readers reuse them, is copied and not kept."""
    buffer = bytearray(GOOD)
    (frame,) = FrameDecoder().feed(buffer)
    buffer[:] = bytes(len(buffer))
    assert frame.raw == GOOD
    assert FrameDecoder().feed(memoryview(GOOD)) == [frame]
