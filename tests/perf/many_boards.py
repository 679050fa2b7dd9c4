"""Many virtual boards in one process, as `stamped_board.py` is one: ``many_boards.py STAMPS_FILE N_BOARDS``.

Their names in /dev/pts come on stdout, one a line. Lines ``board seq first_step t_boottime_ns`` go to the file when
standard input ends.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import sys
import time
import tty
from pathlib import Path

import msgpack
from cobs import cobs
from stamped_board import CHANNELS, N_PAYLOADS, N, frame, payload

PERIOD_NS = 10_000_000
MAX_UNSENT_BYTES = 800_000


def now_ns() -> int:
    """CLOCK_BOOTTIME."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Board:
    """One board: 10 kHz x 8 in blocks of 100."""

    def __init__(self, number: int, n_boards: int, payloads: list[bytes]) -> None:
        self.number = number
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        os.set_blocking(self.master, False)
        self.name = os.ttyname(slave)
        self.phase_ns = PERIOD_NS * number // n_boards
        self.payloads = payloads
        self.t0 = now_ns()
        self.seq = self.step = 0
        self.running = False
        self.due_ns = 0
        self.late = 0
        self.buffer = self.unsent = b""
        self.stamps: list[tuple[int, int, int]] = []

    def send(self, kind: int, *fields: object) -> None:
        self.unsent += frame([kind, self.seq, *fields])
        self.push()
        self.seq += 1

    def requests(self) -> None:
        *frames, self.buffer = (self.buffer + os.read(self.master, 4096)).split(b"\0")
        for raw in frames:
            if raw:
                self.handle(msgpack.unpackb(cobs.decode(raw)[:-4]))

    def handle(self, message: list[object]) -> None:
        kind = message[0]
        if kind == 32:
            unique_id = f"board{self.number:03d}".encode()
            names = ("bench", "bench", "bench")
            self.send(1, 1, 0, *names, unique_id, 7, 100, N, 8, 0, 0, 0, 0, 1, 512, self.running)
        elif kind == 33:
            request, what, index = message[1:4]
            if what == 0 and index < 8:
                name, unit, mantissa, exponent = CHANNELS[index]
                self.send(2, request, what, index, [name, unit, mantissa, exponent, 0])
            else:
                self.send(6, request, 3, "no such description")
        elif kind == 34:
            self.send(5, message[1], (now_ns() - self.t0) // 1000, self.step)
        elif kind == 37:
            now = now_ns()
            self.running, self.due_ns = True, now - now % PERIOD_NS + 2 * PERIOD_NS + self.phase_ns
            self.send(6, message[1], 0, self.step)
        elif kind == 38:
            self.running = False
            self.send(6, message[1], 0, self.step)
        else:
            self.send(6, message[1], 1, "unknown request")

    def push(self) -> None:
        """Write what a pseudo-terminal takes; it holds 12 blocks, and this board as many more as five seconds have."""
        with contextlib.suppress(BlockingIOError):
            self.unsent = self.unsent[os.write(self.master, self.unsent) :]
        if len(self.unsent) > MAX_UNSENT_BYTES:
            raise SystemExit(f"board {self.number}: the daemon has not read for five seconds; nothing can be measured")

    def block(self, now: int) -> None:
        tick = (self.due_ns - self.t0) // 1000 - N * 100
        flags = 4 if self.step == 0 else 0
        payload = self.payloads[self.step // N % len(self.payloads)]
        data = frame([3, self.seq, 0, self.step, tick & 0xFFFFFFFF, 100, N, 0, payload, flags])
        self.unsent += data
        self.push()
        # Also where the daemon does not read just now: the delay is its own.
        self.stamps.append((self.seq, self.step, now_ns()))
        self.late = max(self.late, now - self.due_ns)
        self.seq, self.step, self.due_ns = self.seq + 1, self.step + N, self.due_ns + PERIOD_NS


def main() -> None:
    """Serve one host until standard input ends."""
    stamps_path, n_boards = Path(sys.argv[1]), int(sys.argv[2])
    payloads = [payload(block) for block in range(N_PAYLOADS)]
    boards = [Board(k, n_boards, payloads) for k in range(n_boards)]
    for board in boards:
        print(board.name, flush=True)
    by_fd = {board.master: board for board in boards}
    poller = select.poll()
    for fd in by_fd:
        poller.register(fd, select.POLLIN)
    poller.register(sys.stdin.fileno(), select.POLLIN)
    running = True
    while running:
        due = [board.due_ns for board in boards if board.running]
        wait_ms = max(0.0, (min(due) - now_ns()) / 1e6) if due else 100.0
        for fd, _ in poller.poll(min(wait_ms, 100.0)):
            if fd in by_fd:
                by_fd[fd].requests()
            else:
                running = False
        now = now_ns()
        for board in boards:
            if board.unsent:
                board.push()
            if board.running and now >= board.due_ns:
                board.block(now)
    with stamps_path.open("w") as file:
        for board in boards:
            file.writelines(f"{board.number} {seq} {step} {t}\n" for seq, step, t in board.stamps)
    print(f"late {max(board.late for board in boards)}", flush=True)


if __name__ == "__main__":
    main()
