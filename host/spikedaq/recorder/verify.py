"""Are the files of a recording what was recorded? Manifest, checksums, structure, gaps, continuity."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from spikedaq.model import SpikedaqError, StoreError
from spikedaq.recorder.locks import holder
from spikedaq.recorder.lost import lost_devices, names_no_device
from spikedaq.recorder.manifest import MANIFEST_FILE, Manifest, ManifestFile, read_manifest
from spikedaq.recorder.plan import PLAN_FILE
from spikedaq.store import FileCheck, between, check_apart, check_file, is_file_name, sha256_of

MAX_DEPTH = 4
"""A data folder holds recordings/SESSION/DEVICE."""


class Verdict(StrEnum):
    """What a file or folder was found to be."""

    GOOD = "good"
    GROWING = "growing"
    """Being recorded; good as far as it goes."""
    DELETED = "deleted"
    """By the retention, as its manifest says."""
    NOTE = "note"
    """Something worth knowing that makes nothing wrong."""
    UNCHECKED = "unchecked"
    """Readable, but no manifest says what its checksum should be."""
    NOT_CLOSED = "not_closed"
    DAMAGED = "damaged"
    MISSING = "missing"
    WRONG = "wrong"
    """The files are good and do not fit together."""


PROBLEMS = (Verdict.UNCHECKED, Verdict.NOT_CLOSED, Verdict.DAMAGED, Verdict.MISSING, Verdict.WRONG)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one file or folder."""

    path: Path
    verdict: Verdict
    text: str = ""
    n_samples: int = 0
    n_bytes: int = 0

    @property
    def is_problem(self) -> bool:
        """Whether something has to be done."""
        return self.verdict in PROBLEMS

    def to_map(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "path": str(self.path), "verdict": str(self.verdict), "text": self.text, "n_samples": self.n_samples,
            "n_bytes": self.n_bytes, "problem": self.is_problem,
        }  # fmt: skip


Progress = Callable[[int, int], None]


@dataclass
class _Meter:
    """Counts each byte twice: hashed, then read as samples."""

    show: Progress
    total: int = 0
    done: int = 0

    def add(self, n_bytes: int) -> None:
        self.done += n_bytes
        self.show(min(self.done, self.total), self.total)


@dataclass
class _Chain:
    """Follows a device's files from one to the next."""

    folder: Path
    findings: list[Finding] = field(default_factory=list)
    number: int | None = None
    boot_id: int = 0
    next_step: int | None = None

    def add(self, number: int, boot_id: int, steps: tuple[int, int], missing: list[tuple[int, int]] | None) -> None:
        """Take the next file; ``missing`` is None where its gaps are not known, since it is gone or damaged."""
        if self.number is not None and number != self.number + 1:
            text = f"file {self.number} is followed by file {number}"
            self.findings.append(Finding(self.folder, Verdict.WRONG, text))
        self.number = number
        first, following = steps
        if self.next_step is not None and boot_id == self.boot_id and (missing is not None or first < self.next_step):
            problem = between(self.next_step, first, missing or [])
            if problem is not None:
                text = f"between files {number - 1} and {number}: {problem}"
                self.findings.append(Finding(self.folder, Verdict.WRONG, text))
        self.boot_id, self.next_step = boot_id, following


def verify(paths: Sequence[Path], progress: Progress = lambda done, total: None) -> list[Finding]:
    """Check files, device folders, session folders, or folders of sessions.

    Parameters
    ----------
    progress : callable
        Called with bytes done and bytes in all.

    Returns
    -------
    list of Finding
        One per file, and one for each thing that is wrong beyond files. Of a session, or more, also each device that
        session.json names and of which nothing is there.

    Raises
    ------
    StoreError
        A path that does not exist, or holds no recording.
    """
    found: list[tuple[Path, str | None]] = []
    sessions: list[Path] = []
    for path in paths:
        absolute = Path(path).absolute()
        if absolute.is_file():
            found.append((absolute.parent, absolute.name))
        else:
            devices, whole = find_folders(absolute)
            found += [(folder, None) for folder in devices]
            sessions += whole
    meter = _Meter(progress, 2 * sum(_size(folder, name) for folder, name in found))
    findings: list[Finding] = []
    for folder, name in found:
        findings += _verify_folder(folder, name, meter)
    for session in sessions:
        findings += _lost(session)
    return findings


def find_folders(path: Path) -> tuple[list[Path], list[Path]]:
    """Return the folders with recording files, and those of sessions, in and below a folder; raises as `verify` does.

    A session whose devices are all gone is known by its session.json.
    """
    if not path.is_dir():
        raise StoreError(f"{path} does not exist; give a recording file, or the folder of a device, session or more")
    found, sessions = [], []
    for where, folders, files in os.walk(path):
        folder = Path(where)
        if PLAN_FILE in files:
            sessions.append(folder)
        if MANIFEST_FILE in files or any(is_file_name(name) for name in files):
            found.append(folder)
        deep = len(folder.relative_to(path).parts) >= MAX_DEPTH
        folders[:] = [] if deep else sorted(f for f in folders if not f.startswith("."))
    if not found and all(map(names_no_device, sessions)):
        raise StoreError(f"{path} holds no recording (no .nwb file); give the folder of a session, or more")
    return found, sessions


