"""What a file on disk says, made fit to be sent: whoever damaged it must not take the whole list with it."""

from __future__ import annotations

import math
from typing import Any

from spikedaq.recorder import ManifestFile

MAX_COUNT = 2**62
"""Nanoseconds since 1970 have 2**61 in the year 2043; msgpack ends at 2**64."""
_COUNTS = ("number", "n_bytes", "n_samples", "first_step", "last_step", "boot_id", "start_utc_ns", "stop_utc_ns",
           "saturated_blocks", "n_runs")  # fmt: skip
_MAYBE_COUNTS = ("n_notes", "rebuilt_utc_ns", "deleted_utc_ns")
_TEXTS = ("name", "sha256", "closed_reason")
_MAX_TEXT_CHARS = 1000


def believable_text(value: Any, max_chars: int) -> str:
    """Return a text that can be encoded, cut to a length."""
    return str(value)[:max_chars].encode("utf-8", "replace").decode()


def believable_count(value: Any) -> int:
    """Return a number from 0 to `MAX_COUNT`.

    Raises
    ------
    ValueError
        It is none.
    """
    if type(value) is not int or not 0 <= value <= MAX_COUNT:
        raise ValueError(f"{str(value)[:40]} is no number from 0 to 2**62")
    return value


def check_entry(file: ManifestFile) -> None:
    """Check what a manifest says of one file.

    Raises
    ------
    ValueError
        It cannot be: a recorder does not write this.
    """
    for name in _COUNTS:
        believable_count(getattr(file, name))
    for name in _MAYBE_COUNTS:
        if getattr(file, name) is not None:
            believable_count(getattr(file, name))
    texts = [getattr(file, name) for name in _TEXTS] + ([] if file.deleted_why is None else [file.deleted_why])
    for text in texts:
        if not isinstance(text, str) or len(text) > _MAX_TEXT_CHARS or believable_text(text, len(text)) != text:
            raise ValueError(f"{str(text)[:40]!r} is no text of a manifest")
    for seconds in (file.start_s, file.stop_s):
        if not isinstance(seconds, float | int) or not math.isfinite(seconds) or abs(seconds) > MAX_COUNT:
            raise ValueError(f"{str(seconds)[:40]} is no time in seconds")
    if not isinstance(file.gaps, dict):
        raise ValueError(f"{str(file.gaps)[:40]} is no map of gaps")  # noqa: TRY004  damage, as the others
    for n in file.gaps.values():
        if n is not None:
            believable_count(n)
