"""Spikes and loops of the devices of a running bench: a thin client that follows their samples."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from spikedaq.bus import SAMPLES, Message, Unavailable, decode_mode, decode_samples, split_topic
from spikedaq.formats.found_spikes import SpikeRule
from spikedaq.formats.live_recording import LiveRecording
from spikedaq.formats.loop_averages import LoopRule
from spikedaq.formats.samples import ROWS_NOTE
from spikedaq.inlet import Bench, Follower
from spikedaq.model import ChannelInfo, ClampMode, ConfigError

_AT_ONCE = 4000
"""Samples that are looked at together: each look has its price, however short the block."""
_PATIENCE_S = 5.0
"""How long it waits for the daemon's history; what is missing then is a gap."""


class LiveAnalysis:
    """Follows devices; use it in a ``with`` statement, in one thread.

    Samples that this computer missed are fetched from the daemon's history. What cannot be had is a gap, in which
    nothing is found, and whose loop is left out. A reboot begins a recording of its own, as in files; in voltage clamp
    a neuron has no spikes, and what comes after it is a part of its own, too.

    Parameters
    ----------
    devices : sequence of str
        None given: all that there are now.
    rule : SpikeRule
    loop_rule : LoopRule, optional
        Where averages over loops are wanted.

    Attributes
    ----------
    recordings : list of LiveRecording
    unavailable : int
        Stretches of samples that nobody could give any more.

    Raises
    ------
    ConfigError
        There is no device, or none of a name.
    """

    def __init__(
        self, bench: Bench, devices: Sequence[str], rule: SpikeRule, loop_rule: LoopRule | None = None
    ) -> None:
        known = bench.devices
        if unknown := [name for name in devices if name not in known]:
            raise ConfigError(f"the bench has no device {', '.join(unknown)}; it has {', '.join(known) or 'none'}")
        if not known:
            raise ConfigError("the bench has no device; plug one in, or see spikedaq devices")
        self.devices = list(dict.fromkeys(devices)) or known
        self.recordings: list[LiveRecording] = []
        self.unavailable = 0
        uncounted = [one["name"] for one in bench.status()["devices"] if one.get("sequence") == "none"]
        self._notes = dict.fromkeys(uncounted, (ROWS_NOTE,))
        self._bench = bench
        self._rule, self._loop_rule = rule, loop_rule
        self._lanes: list[_Lane] = []
        try:
            for name in self.devices:
                self._lanes.append(_Lane(name, bench.follow(name, patience_s=_PATIENCE_S)))
        except BaseException:
            self.close()
            raise

    @property
    def newest(self) -> list[LiveRecording]:
        """The newest recording of each device, in order of the devices."""
        by_device = {recording.device: recording for recording in self.recordings}
        return [by_device[name] for name in self.devices if name in by_device]

    def poll(self, timeout_s: float) -> int:
        """Take what has come, waiting for at most ``timeout_s`` where nothing has; return how many samples."""
        n = sum(self._drain(lane) for lane in self._lanes)
        if not n:
            lane = self._lanes[0]
            item = lane.follower.next(timeout_s)
            if item is not None:
                n = self._take(lane, item) + self._drain(lane)
        return n

    def _drain(self, lane: _Lane) -> int:
        n = 0
        while (item := lane.follower.next(0.0)) is not None:
            n += self._take(lane, item)
            if n > _AT_ONCE * 100:
                break  # the others have their turn
        self._flush(lane)
        return n

    def _take(self, lane: _Lane, item: Message | Unavailable) -> int:
        if isinstance(item, Unavailable):
            self.unavailable += 1
            return 0
        if split_topic(item.topic).stream != SAMPLES:
            return 0
        header, mode = item.header, decode_mode(item)
        boot = int(header["boot"])
        if (boot, mode) != lane.of:
            self._flush(lane)
            self._begin(lane, boot, mode)
        samples = decode_samples(item)
        if lane.recording is None:
            return len(samples)
        step = int(header["step"])
        if lane.waiting and step != lane.first_step + lane.n_waiting:
            self._flush(lane)
        if not lane.waiting:
            lane.first_step = step
        lane.waiting.append(samples)
        lane.n_waiting += len(samples)
        if lane.n_waiting >= _AT_ONCE:
            self._flush(lane)
        return len(samples)

    def _begin(self, lane: _Lane, boot: int, mode: ClampMode) -> None:
        if lane.of is None or lane.of[0] != boot:
            lane.n_boots += 1
            lane.n_parts = 0
        lane.of, lane.recording = (boot, mode), None
        lane.n_parts += 1
        if mode is ClampMode.VOLTAGE:
            return
        suffix = f"_boot{lane.n_boots}" if lane.n_boots > 1 else ""
        suffix += f"_part{lane.n_parts}" if lane.n_parts > 1 else ""
        channels: list[ChannelInfo] = self._bench.channels(lane.device, mode)
        lane.recording = LiveRecording(
            lane.device + suffix,
            lane.device,
            channels,
            self._rule,
            self._loop_rule,
            notes=self._notes.get(lane.device, ()),
        )
        self.recordings.append(lane.recording)

    @staticmethod
    def _flush(lane: _Lane) -> None:
        if lane.waiting and lane.recording is not None:
            lane.recording.take(lane.first_step, np.concatenate(lane.waiting))
        lane.waiting, lane.n_waiting = [], 0

    def close(self) -> None:
        """Unsubscribe; may be called twice."""
        for lane in self._lanes:
            lane.follower.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


class _Lane:
    """One device."""

    def __init__(self, device: str, follower: Follower) -> None:
        self.device = device
        self.follower = follower
        self.of: tuple[int, ClampMode] | None = None
        self.recording: LiveRecording | None = None
        self.n_boots = self.n_parts = 0
        self.first_step = 0
        self.waiting: list[npt.NDArray[np.int16]] = []
        self.n_waiting = 0
