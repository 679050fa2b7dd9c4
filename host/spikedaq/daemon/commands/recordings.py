"""Operations on recordings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from spikedaq.daemon.bench import Bench
from spikedaq.daemon.commands.operation import Operation, names, positive, text
from spikedaq.daemon.journals import Journals
from spikedaq.daemon.recording_mode import wanted
from spikedaq.daemon.session import Reference
from spikedaq.daemon.sessions import Sessions
from spikedaq.daemon.triggers import TriggerEngine
from spikedaq.link import host_now_ns
from spikedaq.model import CommandRejected, ConfigError

_MAX_NOTE_CHARS = 10_000
_MAX_REFERENCE_NS = 3600 * 10**9


class RecordingCommands:
    """Starts, stops and looks at recordings, and notes."""

    def __init__(self, bench: Bench, sessions: Sessions, journals: Journals, triggers: TriggerEngine) -> None:
        self._triggers = triggers
        self._bench = bench
        self._sessions = sessions
        self._journals = journals

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        start = ("devices", "folder", "mode", "roll_s", "roll_aligned", "notes", "reference", "end_after_s")
        return {
            "record_start": Operation(self._start, ("session",), start, changes=True),
            "record_stop": Operation(self._stop, (), ("session",), changes=True),
            "record_dismiss": Operation(self._dismiss, (), ("session",), changes=True),
            "record_status": Operation(self._status),
            "note": Operation(self._note, ("text",), ("device",), changes=True),
        }

    async def _start(
        self,
        _: str,
        *,
        session: str,
        devices: Any = None,
        folder: Any = None,
        mode: Any = None,
        roll_s: Any = None,
        roll_aligned: Any = None,
        notes: Any = "",
        reference: Any = None,
        end_after_s: Any = None,
    ) -> dict[str, Any]:
        chosen = None if devices is None else names(devices, "devices")
        parent = None if folder is None else text(folder, "folder")
        triggers = self._triggers.triggers
        try:
            asked = wanted(
                self._sessions.config,
                mode=mode,
                roll_s=None if roll_s is None else positive(roll_s, "roll_s"),
                roll_aligned=None if roll_aligned is None else text(roll_aligned, "roll_aligned"),
                end_after_s=None if end_after_s is None else positive(end_after_s, "end_after_s"),
                triggers={name: trigger.config for name, trigger in triggers.items()},
            )
        except ConfigError as error:
            raise CommandRejected(str(error), code="bad_arguments") from error
        asked = replace(asked, armed=tuple(trigger.config for trigger in triggers.values() if trigger.armed))
        status = await self._sessions.start(
            text(session, "session"), chosen, parent, asked, text(notes or "", "notes"), reference=_reference(reference)
        )
        return status.to_map()

    async def _stop(self, _: str, session: Any = None) -> dict[str, Any]:
        status = await self._sessions.stop(None if session is None else text(session, "session"))
        return status.to_map()

    async def _dismiss(self, _: str, session: Any = None) -> list[str]:
        return await self._sessions.left.dismiss(None if session is None else text(session, "session"))

    async def _status(self, _: str) -> dict[str, Any] | None:
        status = self._sessions.status()
        return status.to_map() if status else None

    async def _note(self, who: str, text: str, device: Any = None) -> None:
        if not isinstance(text, str) or not text.strip() or len(text) > _MAX_NOTE_CHARS:
            raise CommandRejected(f"a note is a text of 1 to {_MAX_NOTE_CHARS} characters", code="bad_arguments")
        members = list(self._bench.members.values()) if device is None else [self._bench.member(device)]
        noted = 0
        for member in members:
            journal = self._journals.get(member.name)
            if journal is not None:
                journal.note(host_now_ns(), text, who)
                if journal.writer.failing:
                    # It is held in memory until there is room, which is no promise.
                    message = f"the journal of {member.name} cannot be written, and the note may be lost; make room"
                    raise CommandRejected(message, code="store")
                member.outlet.note(text, who)
                noted += 1
        if not noted:
            absent = ", ".join(member.name for member in members) or "the bench"
            raise CommandRejected(
                f"{absent} has not answered yet, so there is no journal for a note", code="not_connected"
            )


def _reference(value: Any) -> Reference | None:
    """Return an instant near now that was given as this computer's clock has it."""
    if value is None:
        return None
    if not isinstance(value, dict) or not all(isinstance(value.get(key), int) for key in ("utc_ns", "host_ns")):
        raise CommandRejected("'reference' must be a map of whole utc_ns and host_ns", code="bad_arguments")
    if abs(host_now_ns() - value["host_ns"]) > _MAX_REFERENCE_NS:
        raise CommandRejected("'reference' is more than an hour from now; give the clock anew", code="bad_arguments")
    return Reference(value["utc_ns"], value["host_ns"])
