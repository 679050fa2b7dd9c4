"""What flows: blocks of samples, events, and gaps with their cause."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag, StrEnum

import numpy as np
import numpy.typing as npt

from spikedaq.model.device import ClampMode

MODEL_STEP_MS = 0.1
"""Model time per step, in milliseconds, whatever the wall period (protocol/README.md, section 5)."""


class BlockFlag(IntFlag):
    """Flags of a block (protocol/README.md, section 5)."""

    SATURATED = 1
    AFTER_OVERRUN = 2
    AFTER_START = 4
    VOLTAGE_CLAMP = 8


_VOLTAGE_CLAMP = int(BlockFlag.VOLTAGE_CLAMP)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Consecutive samples of one stream.

    Attributes
    ----------
    boot_id : int
        Boot of the device that these samples belong to.
    seq : int
        Sequence number of the frame that carried it, u32.
    stream : int
        Stream index; 0 for the channels of a Spikeling.
    first_step : int
        Model step index of the first sample.
    first_tick : int
        Device tick of the first sample, widened to 64 bits, in microseconds.
    step_us : int
        Time between samples, in microseconds of the device's clock.
    flags : BlockFlag
    samples : int16 array, shape (n_samples, n_channels)
        Raw values. Often a read-only view of the payload.
    """

    boot_id: int
    seq: int
    stream: int
    first_step: int
    first_tick: int
    step_us: int
    flags: BlockFlag
    samples: npt.NDArray[np.int16]

    @property
    def mode(self) -> ClampMode:
        """Clamp mode in which all of its samples were taken."""
        # Asked for each block: a mask of plain integers costs an eighth of one of flags.
        return ClampMode.VOLTAGE if int(self.flags) & _VOLTAGE_CLAMP else ClampMode.CURRENT

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return int(self.samples.shape[0])

    @property
    def next_step(self) -> int:
        """Step index that a seamless next block starts with."""
        return self.first_step + int(self.samples.shape[0])

    @property
    def next_tick(self) -> int:
        """Tick that a seamless next block starts with, in microseconds."""
        return self.first_tick + int(self.samples.shape[0]) * self.step_us


class EventKind(IntEnum):
    """Kinds of device events (protocol/README.md, section 9)."""

    SPIKE = 0
    TRIGGER = 1
    PARAMETER = 2
    OVERRUN = 3
    STIMULUS_END = 4


@dataclass(frozen=True, slots=True)
class Event:
    """A labelled instant reported by a device; ``tick`` is widened to 64 bits, in microseconds."""

    boot_id: int
    seq: int
    kind: int
    step: int
    tick: int
    index: int
    value: float


class GapCause(StrEnum):
    """Why samples are missing. Three causes of loss, and two that are not a loss."""

    LOST = "lost"
    """Sent by the device, never arrived whole."""
    OVERRUN = "overrun"
    """The device had no free buffer; it says so itself."""
    DROPPED = "dropped"
    """Arrived, and this computer could not keep it (slow client, journal disk full)."""
    STOPPED = "stopped"
    """Nobody asked for them: the device was stopped, unplugged or rebooting."""
    OUTSIDE = "outside"
    """Nobody asked to record them: between the windows of a triggered or scheduled recording. Only in files."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Missing samples ``first_step .. first_step + n_steps - 1`` of one boot, with their cause."""

    boot_id: int
    stream: int
    first_step: int
    n_steps: int
    first_tick: int
    cause: GapCause
