"""A reset as a note in the journal, so that whoever opens the recording has the same runs as the bench had."""

from __future__ import annotations

import json
from typing import Any

from spikedaq.model import ConfigError, StoreError
from spikedaq.objects.block_content import plain, restored
from spikedaq.pynn.runs import Boundary
from spikedaq.store import StoredNote

_PREFIX = "run ends "
_NS_PER_S = 1e9
MAX_NOTE_CHARS = 10_000
"""What the daemon takes."""


def note_text(ended_ns: int, began_ns: int, annotations: dict[str, Any]) -> str:
    """Return the note for a reset; both times are CLOCK_BOOTTIME of the daemon's computer.

    Raises
    ------
    ConfigError
        The annotations are too long for a note.
    """
    about = {"ended_ns": ended_ns, "began_ns": began_ns, "annotations": plain(annotations)}
    text = _PREFIX + json.dumps(about, ensure_ascii=False)
    if len(text) > MAX_NOTE_CHARS:
        raise ConfigError(
            f"the annotations make a note of {len(text)} characters, and it has at most {MAX_NOTE_CHARS}; annotate "
            "less, or the block that get_data returns"
        )
    return text


def reset_of(note: StoredNote) -> Boundary | None:
    """Return the reset that a note tells of, None where it is another note."""
    if not note.text.startswith(_PREFIX):
        return None
    try:
        about = json.loads(note.text.removeprefix(_PREFIX))
        shift_s = note.time_s - note.t_host_ns / _NS_PER_S
        ended_s, began_s = (about[name] / _NS_PER_S + shift_s for name in ("ended_ns", "began_ns"))
        annotations = restored(about["annotations"])
    except (ValueError, TypeError, KeyError, StoreError):
        return None  # somebody wrote a note that begins like one of ours
    if not isinstance(annotations, dict) or ended_s > began_s:
        return None
    return Boundary(ended_s, began_s, annotations)
