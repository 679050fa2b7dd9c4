"""What goes into the imaging simulation and comes out of it, and where it stands in between."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from spikedaq.model import ChannelInfo, ConfigError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

NEURONS = ("vm", "syn1", "syn2")
"""The three neurons: that of the board, and those before its two synapses."""
VM_CHANNELS = ("vm", "syn1_vm", "syn2_vm")
FRAME_CHANNELS = tuple(
    (f"{quantity}_{neuron}", unit)
    for quantity, unit in (("f", "a.u."), ("dff", "%"), ("ca", "uM"))
    for neuron in NEURONS
)
"""Columns of `ImagingBlock.frame_values`: fluorescence, dF/F0 and calcium of each neuron; name and unit."""

LONG_AGO = -(2**62)
"""Step of the last spike where there was none."""


def vm_of(samples: npt.NDArray[np.int16], channels: Sequence[ChannelInfo]) -> FloatArray:
    """Return the three membrane potentials of a block.

    Parameters
    ----------
    samples : int16 array, shape (n_samples, n_channels)
    channels : sequence of ChannelInfo, length n_channels

    Returns
    -------
    float64 array, shape (n_samples, 3)
        Millivolts, correctly rounded; NaN for a synapse that the board does not tell.

    Raises
    ------
    ConfigError
        There is no channel ``vm`` in mV.
    """
    at = {channel.name: index for index, channel in enumerate(channels)}
    vm = np.full((len(samples), len(NEURONS)), np.nan)
    for column, name in enumerate(VM_CHANNELS):
        if name not in at:
            continue
        channel = channels[at[name]]
        if channel.unit != "mV":
            raise ConfigError(f"channel {name} is in {channel.unit!r}, the imaging simulation needs it in mV")
        mantissas = samples[:, at[name]].astype(np.float64) * channel.scale_mantissa + channel.offset_mantissa
        power = 10.0 ** abs(channel.scale_exponent)
        vm[:, column] = mantissas / power if channel.scale_exponent < 0 else mantissas * power
    if VM_CHANNELS[0] not in at:
        raise ConfigError(f"there is no channel 'vm', only {', '.join(at) or 'none'}; nothing can be simulated from it")
    return vm


@dataclass(slots=True)
class ImagingState:
    """Where a simulation stands: after it has seen a step, everything that the next depends on.

    Attributes
    ----------
    boot_id, next_step : int or None
        What comes next without a gap; None before the first sample.
    fast_um, slow_um : list of float, length 3
        The two parts of calcium above rest: what falls with the rise's and with the decay's time constant.
    saturation : list of float, length 3
    unbleached : float
        Share of the indicator that is not bleached, of all neurons alike.
    held : float64 array, shape (3,)
        Fluorescence of the last frame; NaN where none was taken since the start or a gap.
    missing_steps : int
        Model steps that were missing since the last frame.
    """

    boot_id: int | None = None
    next_step: int | None = None
    last_mv: list[float] = field(default_factory=lambda: [math.nan] * len(NEURONS))
    last_spike: list[int] = field(default_factory=lambda: [LONG_AGO] * len(NEURONS))
    fast_um: list[float] = field(default_factory=lambda: [0.0] * len(NEURONS))
    slow_um: list[float] = field(default_factory=lambda: [0.0] * len(NEURONS))
    saturation: list[float] = field(default_factory=list)
    unbleached: float = 1.0
    held: FloatArray = field(default_factory=lambda: np.full(len(NEURONS), np.nan))
    missing_steps: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class ImagingBlock:
    """What the simulation made of a block of samples; all values float64.

    Attributes
    ----------
    first_step : int
        Model step of the first sample.
    gap_steps : int
        Model steps missing before it: spikes in them were not seen, calcium and saturation fell as without any.
    restarted : bool
        Everything began at rest with this block: it is the first, or of another boot.
    calcium_um, fluorescence : arrays, shape (n_samples, 3)
        At each sample. Fluorescence is held from frame to frame, NaN before the first frame after start or gap.
    spikes : int64 array, shape (n_spikes, 2)
        Step and index of the neuron, by step.
    frame_steps : int64 array, shape (n_frames,)
        Model step of each frame; multiples of `ImagingSettings.steps_per_frame`.
    frame_missing : int64 array, shape (n_frames,)
        Model steps that were missing since the frame before.
    frame_values : array, shape (n_frames, 9)
        Columns `FRAME_CHANNELS`. dF/F0 is NaN where there is no light without calcium to compare with.
    """

    boot_id: int
    first_step: int
    gap_steps: int
    restarted: bool
    calcium_um: FloatArray
    fluorescence: FloatArray
    spikes: IntArray
    frame_steps: IntArray
    frame_missing: IntArray
    frame_values: FloatArray
