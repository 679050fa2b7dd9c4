"""Random and mutated bytes into the decoders of stock streams: no exception, bounded memory, every byte accounted for.

FUZZ_BYTES sets how many bytes each run takes in all (default 400,000; by hand 10**8), FUZZ_SEED another seed.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.stock_streams import decode, frame, v1_line, v22_line, v24_line, wandering_rows
from spikedaq.device.translate import Translator
from spikedaq.stock import DECODERS, DIALECTS, LogLine, Recogniser, Rows, Skipped
from spikedaq.stock.binary import MAX_WINDOW

TOTAL = int(os.environ.get("FUZZ_BYTES", "400000"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
HELD_BYTES = MAX_WINDOW + 4 * 160 + 200
PIECE = 20_000

ROWS = wandering_rows(400, 9, scale=1, false_headers=True)
STREAMS: dict[str, Callable[[], bytes]] = {
    "binary": lambda: b"".join(map(frame, wandering_rows(400, 8, false_headers=True))),
    "v2.4": lambda: b"".join(map(v24_line, ROWS)),
    "v2.2": lambda: b"".join(map(v22_line, ROWS)),
    "v1-9": lambda: b"".join(v1_line(row, 2400 * k) for k, row in enumerate(ROWS)),
    "v1-4": lambda: b"".join(v1_line(row, 2400 * k, 1) for k, row in enumerate(ROWS)),
    "v1-2": lambda: b"".join(v1_line(row, 2400 * k, 2) for k, row in enumerate(ROWS)),
}
TEXTS = (b"Unknown command: VH1\r\n", b"BOOT: Spikeling_V3\r\n", b"Neuron Mode:2\r\n", b"\n", b"\xaa\x55", b"\xaa")


def mutated(rng: random.Random, stream: bytes) -> bytes:
    """Damage a stream in a few places, as a bad cable, a full buffer or an attacker would."""
    data = bytearray(stream)
    for _ in range(rng.randrange(1, 12)):
        at = rng.randrange(len(data))
        match rng.randrange(6):
            case 0:
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                del data[at : at + rng.randrange(1, 60)]
            case 2:
                data[at:at] = rng.randbytes(rng.randrange(1, 60))
            case 3:
                data[at:at] = rng.choice(TEXTS)
            case 4:
                data[at:at] = data[at : at + rng.randrange(1, 400)]
            case _:
                data[at : at + 40] = bytes([rng.randrange(256)]) * 40
        if not data:
            break
    return bytes(data)


def pieces(kind: str, total: int, part: int = 0) -> list[bytes]:
    """Return damaged and random input of about ``total`` bytes, another for each part."""
    rng = random.Random(f"{SEED} {kind} {part}")
    stream = STREAMS[kind]()
    made: list[bytes] = []
    n_bytes = 0
    while n_bytes < total:
        piece = mutated(rng, stream) if rng.random() < 0.8 else rng.randbytes(PIECE)
        made.append(piece)
        n_bytes += len(piece)
    return made


@pytest.mark.parametrize("kind", list(DECODERS))
def test_decoders(kind: str) -> None:
    """Nothing is raised, what is held stays small, and every byte is in a row, a line, skipped or held."""
    rng = random.Random(SEED)
    decoder = DECODERS[kind]()
    n_bytes = n_rows = n_told = 0
    done = 0
    while done < TOTAL // len(DECODERS):
        for piece in pieces(kind, min(10**6, TOTAL // len(DECODERS)), n_bytes):
            at = 0
            while at < len(piece):
                size = rng.choice((1, 7, 64, 1000, 65536))
                for item in decoder.feed(piece[at : at + size]):
                    if isinstance(item, Rows):
                        n_rows += len(item.values)
                        n_told = int(item.end_offsets[-1])
                        assert (item.end_offsets[1:] > item.end_offsets[:-1]).all()
                    elif isinstance(item, Skipped | LogLine):
                        n_told = max(n_told, item.end_offset)
                at += size
                assert decoder.held_bytes <= HELD_BYTES
            n_bytes += len(piece)
        done = n_bytes
    assert n_rows == decoder.counters.rows > 0
    assert n_told <= n_bytes
    if kind == "binary":
        text = n_bytes - 18 * n_rows - decoder.counters.skipped_bytes - decoder.held_bytes
        assert 0 <= text <= 170 * decoder.counters.lines


@pytest.mark.parametrize("name", ["stock-v2.5", "stock-v3", "stock-v2.4", "stock-v1"])
def test_recogniser_and_translator(name: str) -> None:
    """The recogniser and the translator take the same input: frames of our protocol come out, and nothing is raised."""
    dialect = DIALECTS[name]
    translator = Translator(dialect, unique_id=b"stk12345", t_ns=0, draw_boot_id=lambda: 7)
    t_ns = 0
    n_bytes = 0
    for piece in pieces(dialect.kind, TOTAL // 8):
        Recogniser().feed(piece[:8192])
        for at in range(0, len(piece), 500):
            t_ns += 40_000_000
            translator.board_bytes(piece[at : at + 500], t_ns)
            n_bytes += len(translator.frames())
    assert translator.ready
    assert n_bytes > 0


GOOD = (frame(ROWS[0]), frame(ROWS[1]) * 4, v24_line(ROWS[2]), v22_line(ROWS[3]) * 2, v1_line(ROWS[4], 99))
SCRAPS = st.one_of(st.binary(max_size=20), st.sampled_from(TEXTS + GOOD))


@given(st.lists(SCRAPS, max_size=20).map(b"".join), st.lists(st.integers(0, 400), max_size=6))
def test_any_bytes_at_any_cuts(data: bytes, cuts: list[int]) -> None:
    """Whatever the bytes, no decoder raises, and cuts change nothing."""
    for make in DECODERS.values():
        kept = [cut for cut in cuts if cut <= len(data)]
        assert decode(make(), data, kept) == decode(make(), data)
