"""Which disks are getting full, and the alarm that says so while there is time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spikedaq.daemon.alarms import AlarmKind, Alarms
from spikedaq.daemon.config import DiskConfig
from spikedaq.model import duration_text

_SLACK = 1.1
"""An alarm that stands ends only at a tenth more, so that it does not come and go."""


@dataclass(frozen=True, slots=True)
class DiskRoom:
    """What is left on a disk that is written to.

    Attributes
    ----------
    subject : str
        The session that is recorded there, "" for the disk of the data folder.
    folder : Path
        What lies on it.
    free_bytes : int
    left_s : float or None
        How long that lasts; None while nothing grows for good, or not measured.
    is_tidied : bool
        Old recordings there may be deleted by themselves.
    """

    subject: str
    folder: Path
    free_bytes: int
    left_s: float | None
    is_tidied: bool

    def is_low(self, config: DiskConfig, slack: float) -> bool:
        """Whether it is too little by size or by time."""
        lasts_too_short = self.left_s is not None and self.left_s < slack * config.low_s
        return lasts_too_short or self.free_bytes < slack * config.low_bytes

    def text(self) -> str:
        """Return what is told of it, and what to do."""
        lasts = f"; at the present rate it lasts {duration_text(self.left_s)}" if self.left_s is not None else ""
        remedy = "make room, or let old recordings be deleted ([retention] in spikedaq.toml)"
        if not self.is_tidied:
            remedy = "make room there, where nothing is deleted by itself, or record in another folder"
        return f"{self.free_bytes / 1e9:.1f} GB are free for {self.folder}{lasts}; {remedy}"


class LowDisks:
    """Raises and ends the alarm of each disk."""

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms
        self._subjects: set[str] = set()

    def judge(self, disks: Sequence[DiskRoom], config: DiskConfig) -> None:
        """Look at what is left; of the data folder's disk that is unknown now and then, and its alarm stands on."""
        for disk in disks:
            stands = (AlarmKind.DISK_LOW, disk.subject) in self._alarms.standing
            if disk.is_low(config, _SLACK if stands else 1.0):
                self._alarms.put(AlarmKind.DISK_LOW, disk.subject, disk.text())
            else:
                self._alarms.clear(AlarmKind.DISK_LOW, disk.subject)
        subjects = {disk.subject for disk in disks}
        for subject in self._subjects - subjects - {""}:
            self._alarms.clear(AlarmKind.DISK_LOW, subject)  # nothing is written there any more
        self._subjects = subjects
