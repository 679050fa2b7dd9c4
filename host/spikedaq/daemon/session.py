"""One recording session: its plan on disk, its recorder, and what is to be told of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import structlog

from spikedaq.bus import RecordingStatus
from spikedaq.daemon.alarms import Alarms
from spikedaq.daemon.config import DaemonConfig
from spikedaq.daemon.data_folder import write_json
from spikedaq.daemon.recorder_process import RecorderProcess
from spikedaq.daemon.recording_mode import End, Wanted
from spikedaq.model import ConfigError, SpikedaqError, StoreError
from spikedaq.recorder import Scheduled, mode_from, read_newest

SESSION_FILE = "session.json"
_PLAN_VERSION = 1

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reference:
    """An instant, as somebody's UTC and as this computer's CLOCK_BOOTTIME."""

    utc_ns: int
    host_ns: int


def new_plan(
    config: DaemonConfig,
    name: str,
    devices: list[dict[str, Any]],
    wanted: Wanted,
    *,
    notes: str,
    reference: Reference,
    now: Reference,
) -> dict[str, Any]:
    """Return what session.json says of a new session; ``devices`` names each journal and where to begin in it."""
    seconds = wanted.end_after_s
    end = None if seconds is None else End.after(seconds, utc_ns=now.utc_ns, host_ns=now.host_ns)
    return {
        "version": _PLAN_VERSION,
        "session": name,
        "bench": config.bench,
        "started_utc_ns": reference.utc_ns,
        "started_host_ns": reference.host_ns,
        "roll": wanted.roll,
        "mode": wanted.mode.to_json(),
        "notes": notes,
        "experimenter": config.recording.experimenter,
        "institution": config.recording.institution,
        "lab": config.recording.lab,
        "reserve_bytes": config.disk.reserve_bytes,
        "devices": devices,
        "end": None if end is None else asdict(end),
        "state": "recording",
        "reason": None,
        "config": config.to_json(),
        # As the files tell it; whoever makes one of them again may have it roll otherwise.
        "recording": wanted.to_map(),
    }


class Session:
    """One session on disk, its recorder, and the task that keeps it."""

    def __init__(self, folder: Path, plan: dict[str, Any], alarms: Alarms, restart_bytes: int) -> None:
        self.folder = folder
        self.plan = plan
        self.start_offsets = {entry["name"]: int(entry["start_offset"]) for entry in plan["devices"]}
        self.recorder = RecorderProcess(folder, list(self.start_offsets), alarms, restart_bytes=restart_bytes)
        self.recorder.prepare = self._put_back
        self.task: asyncio.Task[None] | None = None
        self.timers: list[asyncio.Task[None]] = []
        self._writing = asyncio.Lock()
        self._written = plan
        self.shown: dict[str, str] = {}
        """By device, what the watcher makes of its file: ``stalled`` or ``waiting`` where it does not grow."""

    @property
    def name(self) -> str:
        """The session's name."""
        return str(self.plan["session"])

    @property
    def end(self) -> End | None:
        """The end that it was given at its start."""
        return End.from_plan(self.plan.get("end"))

    def until_s(self) -> float | None:
        """When its schedule is over, UTC in seconds; None where it has none, or one without end."""
        with contextlib.suppress(ConfigError):
            mode = mode_from(self.plan.get("mode"))
            if isinstance(mode, Scheduled) and mode.schedule.until_ns is not None:
                return mode.schedule.until_ns / 1e9
        return None

    def status(self) -> RecordingStatus:
        """Return what is to be told of it."""
        recorder = self.recorder
        devices = {device: self.file_status(device) for device in recorder.files}
        return RecordingStatus(
            session=self.name,
            state=shown_state(self.plan["state"], [device["state"] for device in devices.values()]),
            folder=str(self.folder),
            started_utc_ns=self.plan["started_utc_ns"],
            devices=devices,
            restarts=recorder.restarts,
            reason=self.plan["reason"],
            mode=self.plan.get("mode") or {"kind": "continuous"},
            ends_utc_ns=self._ends_utc_ns(),
        )

    def _ends_utc_ns(self) -> int | None:
        end, until_s = self.end, self.until_s()
        ends = [] if end is None else [end.utc_ns]
        return min([*ends, *([] if until_s is None else [round(until_s * 1e9)])], default=None)

    def file_status(self, device: str) -> dict[str, Any]:
        """Return what is to be told of one device's files, as `FileStatus.to_map`."""
        recorder = self.recorder
        status = recorder.files[device]
        values = status.to_map()
        values["error"] = status.error or recorder.error
        if status.state in ("recording", "closing", "armed", "waiting"):
            values["state"] = self.shown.get(device, status.state)
        return values

    def needed_from(self) -> dict[str, int]:
        """Journal offset by device before which everything is in closed files or not wanted, as the manifests say."""
        offsets = {}
        for device, start_offset in self.start_offsets.items():
            offsets[device] = start_offset
            with contextlib.suppress(SpikedaqError, OSError):
                manifest = read_newest(self.folder / device)
                if manifest is not None:
                    offsets[device] = manifest.needed_from(start_offset)
        return offsets

    async def _put_back(self) -> None:
        """Tell the recorder anew what it is to do, where somebody has removed that or it could not be written."""
        try:
            is_there = await asyncio.to_thread((self.folder / SESSION_FILE).exists)
            if is_there and self._written is self.plan:
                return
            if not is_there:
                log.warning(
                    "the session folder was removed; its files are made again from the journal", folder=str(self.folder)
                )
                await asyncio.to_thread(self.folder.mkdir, parents=True, exist_ok=True)
            await self.save(self.plan["state"], self.plan["reason"])
        except (OSError, StoreError) as error:
            log.warning("the recorder cannot be told what to do", folder=str(self.folder), reason=str(error))

    async def save(self, state: str, reason: str | None, *, limit_s: float | None = None) -> None:
        """Write session.json with a new state.

        Raises
        ------
        StoreError
            It cannot be written, or is not after ``limit_s``: the disk may hang. Writing goes on then.
        """
        self.plan = {**self.plan, "state": state, "reason": reason}
        writing = asyncio.create_task(self._write(), name=f"save session {self.name}")
        try:
            await asyncio.wait_for(asyncio.shield(writing), limit_s)
        except TimeoutError as error:
            raise StoreError(f"{self.folder / SESSION_FILE} is not written after {limit_s:g} s") from error

    async def _write(self) -> None:
        # One at a time, and the newest: a write that hung must not end up on top of a later one.
        async with self._writing:
            plan = self.plan
            await asyncio.to_thread(write_json, self.folder / SESSION_FILE, plan)
            self._written = plan


def shown_state(planned: str, files: Collection[str]) -> str:
    """Return a session's state as it is told, by those of its files: it is not recording where no file grows."""
    if planned != "recording":
        return planned
    if any(state in ("stalled", "failed") for state in files):
        return "stalled"
    if not files:
        return "waiting"
    return next((state for state in ("recording", "armed", "closing", "waiting") if state in files), "closing")
