"""A cable between a daemon and a virtual board (TCP) that damages what passes, frame by frame, in both directions."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from types import TracebackType
from typing import Self

from helpers.simulated_link import Channel


class DamagingProxy:
    """Serves one host after the other, in a thread of its own.

    The board notices nothing of hosts that come and go, as behind a USB serial adapter: what it sends while there is
    none is gone.

    Parameters
    ----------
    port : int
        Where the board listens, on loopback.
    down, up : Channel
        What becomes of frames to the host and to the board.

    Attributes
    ----------
    url : str
        For the daemon.
    discarded_bytes : int
        Sent by the board to nobody.
    """

    def __init__(self, port: int, down: Channel, up: Channel) -> None:
        self.down, self.up = down, up
        self.discarded_bytes = 0
        self._board = socket.create_connection(("127.0.0.1", port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._host: socket.socket | None = None
        self.url = f"tcp:127.0.0.1:{self._listener.getsockname()[1]}"
        self._cut = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def cut(self) -> None:
        """End the present connection of the host."""
        self._cut.set()

    def _serve(self) -> None:
        rest = {"up": b"", "down": b""}
        with selectors.DefaultSelector() as selector:
            selector.register(self._board, selectors.EVENT_READ)
            selector.register(self._listener, selectors.EVENT_READ)
            while not self._ended.is_set():
                ready = [key.fileobj for key, _ in selector.select(0.02)]
                if self._host is not None and self._cut.is_set():
                    self._hang_up(selector)
                if self._listener in ready and self._host is None:
                    self._host, _ = self._listener.accept()
                    selector.register(self._host, selectors.EVENT_READ)
                    self._cut.clear()
                if self._board in ready:
                    data = self._board.recv(65536)
                    if not data:
                        return
                    passed = self._carry(self.down, data, rest, "down")
                    try:
                        if self._host is None:
                            self.discarded_bytes += len(data)
                        else:
                            self._host.sendall(passed)
                    except OSError:
                        self._hang_up(selector)
                if self._host in ready and self._host is not None:
                    with contextlib.suppress(OSError):
                        data = self._host.recv(65536)
                        if data:
                            self._board.sendall(self._carry(self.up, data, rest, "up"))
                            continue
                    self._hang_up(selector)

    @staticmethod
    def _carry(channel: Channel, data: bytes, rest: dict[str, bytes], way: str) -> bytes:
        *frames, rest[way] = (rest[way] + data).split(b"\0")
        return b"".join(channel.carry(frame + b"\0") for frame in frames)

    def _hang_up(self, selector: selectors.BaseSelector) -> None:
        if self._host is not None:
            selector.unregister(self._host)
            self._host.close()
            self._host = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        for end in (self._listener, self._board, self._host):
            if end is not None:
                end.close()
