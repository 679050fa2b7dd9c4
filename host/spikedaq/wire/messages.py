"""The messages of protocol/README.md, section 3, as plain values: one class per row of its tables."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

PROTOCOL_VERSION = (1, 1)
"""Major and minor version that this package speaks."""


class FrameType(IntEnum):
    """First field of each message."""

    HELLO = 1
    DESCRIPTION = 2
    BLOCK = 3
    EVENT = 4
    PONG = 5
    REPLY = 6
    STATUS = 7
    LOG = 8
    HELLO_REQUEST = 32
    DESCRIBE = 33
    PING = 34
    GET = 35
    SET = 36
    START = 37
    STOP = 38
    STIMULUS = 39
    RESEND = 40
    RESET = 41
    SELF_TEST = 42


class ReplyCode(IntEnum):
    """Codes of a reply (section 3.3)."""

    OK = 0
    UNKNOWN_REQUEST = 1
    BAD_ARGUMENTS = 2
    OUT_OF_RANGE = 3
    UNSUPPORTED = 4
    WRONG_STATE = 5
    READ_ONLY = 6
    TOO_LARGE = 7


class DescriptionKind(IntEnum):
    """What a description describes (section 4.1)."""

    CHANNEL = 0
    PARAMETER = 1
    PRESET = 2
    CLAMP_CHANNEL = 3
    """A channel as it is in voltage clamp."""


# KINDS names the wire type of each dataclass field, in order; the codec checks against it. `uid` is a bin of 4 to 16
# bytes, `pairs` the array of a `set`. PREFIX holds fixed fields between the request id and the rest.


@dataclass(frozen=True, slots=True)
class Hello:
    """What a device says of itself first."""

    TYPE: ClassVar[FrameType] = FrameType.HELLO
    KINDS: ClassVar[str] = "u32 u8 u8 str str str uid u32 u32 u16 u8 u8 u8 u16 u32 u8 u16 bool u8"
    seq: int
    major: int
    minor: int
    firmware_version: str
    build_hash: str
    board: str
    unique_id: bytes
    boot_id: int
    step_us: int
    block_samples: int
    n_channels: int
    n_parameters: int
    n_presets: int
    resend_depth: int
    stimulus_capacity: int
    codecs: int
    max_request_bytes: int
    running: bool
    traits: int = 0


@dataclass(frozen=True, slots=True)
class Description:
    """One channel, parameter or preset; ``body`` as in section 4.1, see `spikedaq.wire.device_info`."""

    TYPE: ClassVar[FrameType] = FrameType.DESCRIPTION
    KINDS: ClassVar[str] = "u32 u32 u8 u8 array"
    seq: int
    request_id: int
    kind: int
    index: int
    body: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class BlockMessage:
    """A block as sent: ``payload`` not yet decoded, ``first_tick`` not yet widened."""

    TYPE: ClassVar[FrameType] = FrameType.BLOCK
    KINDS: ClassVar[str] = "u32 u8 u64 u32 u32 u16 u8 bin u8"
    seq: int
    stream: int
    first_step: int
    first_tick: int
    step_us: int
    n: int
    codec: int
    payload: bytes
    flags: int


@dataclass(frozen=True, slots=True)
class EventMessage:
    """An event as sent; ``tick`` is not yet widened."""

    TYPE: ClassVar[FrameType] = FrameType.EVENT
    KINDS: ClassVar[str] = "u32 u8 u64 u32 u32 f32"
    seq: int
    kind: int
    step: int
    tick: int
    index: int
    value: float


@dataclass(frozen=True, slots=True)
class Pong:
    """Answer to a ping; ``tick`` is the full 64-bit counter."""

    TYPE: ClassVar[FrameType] = FrameType.PONG
    KINDS: ClassVar[str] = "u32 u32 u64 u64"
    seq: int
    token: int
    tick: int
    step: int


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer to a request; ``value`` is anything msgpack can say, the reason (str) where ``code`` is not 0."""

    TYPE: ClassVar[FrameType] = FrameType.REPLY
    KINDS: ClassVar[str] = "u32 u32 u8 any"
    seq: int
    request_id: int
    code: int
    value: object


@dataclass(frozen=True, slots=True)
class Status:
    """State of a device, once per second of its time."""

    TYPE: ClassVar[FrameType] = FrameType.STATUS
    KINDS: ClassVar[str] = "u32 u64 u64 u32 u32 u32 u16 u32 u32 u32 u16"
    seq: int
    tick: int
    step: int
    overruns: int
    overrun_samples: int
    events_dropped: int
    queue_high_water: int
    resend_misses: int
    bad_frames: int
    saturated_samples: int
    cpu_permille: int


