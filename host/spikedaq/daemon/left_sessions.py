"""Sessions that an earlier daemon left unfinished: taken up again, waited for, or given up."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any, Protocol

import structlog

from spikedaq.daemon.data_folder import DataFolder
from spikedaq.daemon.journals import Journals
from spikedaq.daemon.session import SESSION_FILE, Session
from spikedaq.daemon.session_folders import Pointer, Pointers, state_of, unfinished
from spikedaq.journal import SessionStop
from spikedaq.link import host_now_ns
from spikedaq.model import CommandRejected, SpikedaqError, StoreError
from spikedaq.recorder import UNFINISHED

LOOK_S = 5.0
"""How often a session whose disk is away is looked for."""
_ANSWER_S = 5.0

log = structlog.get_logger(__name__)


class Keeper(Protocol):
    """Who keeps the sessions that are recorded.

    Attributes
    ----------
    pointers : Pointers
    turn : asyncio.Lock
        Held while a session begins or ends.
    ending : bool
        Nothing is taken up any more.
    """

    pointers: Pointers
    turn: asyncio.Lock
    ending: bool

    def make(self, folder: Path, plan: dict[str, Any]) -> Session:
        """Return a session of this plan, as far as it still holds."""

    def go_on(self, session: Session) -> None:
        """Record a session that was left, or end it where that was under way."""

    def unpin(self, session: Session) -> None:
        """Give its devices back."""

    async def point_away(self, folder: Path) -> None:
        """Note that a session is not under way any more."""


class LeftSessions:
    """Finds and takes up what was left.

    Attributes
    ----------
    failed : dict of str to str
        By session, why it ended, or was not taken up again, although nobody had ended it.
    waiting : dict of str to Session or Pointer
        Those that could not be taken up, or are left to the next daemon; the journals keep what they lack.
    """

    def __init__(self, data: DataFolder, journals: Journals, keeper: Keeper) -> None:
        self._data = data
        self._journals = journals
        self._keeper = keeper
        self.failed: dict[str, str] = {}
        self.waiting: dict[str, Session | Pointer] = {}

    async def resume(self) -> None:
        """Take up what an earlier daemon left unfinished. What cannot be taken up is reported and left as it is."""
        pointers: list[Pointer] = []
        try:
            pointers = await asyncio.to_thread(self._keeper.pointers.all)
        except StoreError as error:
            self.failed["unknown"] = str(error)
        folders = await asyncio.to_thread(unfinished, self._data)
        for pointer in pointers:
            if pointer.folder in folders:
                continue
            try:
                state = await asyncio.wait_for(asyncio.to_thread(state_of, pointer.folder), _ANSWER_S)
            except (StoreError, TimeoutError) as error:
                self._miss(pointer, str(error) or f"{pointer.folder} does not answer")
                continue
            await self._found(pointer, state)
        for folder in folders:
            await self._take_up(folder)

    async def run(self) -> None:
        """Look now and then for the sessions that could not be found, and take them up once their disk is there."""
        while True:
            await asyncio.sleep(LOOK_S)
            for name, pointer in list(self.waiting.items()):
                if not isinstance(pointer, Pointer):
                    continue
                with contextlib.suppress(StoreError):
                    state = await asyncio.to_thread(state_of, pointer.folder)
                    async with self._keeper.turn:
                        if self.waiting.get(name) is pointer and not self._keeper.ending:
                            self.failed.pop(name, None)
                            await self._found(pointer, state)
                            if self.waiting.get(name) is pointer:
                                del self.waiting[name]

    def _miss(self, pointer: Pointer, why: str) -> None:
        name = pointer.folder.name if pointer.folder.name not in self.waiting else str(pointer.folder)
        log.warning("unfinished session cannot be found", folder=str(pointer.folder), reason=why)
        self.waiting[name] = pointer
        self.failed[name] = (
            f"session {name} was under way, and {why}: it is not recorded. Mount its disk, or put the file back, and "
            f"it is taken up again; or give it up with spikedaq record dismiss {name}"
        )

    async def _found(self, pointer: Pointer, state: str) -> None:
        if state in UNFINISHED:
            await self._take_up(pointer.folder)
        else:
            await self._keeper.point_away(pointer.folder)

    async def _take_up(self, folder: Path) -> None:
        session: Session | None = None
        try:
            plan = json.loads(await asyncio.to_thread((folder / SESSION_FILE).read_text, "utf-8"))
            session = self._keeper.make(folder, plan)
            for entry in plan["devices"]:
                await self._journals.open(entry["name"], entry["unique_id"])
                self._journals.pinned[entry["name"]] = entry["unique_id"]
            await self._write_down(session, plan)
        except (OSError, ValueError, KeyError, TypeError, SpikedaqError) as error:
            log.warning("unfinished session cannot be resumed", folder=str(folder), reason=str(error))
            if session is not None:
                self._keeper.unpin(session)
                self.waiting[folder.name] = session
            self.failed[folder.name] = (
                f"the unfinished session in {folder} cannot be taken up again: {error}; what it has is there"
            )
            return
        log.warning("resuming unfinished session", session=session.name, state=plan["state"])
        self._keeper.go_on(session)

    async def _write_down(self, session: Session, plan: dict[str, Any]) -> None:
        """Have the recorder read what differs from the plan that was found."""
        if session.plan == plan:
            return
        try:
            await session.save(session.plan["state"], session.plan["reason"], limit_s=_ANSWER_S)
        except StoreError as error:
            # The first recorder has the old plan, as has any that follows until there is room for the new one.
            log.warning("resuming with the plan of before", session=session.name, reason=str(error))

    def replaced_by(self, session: Session) -> None:
        """Have a session end those before it that ended by themselves, or are waited for, where they overlap."""
        for name in [name for name in self.failed if name not in self.waiting]:
            del self.failed[name]  # somebody is looking after it
        for name, left in self.waiting.items():
            for device in left.start_offsets.keys() & session.start_offsets.keys():
                journal = self._journals.get(device)
                if journal is not None:
                    journal.writer.append(SessionStop(host_now_ns(), name, "another session was begun"))

    async def dismiss(self, name: str | None) -> list[str]:
        """Take note of recordings that ended by themselves: one, or all; return their names.

        One that is waited for is waited for no more, and the journals keep nothing for it.

        Raises
        ------
        CommandRejected
            That one did not, or somebody has taken note already.
        """
        if name is not None and name not in self.failed:
            text = f"no recording {name!r} ended by itself" + (f"; {', '.join(self.failed)} did" if self.failed else "")
            raise CommandRejected(text, code="not_recording")
        dismissed = list(self.failed) if name is None else [name]
        for one in dismissed:
            del self.failed[one]
            left = self.waiting.pop(one, None)
            if isinstance(left, Pointer):
                await self._keeper.point_away(left.folder)
            log.info("dismissed that the recording ended", session=one)
        return dismissed
