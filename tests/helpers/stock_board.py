"""A process that behaves like a board with a stock firmware, on a pseudo-terminal. Its own code; knows nothing of
spikedaq.

It prints its port, then sends row ``k`` of a fixed sequence each period, obeys or refuses command lines as its
generation does, and writes every line that it executed to a file.
"""

from __future__ import annotations

import argparse
import array
import contextlib
import fcntl
import math
import os
import pty
import random
import select
import struct
import time
import tty
from pathlib import Path

KINDS = ("s25", "n3", "v2.4", "v2.2", "v1")
BUFFER = 32
_KNOWN = (
    "NEU FR1 FR0 ST1 ST0 SC1 SC0 TR PG1 PG0 PD1 PD0 PR1 PR0 NO1 NO0 SG11 SG10 SD11 SD10 SG20 SD21 SD20 "
    "BZ1 BZ0 LED1 LED0 CON"
)
KNOWN = {
    "s25": {*_KNOWN.split(), "DT", "IC1", "IC0", "SG21"},
    "n3": {*_KNOWN.split(), "DT", "NE", "PC1", "PC0", "VCM", "VPID", "VIL", "VSP", "VRS", "SG21"},
    "v2.4": {*_KNOWN.split(), "IC1", "IC0", "SG12"},
    "v2.2": set(),
    "v1": set(),
}
_TCGETS2 = 0x802C542A


def values(kind: str, k: int) -> tuple[int, ...]:
    """Row ``k`` in our raw units: vm, stimulus, i_total, syn1_vm, syn1_i, syn2_vm, syn2_i, trigger."""
    v = 3000 if k % 40 in (0, 1, 2) else -7000 + round(900 * math.sin(k / 9)) + k % 7
    s1 = -11600 if kind != "n3" else -11000
    return (v, (k // 100) % 2 * 20, round(2700 * math.sin(k / 50)), s1, k % 300, s1, -(k % 300), int(k % 100 == 0))


def encoded(kind: str, k: int, micros: int) -> bytes:
    """Row ``k`` as the board sends it."""
    v, stim, i, s1, i1, s2, i2, trigger = values(kind, k)
    if kind in ("s25", "n3"):
        scale = 1 if kind == "n3" else 100
        return b"\xaa\x55" + struct.pack("<8h", v, stim, i, s1 // scale, i1, s2 // scale, i2, trigger)
    if kind == "v1":
        fields = (f"{v / 100:.2f}", f"{i / 100:.2f}", int(stim > 0), 0, 1, f"{i1 / 100:.2f}", f"{i2 / 100:.2f}", "0.00")
        return (", ".join(map(str, (*fields, micros % 2**32))) + "\r\r\n").encode()
    fields = [
        f"{v / 100:.2f}",
        stim,
        f"{i / 100:.2f}",
        s1 // 100,
        f"{i1 / 100:.2f}",
        s2 // 100,
        f"{i2 / 100:.2f}",
        trigger,
    ]
    return (",".join(map(str, fields[: 7 if kind == "v2.2" else 8])) + "\r\n").encode()


def speed(master: int) -> int:
    """Baud rate that the other side has set."""
    termios2 = array.array("B", bytes(44))
    fcntl.ioctl(master, _TCGETS2, termios2)
    return struct.unpack_from("<I", termios2, 36 + 4)[0] if len(termios2) >= 44 else 0


class Board:
    """The board's firmware: command buffer and rows."""

    def __init__(self, kind: str, commands: Path) -> None:
        self.kind = kind
        self.commands = commands
        self.period_s = 0.002 if kind in ("s25", "n3") else 0.0034 if kind.startswith("v2") else 0.0025
        self.line = bytearray()

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the host; return the text it answers."""
        answer = b""
        for byte in data:
            if byte == 0x0A:
                answer += self.execute(self.line.decode("ascii"))
                self.line.clear()
            elif 0x20 <= byte < 0x7F and len(self.line) < BUFFER - 1:
                self.line.append(byte)
        return answer

    def execute(self, line: str) -> bytes:
        """Do one command line."""
        words = line.split()
        if not words:
            return b""
        with self.commands.open("a") as file:
            file.write(line + "\n")
        if words[0][:8] not in KNOWN[self.kind]:
            return f"Unknown command: {words[0]}\r\n".encode() if self.kind in ("s25", "n3") else b""
        if words[0] == "DT":
            self.period_s = int(words[1]) / 1e6
        return b""


def main() -> None:
    """Run one board until its time is over or its port's other side is closed for good."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("link", type=Path, help="symbolic link that will lead to the port")
    parser.add_argument("--baud", type=int, default=0, help="anything else is garbage (0: as native USB)")
    parser.add_argument("--boot", type=float, default=0.0, help="silence after the start, in seconds")
    parser.add_argument("--commands", type=Path, required=True)
    arguments = parser.parse_args()
    master, slave = pty.openpty()
    tty.setraw(slave)
    arguments.link.unlink(missing_ok=True)
    arguments.link.symlink_to(os.ttyname(slave))
    os.set_blocking(master, False)
    board = Board(arguments.kind, arguments.commands)
    noise = random.Random(1)
    print("ready", flush=True)
    start = time.monotonic()
    due = start + arguments.boot
    k = 0
    if arguments.kind == "n3":
        os.write(master, b"BOOT: Spikeling_V3\r\n")
    while True:
        readable, _, _ = select.select([master], [], [], max(0.0, min(0.05, due - time.monotonic())))
        out = b""
        if readable:
            with contextlib.suppress(BlockingIOError):
                received = os.read(master, 4096)
                if not arguments.baud or speed(master) == arguments.baud:
                    out += board.receive(received)
        now = time.monotonic()
        while due <= now:
            out += encoded(arguments.kind, k, round((due - start) * 1e6))
            k += 1
            due += board.period_s
        if out and arguments.baud and speed(master) != arguments.baud:
            out = bytes(noise.choice(b"\x00\x1f\xe0\xfc\xff\x8c\x33") for _ in out)
        with contextlib.suppress(BlockingIOError):  # nobody reads, as on a real port: what does not fit is lost
            os.write(master, out)


if __name__ == "__main__":
    main()
