"""One device's folder in a session: bring files and manifest into agreement after whatever ended the last recorder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from spikedaq.model import StoreError
from spikedaq.recorder.manifest import Manifest, ManifestFile, read_manifest
from spikedaq.recorder.plan import DevicePlan, SessionPlan
from spikedaq.store import ClosedFile, RecordingWriter, file_name


class DeviceFolder:
    """The files of one device in one session.

    Attributes
    ----------
    manifest : Manifest
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
        self.path.mkdir(parents=True, exist_ok=True)
        found = read_manifest(self.path)
        self.manifest = found or Manifest(plan.session, device.name, device.unique_id)

    @property
    def cursor(self) -> int:
        """Journal offset from which on nothing is in a file yet."""
        if self.resumed is not None:
            return int(self.resumed.cursor)
        return self._device.start_offset if self.manifest.cursor is None else self.manifest.cursor

    def recover(self) -> None:
        """Take in the files that no manifest names: finish those that are complete, resume or remove the last.

        Raises
        ------
        StoreError
            The disk refuses.
        """
        for stale in self.path.glob("*.nwb.new"):
            stale.unlink()
        unlisted = [p for p in sorted(self.path.glob("*.nwb")) if p.name not in self.manifest.names()]
        for path in unlisted:
            try:
                writer = RecordingWriter.resume(path)
            except StoreError as e:
                if not _is_damage(e):
                    raise
                aside = path.with_suffix(".nwb.damaged")
                path.replace(aside)
                self.remarks.append(f"{e}; set aside as {aside.name} and made again from the journal")
                continue
            if writer.n_samples == 0:
                # Nothing in it; the next block makes it again.
                writer.close("empty")
                path.unlink()
            elif path != unlisted[-1]:
                self.check_in(writer.close("found complete"), int(writer.cursor))
            else:
                self.resumed = writer

    def next_number(self) -> int:
        """Return the number of the next file."""
        return self.manifest.files[-1].number + 1 if self.manifest.files else 0

    def next_path(self, start_host_ns: int, reference_host_ns: int) -> Path:
        """Path of the next file, named after its first sample's time."""
        start = datetime.fromtimestamp(self._utc_ns(start_host_ns - reference_host_ns) // 10**9, UTC)
        text = f"{start:%Y%m%dT%H%M%SZ}"
        return self.path / file_name(self._plan.session, self._device.name, text, self.next_number())

    def check_in(self, closed: ClosedFile, cursor: int) -> None:
        """Put a closed file into the manifest."""
        self.manifest.files.append(
            ManifestFile(
                name=closed.path.name,
                number=self.next_number(),
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
            )
        )
        self.save()

    def save(self) -> None:
        """Write the manifest."""
        try:
            self.manifest.save(self.path)
        except OSError as e:
            raise StoreError(f"{self.path / 'manifest.json'} cannot be written: {e.strerror}; free space there") from e

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


def _is_damage(error: StoreError) -> bool:
    """Whether the store says that a file is beyond repair, rather than that the disk or the rights are at fault."""
    text = str(error)
    return "rebuild it from the journal" in text or "not an HDF5 file" in text
