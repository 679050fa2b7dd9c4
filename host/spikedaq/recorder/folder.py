"""One device's folder in a session: bring files and manifest into agreement after whatever ended the last recorder."""

from __future__ import annotations

import contextlib
import errno
from datetime import UTC, datetime
from pathlib import Path

from spikedaq.durable import make_folder, sync_folder
from spikedaq.journal import kept_range, read_host_boot_id, sync_segments
from spikedaq.model import DamagedFileError, DiskFullError, StoreError
from spikedaq.recorder.entries import Entries
from spikedaq.recorder.manifest import Manifest, ManifestFile, read_manifest
from spikedaq.recorder.plan import DevicePlan, SessionPlan
from spikedaq.store import ClosedFile, RecordingWriter, check_apart, file_name, is_file_name

MAX_TRIES = 3
"""A file that has ended so many recorders as they resumed it is set aside: damage can crash HDF5."""


class DeviceFolder:
    """The files of one device in one session.

    Attributes
    ----------
    manifest : Manifest
    closed : Entries
        Its files.
    resumed : RecordingWriter or None
        The file that was being written, repaired and open.
    remarks : list of str
        What had to be put right, for the log.
    """

    def __init__(self, plan: SessionPlan, device: DevicePlan) -> None:
        self.path = plan.folder / device.name
        self.remarks: list[str] = []
        self.resumed: RecordingWriter | None = None
        self._plan = plan
        self._device = device
        self._checked_in_to = device.start_offset
        make_folder(self.path)
        found = read_manifest(self.path)
        self.manifest = found or Manifest(plan.session, device.name, device.unique_id)
        self.manifest.files = self.closed = Entries(self.manifest.files)
        if device.until is not None:
            self.manifest.progress = None  # of what came after the file that is made again

    @property
    def cursor(self) -> int:
        """Journal offset from which on nothing is in a file yet."""
        if self.resumed is not None:
            return int(self.resumed.cursor)
        progress = self.manifest.progress
        done = self._device.start_offset if progress is None else int(progress["offset"])
        return max(done, self.manifest.cursor or 0, self._device.start_offset)

    def recover(self) -> None:
        """Take in the files that no manifest names: finish those that are complete, resume or remove the last.

        Raises
        ------
        StoreError
            The disk refuses.
        """
        for stale in self.path.glob("*.nwb.new"):
            stale.unlink()
        unlisted = [
            p for p in sorted(self.path.glob("*.nwb")) if is_file_name(p.name) and p.name not in self.manifest.names()
        ]
        boot = read_host_boot_id()
        # What a computer that stopped left of an open file may be any mixture of old and new pages.
        is_trusted = self.manifest.host_boot_id in (None, boot)
        for path in unlisted:
            try:
                writer = self._resume(path, is_trusted=is_trusted)
            except DamagedFileError as e:
                aside = free_name(path.with_suffix(".nwb.damaged"))
                path.replace(aside)
                self.remarks.append(f"{e}; set aside as {aside.name} and made again from the journal")
                # What comes behind it is made again with it, as far as the journal goes: each sample once, in order.
                is_trusted = False
                continue
            if writer.n_samples == 0:
                # Nothing in it; the next block makes it again.
                writer.close("empty")
                path.unlink()
            elif path != unlisted[-1]:
                self.check_in(writer.close("found complete"), writer.meta.number, int(writer.cursor))
            else:
                self.resumed = writer

    def _resume(self, path: Path, *, is_trusted: bool) -> RecordingWriter:
        """Open a file to go on with it; DamagedFileError where it must not be."""
        if not is_trusted:
            kept = kept_range(self._device.journal)
            if kept is not None and kept[0] <= self.cursor:
                raise DamagedFileError(f"{path} was being written as the computer stopped, or follows a damaged file")
            check_apart(path)
        tries = path.with_suffix(".nwb.tries")
        with contextlib.suppress(OSError):  # on a full disk nothing is counted
            with tries.open("ab") as file:
                file.write(b"x")
            if tries.stat().st_size > MAX_TRIES:
                tries.unlink()
                raise DamagedFileError(f"{path} has ended {MAX_TRIES} recorders")
        try:
            return RecordingWriter.resume(path)
        finally:
            with contextlib.suppress(OSError):
                tries.unlink()

    def next_number(self) -> int:
        """Return the number of the next file."""
        return self.closed.totals.next_number

    def next_path(self, start_host_ns: int, reference_host_ns: int) -> Path:
        """Path of the next file, named after its first sample's time."""
        start = datetime.fromtimestamp(self._utc_ns(start_host_ns - reference_host_ns) // 10**9, UTC)
        text = f"{start:%Y%m%dT%H%M%SZ}"
        return self.path / file_name(self._plan.session, self._device.name, text, self.next_number())

    def check_in(self, closed: ClosedFile, number: int, cursor: int) -> None:
        """Put a closed file into the manifest, once its name and the journal that it was made of are on the disk."""
        sync_folder(self.path)
        sync_segments(self._device.journal, self._checked_in_to)
        self._checked_in_to = cursor
        self.closed.append(
            ManifestFile(
                name=closed.path.name,
                number=number,
                sha256=closed.sha256,
                n_bytes=closed.n_bytes,
                n_samples=closed.n_samples,
                first_step=closed.first_step,
                last_step=closed.next_step - 1,
                boot_id=closed.boot_id,
                start_s=closed.start_s,
                stop_s=closed.stop_s,
                start_utc_ns=self._utc_ns(round(closed.start_s * 1e9)),
                stop_utc_ns=self._utc_ns(round(closed.stop_s * 1e9)),
                gaps=closed.gaps,
                saturated_blocks=closed.saturated_blocks,
                closed_reason=closed.reason,
                cursor=cursor,
                n_runs=closed.n_runs,
                n_notes=closed.n_notes,
            )
        )
        self.save()

    def save(self) -> None:
        """Write the manifest."""
        try:
            self.manifest.save(self.path)
        except OSError as e:
            kind = DiskFullError if e.errno in (errno.ENOSPC, errno.EDQUOT) else StoreError
            raise kind(f"{self.path / 'manifest.json'} cannot be written: {e.strerror}; free space there") from e

    def reference_host_ns(self, host_boot_id: str, t_host_ns: int, utc_ns: int) -> int:
        """CLOCK_BOOTTIME of the session's reference time, in the boot of the computer that a segment belongs to.

        Within the boot in which the session started that is what the session says; in a later one only UTC connects the
        two, read at the segment's start.
        """
        references = self.manifest.references
        if host_boot_id not in references:
            first = not references
            by_utc = t_host_ns - (utc_ns - self._plan.started_utc_ns)
            references[host_boot_id] = self._plan.started_host_ns if first else by_utc
            self.save()
        return references[host_boot_id]

    def _utc_ns(self, since_reference_ns: int) -> int:
        return self._plan.started_utc_ns + since_reference_ns


def free_name(path: Path) -> Path:
    """Return a name like this that no file has."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}{number}")
    return free
