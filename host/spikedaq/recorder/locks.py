"""Who holds a session: its recorder, or a daemon that will start another one."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spikedaq.model import StoreError
from spikedaq.recorder.plan import PLAN_FILE

RECORDER_LOCK = ".recorder.lock"
DAEMON_LOCK = ".spikedaqd.lock"
UNFINISHED = ("recording", "stopping")
"""States of session.json in which a daemon that starts takes the session up."""


def holder(session: Path) -> str | None:
    """Return who holds a session folder, None where nobody does."""
    if _is_locked(session / RECORDER_LOCK):
        return "its recorder is running"
    raw = _plan(session)
    if raw.get("state") not in UNFINISHED:
        return None
    for entry in raw["devices"]:
        # A journal is DATA/journal/DEVICE.
        lock = Path(entry["journal"]).parent.parent / DAEMON_LOCK
        if _is_locked(lock):
            return f"spikedaqd (process {_text(lock)}) is recording it"
    return None


@contextlib.contextmanager
def held(session: Path) -> Iterator[None]:
    """Keep recorders away from a session.

    Raises
    ------
    StoreError
        Somebody holds it, or its folder cannot be written.
    """
    if (who := holder(session)) is not None:
        raise StoreError(f"{session} is in use: {who}; stop the recording first (spikedaq record stop)")
    try:
        fd = os.open(session / RECORDER_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(f"{session} cannot be written: {error.strerror}; check its rights") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise StoreError(f"{session} is in use: a recorder has just started; try again later") from error
    finally:
        os.close(fd)


def is_unfinished(session: Path) -> bool:
    """Tell whether a daemon would go on with a session."""
    return _plan(session).get("state") in UNFINISHED


def _plan(session: Path) -> dict[str, Any]:
    """State and devices as session.json has them; neither where it cannot be read."""
    try:
        raw = json.loads((session / PLAN_FILE).read_text("utf-8"))
        return {"state": raw["state"], "devices": [{"journal": d["journal"]} for d in raw["devices"]]}
    except (OSError, ValueError, KeyError, TypeError):
        return {"devices": []}


def _is_locked(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
    return False


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except OSError:
        return "?"
