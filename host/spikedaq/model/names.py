"""Which names may become parts of a path or a topic."""

from __future__ import annotations

import re

from spikedaq.model.errors import ConfigError

_ALLOWED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# Longer names would break 255-byte file names once device, time and number are added.
MAX_NAME_CHARS = 80


def check_session_name(name: str, what: str = "session name") -> str:
    """Return ``name`` if it can be used in paths and topics.

    Raises
    ------
    ConfigError
        Empty, too long, or with anything but letters, digits, ``.``, ``_`` and ``-``; ``..`` is refused too.
    """
    if not name:
        raise ConfigError(f"the {what} is empty; give one, such as 2026-05-01_tonic_1")
    if len(name) > MAX_NAME_CHARS:
        raise ConfigError(f"the {what} has {len(name)} characters; at most {MAX_NAME_CHARS} are possible")
    if ".." in name or not _ALLOWED.fullmatch(name):
        bad = sorted({c for c in name if not re.fullmatch(r"[A-Za-z0-9._-]", c)})
        reason = f"has {' '.join(map(repr, bad))} in it" if bad else "starts with a sign or has '..' in it"
        raise ConfigError(
            f"the {what} {name!r} {reason}; use letters, digits, '.', '_' and '-', starting with a letter or digit"
        )
    return name
