"""A pseudo-terminal that sends stock 18-byte frames at 10 kHz, for the naive script to read."""

from __future__ import annotations

import os
import pty
import struct
import sys
import time
import tty


def main() -> None:
    """Print the port's name, then write ten frames a millisecond for some seconds."""
    rate_hz, seconds = int(sys.argv[1]), float(sys.argv[2])
    master, slave = pty.openpty()
    tty.setraw(slave)
    print(os.ttyname(slave), flush=True)
    per_ms = rate_hz // 1000
    start = time.monotonic()
    frames = [
        b"\xaa\x55"
        + struct.pack("<8h", -7000 + (k * 37) % 9000, 20, 1234 + k % 50, -11500, k % 300, -11500, -k % 300, 0)
        for k in range(1000)
    ]
    for ms in range(int(seconds * 1000)):
        k = (ms * per_ms) % 1000
        os.write(master, b"".join(frames[k : k + per_ms]))
        delay = start + (ms + 1) / 1000 - time.monotonic()
        if delay > 0:
            time.sleep(delay)
    time.sleep(0.5)


if __name__ == "__main__":
    main()