@dataclass(frozen=True, slots=True)
class Log:
    """A line of text; level 10 debug, 20 info, 30 warning, 40 error."""

    TYPE: ClassVar[FrameType] = FrameType.LOG
    KINDS: ClassVar[str] = "u32 u8 str"
    seq: int
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class HelloRequest:
    """``hello?``, with the host's version."""

    TYPE: ClassVar[FrameType] = FrameType.HELLO_REQUEST
    KINDS: ClassVar[str] = "u8 u8"
    major: int = PROTOCOL_VERSION[0]
    minor: int = PROTOCOL_VERSION[1]


@dataclass(frozen=True, slots=True)
class Describe:
    """Asks for one description."""

    TYPE: ClassVar[FrameType] = FrameType.DESCRIBE
    KINDS: ClassVar[str] = "u32 u8 u8"
    request_id: int
    kind: int
    index: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks for the time; answered by a pong with the same token."""

    TYPE: ClassVar[FrameType] = FrameType.PING
    KINDS: ClassVar[str] = "u32"
    token: int


@dataclass(frozen=True, slots=True)
class Get:
    """Asks for a parameter; the reply's value is [value, holder]."""

    TYPE: ClassVar[FrameType] = FrameType.GET
    KINDS: ClassVar[str] = "u32 u8"
    request_id: int
    index: int


@dataclass(frozen=True, slots=True)
class Set:
    """Sets parameters; ``pairs`` is flat: index, value, index, value, ... A value of None hands the parameter back."""

    TYPE: ClassVar[FrameType] = FrameType.SET
    KINDS: ClassVar[str] = "u32 pairs"
    request_id: int
    pairs: tuple[int | float | None, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """Starts the blocks; 0 samples per block leaves the size to the device."""

    TYPE: ClassVar[FrameType] = FrameType.START
    KINDS: ClassVar[str] = "u32 u16"
    request_id: int
    block_samples: int = 0


@dataclass(frozen=True, slots=True)
class Stop:
    """Stops the blocks."""

    TYPE: ClassVar[FrameType] = FrameType.STOP
    KINDS: ClassVar[str] = "u32"
    request_id: int


@dataclass(frozen=True, slots=True)
class StimulusBegin:
    """Makes room for a waveform of ``n_rows`` rows."""

    TYPE: ClassVar[FrameType] = FrameType.STIMULUS
    OPERATION: ClassVar[int] = 0
    KINDS: ClassVar[str] = "u32 u32"
    request_id: int
    n_rows: int


@dataclass(frozen=True, slots=True)
class StimulusData:
    """Stores rows of a waveform: int16 little-endian, 0.01 %."""

    TYPE: ClassVar[FrameType] = FrameType.STIMULUS
    OPERATION: ClassVar[int] = 1
    KINDS: ClassVar[str] = "u32 u32 bin"
    request_id: int
    first_row: int
    rows: bytes


@dataclass(frozen=True, slots=True)
class StimulusPlay:
    """Plays the waveform from the next step on."""

    TYPE: ClassVar[FrameType] = FrameType.STIMULUS
    OPERATION: ClassVar[int] = 2
    KINDS: ClassVar[str] = "u32 bool"
    request_id: int
    loop: bool


@dataclass(frozen=True, slots=True)
class StimulusStop:
    """Goes back to the square wave."""

    TYPE: ClassVar[FrameType] = FrameType.STIMULUS
    OPERATION: ClassVar[int] = 3
    KINDS: ClassVar[str] = "u32"
    request_id: int


@dataclass(frozen=True, slots=True)
class Resend:
    """Asks for past frames once more."""

    TYPE: ClassVar[FrameType] = FrameType.RESEND
    KINDS: ClassVar[str] = "u32 u32 u16"
    request_id: int
    first_seq: int
    count: int


@dataclass(frozen=True, slots=True)
class Reset:
    """Resets: scope 0 the neuron's state, 1 that and all parameters, 2 reboots."""

    TYPE: ClassVar[FrameType] = FrameType.RESET
    KINDS: ClassVar[str] = "u32 u8"
    request_id: int
    scope: int


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Reads one input of the board."""

    TYPE: ClassVar[FrameType] = FrameType.SELF_TEST
    KINDS: ClassVar[str] = "u32 u8"
    request_id: int
    index: int


@dataclass(frozen=True, slots=True)
class UnknownMessage:
    """A well-formed message of a type that this version does not know; ``fields`` are those after the type."""

    type: int
    fields: tuple[object, ...]


DeviceMessage = Hello | Description | BlockMessage | EventMessage | Pong | Reply | Status | Log
StimulusMessage = StimulusBegin | StimulusData | StimulusPlay | StimulusStop
HostMessage = HelloRequest | Describe | Ping | Get | Set | Start | Stop | StimulusMessage | Resend | Reset | SelfTest
Message = DeviceMessage | HostMessage
