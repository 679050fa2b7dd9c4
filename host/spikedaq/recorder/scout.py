"""Reads a journal ahead of the recording, for the triggers in it: which windows they open, and what is settled."""

from __future__ import annotations

from collections import deque
from typing import Any

from spikedaq.journal import (
    Entry,
    JournalReader,
    ReceivedAt,
    SegmentStart,
    SessionStop,
    Snapshot,
    TriggerRecord,
    UnknownRecord,
)
from spikedaq.model import RemoteProtocolError
from spikedaq.recorder.intervals import Intervals
from spikedaq.recorder.mode import Triggered
from spikedaq.recorder.plan import DevicePlan, SessionPlan
from spikedaq.wire import BlockMessage, Frame, FrameType, Hello, decode_message

GRACE_NS = 5 * 10**9
"""How late after its instant a trigger may be journalled and still have its whole window: detection, the links of two
devices, and frames that wait for missing ones. Later ones lose the beginning."""
GRACE_SHARE = 0.02
"""And so much of the longest pre window: one in steps may be longer in host time, by the device's clock."""
_HEAD_BYTES = 4
_BLOCK, _HELLO = int(FrameType.BLOCK), int(FrameType.HELLO)


class Scout:
    """Follows a journal to learn of triggers before the samples around them are recorded or passed over.

    What it knows is a function of the journal alone. A trigger of the same device opens a window in steps, with the
    period of the block before it; any other one a window in host time.

    Parameters
    ----------
    plan, device
        Whose journal; without a saved state it is read from where the session began.
    mode : Triggered
    saved : dict or None
        From `saved`, of an earlier recorder.

    Attributes
    ----------
    offset : int
        Journal offset up to which it has read.
    """

    def __init__(self, plan: SessionPlan, device: DevicePlan, mode: Triggered, saved: dict[str, Any] | None) -> None:
        state = saved or {}
        # A file that is made again has nothing saved: triggers from before it may reach into it.
        start = device.start_offset if device.until is None else 0
        self.offset = int(state.get("offset", start))
        self.steps = {int(boot): Intervals(map(tuple, pairs)) for boot, pairs in state.get("steps", {}).items()}
        self.host = {str(boot): Intervals(map(tuple, pairs)) for boot, pairs in state.get("host", {}).items()}
        self._mode = mode
        self._device = device.name
        self._session = plan.ends_with
        grace_ns = GRACE_NS + round(mode.max_pre_us * 1000 * GRACE_SHARE)
        self._lag_ns = mode.max_pre_us * 1000 + grace_ns
        # What is passed over is decided by the samples' own times, a window's start by that of the trigger.
        self._reach_ns = mode.max_pre_us * 1000 + grace_ns // 2
        self._reader = JournalReader.open_at(device.journal, self.offset)
        known = self._reader.state
        self._entries: deque[Entry] = deque()
        self._now_ns = int(state.get("now_ns", 0))
        self._step_us: int | None = state.get("step_us")
        self._boot_id: int | None = state.get("boot_id", known.boot_id)
        found = known.segment.host_boot_id if known.segment is not None else ""
        self._host_boot = str(state.get("host_boot", found))
        self._floors: dict[int, int] = {int(k): int(v) for k, v in state.get("floors", {}).items()}
        self._new_host = bool(state.get("new_host", False))
        self._ended = bool(state.get("ended", False))

    def settled(self, offset: int, host_boot: str, t_host_ns: int) -> bool:
        """Whether no trigger can come any more that wants a sample.

        Parameters
        ----------
        offset : int
            Journal offset after the sample's frame.
        host_boot, t_host_ns
            The sample's host time, and in which boot of the computer.
        """
        while not self._is_settled(offset, host_boot, t_host_ns):
            if not self._entries:
                self._entries.extend(self._reader.poll())
            if not self._entries:
                return False
            entry = self._entries.popleft()
            self._take(entry)
            self.offset = entry.end_offset
        return True

    def forget_before(self, boot_id: int, step: int, host_boot: str, t_host_ns: int) -> None:
        """Drop the windows that end before a sample: everything before it is in closed files, or passed over."""
        for boot in [b for b in self.steps if b not in (boot_id, self._boot_id)]:
            del self.steps[boot]
        for name in [b for b in self.host if b not in (host_boot, self._host_boot)]:
            del self.host[name]
        if boot_id in self.steps:
            self.steps[boot_id].forget_before(step)
        if host_boot in self.host:
            self.host[host_boot].forget_before(t_host_ns)

    def saved(self) -> dict[str, Any]:
        """Return what another one needs to go on from `offset`, as JSON values."""
        return {
            "offset": self.offset,
            "steps": {str(boot): intervals.pairs() for boot, intervals in self.steps.items()},
            "host": {boot: intervals.pairs() for boot, intervals in self.host.items()},
            "now_ns": self._now_ns,
            "step_us": self._step_us,
            "boot_id": self._boot_id,
            "host_boot": self._host_boot,
            "floors": self._floors,
            "new_host": self._new_host,
            "ended": self._ended,
        }

    def close(self) -> None:
        """Close the journal file."""
        self._reader.close()

    def _is_settled(self, offset: int, host_boot: str, t_host_ns: int) -> bool:
        if self._ended:
            return True
        if self.offset < offset:
            return False
        # No window reaches back over a restart of the computer: its clock has started anew.
        return host_boot != self._host_boot or self._now_ns >= t_host_ns + self._lag_ns

    def _take(self, entry: Entry) -> None:
        item = entry.item
        if isinstance(item, Frame):
            self._frame(item.message)
        elif isinstance(item, TriggerRecord):
            self._now_ns = max(self._now_ns, item.t_host_ns)
            self._trigger(item)
        elif isinstance(item, SessionStop) and item.session == self._session:
            self._ended = True
        elif isinstance(item, SegmentStart) and item.host_boot_id != self._host_boot:
            if self._host_boot:
                self._new_host, self._floors, self._now_ns = True, {}, 0
            self._host_boot = item.host_boot_id
        elif isinstance(item, Snapshot):
            self._frame(item.message)
        elif isinstance(item, ReceivedAt):
            self._now_ns = max(self._now_ns, item.t_host_ns)
        elif not isinstance(item, UnknownRecord):
            self._now_ns = max(self._now_ns, getattr(item, "t_host_ns", 0))

    def _frame(self, message: bytes) -> None:
        kind = message[1] if len(message) > _HEAD_BYTES and message[0] & 0xF0 == 0x90 else _HELLO
        if kind not in (_BLOCK, _HELLO):
            return
        try:
            content = decode_message(message)
        except RemoteProtocolError:
            return
        if isinstance(content, Hello):
            self._boot_id = content.boot_id
        elif isinstance(content, BlockMessage):
            self._step_us = content.step_us
            if self._new_host and self._boot_id is not None:
                self._floors, self._new_host = {self._boot_id: content.first_step}, False

    def _trigger(self, record: TriggerRecord) -> None:
        pre_us, post_us = self._mode.window(record)
        if not pre_us and not post_us:
            return
        # Earlier samples may have been passed over by now.
        pre_us = min(pre_us, (record.t_trigger_ns - self._now_ns + self._reach_ns) // 1000)
        own = record.device == self._device and self._step_us is not None
        if own and self._step_us:
            first, stop = steps_of(record.step, pre_us, post_us, self._step_us)
            first = max(first, self._floors.get(record.boot_id, first))
            self.steps.setdefault(record.boot_id, Intervals()).add(first, stop)
        else:
            start_ns, stop_ns = record.t_trigger_ns - pre_us * 1000, record.t_trigger_ns + post_us * 1000
            self.host.setdefault(self._host_boot, Intervals()).add(start_ns, stop_ns)


def steps_of(step: int, pre_us: int, post_us: int, step_us: int) -> tuple[int, int]:
    """Return the first step of a window around a step, and the one after its last."""
    return step - pre_us // step_us, step - -post_us // step_us
