"""The script a user would write for a stock board: pyserial, struct per sample, csv.writer. For comparison only."""

from __future__ import annotations

import csv
import struct
import sys
import time

import serial


def main() -> None:
    """Read 18-byte stock frames from a port for some seconds into a CSV; print CPU seconds and samples."""
    port, out, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    link = serial.Serial(port, 500000, timeout=1)
    end = time.monotonic() + seconds
    cpu = time.process_time()
    n = 0
    with open(out, "w", newline="") as file:
        writer = csv.writer(file)
        while time.monotonic() < end:
            frame = link.read(18)
            if len(frame) < 18 or frame[:2] != b"\xaa\x55":
                link.read(1)
                continue
            vm, stim, itot, s1v, s1i, s2v, s2i, trig = struct.unpack("<8h", frame[2:])
            row = [n * 0.1, vm / 100, stim, itot / 100, s1v, s1i / 100, s2v, s2i / 100, trig]
            writer.writerow(row)
            n += 1
    print(time.process_time() - cpu, n)


if __name__ == "__main__":
    main()
