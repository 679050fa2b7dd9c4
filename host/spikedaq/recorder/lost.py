"""Devices that a session was to record and of which nothing is there: found, and made again from their journals."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from spikedaq.journal import JournalReader, SessionStart, SessionStop, kept_range
from spikedaq.model import SpikedaqError
from spikedaq.recorder.manifest import MANIFEST_FILE, Manifest, read_manifest
from spikedaq.recorder.offline import WORK_PREFIX, record_offline
from spikedaq.recorder.plan import PLAN_FILE, DevicePlan, SessionPlan, read_plan
from spikedaq.store import is_file_name

_ANOTHER_NS = 60 * 10**9
"""A start noted so much later than the session's own is that of another session of the same name."""


def lost_devices(session: Path) -> list[DevicePlan]:
    """Return the devices of a session of which there is neither a manifest nor a file.

    A recorder that takes a session up writes every device's manifest before anything else, so that one that never
    streamed has a manifest that lists nothing, and is not lost.

    Raises
    ------
    StoreError, ConfigError
        session.json cannot be read.
    """
    return [device for device in read_plan(session).devices if not _is_there(session / device.name)]


def names_no_device(session: Path) -> bool:
    """Whether a session.json names no device: a folder that holds just that holds no recording."""
    try:
        return not read_plan(session).devices
    except SpikedaqError:
        return False


def _is_there(folder: Path) -> bool:
    try:
        return any(path.name == MANIFEST_FILE or is_file_name(path.name) for path in folder.iterdir())
    except OSError:
        return False


def make_again(session: Path, device: DevicePlan) -> tuple[str, bool]:
    """Record a lost device of a session that has ended once more, from its journal.

    Returns
    -------
    str
        What was done, or why it cannot be.
    bool
        Whether the journal still held all of it.
    """
    why = _why_not(read_plan(session), device)
    if why is not None:
        return f"nothing of it is there; it cannot be made again: {why}", False
    with tempfile.TemporaryDirectory(prefix=WORK_PREFIX, dir=session) as name:
        work = Path(name)
        plan = json.loads((session / PLAN_FILE).read_text("utf-8"))
        entry = next(d for d in plan["devices"] if d["name"] == device.name)
        plan |= {"devices": [entry], "reserve_bytes": 0}
        (work / PLAN_FILE).write_text(json.dumps(plan), "utf-8")
        ended = record_offline(work)
        if ended.error:
            return f"nothing of it is there; it cannot be made again: {ended.error}", False
        folder = session / device.name
        folder.mkdir(exist_ok=True)
        made = work / device.name
        # The manifest last: it lists what is there.
        for path in sorted(made.iterdir(), key=lambda path: path.name == MANIFEST_FILE):
            path.replace(folder / path.name)
    text, is_well = told_of(session, device)
    return "; ".join([text, *(remark for _, remark in ended.remarks)]), is_well


def told_of(session: Path, device: DevicePlan) -> tuple[str, bool]:
    """Say what was made of a device that was lost; returns as `make_again` does."""
    manifest = read_manifest(session / device.name)
    if manifest is None:
        return f"nothing of it is there; {_no_journal(device)}", False
    text = f"nothing of it was there; made again from the journal: {_amount(manifest)}"
    kept = kept_range(device.journal)
    if kept is not None and kept[0] <= device.start_offset:
        return text, True
    if not manifest.files:
        return f"{text}, but the journal no longer has the beginning", False
    start = datetime.fromtimestamp(manifest.files[0].start_utc_ns / 1e9, UTC)
    return f"{text}, but the journal no longer has what came before {start:%Y-%m-%d %H:%M:%S} UTC", False


def _amount(manifest: Manifest) -> str:
    if not manifest.files:
        return "no samples of the session are in it"
    n = len(manifest.files)
    return f"{sum(f.n_samples for f in manifest.files)} samples in {n} file{'s' if n > 1 else ''}"


def _why_not(plan: SessionPlan, device: DevicePlan) -> str | None:
    """Say why a journal cannot tell what of it belongs to a session that has ended, None where it can.

    Without the record of the session's end everything that the journal holds today would be taken for the session.
    """
    if kept_range(device.journal) is None:
        return _no_journal(device)
    reader = JournalReader(device.journal, device.start_offset)
    try:
        while entries := reader.poll():
            for entry in entries:
                item = entry.item
                if isinstance(item, SessionStop) and item.session == plan.ends_with:
                    return None
                if _is_another(item, plan):
                    return f"the journal in {device.journal} holds only another session of this name"
    finally:
        reader.close()
    return f"the journal in {device.journal} no longer has the session's end, and with it the session"


def _is_another(item: object, plan: SessionPlan) -> bool:
    if not isinstance(item, SessionStart) or item.session != plan.ends_with:
        return False
    return item.utc_ns > plan.started_utc_ns + _ANOTHER_NS


def _no_journal(device: DevicePlan) -> str:
    return f"there is no journal in {device.journal} to make it of"
