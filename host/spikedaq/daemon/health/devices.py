"""Whether a device streams as it should: judged from what is counted, without touching it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from spikedaq.daemon.alarms import AlarmKind, Alarms
from spikedaq.daemon.config import AlarmsConfig
from spikedaq.device import DeviceState

_BLOCK_PERIODS = 4
"""A board with long blocks is not stalled before it could have sent so many."""
_CLOCK_GRACE_S = 1.0
"""From the first block to the first fit."""
_DRIFT = 1e-4
"""How fast an unmeasured clock may part from a fit: 100 ppm, a crystal in a room that warms up."""
_CALM_SHARE = 0.5
"""The alarm about gaps ends below this part of the share that raised it, so that it does not flap around it."""

_LEAST_CHUNK_S, _LEAST_CHUNK = 1.0, 64
"""A file takes about a second at a time, and at least so many samples (docs/reference/recording-file.md)."""

_KINDS = (
    AlarmKind.STREAM_STALLED,
    AlarmKind.DEVICE_LOST,
    AlarmKind.DEVICE_REFUSED,
    AlarmKind.CLOCK_UNFIT,
    AlarmKind.GAP_RATE,
)
_CONNECTED = (DeviceState.RUNNING, DeviceState.STOPPED, DeviceState.SILENT)


@dataclass(frozen=True, slots=True)
class DeviceSight:
    """What is known of a device at one moment.

    Attributes
    ----------
    wanted : bool
        It is to stream.
    blocks, samples, missing : int
        Blocks and samples that came, and samples that are missing for good, since the daemon's start.
    nominal_hz, block_period_s : float
        0 while unknown.
    clock_u_ns : int or None
        Uncertainty of the clock when it was measured last, ``clock_age_s`` ago; None while there is no fit.
    is_paced : bool
        Whether there can be a fit: not of a replay that goes as fast as it can.
    """

    name: str
    state: DeviceState
    detail: str
    wanted: bool
    blocks: int
    samples: int
    missing: int
    nominal_hz: float
    block_period_s: float
    clock_u_ns: int | None
    clock_age_s: float
    is_paced: bool = True


class DeviceWatch:
    """Raises and ends the alarms about one device.

    Attributes
    ----------
    streams : bool
        Blocks came lately.
    chunk_s : float
        How much of its stream a file takes at a time.
    """

    def __init__(self, name: str, alarms: Alarms, config: AlarmsConfig) -> None:
        self.streams = False
        self.chunk_s = _LEAST_CHUNK_S
        self._name = name
        self._alarms = alarms
        self.config = config
        self._blocks = -1
        self._block_s = 0.0
        self._running_s: float | None = None
        self._counts: deque[tuple[float, int, int]] = deque()

    def look(self, sight: DeviceSight, now_s: float) -> None:
        """Take a new sight."""
        if sight.blocks != self._blocks:
            first = self._blocks < 0
            self._blocks, self._block_s = sight.blocks, now_s
            self.streams = not first or sight.blocks > 0
        quiet_s = now_s - self._block_s
        if quiet_s > self._stalled_s(sight):
            self.streams = False
        self.chunk_s = max(
            _LEAST_CHUNK_S, sight.block_period_s, _LEAST_CHUNK / sight.nominal_hz if sight.nominal_hz else 0
        )
        self._link(sight)
        self._stream(sight, now_s, quiet_s)
        self._clock(sight, now_s)
        self._gaps(sight, now_s)

    def end(self) -> None:
        """Forget the device: it is not part of the bench any more."""
        for kind in _KINDS:
            self._alarms.clear(kind, self._name)

    def _stalled_s(self, sight: DeviceSight) -> float:
        return max(self.config.stalled_s, _BLOCK_PERIODS * sight.block_period_s)

    def _link(self, sight: DeviceSight) -> None:
        if sight.state is DeviceState.LOST:
            self._alarms.put(AlarmKind.DEVICE_LOST, self._name, sight.detail or "the device is not there")
        elif sight.state in _CONNECTED or sight.state is DeviceState.REFUSED:
            self._alarms.clear(AlarmKind.DEVICE_LOST, self._name)
        if sight.state is DeviceState.REFUSED:
            self._alarms.put(AlarmKind.DEVICE_REFUSED, self._name, sight.detail or "what answers cannot be used")
        elif sight.state in _CONNECTED or sight.state is DeviceState.LOST:
            self._alarms.clear(AlarmKind.DEVICE_REFUSED, self._name)

    def _stream(self, sight: DeviceSight, now_s: float, quiet_s: float) -> None:
        kind = AlarmKind.STREAM_STALLED
        if sight.state is DeviceState.RUNNING and self._running_s is None:
            # What came before a link was opened again says nothing of this one.
            self._running_s = self._block_s = now_s
            quiet_s = 0.0
        elif sight.state not in (DeviceState.RUNNING, DeviceState.SILENT):
            self._running_s = None
        if sight.state is DeviceState.SILENT:
            self._alarms.put(kind, self._name, sight.detail)
        elif sight.state is DeviceState.RUNNING and sight.wanted and quiet_s > self._stalled_s(sight):
            text = (
                f"{self._name} should stream, and no samples have come for {quiet_s:.1f} s; check its cable and power"
            )
            self._alarms.put(kind, self._name, text)
        elif sight.state is not DeviceState.RUNNING or self.streams:
            # Gone altogether is another alarm, and stopped is none.
            self._alarms.clear(kind, self._name)

    def _clock(self, sight: DeviceSight, now_s: float) -> None:
        kind, limit_s = AlarmKind.CLOCK_UNFIT, self.config.clock_s
        if not sight.is_paced:
            self._alarms.clear(kind, self._name)
            return
        if sight.state is not DeviceState.RUNNING or self._running_s is None:
            if sight.state is not DeviceState.SILENT:
                self._alarms.clear(kind, self._name)
            return
        if sight.clock_u_ns is None:
            if now_s - self._running_s > _CLOCK_GRACE_S and self.streams:
                text = f"the clock of {self._name} is not fitted: no ping was answered; its samples have guessed times"
                self._alarms.put(kind, self._name, text)
            return
        unsure_s = sight.clock_u_ns / 1e9 + _DRIFT * max(0.0, sight.clock_age_s)
        if unsure_s > limit_s:
            text = (
                f"the clock of {self._name} is known to ±{1e3 * unsure_s:.1f} ms only "
                f"(measured {sight.clock_age_s:.0f} s ago to ±{sight.clock_u_ns / 1e6:.1f} ms; the limit is "
                f"{1e3 * limit_s:g} ms); "
                "look for what delays its link"
            )
            self._alarms.put(kind, self._name, text)
        else:
            self._alarms.clear(kind, self._name)

    def _gaps(self, sight: DeviceSight, now_s: float) -> None:
        window_s, limit = self.config.gap_window_s, self.config.gap_share
        counts = self._counts
        if counts and sight.missing < counts[-1][2]:
            counts.clear()  # another board: it counts from zero
        counts.append((now_s, sight.samples, sight.missing))
        while len(counts) > 1 and counts[0][0] < now_s - window_s:
            counts.popleft()
        missing = sight.missing - counts[0][2]
        came = sight.samples - counts[0][1]
        # Of a whole window's samples, or one gap right after the start would be a large share of nothing.
        share = missing / max(came + missing, sight.nominal_hz * window_s, 1.0)
        if missing and share > limit:
            text = (
                f"{missing} samples of {self._name} are missing in the last {window_s:g} s ({100 * share:.2g} %, the "
                f"limit is {100 * limit:g} %); see 'spikedaq linktest {self._name}'"
            )
            self._alarms.put(AlarmKind.GAP_RATE, self._name, text)
        elif share <= _CALM_SHARE * limit:
            self._alarms.clear(AlarmKind.GAP_RATE, self._name)
