"""What a connection gives out, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass, field

from spikedaq.model import Block, Event, Gap
from spikedaq.wire.frame import BadFrame
from spikedaq.wire.messages import Description, Hello, Log, Pong, Reply, Status, UnknownMessage


@dataclass(frozen=True, slots=True)
class Rebooted:
    """The device has booted again; its hello starts a new boot. Comes in place of the Hello itself."""

    hello: Hello
    previous_boot_id: int


Received = (
    Block | Event | Gap | BadFrame | Hello | Description | Pong | Reply | Status | Log | UnknownMessage | Rebooted
)


@dataclass(slots=True)
class ConnectionCounters:
    """What a connection has seen since it was made. Each frame is counted in ``frames`` or ``bad_frames``.

    Attributes
    ----------
    frames : int
        Frames with a good CRC, whatever became of them.
    bad_frames : dict of str to int
        By reason: cobs, short, crc, oversize; malformed ones are in ``malformed``.
    blocks, events : int
        Those given out.
    unknown : int
        Messages of unknown type, or of a type that no device sends, or blocks of an unknown stream.
    malformed : int
        Good CRC, content against the protocol; ``unknown_codec`` of them are blocks with an unknown codec.
    before_hello, before_tick : int
        Frames kept out because the boot, or the 64-bit tick of a device that was already running, was not known yet.
    duplicates, stale : int
        Frames kept out because they had come before (or too late), or because they lie so far behind (or a block's
        step lies behind) that they belong to another boot.
    late : int
        Frames that came after frames with a higher number, and in time to take their place: sent again.
    overflows : int
        Frames given up because no more could be held behind them; all are in ``frames_missing``.
    frames_missing, lost_samples, overrun_samples : int
        See `SequenceTracker`; summed over all boots. Frames that may still come are not among them.
    saturated_blocks, reboots : int
    """

    frames: int = 0
    bad_frames: dict[str, int] = field(default_factory=dict)
    blocks: int = 0
    events: int = 0
    unknown: int = 0
    malformed: int = 0
    unknown_codec: int = 0
    before_hello: int = 0
    before_tick: int = 0
    duplicates: int = 0
    stale: int = 0
    late: int = 0
    overflows: int = 0
    frames_missing: int = 0
    lost_samples: int = 0
    overrun_samples: int = 0
    saturated_blocks: int = 0
    reboots: int = 0
