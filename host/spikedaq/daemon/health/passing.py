"""Alarms about what is over as soon as it has happened: they stand for a while, so that somebody sees them."""

from __future__ import annotations

from spikedaq.daemon.alarms import AlarmKind, Alarms


class PassingAlarm:
    """One alarm that ends by itself some time after it happened last."""

    def __init__(self, alarms: Alarms, kind: AlarmKind, subject: str) -> None:
        self._alarms = alarms
        self._kind = kind
        self._subject = subject
        self._newest_s = float("-inf")
        self.stands = False

    def age_s(self, now_s: float) -> float:
        """Seconds since it happened last."""
        return now_s - self._newest_s

    def put(self, text: str, now_s: float) -> None:
        """Say that it happened."""
        self._newest_s, self.stands = now_s, True
        self._alarms.put(self._kind, self._subject, text)

    def again(self, now_s: float) -> None:
        """Say that it goes on."""
        self._newest_s = now_s

    def clear(self, now_s: float, hold_s: float) -> None:
        """End it once it is ``hold_s`` old."""
        if self.stands and self.age_s(now_s) >= hold_s:
            self.stands = False
            self._alarms.clear(self._kind, self._subject)
