"""Recording sessions: begun, kept, and ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import structlog

from spikedaq.bus import RecordingStatus
from spikedaq.daemon.alarms import Alarms
from spikedaq.daemon.config import RecordingConfig
from spikedaq.daemon.data_folder import DataFolder
from spikedaq.daemon.journals import Journals
from spikedaq.daemon.left_sessions import LeftSessions
from spikedaq.daemon.live_config import LiveConfig
from spikedaq.daemon.recorder_process import CLOSE_S
from spikedaq.daemon.recording_mode import Wanted, wall_clock_reaches
from spikedaq.daemon.session import Reference, Session, new_plan
from spikedaq.daemon.session_folders import Pointer, Pointers, make_session_folder, note_used
from spikedaq.daemon.session_start import first_blocks, journals_of, wanted_folder
from spikedaq.journal import SessionStart, SessionStop
from spikedaq.link import host_now_ns
from spikedaq.model import CommandRejected, CommandTimeout, SpikedaqError, StoreError, check_session_name

TIME_OVER = "its time is over"
"""Why a session ended that was told at its start when to."""
STOP_TIMEOUT_S = 60.0
_SAVE_S = 5.0
_LINK_S = 2.0
"""What a session's last sample takes at most from the board into the journal, if nothing is wrong."""

log = structlog.get_logger(__name__)


class Recordable(Protocol):
    """What a session needs to know of the bench's devices."""

    def check_recordable(self, names: Sequence[str] | None) -> list[str]:
        """Return the names to record, or raise `CommandRejected` naming those that cannot be."""


