"""Pings, and the clock map that comes of them."""

from __future__ import annotations

from collections import OrderedDict

from spikedaq.clock import ClockFit, Estimate
from spikedaq.model import ClockMap
from spikedaq.wire import Pong

MAX_UNANSWERED = 32
"""Pings remembered; one not answered by then (half a minute) says nothing any more."""


class ClockKeeper:
    """Keeps the fit of one device's clock.

    Attributes
    ----------
    map : ClockMap or None
        The newest piece, of the present boot.
    round_trip_ns : int or None
        Of the newest ping.
    measured : Estimate or None
        The fit as measured, before any slewing.
    """

    def __init__(self) -> None:
        self.map: ClockMap | None = None
        self.round_trip_ns: int | None = None
        self.measured: Estimate | None = None
        self._fit: ClockFit | None = None
        self._boot_id: int | None = None
        self._sent: OrderedDict[int, int] = OrderedDict()
        self._token = 0

    def boot(self, boot_id: int, last: ClockMap | None = None, last_tick: int = 0) -> None:
        """Follow a boot; the same again (a reopened link) goes on where it was.

        Parameters
        ----------
        boot_id : int
        last : ClockMap, optional
            What an earlier daemon timed this boot's samples by.
        last_tick : int, optional
            A tick that none of them lies beyond, in microseconds.
        """
        self._sent.clear()
        if boot_id != self._boot_id:
            self._boot_id = boot_id
            self._fit = ClockFit(boot_id, last=last if last and last.boot_id == boot_id else None, last_tick=last_tick)
            self.measured = None
            self.map = None
            self.round_trip_ns = None

    def next_token(self) -> int:
        """Return the token of the next ping."""
        self._token = (self._token + 1) & 0xFFFFFFFF
        return self._token

    def waits_for(self, token: int) -> bool:
        """Whether a ping is still unanswered."""
        return token in self._sent

    def sent(self, token: int, t_send_ns: int) -> None:
        """Remember when a ping went out."""
        self._sent[token] = t_send_ns
        if len(self._sent) > MAX_UNANSWERED:
            self._sent.popitem(last=False)

    def pong(self, pong: Pong, t_receive_ns: int, newest_tick: int) -> ClockMap | None:
        """Take a pong; return the next piece of the map, which holds from ``newest_tick`` on, if there is one."""
        t_send_ns = self._sent.pop(pong.token, None)
        if t_send_ns is None or self._fit is None:
            return None
        self.round_trip_ns = t_receive_ns - t_send_ns
        self._fit.add(t_send_ns, t_receive_ns, pong.tick)
        self.measured = self._fit.estimate()
        return self.advance(newest_tick)

    def advance(self, newest_tick: int) -> ClockMap | None:
        """Return the next piece as `pong` does, without a pong: a correction must end although pings are lost."""
        piece = self._fit.next_map(newest_tick) if self._fit is not None else None
        if piece is not None:
            self.map = piece
        return piece
