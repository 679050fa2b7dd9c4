"""Tells the bus of alarms."""

from __future__ import annotations

from collections.abc import Callable

from spikedaq.bus import ALARMS, BENCH, alarms_header, encode, topic_for
from spikedaq.daemon.alarms import Alarm, Alarms
from spikedaq.daemon.publish import Bus


class Announcer:
    """Publishes each change at once, and everything that stands once a second for who came late."""

    def __init__(self, bus: Bus, bench: str, epoch: str, alarms: Alarms, now_ns: Callable[[], int]) -> None:
        self._publish = bus.publish
        self._topic = topic_for(bench, BENCH, ALARMS)
        self._epoch = epoch
        self._alarms = alarms
        self._now_ns = now_ns
        self._n = 0

    def changed(self, alarm: Alarm, raised: bool) -> None:
        """Tell of one alarm."""
        self._send(raised=alarm if raised else None, ended=None if raised else alarm)

    def repeat(self) -> None:
        """Tell what stands."""
        self._send()

    def _send(self, raised: Alarm | None = None, ended: Alarm | None = None) -> None:
        header = alarms_header(
            [alarm.to_map() for alarm in self._alarms.standing.values()],
            n=self._n,
            epoch=self._epoch,
            t_ns=self._now_ns(),
            raised=raised.to_map() if raised else None,
            ended=ended.to_map() if ended else None,
        )
        self._publish(self._topic, encode(self._topic, header))
        self._n += 1
