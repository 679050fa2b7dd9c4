"""What an operation of the control endpoint is, and how its arguments are checked."""

from __future__ import annotations

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
    """

    run: Callable[..., Awaitable[Any]]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    changes: bool = False


def text(value: Any, name: str) -> str:
    """Return an argument that must be a text.

    Raises
    ------
    CommandRejected
        ``bad_arguments``.
    """
    if not isinstance(value, str):
        raise CommandRejected(f"{name!r} is {value!r}; it must be a text", code="bad_arguments")
    return value


def positive(value: Any, name: str) -> float:
    """Return an argument that must be a finite number above 0; raises as `text` does."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")
    if not number:
        raise CommandRejected(f"{name!r} is {value!r}; it must be a positive number", code="bad_arguments")
    return float(value)


def names(value: Any, name: str) -> list[str]:
    """Return an argument that must be a list of texts; raises as `text` does."""
    if not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        raise CommandRejected(f"{name!r} must be a list of names", code="bad_arguments")
    return value
