"""Fetches journals from a daemon's history, for as long as it takes, whatever becomes of daemon and network."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import structlog

from spikedaq.inlet import HistoryClient, connect
from spikedaq.journal import CopiedPiece, JournalCopy, OtherJournalError
from spikedaq.model import SpikedaqError

WAIT_S = 1.0
"""How long the history waits for something new before it answers all the same."""
RETRY_FIRST_S, RETRY_LAST_S = 0.2, 5.0
TIMEOUT_S = 5.0

log = structlog.get_logger(__name__)


@dataclass
class CopyState:
    """How far one device's copy is.

    Attributes
    ----------
    behind_bytes : int
        Of the daemon's journal, not copied yet, when last heard of.
    lost_bytes : int
        That were gone before they could be copied.
    restarts : int
        How often another journal was found in the place of the one before.
    """

    behind_bytes: int = 0
    lost_bytes: int = 0
    restarts: int = 0


@dataclass
class CopierState:
    """What the copier knows; written by its thread, read by anybody.

    Attributes
    ----------
    connected : bool
    trouble : str
        Why nothing is being copied, one clear line; empty while it is.
    reconnects : int
    """

    connected: bool = False
    trouble: str = ""
    reconnects: int = 0
    devices: dict[str, CopyState] = field(default_factory=dict)


class Copier:
    """Copies until it is stopped. `run` is for a thread of its own.

    Parameters
    ----------
    url : str
        The daemon's control endpoint.
    copies : dict of str to JournalCopy
        Touched by nobody else while it runs, but for reading.
    """

    def __init__(self, url: str, copies: dict[str, JournalCopy]) -> None:
        self.state = CopierState(devices={device: CopyState() for device in copies})
        self._url = url
        self._copies = copies
        self._stop = threading.Event()
        self._end_s: float | None = None

    def stop(self, patience_s: float) -> None:
        """End `run` once the copies hold what the journals hold now, at the latest after ``patience_s``."""
        self._end_s = time.monotonic() + patience_s
        self._stop.set()

    def run(self) -> None:
        """Copy until stopped; what goes wrong is tried again."""
        retry_s = RETRY_FIRST_S
        while not self._is_over():
            try:
                with connect(self._url, timeout_s=TIMEOUT_S) as bench, bench.history() as history:
                    self.state.connected, self.state.trouble = True, ""
                    retry_s = RETRY_FIRST_S
                    self._follow(history)
                    return
            except SpikedaqError as error:
                if self.state.connected or not self.state.trouble:
                    log.warning("copying stands still", url=self._url, reason=str(error))
                self.state.reconnects += self.state.connected
                self.state.connected, self.state.trouble = False, str(error)
            # Stopped while the daemon is away: the patience is for it to come back.
            self._stop.wait(retry_s) if not self._stop.is_set() else time.sleep(min(retry_s, RETRY_FIRST_S))
            retry_s = min(2 * retry_s, RETRY_LAST_S)

    def _is_over(self) -> bool:
        return self._end_s is not None and time.monotonic() >= self._end_s

    def _follow(self, history: HistoryClient) -> None:
        """Take what comes; return once stopped and at the journals' ends."""
        order = list(self._copies)
        while not self._is_over():
            stopping = self._stop.is_set()
            offsets = {device: self._wanted(history, device) for device in order}
            pieces, more, clocks = history.journal(offsets, wait_s=0.0 if stopping else WAIT_S)
            for piece in pieces:
                copied = (piece.offset, piece.data, piece.segment, piece.stamp, piece.first, piece.end)
                self._take(history, piece.device, CopiedPiece(*copied), int(clocks["t_ns"]))
            if stopping and not more:
                return
            # Whoever was not served this time comes first the next.
            served = [piece.device for piece in pieces]
            order = [d for d in order if d not in served] + served

    def _wanted(self, history: HistoryClient, device: str) -> int:
        copy = self._copies[device]
        if copy.next_offset is None:
            self._begin_anew(history, device)
        return copy.next_offset or 0

    def _begin_anew(self, history: HistoryClient, device: str) -> None:
        head = history.head(device)
        self._copies[device].begin(head["offset"], head["head"], head["t_ns"])

    def _take(self, history: HistoryClient, device: str, piece: CopiedPiece, t_host_ns: int) -> None:
        state = self.state.devices[device]
        try:
            lost = self._copies[device].take(piece, t_host_ns)
        except OtherJournalError as error:
            log.warning("the journal there is another one; going on at its end", device=device, reason=str(error))
            state.restarts += 1
            self._begin_anew(history, device)
            return
        if lost:
            log.error("some of the journal was deleted before it could be copied", device=device, n_bytes=lost)
            state.lost_bytes += lost
        state.behind_bytes = piece.end - piece.offset - len(piece.data)
