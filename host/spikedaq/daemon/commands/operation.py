"""What an operation of the control endpoint is, and how its arguments are checked."""

from __future__ import annotations

import reprlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from spikedaq.model import CommandRejected


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Attributes
    ----------
    run : callable
        Called with who asks and the arguments by name; returns the value to reply.
    needs, takes : tuple of str
        Arguments that must be there, and that may.
    changes : bool
        It changes something: a device, a recording, the daemon. Watching needs none of these.
    asks_lease : bool
        Refused while somebody else has the lease of the ``device`` it is given, or of the bench.
    every_lease : bool
        Refused while somebody else has the lease of any device: it reaches them all, or nobody can say which.
    wants_peer : bool
        ``run`` is given the whole `Peer` instead of its text.
    """

    run: Callable[..., Awaitable[Any]]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    changes: bool = False
    asks_lease: bool = True
    every_lease: bool = False
    wants_peer: bool = False


def shown(value: Any) -> str:
    """Return an argument for an error's text: shortened, however large or deep it is."""
    return _SHORT.repr(value)


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60


def flag(value: Any, name: str) -> bool:
    """Return an argument that must be true or false; raises as `text` does."""
    if not isinstance(value, bool):
        raise CommandRejected(f"{name!r} is {shown(value)}; it must be true or false", code="bad_arguments")
    return value


def text(value: Any, name: str) -> str:
    """Return an argument that must be a text.

    Raises
    ------
    CommandRejected
        ``bad_arguments``.
    """
    if not isinstance(value, str):
        raise CommandRejected(f"{name!r} is {shown(value)}; it must be a text", code="bad_arguments")
    return value


def positive(value: Any, name: str) -> float:
    """Return an argument that must be a finite number above 0; raises as `text` does."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")
    if not number:
        raise CommandRejected(f"{name!r} is {shown(value)}; it must be a positive number", code="bad_arguments")
    return float(value)


def whole(value: Any, name: str) -> int:
    """Return an argument that must be a whole number of 0 or more; raises as `text` does."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise CommandRejected(f"{name!r} is {shown(value)}; it must be a whole number, 0 or more", code="bad_arguments")
    return value


def names(value: Any, name: str) -> list[str]:
    """Return an argument that must be a list of texts; raises as `text` does."""
    if not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        raise CommandRejected(f"{name!r} must be a list of names", code="bad_arguments")
    return value
