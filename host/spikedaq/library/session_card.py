"""What is told of a session: of its plan, of each device's manifest, of what lies in its folders."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spikedaq.library.believable import believable_count, believable_text, check_entry
from spikedaq.model import GapCause, StoreError
from spikedaq.recorder import UNFINISHED, ManifestFile, read_manifest
from spikedaq.store import is_file_name

PLAN_FILE, MANIFEST_FILE, PIN = "session.json", "manifest.json", "keep"
MAX_PLAN_BYTES = 4 * 2**20
"""A plan holds the configuration, some 10 kB of it."""
MAX_MANIFEST_BYTES = 64 * 2**20
"""A year of hourly files has 8 MB; what is larger is not one of ours, and would be held in memory."""
MAX_DEVICES = 256
_MAX_WORD_CHARS, _MAX_TEXT_CHARS = 100, 1000
"""Of what a plan says: a name of ours has at most 80 characters, and all of them are told in one reply."""
LOSSES = tuple(str(cause) for cause in (GapCause.LOST, GapCause.OVERRUN, GapCause.DROPPED))

Stamp = tuple[int, int, int]
"""Modification time in ns, size and inode of a file: another whenever it was replaced."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is kept of a session.json; ``problem`` says why the rest is not known."""

    started_utc_ns: int
    state: str = "unreadable"
    reason: str | None = None
    bench: str = ""
    mode: str = "continuous"
    notes: str = ""
    devices: Mapping[str, str] = field(default_factory=dict)
    """Journal's folder by device."""
    problem: str = ""

    @property
    def is_unfinished(self) -> bool:
        """Whether a daemon goes on with it, or would."""
        return self.state in UNFINISHED


def stamp_of(path: Path) -> Stamp | None:
    """Return the stamp of a file, None where there is none."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def read_plan_card(folder: Path, stamp: Stamp) -> Plan:
    """Read a session's plan; what cannot be understood is told as that."""
    path = folder / PLAN_FILE
    try:
        if stamp[1] > MAX_PLAN_BYTES:
            raise ValueError(f"it has {stamp[1]} bytes")  # noqa: TRY301
        raw = json.loads(path.read_text("utf-8"))
        return Plan(
            started_utc_ns=believable_count(raw["started_utc_ns"]),
            state=believable_text(raw["state"], _MAX_WORD_CHARS),
            reason=None if raw.get("reason") is None else believable_text(raw["reason"], _MAX_TEXT_CHARS),
            bench=believable_text(raw.get("bench", ""), _MAX_WORD_CHARS),
            mode=believable_text((raw.get("mode") or {}).get("kind", "continuous"), _MAX_WORD_CHARS),
            notes=believable_text(raw.get("notes") or "", _MAX_TEXT_CHARS),
            devices={str(d["name"]): str(d.get("journal", "")) for d in raw["devices"][:MAX_DEVICES]},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = believable_text(repr(error), _MAX_TEXT_CHARS)
        problem = f"{path} cannot be read ({reason}); its files may be good: spikedaq verify {folder}"
        return Plan(started_utc_ns=stamp[0], problem=problem)


@dataclass(frozen=True, slots=True)
class DeviceCard:
    """The manifest of one device, and what lies beside it.

    Attributes
    ----------
    files : tuple of ManifestFile
    open_files : dict of str to int
        Recording files that no manifest lists, with their sizes: growing, or left open by a kill.
    missing : frozenset of str
        Names that the manifest lists and that are not there, though nobody has deleted them.
    pinned_files : frozenset of str
    """

    name: str
    files: tuple[ManifestFile, ...] = ()
    open_files: Mapping[str, int] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    pinned_files: frozenset[str] = frozenset()
    is_pinned: bool = False
    problem: str = ""

    @property
    def n_bytes(self) -> int:
        """Size of what is there."""
        gone = self.missing
        kept = sum(f.n_bytes for f in self.files if f.deleted_utc_ns is None and f.name not in gone)
        return kept + sum(self.open_files.values())

    def summary(self) -> dict[str, Any]:
        """Return it in numbers."""
        there = [f for f in self.files if f.deleted_utc_ns is None]
        return {
            "files": len(there) - len(self.missing),
            "open_files": len(self.open_files),
            "deleted_files": len(self.files) - len(there),
            "missing_files": len(self.missing),
            "n_bytes": self.n_bytes,
            "n_samples": sum(f.n_samples for f in self.files),
            "gaps": sum_gaps(self.files),
            "n_notes": sum_notes(self.files),
            "pinned": self.is_pinned,
            "problem": self.problem or None,
        }

    def file_maps(self, *, is_running: bool) -> list[dict[str, Any]]:
        """Return its files, in order."""
        maps = [self._listed(f) for f in sorted(self.files, key=lambda f: f.number)]
        state = "open" if is_running else "not_closed"
        for name, n_bytes in sorted(self.open_files.items()):
            maps.append({"device": self.name, "name": name, "state": state, "n_bytes": n_bytes,
                         "pinned": name in self.pinned_files})  # fmt: skip
        return maps

    def _listed(self, file: ManifestFile) -> dict[str, Any]:
        state = "missing" if file.name in self.missing else "closed"
        keys = (
            "name", "number", "n_bytes", "sha256", "n_samples", "first_step", "last_step", "boot_id", "start_s",
            "stop_s", "start_utc_ns", "stop_utc_ns", "gaps", "saturated_blocks", "closed_reason", "n_runs", "n_notes",
            "rebuilt_utc_ns", "deleted_utc_ns", "deleted_why",
        )  # fmt: skip
        return {
            "device": self.name,
            "state": "deleted" if file.deleted_utc_ns is not None else state,
            "pinned": file.name in self.pinned_files,
            **{key: getattr(file, key) for key in keys},
            "gaps": sum_gaps((file,)),
        }


def read_device_card(folder: Path) -> DeviceCard:
    """Read one device's folder; what cannot be understood is told as that."""
    files: tuple[ManifestFile, ...] = ()
    problem = ""
    try:
        names = {entry.name: entry for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False)}
        if MANIFEST_FILE in names and names[MANIFEST_FILE].stat(follow_symlinks=False).st_size > MAX_MANIFEST_BYTES:
            raise StoreError(f"{folder / MANIFEST_FILE} is larger than any of ours; restore it")  # noqa: TRY301
        manifest = read_manifest(folder) if MANIFEST_FILE in names else None
        files = _believable(folder, manifest.files) if manifest is not None else ()
    except OSError as error:
        return DeviceCard(folder.name, problem=f"{folder} cannot be read ({error.strerror}); check its rights")
    except (StoreError, ValueError, RecursionError) as error:
        problem = believable_text(error, _MAX_TEXT_CHARS)
    listed = {f.name for f in files}
    open_files = {}
    for name, entry in names.items():
        if is_file_name(name) and name not in listed:
            try:
                open_files[name] = entry.stat(follow_symlinks=False).st_size
            except OSError:
                continue  # closed and renamed, or deleted, meanwhile
    return DeviceCard(
        name=folder.name,
        files=files,
        open_files=open_files,
        missing=frozenset(f.name for f in files if f.deleted_utc_ns is None and f.name not in names),
        pinned_files=frozenset(name.removesuffix(f".{PIN}") for name in names if name.endswith(f".nwb.{PIN}")),
        is_pinned=PIN in names,
        problem=problem,
    )


