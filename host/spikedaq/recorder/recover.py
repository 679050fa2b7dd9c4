"""Finish what a kill left, and make damaged or missing files again from the journal, without a daemon."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spikedaq.journal import kept_range
from spikedaq.model import SpikedaqError, StoreError
from spikedaq.recorder.folder import free_name
from spikedaq.recorder.locks import held, holder, is_unfinished
from spikedaq.recorder.lost import lost_devices, make_again, told_of
from spikedaq.recorder.manifest import MANIFEST_FILE, Manifest, ManifestFile, read_manifest
from spikedaq.recorder.offline import WORK_PREFIX, record_offline
from spikedaq.recorder.plan import PLAN_FILE, DevicePlan, read_plan
from spikedaq.recorder.verify import Verdict, check_entry, find_folders
from spikedaq.store import is_file_name, repair


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done about one file or folder, or could not be done."""

    path: Path
    text: str
    is_well: bool

    def to_map(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"path": str(self.path), "text": self.text, "well": self.is_well}


Report = Callable[[Deed], None]


def recover(path: Path, report: Report = lambda deed: None) -> list[Deed]:
    """Put a recording right as far as its files and journals allow. What is in order is left as it is.

    Parameters
    ----------
    path : Path
        A recording file, or the folder of a device, a session or many sessions.
    report : callable
        Called with each deed as it is done.

    Raises
    ------
    StoreError
        Nothing there, or somebody is recording it.
    """
    path = Path(path).absolute()
    only = path if path.is_file() else None
    folders, whole = ([path.parent], []) if only else find_folders(path)
    sessions = list(dict.fromkeys([*(folder.parent for folder in folders), *whole]))
    for session in sessions:
        # All of them before the first is touched.
        if (who := holder(session)) is not None:
            raise StoreError(f"{session} is in use: {who}; stop the recording first (spikedaq record stop)")
    deeds: list[Deed] = []

    def done(deed: Deed) -> None:
        deeds.append(deed)
        report(deed)

    for session in sessions:
        own = [folder for folder in folders if folder.parent == session]
        if not (session / PLAN_FILE).is_file():
            for folder in own:
                _repair_alone(folder, only, done)
            continue
        for folder in own:
            _set_manifest_aside(folder, done)
        lost = _lost(session, done) if session in whole else []
        _finish(session, own, lost, done)
        with held(session):
            for stale in session.glob(f"{WORK_PREFIX}*"):  # of one that was killed
                shutil.rmtree(stale, ignore_errors=True)
            for folder in own:
                _Rebuilder(session, folder, done).run(only)
            if not is_unfinished(session):
                for device in lost:
                    _make_again(session, device, done)
    return deeds


def _set_manifest_aside(folder: Path, done: Report) -> None:
    try:
        read_manifest(folder)
    except SpikedaqError as error:
        aside = free_name(folder / (MANIFEST_FILE + ".damaged"))
        (folder / MANIFEST_FILE).replace(aside)
        done(Deed(folder / MANIFEST_FILE, f"{error}; set aside as {aside.name} and made anew from the files", True))


def _lost(session: Path, done: Report) -> list[DevicePlan]:
    try:
        return lost_devices(session)
    except SpikedaqError as error:
        done(Deed(session / PLAN_FILE, f"{error}; whether all of its devices are there is not known", False))
        return []


def _make_again(session: Path, device: DevicePlan, done: Report) -> None:
    try:
        text, is_well = make_again(session, device)
    except (SpikedaqError, OSError) as error:
        text, is_well = f"nothing of it is there; it cannot be made again: {error}", False
    done(Deed(session / device.name, text, is_well))


def _finish(session: Path, folders: list[Path], lost: list[DevicePlan], done: Report) -> None:
    """Have a recorder finish the files that no manifest lists, and take what the journals still hold."""
    loose = [name for folder in folders for name in _unlisted(folder)]
    goes_on = is_unfinished(session)
    if not loose and not goes_on:
        return
    # A session that goes on takes up its lost devices as well, where there is something to make them of.
    left = [device for device in lost if not goes_on or kept_range(device.journal) is None]
    only = [device.name for device in read_plan(session).devices if device not in left] if left else []
    if only or not left:
        ended = record_offline(session, only)
        for device_name, remark in ended.remarks:
            done(Deed(session / device_name, remark, True))
        if ended.error:
            done(Deed(session, f"its files cannot be finished: {ended.error}", False))
            return
    for name in loose:
        done(Deed(name, "closed, with all that its journal holds of it", True))
    for device in lost if goes_on else []:
        done(Deed(session / device.name, *told_of(session, device)))
    if not loose and not lost:
        done(Deed(session, "all that the journals hold of it is in closed files; the next spikedaqd goes on", True))


def _unlisted(folder: Path) -> list[Path]:
    manifest = read_manifest(folder)
    listed = manifest.names() if manifest is not None else set()
    return sorted(p for p in folder.iterdir() if is_file_name(p.name) and p.name not in listed)


