"""What a device says of itself: its hello and its descriptions."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag, StrEnum


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """One channel. Value in ``unit`` = (raw * scale_mantissa + offset_mantissa) * 10**scale_exponent."""

    name: str
    unit: str
    scale_mantissa: int
    scale_exponent: int
    offset_mantissa: int = 0

    @property
    def scale(self) -> float:
        """Units per raw step, correctly rounded."""
        return float(f"{self.scale_mantissa}e{self.scale_exponent}")

    @property
    def offset(self) -> float:
        """Value in ``unit`` of raw 0, correctly rounded."""
        return float(f"{self.offset_mantissa}e{self.scale_exponent}")


class ParameterType(IntEnum):
    """How a parameter's value is to be read."""

    FLOAT = 0
    INTEGER = 1
    BOOLEAN = 2


class Holder(IntEnum):
    """Who decides a parameter's value."""

    KNOB = 0
    HOST = 1


@dataclass(frozen=True, slots=True)
class ParameterInfo:
    """One parameter, with the value it had when it was described."""

    name: str
    unit: str
    type: ParameterType
    minimum: float
    maximum: float
    default: float
    value: float
    holder: Holder
    read_only: bool = False
    has_knob: bool = False


@dataclass(frozen=True, slots=True)
class PresetInfo:
    """One neuron preset; ``c`` and ``v_rest`` in mV."""

    name: str
    a: float
    b: float
    c: float
    d: float
    v_rest: float


@dataclass(frozen=True, slots=True)
class InputReading:
    """One input of a board as its self-test reads it (protocol/README.md, section 3.2)."""

    name: str
    raw: int
    """Number of the converter or pin."""
    value: float
    """The same in ``unit``: ``V`` at the input, ``1`` for a pin."""
    unit: str
    period_us: int
    """How often the firmware reads the input while it runs; 0 where only when asked."""


class Trait(IntFlag):
    """What a hello says of its sender beyond numbers (protocol/README.md, section 3.1)."""

    TRANSLATED = 1
    """The frames are made by a host program: seq, steps and ticks say nothing about what the board sent."""
    VOLTAGE_CLAMP = 2
    SELF_TEST = 4


class ClampMode(StrEnum):
    """What of the membrane is held; it decides which channel descriptions hold."""

    CURRENT = "current"
    VOLTAGE = "voltage"


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """Everything a device has said of itself in one boot.

    ``unique_id`` is the board's hexadecimal identity; the tuples keep the device's own order, which is the order of the
    indices on the wire.
    """

    unique_id: str
    boot_id: int
    board: str
    firmware_version: str
    build_hash: str
    protocol_version: tuple[int, int]
    step_us: int
    block_samples: int
    resend_depth: int
    stimulus_capacity: int
    codecs: int
    max_request_bytes: int
    running: bool
    channels: tuple[ChannelInfo, ...] = ()
    parameters: tuple[ParameterInfo, ...] = ()
    presets: tuple[PresetInfo, ...] = ()
    counts: tuple[int, int, int] = field(default=(0, 0, 0))
    """Number of channels, parameters and presets that the hello announced."""
    traits: int = 0
    """Bits of `Trait`."""
    clamp_channels: tuple[ChannelInfo, ...] = ()
    """The channels in voltage clamp; empty where the device has none."""

    @property
    def n_clamp_channels(self) -> int:
        """Number of channel descriptions for voltage clamp that the hello announced."""
        return self.counts[0] if self.traits & Trait.VOLTAGE_CLAMP else 0

    def channels_in(self, mode: ClampMode) -> tuple[ChannelInfo, ...]:
        """Return the channels that hold in a mode."""
        return self.clamp_channels if mode is ClampMode.VOLTAGE else self.channels

    @property
    def is_translated(self) -> bool:
        """Whether no gap can be seen in what the board sends, since it numbers nothing (``sequence: none``)."""
        return bool(self.traits & Trait.TRANSLATED)
