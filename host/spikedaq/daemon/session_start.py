"""What a session needs before it is one: a folder, journals, and its first samples on the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from spikedaq.bus import FileStatus
from spikedaq.daemon.journals import Journal, Journals
from spikedaq.daemon.session import Session
from spikedaq.library import LibraryConfig, Places
from spikedaq.model import CommandRejected, CommandTimeout, ConfigError, StoreError

START_TIMEOUT_S = 10.0
"""How long a recorder has to bring the first block of every device to the disk."""
START_PER_DEVICE_S = 1.0
"""And so much more for each: making a file takes 0.1 s of a processor, and a computer may be busy."""
MAX_START_RESTARTS = 2


def wanted_folder(folder: str, recordings: Path, allowed: tuple[Path, ...] | None) -> Path:
    """Return the folder that somebody wants to record in; for a thread.

    Parameters
    ----------
    folder : str
    recordings : Path
        Where recordings are by default.
    allowed : tuple of Path or None
        Where else they may be; None for anywhere.

    Raises
    ------
    ConfigError
        It is not a full path.
    CommandRejected
        It is not allowed, or cannot be looked at.
    """
    parent = Path(folder)
    if not parent.is_absolute():
        raise ConfigError(f"the recording folder {folder!r} is not a full path; write one that begins with /")
    if allowed is not None:
        Places(LibraryConfig(recordings, allowed)).resolve(folder, may_be_missing=True)
    return parent


def journals_of(devices: Sequence[str], journals: Journals) -> dict[str, Journal]:
    """Return each device's journal.

    Raises
    ------
    CommandRejected
        A device has none yet.
    """
    found = {}
    for device in devices:
        journal = journals.get(device)
        if journal is None:
            raise CommandRejected(f"device {device!r} has no journal yet; wait until it runs", code="not_running")
        found[device] = journal
    return found


async def first_blocks(session: Session) -> None:
    """Wait until samples of every device are on the disk, or what is wanted of them has been waited for.

    Raises
    ------
    StoreError
        The recorder cannot record.
    CommandTimeout
        Nothing came within `START_TIMEOUT_S` and `START_PER_DEVICE_S`.
    """
    recorder = session.recorder
    patience_s = START_TIMEOUT_S + START_PER_DEVICE_S * len(recorder.files)
    try:
        async with asyncio.timeout(patience_s):
            while any(not _is_begun(file) for file in recorder.files.values()):
                if recorder.restarts > MAX_START_RESTARTS or recorder.finished.is_set():
                    raise StoreError(f"session {session.name!r} cannot be recorded: {recorder.error}")
                recorder.changed.clear()
                await recorder.changed.wait()
    except TimeoutError as error:
        missing = ", ".join(name for name, file in recorder.files.items() if not _is_begun(file))
        why = f" ({recorder.error})" if recorder.error else "; do they stream, and is the disk fast enough?"
        raise CommandTimeout(
            f"session {session.name!r} was not begun: nothing of {missing} is on disk after {patience_s:.0f} s{why}",
            code="no_data",
        ) from error


def _is_begun(file: FileStatus) -> bool:
    return file.rows_on_disk > 0 or file.state == "armed"
