"""Fetches journals from a daemon's history, for as long as it takes, whatever becomes of daemon and network."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from spikedaq.inlet import HistoryClient, JournalPiece, connect
from spikedaq.journal import CopiedPiece, JournalCopy, OtherJournalError, newest_moment
from spikedaq.keys import ClientKey
from spikedaq.model import CommandRejected, SpikedaqError
from spikedaq.remote.missing import DELETED, GONE, REPLACED, Missing

WAIT_S = 1.0
"""How long the history waits for something new before it answers all the same."""
RETRY_FIRST_S, RETRY_LAST_S = 0.2, 5.0
TIMEOUT_S = 5.0
ABSENT_S = 5.0
"""How often a journal that is not there is asked for anew."""
SYNC_S = 1.0
"""At most this much, and what one sync takes, has to be fetched again after a power cut."""

log = structlog.get_logger(__name__)


@dataclass
class CopyState:
    """How far one device's copy is.

    Attributes
    ----------
    behind_bytes : int
        Of the daemon's journal, not copied yet, when last heard of.
    restarts : int
        How often another journal was found in the place of the one before.
    absent : bool
        There is no journal of the device on the bench.
    """

    behind_bytes: int = 0
    restarts: int = 0
    absent: bool = False


@dataclass
class CopierState:
    """What the copier knows; written by its thread, read by anybody.

    Attributes
    ----------
    connected : bool
    trouble : str
        Why nothing is being copied, one clear line; empty while it is.
    reconnects : int
    came_s : float
        When something came last, or copying began; UTC in seconds.
    """

    connected: bool = False
    trouble: str = ""
    reconnects: int = 0
    came_s: float = field(default_factory=time.time)
    devices: dict[str, CopyState] = field(default_factory=dict)


class Copier:
    """Copies until it is stopped. `run` is for a thread of its own.

    Parameters
    ----------
    url : str
        The daemon's control endpoint.
    copies : dict of str to JournalCopy
        Touched by nobody else while it runs, but for reading.
    key : ClientKey or path, optional
        As for `spikedaq.inlet.connect`.
    miss : callable
        Called with a device and what of its journal is missing, before anything is copied behind that. What it raises
        is tried again.

    Attributes
    ----------
    reached_end : bool
        `run` has ended because the copies hold what the journals held when it was stopped.
    """

    def __init__(
        self,
        url: str,
        copies: dict[str, JournalCopy],
        *,
        key: ClientKey | str | os.PathLike[str] | None = None,
        miss: Callable[[str, Missing], None] = lambda _device, _missing: None,
    ) -> None:
        self.state = CopierState(devices={device: CopyState() for device in copies})
        self.reached_end = False
        self._url = url
        self._key = key
        self._copies = copies
        self._miss = miss
        self._asked_s = dict.fromkeys(copies, -math.inf)
        self._synced_s = 0.0
        self._stop = threading.Event()
        self._patience_s = math.inf
        self._stopped_s = self._heard_s = 0.0

    def stop(self, patience_s: float) -> None:
        """End `run` once the copies hold what the journals hold now, or once nothing has come for ``patience_s``."""
        self._stopped_s = time.monotonic()
        self._patience_s = patience_s
        self._stop.set()

    def run(self) -> None:
        """Copy until stopped; what goes wrong is tried again."""
        retry_s = RETRY_FIRST_S
        while not self._is_over():
            try:
                with connect(self._url, timeout_s=TIMEOUT_S, key=self._key) as bench, bench.history() as history:
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
        # Whoever is hours behind has hours to fetch: patience is for silence only.
        return self._stop.is_set() and time.monotonic() >= max(self._stopped_s, self._heard_s) + self._patience_s

    def _follow(self, history: HistoryClient) -> None:
        """Take what comes; return once stopped and at the journals' ends."""
        order = list(self._copies)
        while not self._is_over():
            stopping = self._stop.is_set()
            offsets = {device: offset for device in order if (offset := self._wanted(history, device)) is not None}
            if not offsets:
                if stopping:
                    self._end()
                    return
                self._stop.wait(WAIT_S)
                continue
            pieces, more, reply = history.journal(offsets, wait_s=0.0 if stopping else WAIT_S)
            goes_on = [self._take(history, piece, int(reply["t_ns"])) for piece in pieces]
            for device in offsets:
                self._tell_absent(device, absent=device in reply["absent"])
            if any(piece.data for piece in pieces):
                self._heard_s, self.state.came_s = time.monotonic(), time.time()
            if time.monotonic() >= self._synced_s + SYNC_S:
                for copy in self._copies.values():
                    copy.sync()
                self._synced_s = time.monotonic()
            # Where a copy has been begun anew nobody has said yet what there is.
            if stopping and not more and all(goes_on):
                self._end()
                return
            # Whoever was not served this time comes first the next.
            served = [piece.device for piece in pieces]
            order = [d for d in order if d not in served] + served

    def _wanted(self, history: HistoryClient, device: str) -> int | None:
        """Return what to ask for next; None where there is no journal to begin with."""
        copy = self._copies[device]
        if copy.next_offset is None and time.monotonic() >= self._asked_s[device] + ABSENT_S:
            self._asked_s[device] = time.monotonic()
            try:
                self._begin_anew(history, device)
            except CommandRejected as error:
                if error.code != "unknown_device":
                    raise
                self._tell_absent(device, absent=True)
        return copy.next_offset

    def _end(self) -> None:
        """Be done; what a journal that is gone had got behind its copy is not to be had."""
        for device, state in self.state.devices.items():
            if state.absent and self._copies[device].offset:
                self._lack(device, GONE)
        self.reached_end = True

    def _begin_anew(self, history: HistoryClient, device: str) -> None:
        """Go on in a journal that is not the one copied so far, or not known to be: with what came after the copy."""
        copy = self._copies[device]
        moment = newest_moment(copy.folder)
        if moment is None:
            head = history.head(device)
        else:
            try:
                head = history.head(device, after=(moment.host_boot_id, moment.t_host_ns, moment.utc_ns))
            except CommandRejected as error:
                if error.code != "bad_arguments":
                    raise
                head = history.head(device)  # a daemon of before: what it has already stays missing
                head["since_utc_ns"] = head["utc_ns"]
            self._lack(device, REPLACED, until_utc_ns=head["since_utc_ns"])
        copy.begin(head["offset"], head["head"], head["t_ns"])

    def _lack(self, device: str, reason: str, *, n_bytes: int | None = None, until_utc_ns: int | None = None) -> None:
        copy = self._copies[device]
        moment = newest_moment(copy.folder)
        missing = Missing(copy.offset, reason, n_bytes, moment.utc_ns if moment else None, until_utc_ns)
        self._miss(device, missing)
        log.error("some of a journal cannot be had", device=device, missing=missing.text())

    def _tell_absent(self, device: str, *, absent: bool) -> None:
        state = self.state.devices[device]
        if absent and not state.absent:
            log.warning("the bench has no journal of a device; the others are copied", device=device)
        state.absent = absent

    def _take(self, history: HistoryClient, piece: JournalPiece, t_host_ns: int) -> bool:
        """Copy a piece; False where it was of another journal, which is gone on with."""
        state = self.state.devices[piece.device]
        copy = self._copies[piece.device]
        copied = CopiedPiece(piece.offset, piece.data, piece.segment, piece.stamp, piece.first, piece.end)
        try:
            lost = copy.lost_before(copied)
        except OtherJournalError as error:
            log.warning("the journal there is another one", device=piece.device, reason=str(error))
            self._begin_anew(history, piece.device)
            state.restarts += 1
            return False
        if lost:
            # Before the copy goes on behind it: whoever is killed in between finds it again.
            self._lack(piece.device, DELETED, n_bytes=lost, until_utc_ns=piece.stamp or None)
        copy.take(copied, t_host_ns)
        state.behind_bytes = piece.end - piece.offset - len(piece.data)
        return True
