"""manifest.json of one device in a session: its closed files, and how the recording ended."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Container, Iterator, MutableSequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

from spikedaq.durable import replaced
from spikedaq.model import StoreError
from spikedaq.recorder.manifest_text import DocumentWriter, read_document

MANIFEST_FILE = "manifest.json"
MANIFEST_VERSION = 1
_REMEDY = "restore it, or move it away to have its files taken in anew"


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """One closed recording file.

    Times are seconds since the session's reference time, and UTC in nanoseconds. ``cursor`` is the journal offset after
    the last block in the file.
    """

    name: str
    number: int
    sha256: str
    n_bytes: int
    n_samples: int
    first_step: int
    last_step: int
    boot_id: int
    start_s: float
    stop_s: float
    start_utc_ns: int
    stop_utc_ns: int
    gaps: dict[str, int | None]
    """Missing samples by cause; None where they cannot be counted."""
    saturated_blocks: int
    closed_reason: str
    cursor: int
    rebuilt_utc_ns: int | None = None
    """When it was made again from the journal, because what was there was damaged or missing."""
    deleted_utc_ns: int | None = None
    """When it was deleted to make room; the file is gone, its entry stays."""
    deleted_why: str | None = None
    n_runs: int = 1
    """Stretches without anything left out on purpose: windows of a triggered or scheduled recording."""
    n_notes: int | None = None
    """Notes that people made in its time; None in a manifest of a time at which nobody counted."""


@dataclass
class Manifest:
    """All that is known of one device's recording once files are closed.

    ``state`` is ``recording``, ``interrupted`` (may be resumed) or ``complete``; ``reason`` says why it ended.
    """

    session: str
    device: str
    unique_id: str
    state: str = "recording"
    reason: str | None = None
    host_boot_id: str | None = None
    """Boot of the computer in which the newest recorder wrote; what it left open is not to be trusted in another."""
    references: dict[str, int] = field(default_factory=dict)
    """CLOCK_BOOTTIME of the session's reference time, by boot of the computer; a restart starts that clock anew."""
    files: MutableSequence[ManifestFile] = field(default_factory=list)
    progress: dict[str, Any] | None = None
    """Of a recording that leaves samples out: ``offset`` up to which the journal is done with; ``selection`` and
    ``held``, what a later recorder needs of what lies before it; ``dropped``, how many were too many to be held. None
    where everything is recorded."""

    @property
    def cursor(self) -> int | None:
        """Journal offset after the last block in a closed file, None where there is no file."""
        return self.files[-1].cursor if self.files else None

    def needed_from(self, start_offset: int) -> int:
        """Journal offset from which on the journal is needed: before it all is in closed files, or is not wanted."""
        offset = max(start_offset, self.cursor or 0)
        if self.progress is None:
            return offset
        offset = max(offset, int(self.progress["offset"]))
        return min(offset, int(self.progress.get("read_from", offset)))

    def names(self) -> set[str]:
        """Names of the closed files."""
        return {f.name for f in self.files}

    def save(self, folder: Path) -> None:
        """Write atomically; after this returns the manifest survives a power cut.

        What was deleted meanwhile (`mark_deleted`) stays marked.

        Raises
        ------
        OSError
            Disk full, or the folder is gone.
        """
        with _locked(folder):
            # What cannot be read cannot be merged, and is replaced.
            with contextlib.suppress(StoreError):
                before = read_entries(folder, {f.name for f in self.files if f.deleted_utc_ns is None})
                gone = {f.name: f for f in before if f.deleted_utc_ns is not None}
                marked = [(i, gone[f.name]) for i, f in enumerate(self.files) if f.name in gone] if gone else []
                for i, file in marked:
                    self.files[i] = file
            self._write(folder)

    def _write(self, folder: Path) -> None:
        gaps: dict[str, int | None] = {}
        for file in self.files:
            for cause, n in file.gaps.items():
                so_far = gaps.get(cause, 0)
                gaps[cause] = None if n is None or so_far is None else so_far + n
        document: dict[str, Any] = {"version": MANIFEST_VERSION, **asdict(replace(self, files=[]))}
        del document["files"]
        document["n_samples"] = sum(f.n_samples for f in self.files)
        document["gaps"] = gaps
        with replaced(folder / MANIFEST_FILE) as new:
            out = DocumentWriter(new)
            out.begin(document)
            for file in self.files:
                out.add(asdict(file))
            out.end()


