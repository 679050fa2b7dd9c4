"""Headers and payloads of the streams `samples` and `events`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.bus.message import BUS_VERSION, Message, encode
from spikedaq.model import Block, ClampMode, Event, EventKind, Gap, RemoteProtocolError

LAYOUT = "channel-major"


def samples_header(block: Block, *, n: int, epoch: str, t_ns: int | None, u_ns: int | None) -> dict[str, Any]:
    """Header of a message with one block.

    Parameters
    ----------
    block : Block
    n : int
        Sequence of this topic since the daemon's start, from 0; it also counts messages that nobody received.
    epoch : str
        Which start of the daemon ``n`` belongs to.
    t_ns : int or None
        Host time (CLOCK_BOOTTIME nanoseconds) of the first sample; None while the clock is not fitted.
    u_ns : int or None
        Uncertainty of ``t_ns``.
    """
    n_samples, n_channels = block.samples.shape
    return {
        "v": BUS_VERSION,
        "n": n,
        "epoch": epoch,
        "boot": block.boot_id,
        "seq": block.seq,
        "stream": block.stream,
        "step": block.first_step,
        "tick": block.first_tick,
        "step_us": block.step_us,
        "count": n_samples,
        "channels": n_channels,
        "flags": int(block.flags),
        "mode": block.mode.value,
        "t_ns": t_ns,
        "u_ns": u_ns,
        "layout": LAYOUT,
    }


def encode_samples(topic: str, block: Block, *, n: int, epoch: str, t_ns: int | None, u_ns: int | None) -> bytes:
    """Encode one block as a bus message; parameters as for `samples_header`."""
    header = samples_header(block, n=n, epoch=epoch, t_ns=t_ns, u_ns=u_ns)
    return encode(topic, header, payload_of(block))


def payload_of(block: Block) -> bytes:
    """Return the samples of a block as they go on the bus."""
    return np.asarray(block.samples.T, dtype="<i2").tobytes()


def decode_samples(message: Message) -> npt.NDArray[np.int16]:
    """Return the samples of a message.

    Returns
    -------
    int16 array, shape (n_samples, n_channels)
        Read-only view of the payload.

    Raises
    ------
    RemoteProtocolError
        The header lacks the shape, states a layout we do not know, or the payload has another size.
    """
    header = message.header
    count, channels = header.get("count"), header.get("channels")
    if header.get("layout") != LAYOUT:
        raise RemoteProtocolError(f"samples on {message.topic!r} have the unknown layout {header.get('layout')!r}")
    if type(count) is not int or type(channels) is not int or count < 1 or channels < 1:
        raise RemoteProtocolError(
            f"samples on {message.topic!r} have no usable shape: count {count!r}, channels {channels!r}"
        )
    if len(message.payload) != count * channels * 2:
        raise RemoteProtocolError(
            f"samples on {message.topic!r}: {len(message.payload)} bytes do not hold {count} samples of "
            f"{channels} channels ({count * channels * 2} bytes)"
        )
    flat = np.frombuffer(message.payload, dtype="<i2")
    return flat.reshape(channels, count).T


def decode_mode(message: Message) -> ClampMode:
    """Return the clamp mode of a samples message; it decides which channels hold.

    Raises
    ------
    RemoteProtocolError
        A mode that we do not know, whose channels we cannot name.
    """
    text = message.header.get("mode", ClampMode.CURRENT)  # daemons before voltage clamp did not say
    try:
        return ClampMode(text)
    except ValueError as error:
        raise RemoteProtocolError(f"samples on {message.topic!r} have the unknown mode {text!r}") from error


def event_header(event: Event, *, n: int, epoch: str, t_ns: int | None, u_ns: int | None) -> dict[str, Any]:
    """Header of a device's event; kinds this version does not know are published as ``kind_<number>``."""
    try:
        kind = EventKind(event.kind).name.lower()
    except ValueError:
        kind = f"kind_{event.kind}"
    return {
        "v": BUS_VERSION,
        "n": n,
        "epoch": epoch,
        "kind": kind,
        "boot": event.boot_id,
        "seq": event.seq,
        "step": event.step,
        "tick": event.tick,
        "index": event.index,
        "value": event.value,
        "t_ns": t_ns,
        "u_ns": u_ns,
    }


def mode_header(block: Block, *, n: int, epoch: str, t_ns: int | None, u_ns: int | None) -> dict[str, Any]:
    """Header of the event that tells of another clamp mode from ``block``'s first sample on."""
    return {
        "v": BUS_VERSION,
        "n": n,
        "epoch": epoch,
        "kind": "mode",
        "boot": block.boot_id,
        "step": block.first_step,
        "tick": block.first_tick,
        "mode": str(block.mode),
        "t_ns": t_ns,
        "u_ns": u_ns,
    }


def gap_header(gap: Gap, *, n: int, epoch: str, t_ns: int | None, u_ns: int | None) -> dict[str, Any]:
    """Header of the event that tells of missing samples, with their cause."""
    return {
        "v": BUS_VERSION,
        "n": n,
        "epoch": epoch,
        "kind": "gap",
        "boot": gap.boot_id,
        "step": gap.first_step,
        "tick": gap.first_tick,
        "count": gap.n_steps,
        "cause": str(gap.cause),
        "t_ns": t_ns,
        "u_ns": u_ns,
    }
