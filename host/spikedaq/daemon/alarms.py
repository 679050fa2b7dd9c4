"""What is wrong with the bench at this moment, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import structlog

log = structlog.get_logger(__name__)


class AlarmKind(StrEnum):
    """What can be wrong. The words are part of the bus and of the metrics."""

    STREAM_STALLED = "stream_stalled"
    """A device that should send samples sends none."""
    DEVICE_LOST = "device_lost"
    DEVICE_REFUSED = "device_refused"
    """Something answers that cannot be used: another board, another version, another protocol."""
    FILE_FROZEN = "file_frozen"
    """Something is being recorded, and its file does not grow."""
    CLOCK_UNFIT = "clock_unfit"
    """A device's clock cannot be tied to this computer's well enough."""
    UTC_STEPPED = "utc_stepped"
    """This computer's date and time were set while a session records."""
    GAP_RATE = "gap_rate"
    WRITE_FAILED = "write_failed"
    """A recording cannot be written."""
    JOURNAL_FAILED = "journal_failed"
    """A journal cannot be written: samples are being lost."""
    JOURNAL_REMOVED = "journal_removed"
    """Somebody deleted a journal while it was being written; another was begun."""
    DISK_LOW = "disk_low"
    DISK_FULL = "disk_full"
    RETENTION = "retention"
    """Something was deleted, or cannot be, to make room."""
    RECORDER_RESTARTED = "recorder_restarted"
    RECORDING_ENDED = "recording_ended"
    """A recording ended, or could not be taken up again, although nobody had ended it."""
    VIEWER_DROPPING = "viewer_dropping"
    HISTORY_FAILED = "history_failed"
    """The history process does not run: nobody can fetch what he missed."""
    DAEMON_LATE = "daemon_late"
    """The daemon itself stood still for a while."""
    TRIGGER_UNUSABLE = "trigger_unusable"
    """An armed trigger cannot look at a device, or names one that is not there."""
    TRIGGER_COMMAND = "trigger_command"
    """A trigger's command to a device was not carried out."""
    CONFIG_REFUSED = "config_refused"
    """The configuration was to be read anew and cannot be used; the old one holds."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is wrong.

    Attributes
    ----------
    subject : str
        The device or session that it is about, "" for the bench.
    text : str
        What happened, to which file or device, and what to do.
    since_ns : int
        CLOCK_BOOTTIME.
    """

    kind: AlarmKind
    subject: str
    text: str
    since_ns: int

    def to_map(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"kind": str(self.kind), "subject": self.subject, "text": self.text, "since_ns": self.since_ns}


AlarmListener = Callable[[Alarm, bool], None]
"""Called with an alarm, and whether it was raised (else cleared). It must not raise or wait."""


class Alarms:
    """The alarms that stand. There is at most one of a kind about one subject.

    Parameters
    ----------
    now_ns : callable
        CLOCK_BOOTTIME.
    """

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._standing: dict[tuple[AlarmKind, str], Alarm] = {}
        self.raised: dict[AlarmKind, int] = dict.fromkeys(AlarmKind, 0)
        self.listeners: list[AlarmListener] = []

    @property
    def standing(self) -> Mapping[tuple[AlarmKind, str], Alarm]:
        """Return the alarms that stand, oldest first."""
        return self._standing

    def put(self, kind: AlarmKind, subject: str, text: str) -> None:
        """Raise an alarm; one that stands already keeps its time and is not told again."""
        if (kind, subject) in self._standing:
            return
        alarm = Alarm(kind, subject, text, self._now_ns())
        self._standing[kind, subject] = alarm
        self.raised[kind] += 1
        log.error("alarm", kind=str(kind), subject=subject, text=text)
        self._tell(alarm, raised=True)

    def clear(self, kind: AlarmKind, subject: str = "") -> None:
        """End an alarm, if it stands."""
        alarm = self._standing.pop((kind, subject), None)
        if alarm is not None:
            log.info("alarm ended", kind=str(kind), subject=subject, text=alarm.text)
            self._tell(alarm, raised=False)

    def _tell(self, alarm: Alarm, *, raised: bool) -> None:
        for listener in self.listeners:
            listener(alarm, raised)
