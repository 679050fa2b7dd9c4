"""A connection to a bench that threads use one after the other, and that is closed by whoever uses it last."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from spikedaq.model import CommandRejected


class Closable(Protocol):
    """What can be closed."""

    def close(self) -> None:
        """Close it."""


C = TypeVar("C", bound=Closable)
R = TypeVar("R")


class Line(Generic[C]):
    """A connection that is made when it is first used.

    A ZeroMQ socket belongs to one thread at a time: closed under the feet of another it can end the whole process. A
    task that is cancelled leaves its thread running, so whoever closes cannot know; where the connection is in use,
    closing is left to its user.

    Parameters
    ----------
    make : callable
        Returns a fresh connection, in the thread that uses it.
    """

    def __init__(self, make: Callable[[], C]) -> None:
        self._make = make
        self._made: C | None = None
        self._in_use = threading.Lock()
        self._is_closed = False

    def use(self, work: Callable[[C], R]) -> R:
        """Return what ``work`` makes of the connection; blocks until nobody else uses it.

        Raises
        ------
        CommandRejected
            ``closed``: it was closed.
        """
        try:
            with self._in_use:
                if self._is_closed:
                    raise CommandRejected("the page was closed before this was asked", code="closed")
                if self._made is None:
                    self._made = self._make()
                return work(self._made)
        finally:
            if self._is_closed:
                self._close_unused()

    def close(self) -> None:
        """Close it, now or when its user is done; does not wait for that, and may be called twice."""
        self._is_closed = True
        self._close_unused()

    def _close_unused(self) -> None:
        if self._in_use.acquire(blocking=False):
            try:
                made, self._made = self._made, None
            finally:
                self._in_use.release()
            if made is not None:
                made.close()