def _believable(folder: Path, files: Sequence[ManifestFile]) -> tuple[ManifestFile, ...]:
    """Return the files of a manifest; raises StoreError where it says what cannot be."""
    try:
        for file in files:
            check_entry(file)
    except ValueError as error:
        text = f"{folder / MANIFEST_FILE} is damaged ({error}); its files may be good: spikedaq verify {folder.parent}"
        raise StoreError(text) from error
    return tuple(files)


def sum_gaps(files: tuple[ManifestFile, ...]) -> dict[str, int | None]:
    """Return missing samples by cause; None where they cannot be counted. What nobody asked for is not missing."""
    gaps: dict[str, int | None] = dict.fromkeys(LOSSES, 0)
    for file in files:
        for cause in LOSSES:
            n, so_far = file.gaps.get(cause, 0), gaps[cause]
            gaps[cause] = None if n is None or so_far is None else so_far + n
    return gaps


def sum_notes(files: tuple[ManifestFile, ...]) -> int | None:
    """Return how many notes people made; None where a file is of a time at which nobody counted."""
    counts = [f.n_notes for f in files]
    return None if None in counts else sum(n or 0 for n in counts)


def _told_state(plan: Plan, *, running: bool) -> str:
    """Return a session's state in words that claim nothing: whether its files grow is not known here."""
    if not plan.is_unfinished:
        return plan.state
    return "under_way" if running else "unfinished"


def session_map(
    shelf: Path, name: str, plan: Plan, devices: list[DeviceCard], *, running: bool, pinned: bool
) -> dict[str, Any]:
    """Return a session as it is told; without its verification."""
    files = tuple(f for device in devices for f in device.files)
    start_ns = min((f.start_utc_ns for f in files), default=plan.started_utc_ns)
    stop_ns = max((f.stop_utc_ns for f in files), default=None)
    if running:
        stop_ns = max(time.time_ns(), start_ns)
    notes = [n for n in (sum_notes(device.files) for device in devices) if n is not None]
    problems = [text for text in (plan.problem, *(device.problem for device in devices)) if text]
    return {
        "session": name,
        "folder": str(shelf),
        "state": _told_state(plan, running=running),
        "running": running,
        "reason": plan.reason,
        "bench": plan.bench,
        "mode": plan.mode,
        "notes": plan.notes,
        "started_utc_ns": plan.started_utc_ns,
        "duration_s": None if stop_ns is None else (stop_ns - start_ns) / 1e9,
        "n_bytes": sum(device.n_bytes for device in devices),
        "gaps": sum_gaps(files),
        "n_notes": max(notes, default=None),
        "pinned": pinned,
        "devices": {device.name: device.summary() for device in devices},
        "problem": problems[0] if problems else None,
    }
