"""Alarms: raised once, told to everybody, ended once."""

from __future__ import annotations

from structlog.testing import capture_logs

from spikedaq.daemon.alarms import Alarm, AlarmKind, Alarms


def test_an_alarm_is_told_once_and_ended_once() -> None:
    """What stands already is not told again; what does not stand cannot end."""
    now = iter(range(100, 200))
    alarms = Alarms(lambda: next(now))
    told: list[tuple[AlarmKind, str, bool]] = []
    alarms.listeners.append(lambda alarm, raised: told.append((alarm.kind, alarm.subject, raised)))
    alarms.clear(AlarmKind.DISK_LOW)
    alarms.put(AlarmKind.DISK_LOW, "", "3 GB are left")
    alarms.put(AlarmKind.DISK_LOW, "", "2 GB are left")
    alarms.put(AlarmKind.STREAM_STALLED, "alpha", "no samples for 2 s")
    assert list(alarms.standing.values()) == [
        Alarm(AlarmKind.DISK_LOW, "", "3 GB are left", 100),
        Alarm(AlarmKind.STREAM_STALLED, "alpha", "no samples for 2 s", 101),
    ]
    alarms.clear(AlarmKind.DISK_LOW)
    alarms.clear(AlarmKind.DISK_LOW)
    assert [alarm.subject for alarm in alarms.standing.values()] == ["alpha"]
    assert told == [
        (AlarmKind.DISK_LOW, "", True),
        (AlarmKind.STREAM_STALLED, "alpha", True),
        (AlarmKind.DISK_LOW, "", False),
    ]
    assert alarms.raised[AlarmKind.DISK_LOW] == 1


def test_an_alarm_is_in_the_log_as_it_is_raised_and_ended() -> None:
    """Where nobody watches, the log is all that is left of it: once each, at the level that a search looks for."""
    alarms = Alarms(lambda: 0)
    with capture_logs() as lines:
        alarms.put(AlarmKind.STREAM_STALLED, "alpha", "no samples for 2 s")
        alarms.put(AlarmKind.STREAM_STALLED, "alpha", "no samples for 3 s")
        alarms.clear(AlarmKind.STREAM_STALLED, "alpha")
        alarms.clear(AlarmKind.STREAM_STALLED, "alpha")
    said = {"kind": "stream_stalled", "subject": "alpha", "text": "no samples for 2 s"}
    assert lines == [
        {"event": "alarm", "log_level": "error", **said},
        {"event": "alarm ended", "log_level": "info", **said},
    ]
