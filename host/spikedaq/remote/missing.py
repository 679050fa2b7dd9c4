"""What of a bench's journals could not be had: kept in the session, until whoever reads it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

DELETED = "it was deleted there before it could be copied"
REPLACED = "another journal was found in its place there"
GONE = "its journal was deleted there"


@dataclass(frozen=True, slots=True)
class Missing:
    """A hole in a copied journal.

    Attributes
    ----------
    at : int
        Offset of the copy at which it is: later holes are further on.
    reason : str
    n_bytes : int or None
        Of journal; None where nobody knows.
    from_utc_ns, until_utc_ns : int or None
        Between these times something is missing, by the clock of the bench's computer. ``until_utc_ns`` is None where
        nothing has come since.
    """

    at: int
    reason: str
    n_bytes: int | None
    from_utc_ns: int | None
    until_utc_ns: int | None

    def to_map(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    def replaces(self, other: Missing) -> bool:
        """Whether another one was of the same hole, or of one that lay in what had to be copied again."""
        unfinished = self.n_bytes is None and other.n_bytes is None and self.from_utc_ns == other.from_utc_ns
        return other.at >= self.at or unfinished

    def text(self) -> str:
        """Say when, how much and why."""
        since, until = _clock_text(self.from_utc_ns), _clock_text(self.until_utc_ns)
        when = f"from {since} " if since else ""
        when += f"until {until}" if until else "on"
        much = "an unknown amount" if self.n_bytes is None else f"{self.n_bytes} bytes of journal"
        return f"{when}: {much}, {self.reason}"


def missing_from(value: Any) -> Missing:
    """Read what `Missing.to_map` made.

    Raises
    ------
    KeyError, TypeError
        It is not that.
    """
    return Missing(**{name: value[name] for name in Missing.__slots__})


def known_bytes(missing: list[Missing]) -> int:
    """Return how much of that is known to be missing."""
    return sum(hole.n_bytes or 0 for hole in missing)


def _clock_text(utc_ns: int | None) -> str:
    if utc_ns is None:
        return ""
    return datetime.fromtimestamp(utc_ns / 1e9, UTC).astimezone().isoformat(" ", "seconds")