def _lost(session: Path) -> list[Finding]:
    """Find the devices of which nothing is there; a folder without session.json is no session, and lacks none."""
    try:
        devices = lost_devices(session)
    except SpikedaqError as error:
        text = f"{error}; whether all of its devices are there is not known"
        return [Finding(session / PLAN_FILE, Verdict.DAMAGED, text)]
    if not devices:
        return []
    who = holder(session)
    if who is not None:
        return [Finding(session / d.name, Verdict.NOTE, f"nothing of it is there yet; {who}") for d in devices]
    text = f"{PLAN_FILE} names this device, and nothing of it is there; spikedaq recover {session}"
    return [Finding(session / device.name, Verdict.MISSING, text) for device in devices]


def check_entry(folder: Path, entry: ManifestFile, add: Callable[[int], None]) -> tuple[Finding, FileCheck | None]:
    """Compare one file with its line in the manifest."""
    path = folder / entry.name
    if entry.deleted_utc_ns is not None and not path.exists():
        when = datetime.fromtimestamp(entry.deleted_utc_ns / 1e9, UTC)
        return Finding(path, Verdict.DELETED, f"deleted {when:%Y-%m-%d %H:%M} UTC: {entry.deleted_why}"), None
    if not path.exists():
        return Finding(path, Verdict.MISSING, f"its {entry.n_samples} samples are gone"), None
    try:
        n_bytes = path.stat().st_size
        if n_bytes != entry.n_bytes:
            return Finding(path, Verdict.DAMAGED, f"it has {n_bytes} bytes, the manifest says {entry.n_bytes}"), None
        if sha256_of(path, progress=add) != entry.sha256:
            return Finding(path, Verdict.DAMAGED, "its SHA-256 is not that of the manifest"), None
        before = 0

        def show(done: int, total: int) -> None:
            nonlocal before
            now = n_bytes * done // max(1, total)
            add(now - before)
            before = now

        check = check_file(path, show)
    except (StoreError, OSError) as error:
        return Finding(path, Verdict.DAMAGED, str(error)), None
    problems = list(check.problems)
    if check.is_open:
        problems.append("it says that it is not closed")
    stated = (entry.boot_id, entry.n_samples, entry.first_step, entry.last_step)
    if stated != (check.boot_id, check.n_samples, check.first_step, check.next_step - 1):
        problems.append(
            f"the manifest speaks of boot {entry.boot_id}, {entry.n_samples} samples, steps {entry.first_step} to "
            f"{entry.last_step}; the file has {check.boot_id}, {check.n_samples}, {check.first_step} to "
            f"{check.next_step - 1}"
        )
    if problems:
        return Finding(path, Verdict.WRONG, "; ".join(problems), check.n_samples, n_bytes), check
    return Finding(path, Verdict.GOOD, "", check.n_samples, n_bytes), check


def _verify_folder(folder: Path, only: str | None, meter: _Meter) -> list[Finding]:
    findings: list[Finding] = []
    manifest: Manifest | None = None
    try:
        manifest = read_manifest(folder)
    except SpikedaqError as error:
        findings.append(Finding(folder / MANIFEST_FILE, Verdict.DAMAGED, str(error)))
    chain = _Chain(folder)
    for entry in manifest.files if manifest is not None else ():
        if only in (None, entry.name):
            finding, check = check_entry(folder, entry, meter.add)
            findings.append(finding)
            chain.add(
                entry.number, entry.boot_id, (entry.first_step, entry.last_step + 1), check.missing if check else None
            )
    listed = manifest.names() if manifest is not None else set()
    names = [p.name for p in folder.iterdir() if is_file_name(p.name) and p.name not in listed] if only is None else []
    if only is not None and only not in listed:
        names = [only]
    for name in sorted(names):
        finding, check = _check_unlisted(folder / name, has_manifest=manifest is not None)
        findings.append(finding)
        if check is not None and check.n_samples:
            chain.add(check.number, check.boot_id, (check.first_step, check.next_step), check.missing)
    if only is None:
        findings += chain.findings
        findings += [
            Finding(path, Verdict.NOTE, "set aside, since it was damaged; delete it once nothing of it is needed")
            for path in sorted(folder.glob("*.nwb.damaged*"))
        ]
    return findings


def _check_unlisted(path: Path, *, has_manifest: bool) -> tuple[Finding, FileCheck | None]:
    """Look at a file whose checksum nobody knows; in a process of its own, which damage may end."""
    try:
        check = check_apart(path)
        n_bytes = path.stat().st_size
    except (StoreError, OSError) as error:
        return Finding(path, Verdict.DAMAGED, str(error)), None
    found = (check.n_samples, n_bytes)
    if check.problems:
        return Finding(path, Verdict.WRONG, "; ".join(check.problems), *found), check
    if check.is_open:
        who = holder(path.parent.parent)
        if who is not None:
            return Finding(path, Verdict.GROWING, who, *found), check
        text = f"its recorder was killed; finish it with: spikedaq recover {path.parent.parent}"
        return Finding(path, Verdict.NOT_CLOSED, text, *found), check
    if has_manifest:
        text = f"its manifest does not list it; finish it with: spikedaq recover {path.parent.parent}"
        return Finding(path, Verdict.NOT_CLOSED, text, *found), check
    text = "it can be read; without a manifest nobody can tell whether a byte of it has changed"
    return Finding(path, Verdict.UNCHECKED, text, *found), check


def _size(folder: Path, only: str | None) -> int:
    names = [only] if only is not None else [p.name for p in folder.iterdir() if is_file_name(p.name)]
    total = 0
    for name in names:
        try:
            total += (folder / name).stat().st_size
        except OSError:
            continue
    return total
