"""Streams as stock boards send them, written without any of spikedaq's own code."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence

from spikedaq.stock import Decoder, LogLine, Rows, Skipped

Row = tuple[int, ...]

REST_AT_1: Row = (-7000, 0, 0, -116, 0, -116, 0, 0)
REST_AT_100: Row = (-7000, 0, 0, -11000, 0, -11000, 0, 0)
SPIKE_AT_1: Row = (3000, 20, 2700, -115, 0, -115, 0, 1)
FALSE_HEADER: Row = (-6500, 0, 21930, -116, 0, -116, 0, 0)

# The vectors of the format's description, literally.
LITERAL = (
    (REST_AT_1, "aa55a8e4000000008cff00008cff00000000"),
    (REST_AT_100, "aa55a8e40000000008d5000008d500000000"),
    (SPIKE_AT_1, "aa55b80b14008c0a8dff00008dff00000100"),
    (FALSE_HEADER, "aa559ce60000aa558cff00008cff00000000"),
)


def frame(row: Sequence[int]) -> bytes:
    """Return an 18-byte frame."""
    return b"\xaa\x55" + struct.pack("<8h", *row)


def wandering_rows(n: int, seed: int, *, scale: int = 100, false_headers: bool = False) -> list[Row]:
    """Return rows of a board whose every channel moves; with ``false_headers`` AA 55 stands in most payloads."""
    rng = random.Random(seed)
    rows = []
    v = -7000
    for k in range(n):
        v = 3000 if rng.random() < 0.03 else max(-11000, min(2900, v + rng.randint(-120, 120)))
        i_total, syn1_i, syn2_i = (rng.randint(-30000, 30000) for _ in range(3))
        syn1_vm = rng.randint(-117, 100) * scale
        syn2_vm = rng.randint(-117, 100) * scale
        if false_headers:
            kind = rng.randrange(6)
            if kind == 0:
                i_total = 0x55AA
            elif kind == 1:
                syn1_i = 0x55AA
            elif kind == 2:
                syn2_i = 0x55AA
            elif kind == 3:
                i_total, syn1_vm = -22000 & ~0xFF | 0x00, (syn1_vm & ~0xFF) | 0x55
                i_total = struct.unpack("<h", struct.pack("<H", 0xAA00 | rng.randrange(256)))[0]
            elif kind == 4:
                syn1_i = struct.unpack("<h", struct.pack("<H", 0xAA00 | rng.randrange(256)))[0]
                syn2_vm = (syn2_vm & ~0xFF) | 0x55
        syn1_vm, syn2_vm = (max(-11700, min(10000, x)) for x in (syn1_vm, syn2_vm))
        rows.append((v, rng.randint(-100, 100), i_total, syn1_vm, syn1_i, syn2_vm, syn2_i, int(k % 37 == 0)))
    return rows


def v24_line(row: Sequence[int]) -> bytes:
    """Write a row (raw values as in a binary frame at scale 1) as v2.4 prints it."""
    v, stim, i_total, s1, i1, s2, i2, trigger = row
    return f"{v / 100:.2f},{stim},{i_total / 100:.2f},{s1},{i1 / 100:.2f},{s2},{i2 / 100:.2f},{trigger}\r\n".encode()


def v22_line(row: Sequence[int]) -> bytes:
    """Write a row as v2.2 prints it: no trigger."""
    return v24_line(row).rsplit(b",", 1)[0] + b"\r\n"


def v1_line(row: Sequence[int], microseconds: int, mode: int = 0) -> bytes:
    """Write a v1 row: Vm, Itot, stimulus, syn1, syn2, I_pd, I_in, I_syn, microseconds; fewer in the fast modes."""
    v, stim, i_total, *_ = row
    numbers = [f"{v / 100:.2f}", f"{i_total / 100:.2f}", str(int(stim > 0)), "0", "1", "1.25", "-0.50", "0.00"]
    kept = {0: numbers, 1: numbers[:3], 2: numbers[:1]}[mode]
    return ", ".join([*kept, str(microseconds % 2**32)]).encode() + b"\r\r\n"


def decode(decoder: Decoder, data: bytes, cuts: Sequence[int] = ()) -> tuple[list[Row], list[str], int]:
    """Feed ``data`` cut at the given places; return rows, lines and the number of skipped bytes."""
    rows: list[Row] = []
    lines: list[str] = []
    skipped = 0
    at = 0
    for cut in [*sorted(cuts), len(data)]:
        for item in decoder.feed(data[at:cut]):
            if isinstance(item, Rows):
                rows += [tuple(row) for row in item.values.tolist()]
                assert len(item.end_offsets) == len(item.values)
            elif isinstance(item, LogLine):
                lines.append(item.text)
            elif isinstance(item, Skipped):
                skipped += item.n_bytes
        at = cut
    return rows, lines, skipped