def _repair_alone(folder: Path, only: Path | None, done: Report) -> None:
    """Make files open again that came without their session."""
    for path in [only] if only else sorted(p for p in folder.iterdir() if is_file_name(p.name)):
        try:
            found = repair(path)
        except StoreError as error:
            done(Deed(path, str(error), False))
            continue
        if found.was_open or found.was_cut:
            done(Deed(path, f"repaired in place: {found.n_samples} samples", True))


class _Rebuilder:
    """Makes the damaged and missing files of one device again."""

    def __init__(self, session: Path, folder: Path, done: Report) -> None:
        self._session = session
        self._folder = folder
        self._done = done

    def run(self, only: Path | None) -> None:
        manifest = read_manifest(self._folder)
        if manifest is None:
            return
        for index, entry in enumerate(manifest.files):
            if only is not None and only.name != entry.name:
                continue
            finding, _ = check_entry(self._folder, entry, lambda _: None)
            if finding.verdict in (Verdict.DAMAGED, Verdict.MISSING, Verdict.WRONG):
                self._make_again(manifest, index, finding.text, missing=finding.verdict is Verdict.MISSING)

    def _make_again(self, manifest: Manifest, index: int, why: str, *, missing: bool) -> None:
        entry, path = manifest.files[index], self._folder / manifest.files[index].name
        with tempfile.TemporaryDirectory(prefix=WORK_PREFIX, dir=self._session) as name:
            try:
                made, file = self._record(Path(name), manifest, index)
            except (SpikedaqError, OSError) as error:
                self._done(Deed(path, f"{why}; it cannot be made again: {error}", False))
                return
            whole = made is not None and _span(made) == _span(entry)
            if made is None or file is None or not (whole or missing):
                self._done(Deed(path, f"{why}; {self._lack(entry, made)}; left as it is", False))
                return
            text = f"{why}; made again from the journal"
            if path.exists():
                aside = free_name(path.with_suffix(".nwb.damaged"))
                path.replace(aside)
                text += f", the old one is kept as {aside.name}"
            file.replace(path)
        kept = replace(made, name=entry.name, number=entry.number, closed_reason=entry.closed_reason)
        manifest.files[index] = replace(kept, cursor=entry.cursor, rebuilt_utc_ns=time.time_ns())
        manifest.save(self._folder)
        self._done(Deed(path, text if whole else f"{text}, but {self._lack(entry, made)}", whole))

    def _record(self, work: Path, manifest: Manifest, index: int) -> tuple[ManifestFile | None, Path | None]:
        """Run a recorder over the stretch of the journal that the file was made from."""
        plan = json.loads((self._session / PLAN_FILE).read_text("utf-8"))
        device = next((d for d in plan["devices"] if d["name"] == self._folder.name), None)
        if device is None:
            raise StoreError(f"{self._session / PLAN_FILE} does not name {self._folder.name}")
        device = {**device, "until": manifest.files[index].cursor, "until_step": manifest.files[index].last_step + 1}
        # It ended where it ended: by time, by size, by a kill. Only the journal offset says where.
        plan = {
            **plan,
            "devices": [device],
            "roll": {"seconds": None, "bytes": None, "aligned": None},
            "reserve_bytes": 0,
        }
        (work / PLAN_FILE).write_text(json.dumps(plan), "utf-8")
        made = work / self._folder.name
        made.mkdir()
        before = manifest.files[:index]
        replace(manifest, state="recording", host_boot_id=None, files=list(before)).save(made)
        if error := record_offline(work).error:
            raise StoreError(error)
        result = read_manifest(made)
        files = result.files[index:] if result is not None else []
        if len(files) != 1:
            return None, None
        return files[0], made / files[0].name

    def _lack(self, entry: ManifestFile, made: ManifestFile | None) -> str:
        plan = json.loads((self._session / PLAN_FILE).read_text("utf-8"))
        journal = next((d["journal"] for d in plan["devices"] if d["name"] == self._folder.name), None)
        if journal is None or kept_range(Path(journal)) is None:
            return f"there is no journal in {journal}, and {entry.n_samples} samples are not to be had"
        if made is None:
            return f"the journal has nothing of its {entry.n_samples} samples any more"
        lacking = []
        if made.first_step > entry.first_step:
            lacking.append(f"{entry.first_step} to {made.first_step - 1}")
        if made.last_step < entry.last_step:
            lacking.append(f"{made.last_step + 1} to {entry.last_step}")
        what = f"steps {' and '.join(lacking)}" if lacking else f"{entry.n_samples - made.n_samples} samples"
        return f"the journal no longer has {what}"


def _span(entry: ManifestFile) -> tuple[int, int, int, int]:
    return entry.boot_id, entry.n_samples, entry.first_step, entry.last_step
