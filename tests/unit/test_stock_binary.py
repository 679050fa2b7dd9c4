"""Frames of the stock firmwares v2.5 and v3 in a byte stream: literal vectors, every cut, every start, bad payloads."""

from __future__ import annotations

import pytest

from helpers.stock_streams import FALSE_HEADER, LITERAL, REST_AT_1, Row, decode, frame, wandering_rows
from spikedaq.stock import BinaryDecoder, Rows


def is_run(found: list[Row], sent: list[Row]) -> bool:
    """Whether what was found is a stretch of what was sent."""
    return any(sent[k : k + len(found)] == found for k in range(len(sent) - len(found) + 1))


def test_literal_frames_become_their_rows() -> None:
    """The four vectors of the format, each ten times, and a start of another to confirm the last."""
    for row, text in LITERAL:
        assert frame(row) == bytes.fromhex(text)
        rows, lines, skipped = decode(BinaryDecoder(), bytes.fromhex(text) * 10 + b"\xaa\x55")
        assert rows == [row] * 10
        assert (lines, skipped) == ([], 0)


def test_payload_with_headers_from_the_first_byte_on_gives_no_wrong_row_at_any_start() -> None:
    """Whatever byte of a stream full of AA 55 is the first that is read, only true rows come, and all but the first."""
    sent = wandering_rows(40, seed=3, false_headers=True)
    sent[0] = sent[1] = FALSE_HEADER
    stream = b"".join(map(frame, sent)) + b"\xaa\x55"
    assert sum(stream.count(b"\xaa\x55", k * 18 + 1, k * 18 + 18) for k in range(40)) > 20
    for start in range(3 * 18):
        rows, _, skipped = decode(BinaryDecoder(), stream[start:])
        first = -(-start // 18)
        assert rows == sent[first:], start
        assert skipped == first * 18 - start


def test_constant_false_header_gives_no_wrong_row() -> None:
    """A current that stays at 219.30 a.u. makes a second run of headers that lasts; its frames are impossible."""
    stream = frame(FALSE_HEADER) * 60 + b"\xaa\x55"
    for start in range(18):
        rows, _, _ = decode(BinaryDecoder(), stream[start:])
        assert rows
        assert set(rows) == {FALSE_HEADER}, start


def test_cuts_change_nothing() -> None:
    """Each single cut of the stream, and one byte at a time, give the same rows as the whole."""
    sent = wandering_rows(24, seed=4, false_headers=True)
    stream = b"\x55\xaa\x55\x01junk" + b"".join(map(frame, sent[:12])) + b"Unknown command: VH1\r\n"
    stream += b"".join(map(frame, sent[12:])) + b"\xaa\x55"
    whole = decode(BinaryDecoder(), stream)
    assert whole[0] == sent
    assert whole[1] == ["Unknown command: VH1"]
    for cut in range(1, len(stream)):
        assert decode(BinaryDecoder(), stream, [cut]) == whole, cut
    assert decode(BinaryDecoder(), stream, range(1, len(stream))) == whole


@pytest.mark.parametrize("lost", range(1, 36))
def test_lost_bytes_cost_at_most_the_frames_they_were_in(lost: int) -> None:
    """After any number of lost bytes no row is wrong, unless whole frames' worth went, and the phase is found again."""
    sent = wandering_rows(60, seed=lost)
    stream = b"".join(map(frame, sent)) + b"\xaa\x55"
    for at in range(20 * 18, 21 * 18):
        decoder = BinaryDecoder()
        rows, _, skipped = decode(decoder, stream[:at] + stream[at + lost :])
        if lost % 18 == 0:
            continue  # nothing on the wire tells two halves of different frames from one frame
        assert rows[:19] == sent[:19]
        assert set(rows) <= set(sent), (lost, at)
        assert rows[-36:] == sent[-36:], (lost, at)
        assert decoder.counters.sync_losses == 1
        assert skipped + 18 * len(rows) + 2 == len(stream) - lost


def test_text_between_frames_becomes_lines() -> None:
    """Boot text before the first frame, and answers between two, come out as lines and cost no row."""
    sent = wandering_rows(20, seed=6)
    stream = b"BOOT: Spikeling_V3\r\n" + b"".join(map(frame, sent[:7]))
    stream += b"Unknown command: SG12\r\nUnknown command: SD12\r\n" + b"".join(map(frame, sent[7:])) + b"\xaa\x55"
    rows, lines, skipped = decode(BinaryDecoder(), stream)
    assert rows == sent
    assert lines == ["BOOT: Spikeling_V3", "Unknown command: SG12", "Unknown command: SD12"]
    assert skipped == 0


def test_impossible_values_are_left_out_and_counted() -> None:
    """A bit flip that makes an impossible value costs that row alone."""
    sent = wandering_rows(20, seed=7)
    damaged = bytearray(b"".join(map(frame, sent)) + b"\xaa\x55")
    damaged[10 * 18 + 17] = 0x40  # trigger 16384
    decoder = BinaryDecoder()
    rows, _, skipped = decode(decoder, bytes(damaged))
    assert rows == sent[:10] + sent[11:]
    assert (skipped, decoder.counters.rejected_rows, decoder.counters.sync_losses) == (18, 1, 0)


def test_a_phase_lost_by_impossible_rows_holds_nothing_back() -> None:
    """What follows three impossible rows in the same read is searched at once, not with the next read."""
    sent = wandering_rows(30, seed=11)
    rows, _, skipped = decode(BinaryDecoder(), b"".join(map(frame, [*sent, *[(9000,) * 8] * 4, *sent])) + b"\xaa\x55")
    assert rows == sent + sent
    assert skipped == 4 * 18


def test_two_equally_good_phases_are_not_decided() -> None:
    """Constant values that make two phases equally plausible are skipped and counted, in bounded memory."""
    twins = (-2560, 0, -22016, 85, 0, 0, 0, 0)
    decoder = BinaryDecoder()
    rows, _, _ = decode(decoder, frame(twins) * 500)
    assert rows == []
    assert decoder.counters.ambiguous_bytes > 0
    assert decoder.held_bytes <= 64 * 18 + 160
    follow = wandering_rows(20, seed=8)
    rows, _, _ = decode(decoder, b"".join(map(frame, follow)) + b"\xaa\x55")
    assert rows[-20:] == follow, "what ends the ambiguity decides it"
    assert set(rows) <= {twins, *follow}


def test_one_header_is_not_enough() -> None:
    """Two headers 18 bytes apart, or three, with nothing after them, give nothing."""
    decoder = BinaryDecoder()
    assert decode(decoder, frame(REST_AT_1) * 3)[0] == []
    assert not decoder.locked
    assert decode(decoder, b"\xaa\x55" + b"\0" * 16)[0] == [REST_AT_1] * 3


def test_rows_know_where_they_end() -> None:
    """The offset after each row is that of its last byte in the stream."""
    stream = b"noise\xff" + frame(REST_AT_1) * 6 + b"\xaa\x55"
    items = [item for item in BinaryDecoder().feed(stream) if isinstance(item, Rows)]
    assert [int(end) for item in items for end in item.end_offsets] == [6 + 18 * k for k in range(1, 7)]
