"""The session of a remote recording on disk: begun once, found again after a crash."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spikedaq.daemon.data_folder import check_writable, write_json
from spikedaq.durable import unfinished
from spikedaq.inlet import Bench
from spikedaq.journal import JournalCopy
from spikedaq.model import CommandRejected, ConfigError, StoreError, check_session_name
from spikedaq.recorder import read_newest
from spikedaq.remote.missing import Missing, missing_from
from spikedaq.remote.source import ask

SESSION_FILE = "session.json"
JOURNAL_FOLDER = "journal"
LOCK_FILE = ".remote.lock"
_PLAN_VERSION = 1
UNFINISHED = ("recording", "stopping")


class SessionEndedError(ConfigError):
    """The session was ended before; nothing can be added to it."""


class RemoteSession:
    """One session folder with a copy of each device's journal, held by this process until `close`.

    Attributes
    ----------
    folder : Path
    plan : map
        What session.json says; its ``source`` names the daemon, its ``missing`` what could not be had of whose journal.
    copies : dict of str to JournalCopy
    """

    def __init__(self, folder: Path, plan: dict[str, Any], lock_fd: int) -> None:
        self.folder = folder
        self.plan = plan
        self._lock_fd = lock_fd
        self._saving = threading.Lock()
        self.copies = {entry["name"]: JournalCopy(Path(entry["journal"])) for entry in plan["devices"]}

    @property
    def name(self) -> str:
        """The session's name."""
        return str(self.plan["session"])

    @property
    def url(self) -> str:
        """Control endpoint of the daemon that it is recorded from."""
        return str(self.plan["source"]["url"])

    @property
    def ends_with(self) -> str:
        """Name in the record that ends it in the copies."""
        return str(self.plan["ends_with"])

    @property
    def is_fetched(self) -> bool:
        """Whether the copies hold all that is to be recorded, so that nothing may be copied behind it any more."""
        return bool(self.plan.get("fetched"))

    @property
    def missing(self) -> dict[str, list[Missing]]:
        """What could not be had, by device; devices of which everything could be had are left out."""
        listed = self.plan.get("missing") or {}
        return {device: [missing_from(hole) for hole in holes] for device, holes in listed.items()}

    def miss(self, device: str, missing: Missing) -> None:
        """Write down that something cannot be had; any thread may.

        Raises
        ------
        StoreError
            It is not on the disk, and not taken.
        """
        with self._saving:
            holes = [hole for hole in self.missing.get(device, []) if not missing.replaces(hole)]
            listed = {**(self.plan.get("missing") or {}), device: [hole.to_map() for hole in [*holes, missing]]}
            self._write({**self.plan, "missing": listed})

    def save(self, state: str, reason: str | None, *, fetched: bool = False) -> None:
        """Write session.json with a new state; what was fetched stays fetched."""
        with self._saving:
            self._write({**self.plan, "state": state, "reason": reason, "fetched": fetched or self.is_fetched})

    def _write(self, plan: dict[str, Any]) -> None:
        write_json(self.folder / SESSION_FILE, plan)
        self.plan = plan

    def trim(self) -> None:
        """Delete of the copies what is in closed files."""
        for device, copy in self.copies.items():
            with contextlib.suppress(StoreError, OSError):
                manifest = read_newest(self.folder / device)
                if manifest is not None and manifest.cursor is not None:
                    copy.trim(manifest.cursor)

    def close(self) -> None:
        """Let go of it; the copies of a session that is complete are deleted, for its files hold all of them."""
        for copy in self.copies.values():
            copy.close()
        if self.plan["state"] == "complete":
            shutil.rmtree(self.folder / JOURNAL_FOLDER, ignore_errors=True)
        os.close(self._lock_fd)


def begin(
    bench: Bench,
    folder: Path,
    session: str,
    devices: Sequence[str],
    *,
    roll_s: float | None = 3600.0,
    notes: str = "",
) -> RemoteSession:
    """Begin a session at the live edge of each device's journal.

    Raises
    ------
    CommandRejected
        A device that has no journal, or is unknown.
    StoreError, ConfigError
        The session exists, or the folder cannot be used. Nothing is left behind.
    """
    check_session_name(session)
    known = {entry["name"]: entry["unique_id"] for entry in bench.client.call("list")}
    unknown = [name for name in devices if name not in known]
    if unknown:
        message = f"the bench {bench.name!r} has no device {unknown[0]!r}; it has {', '.join(known) or 'none'}"
        raise CommandRejected(message, code="unknown_device")
    folder = folder.absolute()
    check_writable(folder)
    target = folder / session
    taken = f"session {session!r} exists already in {folder}; choose another name"
    try:
        target.mkdir()
    except FileExistsError as error:
        if not _is_unbegun(target):
            raise StoreError(taken) from error
    except OSError as error:
        raise StoreError(f"the session folder {target} cannot be made ({error.strerror})") from error
    lock_fd = _lock(target)
    if not _is_unbegun(target):
        os.close(lock_fd)
        raise StoreError(taken)
    try:
        shutil.rmtree(target / JOURNAL_FOLDER, ignore_errors=True)
        plan = _plan(bench, target, session, {name: known[name] for name in devices}, roll_s=roll_s, notes=notes)
        write_json(target / SESSION_FILE, plan)
        return RemoteSession(target, plan, lock_fd)
    except BaseException:
        os.close(lock_fd)
        shutil.rmtree(target, ignore_errors=True)
        raise


