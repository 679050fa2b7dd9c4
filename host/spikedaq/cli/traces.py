"""The membrane potential of each device of a bench, small: for `spikedaq watch`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
from rich.text import Text

from spikedaq.bus import SAMPLES, Message, decode_mode, decode_samples, split_topic
from spikedaq.cli.common import printable
from spikedaq.cli.sparkline import DOTS_ACROSS, Trace, ascii_lines, braille_lines
from spikedaq.inlet import Bench, Subscriber
from spikedaq.model import ChannelInfo, ClampMode, CommandError, ConfigError, RemoteProtocolError

LOW_MV, HIGH_MV = -90.0, 40.0
"""The scale, which never changes: the model rests between -80 and -55 mV, and spikes end at +30 mV."""
COLUMN_US = 10_000
"""Half a character: 1.1 s in 80 columns. In longer ones a neuron that fires 30 times a second is a bar."""
COUNTED = 500
"""Columns over which spikes are counted: 5 s."""
LINES = 2
CHANNEL = "vm"
QUIET_S = 1.5
"""A trace to which nothing was added for longer stands still, and that is said."""
ASK_AGAIN_S = 2.0
"""After a question about channels that was not answered."""
MAX_DRAINED = 20_000
"""Messages taken at a time; blocks of 16 devices at 10 kHz in 12 s. Showing what there is comes first."""
_LEFT, _RIGHT = 11, 15
_LEAST = 16
_MAX_RUN = 20_000


class ChannelSource(Protocol):
    """Who knows the channels of a device."""

    def channels(self, device: str, mode: ClampMode) -> list[ChannelInfo]:
        """Return the channels in a clamp mode, in the order of the blocks' columns."""


@dataclass(slots=True)
class _Run:
    """Blocks of a device that follow one another, and are not in its trace yet."""

    boot: int
    first_step: int
    step_us: int
    column: tuple[int, float, float]
    parts: list[npt.NDArray[np.int16]] = field(default_factory=list)
    n: int = 0

    def goes_on(self, boot: int, step: int, step_us: int, column: tuple[int, float, float]) -> bool:
        """Whether a block follows what is here."""
        here = self.boot, self.first_step + self.n, self.step_us, self.column
        return here == (boot, step, step_us, column)


