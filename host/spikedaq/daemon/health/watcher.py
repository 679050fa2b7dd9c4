"""Looks at everything a few times a second, and raises and ends alarms."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from spikedaq.daemon.alarms import AlarmKind, Alarms
from spikedaq.daemon.bench import Bench
from spikedaq.daemon.config import AlarmsConfig
from spikedaq.daemon.health.devices import DeviceSight, DeviceWatch
from spikedaq.daemon.health.files import FileLooks, GrowthWatch
from spikedaq.daemon.health.passing import PassingAlarm
from spikedaq.daemon.journals import Journal, Journals
from spikedaq.daemon.member import Member
from spikedaq.daemon.session import Session
from spikedaq.daemon.sessions import Sessions
from spikedaq.link import host_now_ns

PERIOD_S = 0.25
_LATE_SHARE = 2.0
"""A look that comes this many periods late says more about the computer than about the devices: bytes that came
meanwhile have not been read yet. Only one in a row is left out: a computer may be as slow as that all the time."""
_HEAL_S = 10.0

log = structlog.get_logger(__name__)


class Viewers(Protocol):
    """What the publisher knows of those who do not keep up."""

    @property
    def viewer_drops(self) -> int:
        """Messages that at least one subscriber did not get."""

    def stalled_viewers(self) -> int:
        """Return how many subscribers take nothing at this moment, as far as can be known."""


@dataclass(slots=True)
class _SessionWatch:
    session: Session
    growth: dict[str, GrowthWatch]
    restarts: int = 0
    healed_s: float = float("-inf")


class Watcher:
    """The daemon's eye on its devices, files, clocks, viewers, and itself.

    Attributes
    ----------
    looks : int
        How often it has looked; it stands still only when the loop does.
    late_s : float
        The longest time, beyond its period, between two looks in the last `hold_s`.
    """

    def __init__(
        self,
        config: AlarmsConfig,
        alarms: Alarms,
        bench: Bench,
        *,
        sessions: Sessions,
        journals: Journals,
        viewers: Viewers,
        now_s: Callable[[], float] = time.monotonic,
        utc_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._config = config
        self._alarms = alarms
        self._bench = bench
        self._sessions = sessions
        self._journals = journals
        self._viewers = viewers
        self._now_s = now_s
        self._utc_ns = utc_ns
        self.looks = 0
        self.late_s = 0.0
        self._last_s: float | None = None
        self._skips = False
        self._devices: dict[str, DeviceWatch] = {}
        self._recordings: dict[str, _SessionWatch] = {}
        self._files = FileLooks(now_s)
        self._utc_offset_ns: int | None = None
        self._late = PassingAlarm(alarms, AlarmKind.DAEMON_LATE, "")
        self._dropping = PassingAlarm(alarms, AlarmKind.VIEWER_DROPPING, "")
        self._restarted: dict[str, PassingAlarm] = {}
        self._removed: dict[str, PassingAlarm] = {}
        self._drops = viewers.viewer_drops
        self._unresumed: frozenset[str] = frozenset()
        self._ended: str | None = None

    def configure(self, config: AlarmsConfig) -> None:
        """Use other thresholds from now on."""
        self._config = config
        for device in self._devices.values():
            device.config = config

    async def close(self) -> None:
        """Let go of what is under way."""
        await self._files.close()

    def look(self) -> None:
        """Look once."""
        now_s = self._now_s()
        late_s = 0.0 if self._last_s is None else max(0.0, now_s - self._last_s - PERIOD_S)
        self._last_s = now_s
        self.looks += 1
        self._look_at_self(late_s, now_s)
        self._skips = late_s >= _LATE_SHARE * PERIOD_S and not self._skips
        if not self._skips:
            self._look_at_devices(now_s)
            self._look_at_recordings(now_s)
        self._look_at_ends()
        self._look_at_utc()
        self._look_at_viewers(now_s)

    # ---- devices ----

    def _look_at_devices(self, now_s: float) -> None:
        for name in [name for name in self._devices if name not in self._bench.members]:
            self._devices.pop(name).end()
        for name, member in self._bench.members.items():
            if name not in self._devices:
                self._devices[name] = DeviceWatch(name, self._alarms, self._config)
            self._devices[name].look(sight_of(member), now_s)

    def streams(self, device: str) -> bool:
        """Whether blocks of a device came lately."""
        return device in self._devices and self._devices[device].streams

    # ---- recordings ----

    def _look_at_recordings(self, now_s: float) -> None:
        running = {session.name: session for session in self._sessions.all()}
        for name in [name for name in self._recordings if name not in running]:
            self._forget(self._recordings.pop(name))
        paths = []
        for name, session in running.items():
            if name not in self._recordings:
                growth = {device: GrowthWatch(self._config.frozen_s) for device in session.recorder.files}
                self._recordings[name] = _SessionWatch(session, growth, session.recorder.restarts)
            paths += [f.file for f in session.recorder.files.values() if f.file and f.state == "recording"]
        journals = self._journals.all()
        self._files.take([*paths, *(str(journal.writer.segment) for journal in journals.values())])
        for name, journal in journals.items():
            self._look_at_journal(name, journal, now_s)
        for watch in self._recordings.values():
            self._judge(watch, now_s)

    def _judge(self, watch: _SessionWatch, now_s: float) -> None:
        session, recorder = watch.session, watch.session.recorder
        gone, closing = False, any(file.state == "closing" for file in recorder.files.values())
        for device, growth in watch.growth.items():
            growth.frozen_s = self._config.frozen_s
            file = recorder.files[device]
            state = growth.judge(
                file,
                self._files.found,
                now_s,
                streams=self.streams(device),
                chunk_s=self._devices[device].chunk_s if device in self._devices else 0.0,
                silent_s=recorder.silent_s(),
                hangs_s=self._files.hangs_s(),
                ended=recorder.error,
                closing=closing,
            )
            if state == file.state:
                session.shown.pop(device, None)
            else:
                session.shown[device] = state
            gone = gone or growth.gone
            if state == "stalled":
                self._alarms.put(AlarmKind.FILE_FROZEN, device, growth.text)
            elif state != "waiting":
                # While nothing comes in, nobody can know whether it would grow.
                self._alarms.clear(AlarmKind.FILE_FROZEN, device)
        if recorder.restarts != watch.restarts:
            watch.restarts = recorder.restarts
            if recorder.is_full:
                return  # told by an alarm of its own, and started again once there is room
            self._restarted.setdefault(
                session.name, PassingAlarm(self._alarms, AlarmKind.RECORDER_RESTARTED, session.name)
            )
            text = f"the recorder of session {session.name} ended {recorder.restarts} times: {recorder.error}"
            self._restarted[session.name].put(text, now_s)
        if session.name in self._restarted and recorder.error is None:
            self._restarted[session.name].clear(now_s, self._config.hold_s)
        if gone and now_s - watch.healed_s > _HEAL_S:
            watch.healed_s = now_s
            self._sessions.begin_anew(session)

    def _look_at_journal(self, device: str, journal: Journal, now_s: float) -> None:
        removed = self._removed.setdefault(device, PassingAlarm(self._alarms, AlarmKind.JOURNAL_REMOVED, device))
        segment = str(journal.writer.segment)
        look = self._files.found.get(segment)
        if look is not None and look.mtime_ns is None:
            renewed = journal.writer.renew()
            text = (
                f"{segment}, the journal of {device}, was deleted while it was being written. What no recording had of "
                "it "
                + ("is lost; another segment was begun" if renewed else "is lost, and no other segment can be begun")
            )
            removed.put(text, now_s)
        removed.clear(now_s, self._config.hold_s)

    def _forget(self, watch: _SessionWatch) -> None:
        for device in watch.growth:
            self._alarms.clear(AlarmKind.FILE_FROZEN, device)
        name = watch.session.name
        self._alarms.clear(AlarmKind.RECORDER_RESTARTED, name)
        self._restarted.pop(name, None)

    def _look_at_ends(self) -> None:
        """Tell of recordings that ended by themselves, and of those that could not be taken up again."""
        kind = AlarmKind.RECORDING_ENDED
        failed: Mapping[str, str] = self._sessions.left.failed
        for name in self._unresumed - failed.keys():
            self._alarms.clear(kind, name)
        for name in failed.keys() - self._unresumed:
            self._alarms.put(kind, name, failed[name])
        self._unresumed = frozenset(failed)

    # ---- the computer ----

    def _look_at_self(self, late_s: float, now_s: float) -> None:
        config = self._config
        self.late_s = max(late_s, self.late_s if self._late.age_s(now_s) < config.hold_s else 0.0)
        if late_s > config.late_s:
            text = (
                f"the daemon stood still for {late_s:.1f} s; the computer is too busy, or slept. What devices could "
                "not keep meanwhile is a gap"
            )
            self._late.put(text, now_s)
        self._late.clear(now_s, config.hold_s)

    def _look_at_utc(self) -> None:
        kind = AlarmKind.UTC_STEPPED
        offset_ns = self._utc_ns() - host_now_ns()
        session = self._sessions.current
        if session is None or self._utc_offset_ns is None:
            self._utc_offset_ns = offset_ns
            self._alarms.clear(kind)
            return
        step_s = (offset_ns - self._utc_offset_ns) / 1e9
        if abs(step_s) > self._config.utc_step_s:
            text = (
                f"this computer's date and time were set by {step_s:+.1f} s while session {session.name} records; its "
                "times stay even and tied to the old date. Begin another session for the new one"
            )
            self._alarms.put(kind, "", text)
        else:
            self._alarms.clear(kind)

    def _look_at_viewers(self, now_s: float) -> None:
        drops = self._viewers.viewer_drops
        if drops != self._drops:
            text = (
                "a viewer does not keep up and loses messages; recordings and other viewers do not. It is stopped, its "
                "computer is too busy, or its network too slow"
            )
            self._drops = drops
            self._dropping.put(text, now_s)
        elif self._dropping.stands and self._viewers.stalled_viewers():
            self._dropping.again(now_s)
        self._dropping.clear(now_s, self._config.hold_s)


def sight_of(member: Member) -> DeviceSight:
    """Return what is known of a device now."""
    device, received = member.device, member.device.received
    counters, info = received.connection.counters, received.connection.info
    clock = device.clock
    age_s = (host_now_ns() - clock.measured.t_host_ns) / 1e9 if clock.measured is not None else 0.0
    return DeviceSight(
        name=member.name,
        state=device.state,
        detail=device.detail,
        wanted=device.wanted,
        blocks=received.blocks,
        samples=received.samples,
        missing=counters.lost_samples + counters.overrun_samples,
        nominal_hz=1e6 / info.step_us if info and info.step_us else 0.0,
        block_period_s=received.block_period_s,
        clock_u_ns=clock.uncertainty_ns,
        is_paced=clock.is_paced,
        clock_age_s=age_s,
    )