def _is_unbegun(target: Path) -> bool:
    """Whether a folder holds nothing but what `begin` leaves that is killed before it has written session.json."""
    left = {path.name for path in target.iterdir()} if target.is_dir() else {""}
    return left <= {LOCK_FILE, JOURNAL_FOLDER, unfinished(Path(SESSION_FILE)).name}


def _plan(
    bench: Bench, target: Path, session: str, devices: dict[str, str], *, roll_s: float | None, notes: str
) -> dict[str, Any]:
    source = ask(bench)
    entries, started = [], None
    with bench.history() as history:
        for name, unique_id in devices.items():
            head = history.head(name)
            started = started or head
            copy = JournalCopy(target / JOURNAL_FOLDER / name)
            copy.begin(head["offset"], head["head"], head["t_ns"])
            journal = str(copy.folder)
            entries.append({"name": name, "unique_id": unique_id, "journal": journal, "start_offset": copy.offset})
            copy.close()
    if started is None:
        raise CommandRejected(f"the bench {bench.name!r} has no device to record", code="unknown_device")
    roll = {"seconds": roll_s, "bytes": None, "aligned": None}
    mode = {"kind": "continuous"}
    # Times are those of the daemon's computer, as everything in its journals is.
    utc_ns, t_ns = started["utc_ns"], started["t_ns"]
    return {
        "version": _PLAN_VERSION,
        "session": session,
        # Not a name that any session of the bench can have: its stops are in the copies as well.
        "ends_with": f"remote/{session}/{utc_ns}",
        "bench": bench.name,
        "source": {"url": bench.client.url, "bench": bench.name},
        "started_utc_ns": utc_ns,
        "started_host_ns": t_ns,
        "roll": roll,
        "mode": mode,
        "notes": notes,
        "experimenter": source.stated("experimenter"),
        "institution": source.stated("institution"),
        "lab": source.stated("lab"),
        "devices": entries,
        "state": "recording",
        "reason": None,
        "config": source.config(bench),
        "recording": {"mode": mode, "roll": roll, "end_after_s": None, "triggers": source.triggers},
    }


def resume(folder: Path) -> RemoteSession:
    """Take up a session that was not ended.

    Raises
    ------
    StoreError
        It cannot be read, or another process has it.
    SessionEndedError
        It was ended.
    ConfigError
        It is no remote recording.
    """
    plan = _read(folder / SESSION_FILE)
    lock_fd = _lock(folder)
    try:
        return RemoteSession(folder, plan, lock_fd)
    except BaseException:
        os.close(lock_fd)
        raise


def _read(path: Path) -> dict[str, Any]:
    try:
        plan: dict[str, Any] = json.loads(path.read_text("utf-8"))
        state, is_remote = plan["state"], bool(plan.get("source")) and bool(plan["devices"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{path} cannot be read ({error}); choose another name") from error
    if not is_remote:
        raise ConfigError(f"{path} is not that of a remote recording; choose another name")
    if state not in UNFINISHED:
        raise SessionEndedError(f"the session in {path.parent} is {state}; choose another name")
    return plan


def find_unfinished(folder: Path, url: str) -> list[Path]:
    """Session folders in ``folder`` that record from this daemon and were not ended, oldest first."""
    found = []
    for path in sorted(folder.glob(f"*/{SESSION_FILE}")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            plan = json.loads(path.read_text("utf-8"))
            if plan["state"] in UNFINISHED and plan["source"]["url"] == url:
                found.append((int(plan["started_utc_ns"]), path.parent))
    return [path for _, path in sorted(found)]


def _lock(folder: Path) -> int:
    try:
        fd = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(f"{folder} cannot be written ({error.strerror}); check its rights") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise StoreError(f"another process records the session in {folder}; let it, or end it") from error
    return fd
