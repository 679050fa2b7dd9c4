"""What is remembered of a class between its start and its stop, in the user's state folder."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeGuard

from spikedaq.durable import replaced
from spikedaq.journal import read_host_boot_id
from spikedaq.lesson import Lesson, Seat
from spikedaq.model import StoreError


def of_lesson(lesson: Lesson, seats: Sequence[Seat]) -> dict[str, Any]:
    """Return what is to be remembered."""
    return {
        "session": lesson.session,
        "started": datetime.fromtimestamp(lesson.utc_ns / 1e9, UTC).isoformat(),
        "reference_ns": lesson.ours_ns,
        "boot": read_host_boot_id(),
        "benches": [seat.to_map() for seat in seats],
    }


def save(value: dict[str, Any]) -> None:
    """Remember it, whole or not at all; nothing is remembered of an empty one.

    Raises
    ------
    StoreError
        It cannot be written.
    """
    path = _path()
    try:
        if not value:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(path) as file:
            json.dump(value, file, indent=1)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written ({error.strerror}); stop with the session's NAME and the same --bench or --list "
            "options"
        ) from error


def load() -> dict[str, Any]:
    """Return what is remembered; empty where that is nothing.

    Raises
    ------
    StoreError
        It cannot be read, or is damaged.
    """
    path = _path()
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(f"{path} cannot be read ({error}); remove it, and name session and benches") from error
    if not _is_ours(value):
        raise StoreError(f"{path} is damaged; remove it, and name session and benches")
    return value


def _is_ours(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether it has what `class stop` needs: the session, and benches with an address."""
    if not isinstance(value, dict) or not isinstance(value.get("session"), str):
        return False
    benches = value.get("benches")
    return isinstance(benches, list) and all(_is_bench(each) for each in benches)


def _is_bench(value: Any) -> bool:
    if not isinstance(value, dict) or not all(isinstance(value.get(key), str) for key in ("url", "bench")):
        return False
    reading = value.get("reading")
    keys = ("ours_ns", "theirs_ns", "uncertainty_ns")
    return reading is None or (
        isinstance(reading, dict) and set(reading) == set(keys) and all(type(reading[key]) is int for key in keys)
    )


def state_folder() -> Path:
    """Return the user's folder for what is remembered."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "spikedaq"


def _path() -> Path:
    return state_folder() / "class.json"
