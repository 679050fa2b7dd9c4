"""A virtual board whose membrane crosses the level now and then, and that notes when the command for it arrives.

The crossings begin with the first command, which somebody else sends. It speaks the real protocol over a
pseudo-terminal at 10 kHz x 8 channels, blocks of 100. Lines ``t_written_ns t_command_ns`` (CLOCK_BOOTTIME; the second 0
where no command came) go to a file at its end.
"""

from __future__ import annotations

import os
import pty
import select
import struct
import sys
import time
import tty

import msgpack
from cobs import cobs
from stamped_board import CHANNELS, N, frame

LOW, HIGH = -6500, 3000
PARAMETER = ["i_clamp", "a.u.", 0, -1000.0, 1000.0, 0.0, 0.0, 0, 0]


def now_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def payload(vm: list[int]) -> bytes:
    quiet = [(k * 37) % 90 for k in range(N)]
    return b"".join(struct.pack(f"<{N}h", *(vm if channel == 0 else quiet)) for channel in range(8))


def main() -> None:
    """Serve one host: ``closed_loop_board.py CROSSINGS BLOCKS_BETWEEN STAMPS_FILE IDENTITY``."""
    crossings, between, stamps_path, identity = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4].encode()
    master, slave = pty.openpty()
    tty.setraw(slave)
    print(os.ttyname(slave), flush=True)
    low, high = payload([LOW] * N), payload([LOW] * (N // 2) + [HIGH] + [LOW] * (N - N // 2 - 1))
    seq, step, running, buffer, next_block_ns = 0, 0, False, b"", 0
    t0 = now_ns()
    stamps: list[list[int]] = []
    value, holder = 0.0, 0
    begun, sends, answered = False, 0, 0

    def send(kind: int, *fields: object) -> None:
        nonlocal seq
        os.write(master, frame([kind, seq, *fields]))
        seq += 1

    def handle(message: list[object]) -> None:
        nonlocal running, next_block_ns, value, holder, begun, answered
        kind, request = message[0], message[1] if len(message) > 1 else None
        if kind == 32:
            send(1, 1, 0, "bench", "bench", "bench", identity, 7, 100, N, 8, 1, 0, 0, 0, 1, 512, running)
        elif kind == 33:
            what, index = message[2:4]
            if what == 0 and index < 8:
                send(2, request, what, index, [*CHANNELS[index], 0])
            elif what == 1 and index == 0:
                send(2, request, what, index, [*PARAMETER[:6], value, holder, 0])
            else:
                send(6, request, 3, "no such description")
        elif kind == 34:
            send(5, request, (now_ns() - t0) // 1000, step)
        elif kind == 36:
            begun = True
            if answered < len(stamps):  # commands come in the order of the crossings
                stamps[answered][1] = now_ns()
                answered += 1
            value, holder = message[2][1], 1
            send(6, request, 0, None)
        elif kind in (37, 38):
            running, next_block_ns = kind == 37, now_ns() + 10_000_000
            send(6, request, 0, step)
        else:
            send(6, request, 1, "unknown request")

    # Half a second after the last crossing, for the last command.
    while sends < (crossings + 1) * between + 50:
        wait = max(0.0, (next_block_ns - now_ns()) / 1e9) if running else 0.1
        if select.select([master], [], [], wait)[0]:
            *frames, buffer = (buffer + os.read(master, 4096)).split(b"\0")
            for raw in frames:
                if raw:
                    handle(msgpack.unpackb(cobs.decode(raw)[:-4]))
        if running and now_ns() >= next_block_ns:
            sends += begun
            crosses = begun and sends % between == 0 and sends // between <= crossings
            tick = (next_block_ns - t0) // 1000 - N * 100  # when they were sampled, however late they are sent
            data = frame([3, seq, 0, step, tick & 0xFFFFFFFF, 100, N, 0, high if crosses else low, 4 * (step == 0)])
            os.write(master, data)
            if crosses:
                stamps.append([now_ns(), 0])
            seq, step, next_block_ns = seq + 1, step + N, next_block_ns + 10_000_000
    with open(stamps_path, "w") as file:
        file.writelines(f"{written} {command}\n" for written, command in stamps)


if __name__ == "__main__":
    main()
