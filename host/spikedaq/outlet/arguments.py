"""What a request brings along, against what its operation takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from spikedaq.model import CommandRejected


def check_arguments(op: str, operation: Callable[..., Any], args: dict[str, Any]) -> None:
    """Refuse arguments that an operation does not have, or the lack of one that it needs.

    Raises
    ------
    CommandRejected
        With the code ``bad_arguments``.
    """
    try:
        inspect.signature(operation).bind(**args)
    except TypeError as error:
        raise CommandRejected(f"{op!r} was asked with wrong arguments: {error}", code="bad_arguments") from error
