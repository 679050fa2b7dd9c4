"""Where a client reaches what the daemon names."""

from __future__ import annotations

import re

_TCP = re.compile(r"tcp://(\[[0-9a-fA-F:.]+\]|[^:/]+):(\d+)")
_EVERYWHERE = ("0.0.0.0", "[::]", "*")  # noqa: S104  compared with, not bound


def reached_by(control: str, endpoint: str) -> str:
    """Return an endpoint as it is reached from here: one bound to every address is where the control socket answers."""
    asked, told = _TCP.fullmatch(control), _TCP.fullmatch(endpoint)
    if asked is None or told is None or told[1] not in _EVERYWHERE:
        return endpoint
    return f"tcp://{asked[1]}:{told[2]}"