class Traces:
    """Traces of the devices whose blocks are taken.

    Parameters
    ----------
    source : ChannelSource
        Asked once for each boot of a device and clamp mode.
    """

    def __init__(self, source: ChannelSource, now_s: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._now_s = now_s
        self._traces: dict[str, Trace] = {}
        self._columns: dict[tuple[str, ClampMode], tuple[int, tuple[int, float, float] | None]] = {}
        self._ask_s: dict[tuple[str, ClampMode], float] = {}
        self._came_s: dict[str, float] = {}
        self._runs: dict[str, _Run] = {}
        self._n_columns = _LEAST * DOTS_ACROSS

    def take(self, message: Message) -> None:
        """Take a block; one that is none of ours is left out."""
        header = message.header
        try:
            device = split_topic(message.topic).device
            boot, step, step_us = int(header["boot"]), int(header["step"]), int(header["step_us"])
            column = self._column(device, decode_mode(message), boot)
            if column is None:
                return
            raw = decode_samples(message)[:, column[0]]
        except (RemoteProtocolError, KeyError, TypeError, ValueError, IndexError):
            return
        self._came_s[device] = self._now_s()
        run = self._runs.get(device)
        if run is None or not run.goes_on(boot, step, step_us, column):
            self._add(device)
            run = self._runs[device] = _Run(boot, step, step_us, column)
        run.parts.append(raw)
        run.n += len(raw)
        if run.n >= _MAX_RUN:
            self._add(device)

    def _add(self, device: str) -> None:
        """Put what has come of a device into its trace; in one go, for each takes 0.1 ms."""
        run = self._runs.pop(device, None)
        if run is None:
            return
        _, scale, offset = run.column
        values = np.asarray(np.concatenate(run.parts) * scale + offset, dtype=np.float64)
        trace = self._traces.get(device)
        if trace is None:
            trace = self._traces[device] = Trace(self._n_columns, COLUMN_US, n_counted=COUNTED)
        trace.add(run.boot, run.first_step, run.step_us, values)

    def _column(self, device: str, mode: ClampMode, boot: int) -> tuple[int, float, float] | None:
        """Return where the potential is in a device's blocks, and scale and offset; None where there is none.

        Another boot may be another board, or another firmware.
        """
        key = device, mode
        known = self._columns.get(key)
        if known is not None and known[0] == boot:
            return known[1]
        now_s = self._now_s()
        if now_s < self._ask_s.get(key, -math.inf):
            return None
        try:
            channels = self._source.channels(device, mode)
        except (CommandError, RemoteProtocolError, TypeError):
            # Not with each of the blocks that wait: a daemon that is gone lets each question wait for seconds.
            self._ask_s[key] = self._now_s() + ASK_AGAIN_S
            return None
        found = [(i, c.scale, c.offset) for i, c in enumerate(channels) if c.name == CHANNEL]
        self._columns[key] = boot, found[0] if found else None
        return self._columns[key][1]

    def forget(self, device: str) -> None:
        """Show a device no more."""
        self._traces.pop(device, None)
        self._runs.pop(device, None)
        self._came_s.pop(device, None)

    def render(self, devices: list[str], *, width: int, n_lines: int, is_unicode: bool) -> list[Text]:
        """Return lines that fit ``width``, at most ``n_lines``; no colour says anything that words do not.

        Parameters
        ----------
        is_unicode : bool
            The terminal shows more than ASCII.
        """
        n_chars = max(width - _LEFT - _RIGHT, _LEAST)
        self._resize(n_chars * DOTS_ACROSS)
        for name in list(self._runs):
            self._add(name)
        shown = [name for name in devices if name in self._traces]
        n_fit = (n_lines - 1) // LINES
        if len(shown) > n_fit:
            n_fit = (n_lines - 2) // LINES  # one says that there are more
        if not shown or n_fit < 1:
            return []
        span_s = n_chars * DOTS_ACROSS * COLUMN_US / 1e6
        lines = [Text(f"{CHANNEL}, last {span_s:.1f} s of device time, {LOW_MV:g} to {HIGH_MV:g} mV", style="dim")]
        for name in shown[:n_fit]:
            lines += self._lines(name, braille_lines if is_unicode else ascii_lines)
        if len(shown) > n_fit:
            lines.append(Text(f"and {len(shown) - n_fit} more devices, for which the window is too low", style="dim"))
        return lines

    def _resize(self, n_columns: int) -> None:
        if n_columns != self._n_columns:
            self._n_columns = n_columns
            for trace in self._traces.values():
                trace.n_columns = n_columns

    def _lines(self, name: str, draw: Callable[..., list[str]]) -> list[Text]:
        trace = self._traces[name]
        drawn = draw(trace.ranges(), LOW_MV, HIGH_MV, LINES)
        rate_hz, extremes = trace.spike_rate_hz(), trace.extremes()
        quiet_s = self._now_s() - self._came_s.get(name, -math.inf)
        said = [
            "" if rate_hz is None else f"{rate_hz:.1f} spikes/s",
            "" if extremes is None else f"{extremes[0]:.0f} to {extremes[1]:.0f} mV",
        ]
        is_quiet = quiet_s > QUIET_S
        if is_quiet:
            said = ["stands still", f"for {quiet_s:.0f} s"]
        label = printable(name)
        label = label if len(label) < _LEFT else label[: _LEFT - 2] + ("…" if draw is braille_lines else "~")
        lines = []
        for at, (line, words) in enumerate(zip(drawn, said, strict=True)):
            text = Text(f"{label if at == 0 else '':<{_LEFT}}", style="bold", no_wrap=True, overflow="crop")
            text.append(line, style="dim" if is_quiet else "cyan")
            text.append(f" {words:<{_RIGHT - 1}}".rstrip(), style="yellow" if is_quiet else "not bold")
            lines.append(text)
        return lines


class TraceFeed:
    """Subscribes to the blocks of a bench's devices, and hands them to `Traces` as often as it is asked to."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.traces = Traces(bench)
        self._known: set[str] = set()
        # What comes while this terminal is slow is dropped, and the trace has a hole.
        self._subscriber = Subscriber(bench.publish_url, (), key=bench.client.key)

    def follow(self, devices: set[str]) -> None:
        """Subscribe to devices that are new, and show those that are no more no longer."""
        for name in self._known - devices:
            self.traces.forget(name)
        for name in devices - self._known:
            self._known.add(name)
            try:
                self._subscriber.add(self._bench.topic(name, SAMPLES))
            except ConfigError:
                continue

    def drain(self) -> None:
        """Take what has come."""
        for _ in range(MAX_DRAINED):
            message = self._subscriber.recv(0)
            if message is None:
                return
            self.traces.take(message)

    def close(self) -> None:
        """Unsubscribe; may be called twice."""
        self._subscriber.close()
