"""Quantities in words, as logs, alarms and terminals show them."""

from __future__ import annotations


def duration_text(seconds: float) -> str:
    """Return a time as ``3 days``, ``5 h``, ``12 min`` or ``40 s``: two of a unit at least."""
    for unit, length_s in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.0f} {unit}"
    return f"{seconds:.0f} s"
