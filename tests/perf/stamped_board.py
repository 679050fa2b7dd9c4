"""A virtual board that notes when each block's last byte was written, so that latency can be measured from outside.

It speaks the real protocol over a pseudo-terminal; what it sends is prepared ahead, so that its own cost stays out of
the measurement. Lines ``seq t_boottime_ns`` go to a file when it ends.
"""

from __future__ import annotations

import os
import pty
import select
import struct
import sys
import time
import tty
import zlib

import msgpack
from cobs import cobs

CHANNELS = [
    ("vm", "mV", 1, -2),
    ("stimulus", "%", 1, 0),
    ("i_total", "a.u.", 1, -2),
    ("syn1_vm", "mV", 1, -2),
    ("syn1_i", "a.u.", 1, -2),
    ("syn2_vm", "mV", 1, -2),
    ("syn2_i", "a.u.", 1, -2),
    ("trigger", "1", 1, 0),
]
N = 100
N_PAYLOADS = 50
"""Blocks differ, and come again after so many."""


def frame(message: list[object]) -> bytes:
    """One frame of protocol version 1."""
    body = msgpack.packb(message)
    return cobs.encode(body + struct.pack("<I", zlib.crc32(body))) + b"\0"


def payload(block: int) -> bytes:
    """Return the samples of one block, channel by channel."""
    return b"".join(
        struct.pack(f"<{N}h", *[(block % N_PAYLOADS * 7 + k * 13 * (channel + 1)) % 900 - 450 for k in range(N)])
        for channel in range(8)
    )


def main() -> None:
    """Serve one host for some seconds: ``stamped_board.py SECONDS STAMPS_FILE IDENTITY``."""
    seconds, stamps_path, identity = float(sys.argv[1]), sys.argv[2], sys.argv[3].encode()
    master, slave = pty.openpty()
    tty.setraw(slave)
    print(os.ttyname(slave), flush=True)
    payloads = [payload(block) for block in range(N_PAYLOADS)]
    seq, step, running, buffer = 0, 0, False, b""
    t0 = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    stamps: list[tuple[int, int]] = []
    next_block_ns, end = 0, time.monotonic() + seconds

    def send(kind: int, *fields: object) -> None:
        nonlocal seq
        os.write(master, frame([kind, seq, *fields]))
        seq += 1

    def handle(message: list[object]) -> None:
        nonlocal running, next_block_ns
        tick = (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - t0) // 1000
        kind = message[0]
        if kind == 32:
            send(1, 1, 0, "bench", "bench", "bench", identity, 7, 100, N, 8, 0, 0, 0, 0, 1, 512, running)
        elif kind == 33:
            request, what, index = message[1:4]
            if what == 0 and index < 8:
                name, unit, mantissa, exponent = CHANNELS[index]
                send(2, request, what, index, [name, unit, mantissa, exponent, 0])
            else:
                send(6, request, 3, "no such description")
        elif kind == 34:
            send(5, message[1], tick, step)
        elif kind == 37:
            running, next_block_ns = True, time.clock_gettime_ns(time.CLOCK_BOOTTIME) + 10_000_000
            send(6, message[1], 0, step)
        elif kind == 38:
            running = False
            send(6, message[1], 0, step)
        else:
            send(6, message[1], 1, "unknown request")

    while time.monotonic() < end:
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        wait = max(0.0, (next_block_ns - now) / 1e9) if running else 0.1
        if select.select([master], [], [], wait)[0]:
            *frames, buffer = (buffer + os.read(master, 4096)).split(b"\0")
            for raw in frames:
                if raw:
                    handle(msgpack.unpackb(cobs.decode(raw)[:-4]))
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        if running and now >= next_block_ns:
            tick = (now - t0) // 1000 - N * 100
            data = frame(
                [3, seq, 0, step, tick & 0xFFFFFFFF, 100, N, 0, payloads[step // N % N_PAYLOADS], 4 if step == 0 else 0]
            )
            os.write(master, data)
            stamps.append((seq, time.clock_gettime_ns(time.CLOCK_BOOTTIME)))
            seq, step, next_block_ns = seq + 1, step + N, next_block_ns + 10_000_000
    with open(stamps_path, "w") as file:
        file.writelines(f"{s} {t}\n" for s, t in stamps)


if __name__ == "__main__":
    main()
