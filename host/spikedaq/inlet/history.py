"""The client of a daemon's history: what was sent before, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spikedaq.bus import EVENTS, SAMPLES, Message, decode
from spikedaq.inlet.closing import Closing
from spikedaq.inlet.control import ControlClient
from spikedaq.model import RemoteProtocolError

REPLY_BYTES = 2**19


@dataclass(frozen=True, slots=True)
class JournalPiece:
    """Some of a device's journal as it stands on the daemon's disk; see `spikedaq.journal.Piece`."""

    device: str
    offset: int
    data: bytes
    segment: int
    stamp: int
    first: int
    end: int


class HistoryClient(Closing):
    """Reads the past of a bench, one request under way at a time, so that nothing piles up anywhere.

    Parameters
    ----------
    client : ControlClient
        Connected to the history's endpoint, as the daemon's ``hello`` names it. Closed with this.
    """

    def __init__(self, client: ControlClient) -> None:
        self.client = client

    def devices(self) -> list[str]:
        """Names of the devices that have a journal."""
        return [str(name) for name in self.client.call("hello")["devices"]]

    def extent(self, device: str) -> dict[str, Any]:
        """Oldest and newest block that the journal holds, and its offsets."""
        value: dict[str, Any] = self.client.call("extent", device=device)
        return value

    def read(
        self,
        device: str,
        *,
        streams: Sequence[str] = (SAMPLES, EVENTS),
        after: tuple[int, int] | None = None,
        step: tuple[int, int] | None = None,
        t_ns: int | None = None,
        until_seq: tuple[int, int] | None = None,
        until_step: tuple[int, int] | None = None,
        until_t_ns: int | None = None,
        mode: str | None = None,
    ) -> Reading:
        """Return the messages of a part of a device's past, in order, fetched as they are taken.

        Parameters
        ----------
        after, step, t_ns
            Where to begin, at most one of them: behind frame (boot, seq), at the block with (boot, step), at a
            CLOCK_BOOTTIME of the daemon's computer. None: with the oldest that is kept.
        until_seq, until_step, until_t_ns
            Where to end: before frame (boot, seq), before the block at or behind (boot, step), before a time. None: at
            the live edge.
        mode : str, optional
            Clamp mode of the block before; a change from it is told.
        """
        bounds = {"after": after, "step": step, "t_ns": t_ns}
        ends = {"until_seq": until_seq, "until_step": until_step, "until_t_ns": until_t_ns}
        given = {k: list(v) if isinstance(v, tuple) else v for k, v in {**bounds, **ends}.items() if v is not None}
        return Reading(self.client, {"device": device, "streams": list(streams), "mode": mode, **given})

    def journal(
        self, offsets: Mapping[str, int], *, wait_s: float = 0.0
    ) -> tuple[list[JournalPiece], bool, dict[str, Any]]:
        """Return what the journals hold from given offsets on, whether there is more, and the daemon's clocks."""
        value = self.client.call(
            "journal", offsets=dict(offsets), wait_s=wait_s, timeout_s=wait_s + self.client.timeout_s
        )
        try:
            return [JournalPiece(**piece) for piece in value["pieces"]], bool(value["more"]), value
        except (KeyError, TypeError) as error:
            raise RemoteProtocolError(f"the history at {self.client.url} sent an odd piece: {error}") from error

    def head(
        self, device: str, offset: int | None = None, *, after: tuple[str, int, int] | None = None
    ) -> dict[str, Any]:
        """Return ``offset``, a frame boundary, and ``head``, with which a copy that begins there has to begin.

        With ``after`` (boot id of the daemon's computer, CLOCK_BOOTTIME in it, UTC) where what was received later
        begins; ``since_utc_ns`` says when that was, None where nothing was.
        """
        more: dict[str, Any] = {} if after is None else {"after": list(after)}  # daemons of before do not know it
        value: dict[str, Any] = self.client.call("head", device=device, offset=offset, **more)
        return value

    def close(self) -> None:
        """Disconnect; may be called twice."""
        self.client.close()


class Reading:
    """An iterator over messages of the past.

    Attributes
    ----------
    complete : bool
        What was to be begun with, or gone on with, was still there. Known with the first message behind it.
    holes : int
        How often it was not.
    first : map or None
        The oldest block that was kept then.
    """

    def __init__(self, client: ControlClient, args: dict[str, Any]) -> None:
        self.complete = True
        self.holes = 0
        self.first: dict[str, Any] | None = None
        self._client = client
        self._args = args

    def __iter__(self) -> Iterator[Message]:
        cursor: dict[str, Any] | None = None
        while True:
            value = self._client.call("read", cursor=cursor, max_bytes=REPLY_BYTES, **self._args)
            try:
                if not value["complete"]:
                    self.complete, self.first = False, value["first"]
                    self.holes += 1
                messages, done, cursor = value["messages"], value["done"], value["cursor"]
            except (KeyError, TypeError) as error:
                raise RemoteProtocolError(f"the history at {self._client.url} sent an odd reply: {error}") from error
            for message in messages:
                yield decode(message)
            if done:
                return
