"""What a subscriber missed, from the sequence numbers of one topic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spikedaq.model import RemoteProtocolError


class MissCounter:
    """Counts the messages of one topic that were published and never came.

    The first message sets the start: what was published before nobody asked for. A new epoch (the daemon was
    started again) starts a new count, because how many messages the old one still published is unknowable.

    Attributes
    ----------
    received, missed : int
        Messages, over all epochs. ``missed`` never counts anything between two epochs.
    restarts : int
        Changes of epoch.
    missed_at_restart : int
        Messages of new epochs that were published before the first one came; kept apart from ``missed``.
    repeated : int
        Messages with a number already passed, which a working daemon never sends.
    """

    __slots__ = ("_epoch", "_next", "missed", "missed_at_restart", "received", "repeated", "restarts")

    def __init__(self) -> None:
        self._epoch: str | None = None
        self._next = 0
        self.received = 0
        self.missed = 0
        self.restarts = 0
        self.missed_at_restart = 0
        self.repeated = 0

    def update(self, header: Mapping[str, Any]) -> int:
        """Take the header of a message and return how many messages are missing just before it.

        Raises
        ------
        RemoteProtocolError
            The header has no sequence ``n`` or no ``epoch``; nothing is counted.
        """
        n, epoch = header.get("n"), header.get("epoch")
        if type(n) is not int or n < 0 or not isinstance(epoch, str):
            raise RemoteProtocolError(f"a bus message has no usable sequence: n {n!r}, epoch {epoch!r}")
        self.received += 1
        if epoch != self._epoch:
            if self._epoch is not None:
                self.restarts += 1
                self.missed_at_restart += n
            self._epoch = epoch
            self._next = n + 1
            return 0
        missed = n - self._next
        if missed < 0:
            self.repeated += 1
            return 0
        self._next = n + 1
        self.missed += missed
        return missed