class Sessions:
    """The bench's recordings: one at a time, and those that an earlier daemon left unfinished."""

    def __init__(
        self, config: LiveConfig, data: DataFolder, journals: Journals, bench: Recordable, alarms: Alarms
    ) -> None:
        self._config = config
        self._alarms = alarms
        self._data = data
        self._journals = journals
        self._bench = bench
        self._sessions: dict[str, Session] = {}
        self.pointers = Pointers(data)
        self._last: RecordingStatus | None = None
        self.turn = asyncio.Lock()
        self.ending = False
        self.left = LeftSessions(data, journals, self)
        self.listeners: list[Callable[[Sequence[str]], None]] = []
        """Called with the devices of a session that has begun, or is over. They must not raise or wait."""

    @property
    def config(self) -> RecordingConfig:
        """How recordings are written, as configured now."""
        return self._config.now.recording

    @property
    def current(self) -> Session | None:
        """The session that records or is being ended."""
        return next(iter(self._sessions.values()), None)

    def all(self) -> list[Session]:
        """Return every session that is kept."""
        return list(self._sessions.values())

    def status(self) -> RecordingStatus | None:
        """Return the state of the current session, else of the last one that ended in this daemon."""
        return self.current.status() if self.current else self._last

    def needed_from(self) -> dict[str, int]:
        """Journal offset by device before which everything is in closed files; for a thread."""
        needed: dict[str, int] = {}
        for session in [*self._sessions.values(), *self.left.waiting.values()]:
            for name, offset in session.needed_from().items():
                needed[name] = min(offset, needed.get(name, offset))
        return needed

    def of(self, device: str) -> Session | None:
        """Return the session that records a device."""
        return next((s for s in self._sessions.values() if device in s.recorder.files), None)

    # ---- begin ----

    async def start(
        self,
        name: str,
        devices: Sequence[str] | None,
        folder: str | None,
        wanted: Wanted,
        notes: str,
        *,
        reference: Reference | None = None,
    ) -> RecordingStatus:
        """Begin a session; return once the first block of every device can be read from disk.

        A session that waits for triggers or clock times is begun once its recorder follows every device.

        Parameters
        ----------
        reference : Reference, optional
            The instant that times count from, where several benches record one session; by default now.

        Raises
        ------
        ConfigError, StoreError, CommandRejected
            A name, folder or device that cannot be used; a session that exists or still runs.
        CommandTimeout
            No block on disk within `START_TIMEOUT_S` and `START_PER_DEVICE_S`; what was begun is undone.
        """
        async with self.turn:
            check_session_name(name)
            if self.ending:
                raise CommandRejected("the daemon is ending; record once it is started again", code="ending")
            if self.current is not None:
                message = f"session {self.current.name!r} is being recorded; stop it first, or wait until it is closed"
                raise CommandRejected(message, code="busy")
            if name in self.left.waiting:
                waits = f"session {name!r} is unfinished, and waited for: {self.left.failed.get(name, 'it was left')}"
                raise StoreError(f"{waits}; choose another name")
            names = self._bench.check_recordable(devices)
            parent = self._data.recordings
            if folder:
                parent = await asyncio.to_thread(wanted_folder, folder, parent, self.config.folders)
            target = parent / name
            await asyncio.to_thread(make_session_folder, parent, target, name, self._config.now.disk.restart_bytes)
            try:
                session = await self._begin(target, name, names, wanted, notes, reference=reference)
            except BaseException:
                await asyncio.to_thread(shutil.rmtree, target, ignore_errors=True)
                raise
            try:
                await first_blocks(session)
            except BaseException as error:
                await self._undo(session, str(error) or "interrupted")
                raise
            self.left.replaced_by(session)
            try:
                await asyncio.to_thread(note_used, self._data, parent)
            except StoreError as error:
                log.warning("recording, but its folder cannot be remembered for lists", reason=str(error))
            self._tell(session)
            log.info("recording", session=name, folder=str(target), devices=names)
            return session.status()

    async def _begin(
        self,
        target: Path,
        name: str,
        names: list[str],
        wanted: Wanted,
        notes: str,
        *,
        reference: Reference | None,
    ) -> Session:
        journals = journals_of(names, self._journals)
        now = Reference(time.time_ns(), host_now_ns())
        entries = [
            {
                "name": device,
                "unique_id": journal.unique_id,
                "journal": str(self._journals.folder(device).absolute()),
                "start_offset": journal.writer.offset,
            }
            for device, journal in journals.items()
        ]
        plan = new_plan(self._config.now, name, entries, wanted, notes=notes, reference=reference or now, now=now)
        # In one go with the offsets above: no frame can come between.
        said = ("session", "bench", "roll", "mode", "notes", "experimenter", "institution", "lab")
        config_json = json.dumps({key: plan[key] for key in said})
        for device, journal in journals.items():
            journal.writer.append(SessionStart(now.host_ns, name, now.utc_ns, config_json))
            self._journals.pinned[device] = journal.unique_id
        session = self.make(target, plan)
        try:
            await asyncio.to_thread(self.pointers.add, Pointer(target, session.start_offsets))
            await session.save("recording", None)
        except BaseException:
            self._journal_stop(session, "failed")
            await self._forget(session)
            raise
        self._launch(session)
        return session

    async def _undo(self, session: Session, reason: str) -> None:
        log.error("recording not begun", session=session.name, reason=reason)
        self._journal_stop(session, "failed")
        await self._cancel(session)
        if any(file.rows_on_disk for file in session.recorder.files.values()):
            with contextlib.suppress(StoreError):
                await session.save("interrupted", reason)
        else:
            await asyncio.to_thread(shutil.rmtree, session.folder, ignore_errors=True)
        await self._forget(session)

    # ---- end ----

    async def stop(self, name: str | None, reason: str = "user") -> RecordingStatus:
        """End a session; return once every file is closed.

        Raises
        ------
        CommandRejected
            Nothing is recorded, or not this.
        CommandTimeout
            The recorder has not finished within `STOP_TIMEOUT_S`; it goes on by itself.
        """
        async with self.turn:
            session = self.current if name is None else self._sessions.get(name)
            if session is None:
                what = (
                    "nothing is being recorded" if self.current is None else f"{self.current.name!r} is being recorded"
                )
                asked = "" if name is None else f"session {name!r} is not being recorded; "
                raise CommandRejected(f"{asked}{what}", code="not_recording")
            # First in the journal, which has room, and an answer, where the recording's disk has none.
            self._journal_stop(session, reason)
            if session.plan["state"] == "recording":
                try:
                    await session.save("stopping", reason, limit_s=_SAVE_S)
                except StoreError as error:
                    log.warning("stopping, but this cannot be written down", session=session.name, reason=str(error))
        session.recorder.poke()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await session.recorder.finished.wait()
                if session.task is not None:
                    await asyncio.shield(session.task)
        except TimeoutError as error:
            why = f": {session.recorder.error}" if session.recorder.error else ""
            message = f"session {session.name!r} is not closed after {STOP_TIMEOUT_S:.0f} s{why}; closing goes on"
            raise CommandTimeout(message, code="still_closing") from error
        return session.status()

    def _journal_stop(self, session: Session, reason: str) -> None:
        for entry in session.plan["devices"]:
            journal = self._journals.get(entry["name"])
            if journal is not None:
                journal.writer.append(SessionStop(host_now_ns(), session.name, reason))

    # ---- keep ----

    def make(self, folder: Path, plan: dict[str, Any]) -> Session:
        """Return a session of this plan, with the reserve of now: an earlier daemon's may have been another."""
        disk = self._config.now.disk
        return Session(folder, {**plan, "reserve_bytes": disk.reserve_bytes}, self._alarms, disk.restart_bytes)

    def _launch(self, session: Session) -> None:
        self._sessions[session.name] = session
        until_s, end = session.until_s(), session.end
        if until_s is not None:
            self._end_once(session, partial(wall_clock_reaches, until_s + _LINK_S), "the schedule is over")
        if end is not None:
            self._end_once(session, end.comes, TIME_OVER)
        session.task = asyncio.create_task(self._keep(session), name=f"session {session.name}")

    def go_on(self, session: Session) -> None:
        """Record a session that was left, or end it where that was under way."""
        if session.plan["state"] == "stopping":
            # The daemon may have been killed between writing the state and the journals; a second stop is harmless.
            self._journal_stop(session, session.plan["reason"] or "user")
        self._launch(session)

    def _end_once(self, session: Session, time_comes: Callable[[], Awaitable[None]], reason: str) -> None:
        """Have a session ended at some time."""

        async def end() -> None:
            await time_comes()
            try:
                await self.stop(session.name, reason)
            except SpikedaqError as error:
                log.warning("not ended in time", session=session.name, why=reason, reason=str(error))

        session.timers.append(asyncio.create_task(end(), name=f"end of session {session.name}"))

    async def _keep(self, session: Session) -> None:
        """Run the recorder to its end, and then close the books."""
        try:
            await session.recorder.run()
        except Exception as error:
            log.exception("internal error, the recording ends", session=session.name)
            session.recorder.give_up(f"an error inside spikedaqd ({error}); its log has the details")
        state = "complete" if session.recorder.complete else "interrupted"
        reason = (session.plan["reason"] or "user") if session.recorder.complete else session.recorder.error
        try:
            await session.save(state, reason)
        except StoreError as error:
            log.warning("ended, but this cannot be written down", session=session.name, reason=str(error))
        if state == "interrupted":
            self.left.failed[session.name] = (
                f"session {session.name} is not recorded any more: {reason}; what it has is in {session.folder}, and "
                "what the journal holds can be had from there. Put right what is wrong and begin another session"
            )
        self._last = session.status()
        await self._forget(session)
        log.info("recording ended", session=session.name, folder=str(session.folder), state=state, reason=reason)

    def unpin(self, session: Session) -> None:
        """Give a session's devices back."""
        others = [other for other in self._sessions.values() if other is not session]
        for device in session.start_offsets:
            if not any(device in other.start_offsets for other in others):
                self._journals.pinned.pop(device, None)

    async def _forget(self, session: Session) -> None:
        for timer in session.timers:
            if timer is not asyncio.current_task():
                timer.cancel()
        self.unpin(session)
        self._sessions.pop(session.name, None)
        session.recorder.end_alarms()
        self._tell(session)
        await self.point_away(session.folder)

    def _tell(self, session: Session) -> None:
        for listener in self.listeners:
            listener(list(session.start_offsets))

    async def point_away(self, folder: Path) -> None:
        """Note that a session is not under way any more."""
        try:
            await asyncio.to_thread(self.pointers.remove, folder)
        except StoreError as error:
            # The next daemon reads in the session's own folder that it has ended.
            log.warning("ended, but it stays noted as under way", folder=str(folder), reason=str(error))

    def begin_anew(self, session: Session) -> None:
        """Have a new recorder make again, from the journal, a file that was deleted while it was being written."""
        log.warning("a file that is being written was deleted; it is made again from the journal", session=session.name)
        session.recorder.kill()

    async def _cancel(self, session: Session) -> None:
        own = asyncio.current_task()
        tasks = [task for task in (*session.timers, session.task) if task is not None and task is not own]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ---- when the daemon ends ----

    async def finish(self, reason: str) -> None:
        """End everything in order before the daemon ends; what cannot be closed in time is resumed by the next one."""
        self.ending = True
        for session in list(self._sessions.values()):
            try:
                await self.stop(session.name, reason)
            except SpikedaqError as error:
                log.warning("recording not closed, the next daemon resumes it", session=session.name, reason=str(error))
            if session.name in self._sessions:
                await self._cancel(session)

    async def abandon(self, close_s: float = CLOSE_S) -> None:
        """Leave what still runs to the next daemon: files are closed, at most for so long, sessions stay unfinished."""
        self.ending = True
        sessions = list(self._sessions.values())
        self.left.waiting |= {session.name: session for session in sessions}
        for session in sessions:
            log.warning("the next daemon goes on with the session", session=session.name)
            session.recorder.close_s = close_s
        await asyncio.gather(*(self._cancel(session) for session in sessions))
        for session in sessions:
            self._sessions.pop(session.name, None)