def mark_deleted(folder: Path, name: str, utc_ns: int, why: str) -> None:
    """Say in a device's manifest that a file is deleted, which is done after that; also while it is recorded.

    Raises
    ------
    StoreError
        There is no manifest that lists it.
    OSError
        It cannot be read or written; it is as it was.
    """
    path = folder / MANIFEST_FILE
    found = False

    def mark(table: dict[str, Any]) -> None:
        nonlocal found
        if table["name"] == name:
            table |= {"deleted_utc_ns": utc_ns, "deleted_why": why}
            found = True
        out.add(table)

    with _locked(folder), replaced(path) as new:
        out = DocumentWriter(new)
        with contextlib.suppress(FileNotFoundError), path.open(encoding="utf-8") as file:
            _parse(file, mark, out.begin)
        if not found:
            raise StoreError(f"{path} does not list {name}; it is not deleted")
        out.end()


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Be the only one that writes this manifest: its recorder, the retention, or a recovery."""
    fd = os.open(folder / ".manifest.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def read_manifest(folder: str | os.PathLike[str]) -> Manifest | None:
    """Return the manifest in a device's folder, None where there is none yet.

    Raises
    ------
    StoreError
        It is there and cannot be understood.
    """
    return _read(folder, lambda table: ManifestFile(**table))


def read_entries(folder: str | os.PathLike[str], names: Container[str]) -> MutableSequence[ManifestFile]:
    """Return what the manifest says of some files, in its order; nothing of those that it does not list.

    By text, and without a `Path`: see ``daemon/closed_files.py``.

    Raises
    ------
    StoreError
        It is there and cannot be understood.
    """
    manifest = _read(folder, lambda table: ManifestFile(**table) if table["name"] in names else None)
    return manifest.files if manifest is not None else []


def read_newest(folder: str | os.PathLike[str]) -> Manifest | None:
    """Return the manifest with the newest of its files alone, for whoever wants to know how far it is; not to be saved.

    Raises
    ------
    StoreError
        It is there and cannot be understood.
    """
    newest: list[ManifestFile] = []

    def entry(table: dict[str, Any]) -> None:
        newest[:] = [ManifestFile(**table)]

    manifest = _read(folder, entry)
    return None if manifest is None else replace(manifest, files=newest)


def _read(folder: str | os.PathLike[str], make: Callable[[dict[str, Any]], ManifestFile | None]) -> Manifest | None:
    path = os.path.join(folder, MANIFEST_FILE)  # noqa: PTH118
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            head, files = _parse(file, make)
    except FileNotFoundError:
        return None
    except OSError as e:
        raise StoreError(f"{path} cannot be read ({e}); {_REMEDY}") from e
    return Manifest(**head, files=files)


def _parse(
    file: TextIO,
    make: Callable[[dict[str, Any]], ManifestFile | None],
    begin: Callable[[dict[str, Any]], None] = lambda head: None,
) -> tuple[dict[str, Any], list[ManifestFile]]:
    """Return what a `Manifest` is made of; see `read_document`, whose errors become `StoreError`."""

    def check(head: dict[str, Any]) -> None:
        if head["version"] != MANIFEST_VERSION:
            known = f"this spikedaq knows {MANIFEST_VERSION}; use a newer"
            raise StoreError(f"{file.name} is of version {head['version']}, {known}")
        begin(head)

    try:
        head, files = read_document(file, check, make)
        names = ("session", "device", "unique_id", "state", "reason", "references")
        return {n: head[n] for n in names} | {n: head.get(n) for n in ("host_boot_id", "progress")}, files
    except ValueError as e:
        raise StoreError(f"{file.name} cannot be read ({e}); {_REMEDY}") from e
    except (KeyError, TypeError) as e:
        raise StoreError(f"{file.name} lacks or garbles {e}; {_REMEDY}") from e
