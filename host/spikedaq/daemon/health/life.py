"""Whether the daemon really works, in the sense in which a watchdog asks it."""

from __future__ import annotations

from spikedaq.daemon.alarms import Alarms
from spikedaq.daemon.bench import Bench
from spikedaq.daemon.sessions import Sessions
from spikedaq.device import DeviceState

STUCK_S = 10.0
"""A device's task looks after its device four times a second; a request to a board that does not answer takes 2 s."""
_WATCHED = (DeviceState.RUNNING, DeviceState.STOPPED, DeviceState.SILENT)


def is_alive(bench: Bench, now_s: float) -> bool:
    """Whether every device that is connected is looked after. That the loop runs shows in that somebody asks.

    Devices that are being opened are left out: a port may block its opener for long, which harms nobody else.
    """
    for member in bench.members.values():
        device = member.device
        if device.state in _WATCHED and now_s - device.watched_s > STUCK_S:
            return False
    return True


def summary(bench: Bench, sessions: Sessions, alarms: Alarms) -> str:
    """Return one line for the service manager."""
    members = bench.members.values()
    running = sum(member.device.state is DeviceState.RUNNING for member in members)
    session = sessions.current
    recording = f"session {session.name} {session.status().state}" if session else "not recording"
    kinds = sorted({str(kind) for kind, _ in alarms.standing})
    wrong = f"ALARMS: {', '.join(kinds)}" if kinds else "no alarms"
    return f"{running} of {len(members)} devices run, {recording}, {wrong}"
