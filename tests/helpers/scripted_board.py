"""A scripted board behind an in-memory link: answers requests, streams on command, and can be made to misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np

from spikedaq.link import host_now_ns
from spikedaq.model import LinkLostError, LinkOpenError
from spikedaq.wire import (
    BlockMessage,
    Describe,
    Description,
    EventMessage,
    Frame,
    FrameDecoder,
    Get,
    Hello,
    HelloRequest,
    Ping,
    Pong,
    Reply,
    Resend,
    Reset,
    SelfTest,
    Set,
    Start,
    StimulusBegin,
    StimulusData,
    StimulusPlay,
    StimulusStop,
    Stop,
    decode_message,
    encode_frame,
    encode_message,
)

N_CHANNELS = 2
PARAMETERS: list[list[Any]] = [
    # name, unit, type, minimum, maximum, default, value, holder, flags
    ["i_clamp", "a.u.", 0, -100.0, 100.0, 0.0, 0.0, 0, 2],
    ["preset", "1", 1, 0.0, 255.0, 0.0, 0.0, 0, 0],
    ["photo_decay", "1/step", 0, 0.0, float(np.float32(0.1)), 0.0, 0.0, 0, 0],
    ["fixed", "1", 0, 0.0, 1.0, 0.5, 0.5, 0, 1],
    ["gate", "1", 2, 0.0, 1.0, 0.0, 0.0, 0, 0],
]


class ScriptedBoard:
    """A board; give its `open` to a Device as the opener.

    Attributes
    ----------
    deaf : set of type
        Requests that it does not answer.
    refuse : dict of type to (code, text)
        Requests that it refuses.
    resend_depth : int
        Frames that it remembers.
    dropping : bool
        What it sends gets lost on the way.
    seen : list
        Every message received, in order.
    open_error : LinkOpenError or None
        Raised by the next attempts to open a link.
    """

    def __init__(self, *, major: int = 1, unique_id: bytes = b"\xaa\xbb\xcc\xdd", boot_id: int = 7) -> None:
        self.major = major
        self.unique_id = unique_id
        self.boot_id = boot_id
        self.max_request_bytes = 64
        self.resend_depth = 0
        self.dropping = False
        self.history: dict[int, bytes] = {}
        self.running = False
        self.deaf: set[type] = set()
        self.refuse: dict[type, tuple[int, str]] = {}
        self.noise = b""
        self.seen: list[Any] = []
        self.parameters = [list(row) for row in PARAMETERS]
        self.traits = 0
        self.inputs: list[Any] = []  # what a self-test answers, one after the other
        self.opened = 0
        self.open_error: LinkOpenError | None = None
        self.link: ScriptedLink | None = None
        self.changed = asyncio.Event()
        self._restart()

    def _restart(self) -> None:
        self.history.clear()
        self.seq = 0
        self.step = 0
        self.tick = 1000
        self.running = False

    async def open(self, url: str) -> ScriptedLink:
        """Open a link to it."""
        self.changed.set()
        if self.open_error is not None:
            raise self.open_error
        self.opened += 1
        self.link = ScriptedLink(self, url)
        return self.link

    # ---- what the board does by itself ----

    def hello(self) -> Hello:
        """Return its next hello."""
        return Hello(
            self._next(), self.major, 0, "0.1", "abc", "scripted", self.unique_id, self.boot_id, 100, 10, N_CHANNELS,
            len(self.parameters), 1, self.resend_depth, 1000, 1, self.max_request_bytes, self.running, self.traits,
        )  # fmt: skip

    def block(self, n: int = 10, *, flags: int = 0, skip_frames: int = 0, skip_steps: int = 0) -> np.ndarray:
        """Send a block; return its samples, shape (n, N_CHANNELS)."""
        self.seq += skip_frames
        self.step += skip_steps
        self.tick += 100 * skip_steps
        samples = (np.arange(n * N_CHANNELS, dtype=np.int16).reshape(n, N_CHANNELS) + self.step).astype("<i2")
        payload = samples.T.tobytes()
        self.send(BlockMessage(self._next(), 0, self.step, self.tick % 2**32, 100, n, 0, payload, flags))
        self.step += n
        self.tick += 100 * n
        return samples

    def parameter_event(self, index: int, value: float) -> None:
        """Say that a parameter has changed."""
        self.parameters[index][6] = value
        self.send(EventMessage(self._next(), 2, self.step, self.tick % 2**32, index, value))

    def reboot(self) -> None:
        """Boot again, and say hello unasked."""
        self.boot_id += 1
        self._restart()
        self.send(self.hello())

    def send(self, message: Any) -> None:
        """Send a message, and remember it."""
        raw = encode_frame(encode_message(message))
        self.history[message.seq] = raw
        while len(self.history) > self.resend_depth:
            del self.history[min(self.history)]
        if not self.dropping:
            self.send_bytes(raw)

    def send_bytes(self, data: bytes) -> None:
        """Send raw bytes."""
        if self.link is not None:
            self.link.deliver(data)

    def unplug(self) -> None:
        """Take the link away."""
        assert self.link is not None
        self.link.lose("unplugged")

    # ---- what it answers ----

    def receive(self, message: Any) -> None:
        """Take a message of the host."""
        self.seen.append(message)
        self.changed.set()
        kind = type(message)
        if kind in self.deaf or object in self.deaf:
            return
        if kind in self.refuse:
            self.send(Reply(self._next(), message.request_id, *self.refuse[kind]))
            return
        self.answer(message)

    def answer(self, message: Any) -> None:
        """Answer as a working board does."""
        self.tick += 1
        match message:
            case HelloRequest():
                self.send(self.hello())
            case Ping(token):
                self.send(Pong(self._next(), token, self.tick, self.step))
            case Describe(request_id, kind, index):
                bodies = {
                    0: [("vm", "mV", 1, -2, 0), ("stimulus", "%", 1, 0, 0)],
                    1: self.parameters,
                    2: [("tonic", 0.02, 0.2, -65.0, 6.0, -70.0)],
                }
                self.send(Description(self._next(), request_id, kind, index, tuple(bodies[kind][index])))
            case Get(request_id, index):
                self.send(Reply(self._next(), request_id, 0, [self.parameters[index][6], self.parameters[index][7]]))
            case Set(request_id, pairs):
                for index, value in zip(pairs[::2], pairs[1::2], strict=True):
                    self.parameters[index][7] = int(value is not None)
                    self.parameters[index][6] = self.parameters[index][5] if value is None else value
                self.send(Reply(self._next(), request_id, 0, None))
            case Start(request_id, _):
                self.running = True
                self.send(Reply(self._next(), request_id, 0, self.step))
            case Stop(request_id):
                self.running = False
                self.send(Reply(self._next(), request_id, 0, self.step))
            case Resend(request_id, first_seq, count):
                again = [raw for seq, raw in self.history.items() if first_seq <= seq < first_seq + count]
                self.send(Reply(self._next(), request_id, 0, len(again)))
                for raw in () if self.dropping else again:
                    self.send_bytes(raw)
            case Reset(request_id, scope):
                self.send(Reply(self._next(), request_id, 0, None))
                if scope == 2:
                    self.reboot()
            case SelfTest(request_id, index):
                there = index < len(self.inputs)
                value = self.inputs[index] if there else "there is no input of that index"
                self.send(Reply(self._next(), request_id, 0 if there else 3, value))
            case StimulusBegin() | StimulusData() | StimulusPlay() | StimulusStop():
                self.send(Reply(self._next(), message.request_id, 0, None))

    def _next(self) -> int:
        self.seq += 1
        return self.seq - 1


class ScriptedLink:
    """A `spikedaq.link.Link` to a scripted board."""

    def __init__(self, board: ScriptedBoard, url: str) -> None:
        self.url = url
        self.detail = "scripted board"
        self.closed = False
        self._board = board
        self._decoder = FrameDecoder()
        self._on_bytes: Callable[[bytes, int], None] | None = None
        self._on_lost: Callable[[LinkLostError], None] | None = None

    def start(self, on_bytes: Callable[[bytes, int], None], on_lost: Callable[[LinkLostError], None]) -> None:
        """Begin to deliver."""
        self._on_bytes, self._on_lost = on_bytes, on_lost
        if self._board.noise:
            self.deliver(self._board.noise)

    def write(self, data: bytes) -> None:
        """Give bytes to the board."""
        if self.closed:
            raise LinkLostError("closed", url=self.url)
        for frame in self._decoder.feed(data):
            if isinstance(frame, Frame):
                self._board.receive(decode_message(frame.message))

    async def close(self) -> None:
        """End it."""
        self.closed = True
        self._on_bytes = self._on_lost = None

    def deliver(self, data: bytes) -> None:
        """Deliver bytes to the host, as the event loop would: not while it is writing."""
        asyncio.get_running_loop().call_soon(self._deliver, data)

    def lose(self, why: str) -> None:
        """End it from the board's side."""
        self.closed = True
        if self._on_lost is not None:
            asyncio.get_running_loop().call_soon(self._on_lost, LinkLostError(f"{self.url}: {why}", url=self.url))

    def _deliver(self, data: bytes) -> None:
        if self._on_bytes is not None:
            self._on_bytes(data, host_now_ns())
