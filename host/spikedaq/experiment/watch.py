"""What a device's stream says of a trial: where the stimulus began and ended, what is missing, what was played.

No I/O: it is given messages of the bus in order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.bus import Message, decode_samples
from spikedaq.model import ChannelInfo

_EVENT_PATIENCE_US = 1_000_000
"""So long after the trigger channel has marked the first row the event about it may come; then it was discarded."""


class TrialWatch:
    """Follows one device.

    Parameters
    ----------
    device : str
        For faults.
    rows : int16 array, shape (n_rows,)
        The stimulus in 0.01 %.
    channels : map of str to sequence of ChannelInfo
        By clamp mode.

    Attributes
    ----------
    fault : str or None
        Why the trial cannot go on.
    boot_id : int or None
    next_step, next_tick, step_us : int
        Those behind the newest block.
    first_step, first_tick, first_step_us : int or None
        Of the stimulus's first row.
    end_tick : int or None
        Of the first step behind the stimulus.
    recorded_tick : int or None
        Of the first sample that is known to be recorded; see `recorded_from`.
    gaps : dict of str to int
        Missing samples by cause.
    n_seen, n_different : int
        Rows compared with the stimulus channel, and those that differ.
    has_channel : bool
        There was a stimulus channel to compare with.
    """

    def __init__(self, device: str, rows: npt.NDArray[np.int16], channels: dict[str, list[ChannelInfo]]) -> None:
        self._device = device
        self._rows = rows
        self._channels = channels
        self._armed_step: int | None = None
        self._marked: tuple[int, int, int] | None = None
        self._untimed = 0
        self._waiting: list[tuple[int, npt.NDArray[np.int16], str]] = []
        self.fault: str | None = None
        self.boot_id: int | None = None
        self.next_step = self.next_tick = self.step_us = 0
        self.first_step: int | None = None
        self.first_tick: int | None = None
        self.first_step_us: int | None = None
        self.end_tick: int | None = None
        self._recorded_from_ns: int | None = None
        self.recorded_tick: int | None = None
        self.gaps: dict[str, int] = {}
        self.n_seen = self.n_different = 0
        self.has_channel = False

    def arm(self) -> None:
        """Say that the stimulus is about to be played: what begins from now on is it."""
        self._armed_step = self.next_step

    def recorded_from(self, t_host_ns: int) -> None:
        """Say since when the daemon records, CLOCK_BOOTTIME: the baseline begins with the first block behind it.

        Where the blocks say no time, for the device's clock is not fitted yet, it is the second one from now on: the
        first may have been under way.
        """
        self._recorded_from_ns = t_host_ns
        self._untimed = 0

    @property
    def end_step(self) -> int | None:
        """Step behind the last row; None before the first."""
        return None if self.first_step is None else self.first_step + len(self._rows)

    def take(self, message: Message) -> None:
        """Take the next message of `samples` or `events`."""
        header = message.header
        if "count" in header and "layout" in header:
            self._block(message)
        elif header.get("kind") == "gap":
            cause = str(header["cause"])
            self.gaps[cause] = self.gaps.get(cause, 0) + int(header["count"])
        elif header.get("kind") == "trigger":
            self._trigger(header)
        elif header.get("kind") == "stimulus_end":
            self._ended(header)

    def missing(self, n_samples: int | None, reason: str) -> None:
        """Take that something was sent and cannot be had any more."""
        self.gaps["dropped"] = self.gaps.get("dropped", 0) + (n_samples or 0)
        if n_samples is None:
            self.fault = f"{self._device} rebooted, and what it sent around that is not to be had: {reason}"

    def _block(self, message: Message) -> None:
        header = message.header
        if self.boot_id is not None and header["boot"] != self.boot_id:
            self.fault = f"{self._device} rebooted"
            return
        self.boot_id = header["boot"]
        self.step_us = int(header["step_us"])
        step, n = int(header["step"]), int(header["count"])
        self.next_step, self.next_tick = step + n, int(header["tick"]) + n * self.step_us
        if self.recorded_tick is None and self._recorded_from_ns is not None and self._is_recorded(header):
            self.recorded_tick = int(header["tick"])
            self.gaps.clear()
        if self._armed_step is None or self.next_step <= self._armed_step or self.end_tick is not None:
            return
        samples, mode = decode_samples(message), str(header.get("mode", "current"))
        if self.first_step is None:
            self._look_for_mark(samples, mode, step, int(header["tick"]))
            # Compared once it is known where the stimulus began; the event about it comes with its block.
            self._waiting = [*self._waiting[-_KEPT_BLOCKS:], (step, samples, mode)]
        else:
            self._compare(step, samples, mode)
        end = self.end_step
        if end is not None and self.next_step >= end and self.end_tick is None:
            self.end_tick = self.next_tick - (self.next_step - end) * self.step_us

    def _is_recorded(self, header: dict[str, Any]) -> bool:
        t_ns, u_ns = header.get("t_ns"), header.get("u_ns")
        if t_ns is None or self._recorded_from_ns is None:
            self._untimed += 1
            return self._untimed > 1
        return int(t_ns) - int(u_ns or 0) > self._recorded_from_ns

    def _trigger(self, header: dict[str, Any]) -> None:
        if self._armed_step is None or header["boot"] != self.boot_id or not header["value"]:
            return
        step = int(header["step"])
        if self.first_step is None:
            if step >= self._armed_step:
                self._begins(step, int(header["tick"]), self.step_us)
        elif step > self.first_step:
            self.fault = f"{self._device} was given another stimulus meanwhile, at step {step}"

    def _ended(self, header: dict[str, Any]) -> None:
        end = self.end_step
        if end is None or header["boot"] != self.boot_id:
            return
        step = int(header["step"])
        if self.first_step is not None and self.first_step < step < end:
            played = step - self.first_step
            self.fault = (
                f"{self._device} stopped the stimulus after {played} of {len(self._rows)} rows; was it stopped?"
            )

    def _begins(self, step: int, tick: int, step_us: int) -> None:
        self.first_step, self.first_tick, self.first_step_us = step, tick, step_us
        waiting, self._waiting = self._waiting, []
        for first, samples, mode in waiting:
            self._compare(first, samples, mode)

    def _look_for_mark(self, samples: npt.NDArray[np.int16], mode: str, step: int, tick: int) -> None:
        """Remember the first mark of the trigger channel; believe it where no event comes."""
        column = self._column("trigger", mode)
        if self._marked is None and column is not None and self._armed_step is not None:
            marks = np.flatnonzero(samples[:, column])
            marks = marks[marks + step >= self._armed_step]
            if len(marks):
                k = int(marks[0])
                self._marked = step + k, tick + k * self.step_us, self.step_us
        if self._marked is not None and self.next_tick - self._marked[1] > _EVENT_PATIENCE_US:
            self._begins(*self._marked)

    def _column(self, name: str, mode: str) -> int | None:
        for column, channel in enumerate(self._channels.get(mode, ())):
            if channel.name == name:
                return column
        return None

    def _compare(self, step: int, samples: npt.NDArray[np.int16], mode: str) -> None:
        column = self._column("stimulus", mode)
        if column is None or self.first_step is None:
            return
        self.has_channel = True
        channel = self._channels[mode][column]
        first = max(step, self.first_step)
        last = min(step + len(samples), self.first_step + len(self._rows))
        if first >= last:
            return
        wanted = self._rows[first - self.first_step : last - self.first_step] / 100
        got = samples[first - step : last - step, column] * channel.scale + channel.offset
        self.n_seen += last - first
        # Half of the channel's step is its rounding.
        self.n_different += int((np.abs(got - wanted) > channel.scale * 0.5 + 1e-6).sum())


_KEPT_BLOCKS = 400
"""Blocks that may come before the event about the first row: more than a second of them at the shortest."""
