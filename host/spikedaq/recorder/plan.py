"""What the recorder is told: session.json, written by the daemon."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spikedaq.model import ConfigError, StoreError, check_session_name
from spikedaq.recorder.mode import Continuous, Mode, mode_from
from spikedaq.recorder.schedule import DAY_S, Periods

PLAN_FILE = "session.json"
PLAN_VERSION = 1


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """One device of a session: whose journal to read, and from where."""

    name: str
    unique_id: str
    journal: Path
    start_offset: int
    until: int | None = None
    """Record up to this journal offset and no further: a file that is made again ends where it ended before."""
    until_step: int | None = None
    """And before this step, where that offset lies inside a block."""


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """One recording session.

    ``roll_s`` and ``roll_bytes`` are None where files do not roll by time or size. ``roll_at`` are clock times at which
    they roll in place of ``roll_s``.
    ``ends_with`` is the name in the `SessionStop` record that ends it: the session's own, but where a journal was
    copied, with its bench's stops.
    """

    folder: Path
    session: str
    bench: str
    started_utc_ns: int
    started_host_ns: int
    devices: tuple[DevicePlan, ...]
    roll_s: float | None = None
    roll_bytes: int | None = None
    ends_with: str = ""
    roll_at: Periods | None = None
    mode: Mode = field(default_factory=Continuous)
    notes: str = ""
    experimenter: str | None = None
    institution: str | None = None
    lab: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    recording: dict[str, Any] = field(default_factory=dict)
    """Mode, rolling and triggers as the files tell them."""
    reserve_bytes: int = 0
    """Free space at which the files are closed, and the rest left to a recorder that has more."""


def read_plan(folder: Path) -> SessionPlan:
    """Read and check ``session.json`` of a session folder.

    Raises
    ------
    StoreError
        The file is absent or cannot be read.
    ConfigError
        It is not what this version understands.
    """
    path = folder / PLAN_FILE
    try:
        raw = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as e:
        raise StoreError(f"{path} does not exist; give the folder of a session that the daemon has started") from e
    except OSError as e:
        raise StoreError(f"{path} cannot be read: {e.strerror}; check the rights of the folder") from e
    except ValueError as e:
        raise ConfigError(f"{path} is not JSON ({e}); start the session anew") from e
    try:
        return _plan(folder, raw)
    except (KeyError, TypeError, AttributeError, ValueError) as e:
        raise ConfigError(f"{path} lacks something or has it in the wrong form ({e!r}); start the session anew") from e


def _plan(folder: Path, raw: dict[str, Any]) -> SessionPlan:
    if raw["version"] != PLAN_VERSION:
        raise ConfigError(
            f"{folder / PLAN_FILE} is of version {raw['version']}, this recorder understands {PLAN_VERSION}; use the "
            "spikedaq that started the session"
        )
    devices = tuple(
        DevicePlan(
            name=check_session_name(d["name"], "device name"),
            unique_id=str(d["unique_id"]),
            journal=Path(d["journal"]),
            start_offset=int(d["start_offset"]),
            until=None if d.get("until") is None else int(d["until"]),
            until_step=None if d.get("until_step") is None else int(d["until_step"]),
        )
        for d in raw["devices"]
    )
    if len({d.name for d in devices}) != len(devices):
        raise ConfigError(f"{folder / PLAN_FILE} names a device twice; name each once")
    roll = raw.get("roll") or {}
    roll_s, roll_bytes = roll.get("seconds"), roll.get("bytes")
    if (roll_s is not None and not roll_s > 0) or (roll_bytes is not None and not roll_bytes > 0):
        raise ConfigError(
            f"{folder / PLAN_FILE} rolls after {roll_s} s or {roll_bytes} bytes; give more than 0 or null"
        )
    aligned = roll.get("aligned")
    return SessionPlan(
        folder=folder,
        session=check_session_name(raw["session"]),
        ends_with=str(raw.get("ends_with") or raw["session"]),
        bench=str(raw["bench"]),
        started_utc_ns=int(raw["started_utc_ns"]),
        started_host_ns=int(raw["started_host_ns"]),
        devices=devices,
        roll_s=None if roll_s is None else float(roll_s),
        roll_bytes=None if roll_bytes is None else int(roll_bytes),
        roll_at=None if aligned is None else clock_roll(roll_s, str(aligned)),
        mode=mode_from(raw.get("mode")),
        notes=str(raw.get("notes") or ""),
        experimenter=raw.get("experimenter"),
        institution=raw.get("institution"),
        lab=raw.get("lab"),
        config=dict(raw.get("config") or {}),
        recording=dict(raw.get("recording") or {}),
        reserve_bytes=int(raw.get("reserve_bytes") or 0),
    )


def clock_roll(roll_s: float | None, zone: str) -> Periods:
    """Return the clock times at which files roll.

    Raises
    ------
    ConfigError
        The period does not divide a day.
    """
    if roll_s is None or roll_s != int(roll_s) or roll_s < 1 or DAY_S % int(roll_s):
        raise ConfigError(
            f"files cannot roll by the clock every {roll_s} s; choose a period that divides a day, such as 3600"
        )
    return Periods(int(roll_s), zone)
