"""Which dialect a stream is in: each from its first rows, none from noise, never from a spikedaq board."""

from __future__ import annotations

import random

import numpy as np
import pytest

from helpers import stock_board
from helpers.stock_streams import REST_AT_1, REST_AT_100, frame, v1_line, v22_line, v24_line, wandering_rows
from spikedaq.stock import DIALECTS, Recogniser, SynapseScale, Verdict
from spikedaq.stock.recognise import LEAST_ROWS, SCALE_ROWS
from spikedaq.wire import BlockMessage, HelloRequest, encode_frame, encode_message


@pytest.mark.parametrize(
    ("stream", "dialect"),
    [
        (frame(REST_AT_1) * 80, "stock-v2.5"),
        (frame(REST_AT_100) * 20, "stock-v3"),
        (b"".join(v24_line((-7000, 0, 0, -115, 0, -115, 0, 0)) for _ in range(10)), "stock-v2.4"),
        (b"".join(v22_line((-7000, 0, 0, -115, 0, -115, 0, 0)) for _ in range(10)), "stock-v2.2"),
        (b"".join(v1_line((-7000, 0, 0), 2400 * k) for k in range(10)), "stock-v1"),
        (b"".join(v1_line((-7000, 0, 0), 2400 * k, 1) for k in range(10)), "stock-v1-fast1"),
        (b"".join(v1_line((-7000, 0, 0), 2400 * k, 2) for k in range(10)), "stock-v1-fast2"),
    ],
)
def test_each_dialect_after_few_rows(stream: bytes, dialect: str) -> None:
    """Some rows are enough, also with boot noise before them, and one byte at a time."""
    for head in (b"", b"\x00ets Jun  8 2016\xff\xfe\r\n", stream[:7]):
        recogniser = Recogniser()
        for byte in head + stream:
            recogniser.feed(bytes([byte]))
        assert recogniser.verdict is Verdict.RECOGNISED
        assert recogniser.dialect is DIALECTS[dialect]
        assert recogniser.rows_needed == 0


def test_not_yet_says_how_many_rows_are_needed() -> None:
    """Before a verdict it tells how many rows are still missing."""
    recogniser = Recogniser()
    assert recogniser.feed(b"") is Verdict.NOT_YET
    assert recogniser.rows_needed == min(LEAST_ROWS.values())
    recogniser.feed(frame(REST_AT_100) * 13)
    assert recogniser.rows_needed == LEAST_ROWS["binary"] - 12


def test_noise_and_frames_of_our_own_are_none() -> None:
    """Random bytes, plotter text and a spikedaq board's blocks are no stock dialect."""
    rng = random.Random(5)
    samples = np.array(wandering_rows(100, 1), "<i2")
    ours = b"".join(
        encode_frame(encode_message(BlockMessage(k, 0, 100 * k, 10_000 * k, 100, 100, 0, samples.T.tobytes(), 0)))
        for k in range(10)
    )
    plotter = b"v -65.00 I 3.20\r\n" * 400
    for stream in (rng.randbytes(20_000), ours, plotter, bytes(9000), b"\xaa\x55" * 4000):
        recogniser = Recogniser()
        assert recogniser.feed(stream) is Verdict.NONE


def test_usb_and_boot_text_choose_among_binary_boards() -> None:
    """An ESP32-S3 port or its boot line is a v3, a CP210x with voltages in 0.01 mV the newer v2.5."""
    for vendor, head, dialect in (
        (0x303A, b"", "stock-v3"),
        (0x10C4, b"", "stock-v2.5-2026"),
        (0x10C4, b"BOOT: Spikeling_V3\r\n", "stock-v3"),
        (None, b"", "stock-v3"),
    ):
        recogniser = Recogniser(usb_vendor=vendor)
        recogniser.feed(head + frame(REST_AT_100) * 40)
        assert recogniser.dialect is DIALECTS[dialect]


def test_the_scale_is_undecided_until_it_is_sure() -> None:
    """-116 may be 1.16 mV below zero in hundredths: only a lasting open input, or a number beyond 240, decides."""
    scale = SynapseScale()
    open_input = np.array([REST_AT_1], np.int32)
    near_zero = np.array([(0, 0, 0, -90, 0, 90, 0, 0)], np.int32)
    for _ in range(SCALE_ROWS - 1):
        scale.see(open_input)
    scale.see(near_zero)
    for _ in range(SCALE_ROWS - 1):
        scale.see(open_input)
    assert scale.scale is None
    assert scale.undecided_rows == 2 * SCALE_ROWS - 1
    scale.see(open_input)
    assert scale.scale == 1
    other = SynapseScale()
    other.see(near_zero)
    other.see(np.array([(0, 0, 0, -90, 0, 241, 0, 0)], np.int32))
    assert other.scale == 100


def test_what_a_hello_leaves_in_a_boards_buffer_is_no_command() -> None:
    """The printable bytes of repeated hello?s, executed by our line feed, are no command of any generation."""
    hello = encode_frame(encode_message(HelloRequest()))
    left = bytes(byte for byte in hello * 20 if 0x20 <= byte < 0x7F)[:31].split()
    known = {word for words in stock_board.KNOWN.values() for word in words}
    assert not left or left[0].decode() not in known
