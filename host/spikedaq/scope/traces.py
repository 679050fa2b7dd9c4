"""The traces of one device: its newest samples at every zoom, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.bus import SAMPLES
from spikedaq.model import RemoteProtocolError
from spikedaq.scope.frames import encode_bins
from spikedaq.scope.pyramid import CAPACITY, Bins, Pyramid

DERIVED_CAPACITY = 4096
"""Bins kept of each level of a derived stream, which has some hundred values a second: 4 MB for nine channels."""
TOLD_AGAIN = 25
"""Where nothing comes, the newest bin is told again every so many times, once a second: to whoever began to watch
meanwhile, or was behind when it came."""


@dataclass(slots=True)
class _Sent:
    """What was told of a level: up to which bin and step, and how often since there was nothing new."""

    newest: int
    end: int
    n_idle: int = 0


class Traces:
    """One stream of a device as it comes: its samples, or what somebody derives of them.

    A new boot, another clamp mode and another step period begin anew: steps of different boots have nothing in common,
    and in another mode the channels are others.

    Attributes
    ----------
    device : str
    run : int
        Counts these beginnings; bins of different runs do not belong together.
    blocks : int
        Blocks taken so far.
    t_newest_ns : int or None
        CLOCK_BOOTTIME, on the daemon's computer, of behind the newest sample.
    """

    def __init__(self, bench: str, device: str, stream: str = SAMPLES) -> None:
        self.bench = bench
        self.device = device
        self.stream = stream
        self.run = 0
        self.blocks = 0
        self.t_newest_ns: int | None = None
        self.pyramid: Pyramid | None = None
        self._of: tuple[Any, ...] = ()
        self._anchor: tuple[int, int | None] = (0, None)
        self._whole_from = 0
        self._sent: dict[tuple[int, bool], _Sent] = {}

    def take(self, header: Mapping[str, Any], samples: npt.NDArray[np.int16] | npt.NDArray[np.float32]) -> None:
        """Take one block with the header it came with (docs/reference/bus.md, 1.1 and 1.5).

        Bins of a derived stream are of its values, ``pitch_steps`` apart, not of steps.

        Raises
        ------
        RemoteProtocolError
            The header does not say where the block belongs; nothing is taken.
        """
        pitch = header.get("pitch_steps", 1)
        said = (pitch, header.get("boot"), header.get("step"), header.get("step_us"), header.get("t_ns") or 0)
        if any(type(value) is not int for value in said) or pitch < 1 or header["step"] < 0:
            raise RemoteProtocolError(f"a block of {self.device} has no place: pitch, boot, step, step_us, t_ns {said}")
        first, phase = divmod(header["step"], pitch)
        mode = header.get("mode", "current")
        of = (header.get("epoch"), header["boot"], mode, header["step_us"], samples.shape[1], pitch, phase)
        if self.pyramid is None or of[1:] != self._of[1:]:
            self.run += 1
            is_derived = self.stream != SAMPLES
            capacity = DERIVED_CAPACITY if is_derived else CAPACITY
            self.pyramid = Pyramid(samples.shape[1], capacity=capacity, is_float=is_derived)
            self._sent.clear()
            self._whole_from = 0
        self._of = of
        self.blocks += 1
        t_ns = header.get("t_ns")
        self._anchor = (header["step"], t_ns)
        if t_ns is not None:
            self.t_newest_ns = t_ns + len(samples) * pitch * header["step_us"] * 1000
        self.pyramid.append(first, samples)

    @property
    def end(self) -> int | None:
        """The step behind the newest sample; of a derived stream the number of the value."""
        return self.pyramid.end if self.pyramid is not None else None

    def note_missed(self, stop_step: int) -> None:
        """Note that samples before a step are not here, but in the bench's history."""
        self._whole_from = stop_step

    def _oldest(self, level: int) -> int:
        """Return the first step from which on everything is here."""
        return max(self._whole_from, self.pyramid.oldest(level)) if self.pyramid is not None else 0

    def missing_before(self, header: Mapping[str, Any]) -> tuple[int, int] | None:
        """Return first step and number of the samples between what is here and a block of the same boot, if any."""
        end = self.end
        if end is None or header["boot"] != self._of[1] or header["step"] <= end:
            return None
        return end, header["step"] - end

    def news(self, level: int, *, is_packed: bool = False) -> bytes | None:
        """Return a frame with the bins that came to a level since it was last asked for; None where none did.

        The newest bin of the last frame is in it again, because more samples may have come to it. ``is_packed``: in
        fewer bytes; each of the two is asked for, and remembered, by itself.
        """
        if self.pyramid is None or self.pyramid.end is None:
            return None
        end, sent = self.pyramid.end, self._sent.get((level, is_packed))
        if sent is not None and sent.end == end and sent.n_idle < TOLD_AGAIN - 1:
            sent.n_idle += 1
            return None
        newest = (end - 1) >> level
        self._sent[level, is_packed] = _Sent(newest, end)
        return self.encode(self.pyramid.bins(level, newest if sent is None else sent.newest), is_packed=is_packed)

    def forget(self, level: int, *, is_packed: bool = False) -> None:
        """Nobody watches a level any more: what comes to it meanwhile need not be sent later."""
        self._sent.pop((level, is_packed), None)

    def has(self, boot: object, level: int, first: int) -> bool:
        """Tell whether bins from ``first`` on are kept; ``boot`` None stands for the present one."""
        if self.pyramid is None or (boot is not None and boot != self._of[1]):
            return False
        return first << level >= self._oldest(level)

    def past(self, level: int, first: int, stop: int | None, **more: Any) -> bytes | None:
        """Return a frame with bins that are kept, None where there are none; ``more`` is for its header."""
        bins = self.pyramid.bins(level, first, stop) if self.pyramid is not None else None
        return None if bins is None or not bins.low.shape[1] else self.encode(bins, **more)

    def encode(self, bins: Bins, *, is_packed: bool = False, **more: Any) -> bytes:
        """Return a frame of this device's present run."""
        _, boot, mode, step_us, _, pitch, phase = self._of
        step, t_ns = self._anchor
        header = {
            "bench": self.bench, "device": self.device, "run": self.run, "boot": boot, "mode": mode,
            "step_us": step_us, "step": step, "t_ms": None if t_ns is None else t_ns / 1e6,
            "oldest": self._oldest(bins.level), **more,
        }  # fmt: skip
        if self.stream != SAMPLES:
            header |= {"stream": self.stream, "pitch_steps": pitch, "phase": phase}
        return encode_bins(header, bins, is_packed=is_packed)
