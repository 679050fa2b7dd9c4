"""Text lines of the stock firmwares v1, v2.2 and v2.4: literal lines, cuts, joins, other text, damage."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.stock_streams import decode, v1_line, v22_line, v24_line, wandering_rows
from spikedaq.stock import DECODERS, DIALECTS, TextDecoder, TextFormat

# line, decoder, hundredths
LITERAL = [
    (b"-70.00,0,0.00,-115,0.00,-115,0.00,0\r\n", "v2.4", (-7000, 0, 0, -11500, 0, -11500, 0, 0)),
    (b"30.00,20,27.00,-115,-0.05,234,12.34,1\r\n", "v2.4", (3000, 2000, 2700, -11500, -5, 23400, 1234, 100)),
    (b"-70.00,0,0.00,-115,0.00,-115,0.00\r\n", "v2.2", (-7000, 0, 0, -11500, 0, -11500, 0)),
    (b"-65.12, 3.40, 1, 0, 1, 0.00, -1.50, 0.20, 4294967295\r\r\n", "v1-9", (-6512, 340, 100, 0, 100, 0, -150, 20)),
    (b"-65.12,\t3.40, 1, 17\r\r\n", "v1-4", (-6512, 340, 100)),
    (b"-0.50, 17\r\r\n", "v1-2", (-50,)),
]
REFUSED = [
    b"-70.00,0,0.00,-115,0.00,-115,0.00\r\n",  # seven fields: what v2.4 sends first after a boot
    b"-70.00,0,0.00,-115,0.00,-115,0.00,0,0\r\n",
    b"-70.00,0,0.00,-115,0.00,-115,0.00,2\r\n",  # a trigger is 0 or 1
    b"-70.0,0,0.00,-115,0.00,-115,0.00,0\r\n",  # a digit was lost
    b"-170.00,0,0.00,-115,0.00,-115,0.00,0\r\n",  # no board has such a voltage
    b"-7e1,0,0.00,-115,0.00,-115,0.00,0\r\n",
    b"1.00,0,0.00,-115,1e4,-115,0.00,0\r\n",
    b"-70.00,0,0.00,-115,0.00,-115,0.00,0\n",  # the carriage return was lost
]


@pytest.mark.parametrize(("line", "kind", "row"), LITERAL)
def test_literal_lines(line: bytes, kind: str, row: tuple[int, ...]) -> None:
    """Each dialect's lines become hundredths; what stands before the first line feed is not believed."""
    rows, lines, skipped = decode(DECODERS[kind](), b"1.00,2\r\n" + line * 3)
    assert rows == [row] * 3
    assert (lines, skipped) == ([], 8)


@pytest.mark.parametrize("line", REFUSED)
def test_lines_of_the_wrong_shape_are_no_rows(line: bytes) -> None:
    """A line that is not exactly a row is skipped, and the next one is a row again."""
    good = b"-70.00,0,0.00,-115,0.00,-115,0.00,0\r\n"
    decoder = DECODERS["v2.4"]()
    rows, _, skipped = decode(decoder, b"\n" + good + line + good)
    assert len(rows) == 2
    assert skipped == 1 + len(line)
    assert decoder.counters.sync_losses == 1


def test_the_end_of_a_line_is_not_taken_for_a_row() -> None:
    """Joined at any byte of its first line, a stream gives no row before the second, though "0.00,..." looks whole."""
    sent = wandering_rows(12, seed=2, scale=1)
    stream = b"".join(map(v24_line, sent))
    want = [(v, s * 100, i, a * 100, b, c * 100, d, t * 100) for v, s, i, a, b, c, d, t in sent]
    for start in range(1, len(v24_line(sent[0]))):
        rows, _, skipped = decode(DECODERS["v2.4"](), stream[start:])
        assert rows == want[1:]
        assert skipped == len(v24_line(sent[0])) - start


def test_cuts_change_nothing() -> None:
    """Each single cut, and one byte at a time, give what the whole gives, text between the rows included."""
    sent = wandering_rows(12, seed=5, scale=1)
    lines = [v24_line(row) for row in sent]
    stream = b"\xff\x00boot\r\n" + b"".join(lines[:6]) + b"Neuron Mode:3\r\n" + b"".join(lines[6:])
    stream += b"x" * 400 + b"\r\n" + b"".join(lines)
    whole = decode(DECODERS["v2.4"](), stream)
    assert len(whole[0]) == 24
    assert "Neuron Mode:3" in whole[1]
    for cut in range(1, len(stream)):
        assert decode(DECODERS["v2.4"](), stream, [cut]) == whole, cut
    assert decode(DECODERS["v2.4"](), stream, range(1, len(stream))) == whole


def test_v1_rows_carry_the_boards_own_microseconds() -> None:
    """The last column comes out as ticks, as sent, also where 32 bits wrap."""
    decoder = DECODERS["v1-9"]()
    sent = wandering_rows(4, seed=1)
    ticks = [2**32 - 5000, 2**32 - 2500, 2**32, 2**32 + 2500]
    data = b"\n" + b"".join(v1_line(row, t) for row, t in zip(sent, ticks, strict=True))
    found = [tick for item in decoder.feed(data) if hasattr(item, "ticks") for tick in item.ticks.tolist()]
    assert found == [t % 2**32 for t in ticks]


def test_plotter_text_is_no_dialect() -> None:
    """The variant for the Arduino plotter is text, not rows."""
    for kind in DECODERS:
        rows, lines, _ = decode(DECODERS[kind](), b"\r\n" + b"v -65.00 I 3.20\r\n" * 50)
        assert rows == []
        if kind == "v1-2":
            assert lines == ["v -65.00 I 3.20"] * 50 or lines == []


def test_memory_is_bounded() -> None:
    """A megabyte without a line feed is not kept."""
    decoder = TextDecoder(TextFormat("nnnnnnn", b","))
    for _ in range(1000):
        decoder.feed(b"1,2,3,4,5," * 100)
    assert decoder.held_bytes <= 2 * 160


def test_values_become_raw_values_of_the_channels() -> None:
    """What each dialect writes becomes the units of its channels' descriptions, cut at 16 bits."""
    v24 = DIALECTS["stock-v2.4"]
    rows, _, _ = decode(v24.decoder(), b"\n" + b"30.00,20,27.00,-115,-0.05,234,197000.00,1\r\n")
    samples, saturated = v24.samples(np.array(rows, np.int32), None)
    assert samples.tolist() == [[3000, 20, 2700, -11500, -5, 23400, 32767, 1]]
    assert saturated
    assert len(v22_line((0,) * 8).split(b",")) == len(DIALECTS["stock-v2.2"].channels)
