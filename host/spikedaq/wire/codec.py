"""Messages to and from msgpack, and block payloads to arrays (protocol/README.md, sections 3 and 5)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields as dataclass_fields
from typing import Any, Final, cast

import msgpack
import numpy as np
import numpy.typing as npt

from spikedaq.model import LocalProtocolError, RemoteProtocolError
from spikedaq.wire import messages as m
from spikedaq.wire.packed import CODEC_PACKED, CODEC_RAW, decode_packed

MAX_DEVICE_TYPE: Final = 31
_U32: Final = 2**32
_F32_MAX: Final = 3.4028234663852886e38
_INT_RANGES: Final = {
    "u8": (0, 2**8 - 1),
    "u16": (0, 2**16 - 1),
    "u32": (0, 2**32 - 1),
    "u64": (0, 2**64 - 1),
    "i8": (-(2**7), 2**7 - 1),
    "i32": (-(2**31), 2**31 - 1),
}
_INT16: Final = np.dtype("<i2")
_UID_BYTES: Final = (4, 16)

_CLASSES: Final[tuple[type[m.Message], ...]] = (
    m.Hello, m.Description, m.BlockMessage, m.EventMessage, m.Pong, m.Reply, m.Status, m.Log, m.HelloRequest,
    m.Describe, m.Ping, m.Get, m.Set, m.Start, m.Stop, m.Resend, m.Reset,
    m.SelfTest,
)  # fmt: skip
# Hellos of version 1.0 end before their traits, which a dataclass default then stands for.
_N_REQUIRED: Final[dict[type, int]] = {m.Hello: len(m.Hello.KINDS.split()) - 1}
_STIMULI: Final[tuple[type[m.StimulusMessage], ...]] = (
    m.StimulusBegin,
    m.StimulusData,
    m.StimulusPlay,
    m.StimulusStop,
)
_Layout = tuple[tuple[str, str], ...]
_BY_TYPE: Final[dict[int, type[m.Message]]] = {int(cls.TYPE): cls for cls in _CLASSES}
_LAYOUTS: Final[dict[type, _Layout]] = {
    cls: tuple(zip((f.name for f in dataclass_fields(cls)), cls.KINDS.split(), strict=True))
    for cls in (*_CLASSES, *_STIMULI)
}
_CHANNEL: Final[_Layout] = (
    ("name", "str"), ("unit", "str"), ("scale_mantissa", "i32"), ("scale_exponent", "i8"), ("offset_mantissa", "i32"),
)  # fmt: skip
_BODIES: Final[dict[int, _Layout]] = {
    m.DescriptionKind.CHANNEL: _CHANNEL,
    m.DescriptionKind.CLAMP_CHANNEL: _CHANNEL,
    m.DescriptionKind.PARAMETER: (
        ("name", "str"), ("unit", "str"), ("type", "u8"), ("minimum", "f32"), ("maximum", "f32"), ("default", "f32"),
        ("value", "f32"), ("holder", "u8"), ("flags", "u8"),
    ),
    m.DescriptionKind.PRESET: (
        ("name", "str"), ("a", "f32"), ("b", "f32"), ("c", "f32"), ("d", "f32"), ("v_rest", "f32"),
    ),
}  # fmt: skip


def _is_number(value: object) -> bool:
    return value.__class__ is int or value.__class__ is float


def _is_pairs(value: object) -> bool:
    """Whether this is index, value, index, value, ... with numbers or None for values."""
    return (
        value.__class__ is tuple
        and len(items := cast("tuple[object, ...]", value)) % 2 == 0
        and all(_CHECKS["u8"](index) for index in items[::2])
        and all(item is None or _is_number(item) for item in items[1::2])
    )


def _in_range(low: int, high: int) -> Callable[[object], bool]:
    return lambda value: value.__class__ is int and low <= value <= high


_CHECKS: Final[dict[str, Callable[[object], bool]]] = {
    **{kind: _in_range(*bounds) for kind, bounds in _INT_RANGES.items()},
    "f32": _is_number,
    "bool": lambda value: value.__class__ is bool,
    "str": lambda value: value.__class__ is str,
    "bin": lambda value: value.__class__ is bytes,
    "uid": lambda value: value.__class__ is bytes and _UID_BYTES[0] <= len(value) <= _UID_BYTES[1],
    "array": lambda value: value.__class__ is tuple,
    "pairs": _is_pairs,
    "any": lambda _value: True,
}
_NEUTRAL: Final[dict[str, object]] = {"str": "", "uid": b"", "bool": False}


def unpack(message: bytes) -> tuple[Any, ...]:
    """Read the one msgpack array that a message is, arrays as tuples; its first item is an int.

    Raises
    ------
    RemoteProtocolError
        Not msgpack, not an array, not started by an integer, or followed by more bytes.
    """
    try:
        # Lengths inside are bounded by the message's own length, nesting by msgpack (it raises StackError).
        items = msgpack.unpackb(message, use_list=False, strict_map_key=False)
    except (ValueError, TypeError, RecursionError) as error:
        raise RemoteProtocolError(f"a message of {len(message)} bytes is not msgpack: {error}") from error
    if items.__class__ is not tuple or not items or items[0].__class__ is not int:
        raise RemoteProtocolError(f"a message of {len(message)} bytes is not an array that starts with an integer")
    return items


def number_of(items: tuple[Any, ...]) -> int | None:
    """Sequence number of an unpacked device message, of known type or not; None where it has none to be read."""
    if not 0 < items[0] <= MAX_DEVICE_TYPE or len(items) < 2:
        return None
    seq = items[1]
    return seq if seq.__class__ is int and 0 <= seq < _U32 else None


def sequence_number(message: bytes) -> int | None:
    """Sequence number of a device's message; None for anything else."""
    try:
        return number_of(unpack(message))
    except RemoteProtocolError:
        return None


def decode_message(message: bytes) -> m.Message | m.UnknownMessage:
    """Read a message, ignoring unknown trailing fields.

    Raises
    ------
    RemoteProtocolError
        Malformed: a field is missing, of the wrong type or outside its range.
    """
    return message_of(unpack(message))


def message_of(items: tuple[Any, ...]) -> m.Message | m.UnknownMessage:
    """Check an unpacked message field by field; see `decode_message`."""
    code = items[0]
    if code == m.FrameType.STIMULUS:
        return _stimulus(items)
    cls = _BY_TYPE.get(code)
    if cls is None:
        return m.UnknownMessage(code, items[1:])
    if cls is m.Hello and len(items) > 2 and items[2].__class__ is int and items[2] != m.PROTOCOL_VERSION[0]:
        return _foreign_hello(items)
    values = _checked(items[1:], _LAYOUTS[cls], cls.__name__, n_required=_N_REQUIRED.get(cls))
    if cls is m.Description and (layout := _BODIES.get(values[2])):
        values[4] = (*_checked(values[4], layout, "description body"), *values[4][len(layout) :])
    return cls(*values)


def _stimulus(items: tuple[Any, ...]) -> m.StimulusMessage:
    operation = items[2] if len(items) > 2 else None
    if operation.__class__ is not int or not 0 <= operation < len(_STIMULI):
        raise RemoteProtocolError(f"a stimulus message has operation {operation!r}, which does not exist")
    cls = _STIMULI[operation]
    return cls(*_checked((items[1], *items[3:]), _LAYOUTS[cls], cls.__name__))


def _foreign_hello(items: tuple[Any, ...]) -> m.Hello:
    """Hello of another major version: only the version is sure to be where we know it; what is odd is left neutral."""
    layout = _LAYOUTS[m.Hello]
    head = _checked(items[1:], layout[:3], "Hello")
    rest = [
        items[i] if i < len(items) and _CHECKS[kind](items[i]) else _NEUTRAL.get(kind, 0)
        for i, (_, kind) in enumerate(layout[3:], start=4)
    ]
    return m.Hello(*head, *rest)


def _checked(values: tuple[Any, ...], layout: _Layout, what: str, *, n_required: int | None = None) -> list[Any]:
    """Return the fields of a layout, each of its type; what follows them is dropped."""
    if len(values) < (len(layout) if n_required is None else n_required):
        raise RemoteProtocolError(f"{what} ends before its field {layout[len(values)][0]}")
    checked = list(values[: len(layout)])
    for i, (name, kind) in enumerate(layout[: len(checked)]):
        if not _CHECKS[kind](checked[i]):
            raise RemoteProtocolError(f"{what} has {checked[i]!r:.60} for its field {name}, which is a {kind}")
        if kind == "f32":
            checked[i] = _to_float(checked[i], name)
    return checked


def _to_float(value: float, name: str) -> float:
    return float(value)  # an int of at most 64 bits always fits


def encode_message(message: m.Message) -> bytes:
    """Write a message in its canonical form: shortest integers, every real number as f32.

    Raises
    ------
    LocalProtocolError
        A field is of the wrong type or outside its range.
    """
    cls = message.__class__
    items: list[object] = [int(message.TYPE)]
    for name, kind in _LAYOUTS[cls]:
        items.append(_to_wire(getattr(message, name), kind, f"{cls.__name__}.{name}"))
    if isinstance(message, m.StimulusMessage):
        items.insert(2, message.OPERATION)
    if isinstance(message, m.Description) and (layout := _BODIES.get(message.kind)):
        if len(message.body) < len(layout):
            raise LocalProtocolError(f"Description.body ends before its field {layout[len(message.body)][0]}")
        body = [
            _to_wire(v, kind, f"Description.body.{name}") for v, (name, kind) in zip(message.body, layout, strict=False)
        ]
        items[5] = (*body, *message.body[len(layout) :])
    try:
        return cast("bytes", msgpack.packb(items, use_single_float=True))
    except (ValueError, TypeError, OverflowError) as error:
        raise LocalProtocolError(f"{cls.__name__} cannot be written as msgpack: {error}") from error


def _to_wire(value: object, kind: str, what: str) -> object:
    """Check one field that we are about to send."""
    if isinstance(value, list):
        value = tuple(value)
    elif isinstance(value, int) and value.__class__ is not bool:
        value = int(value)  # an IntEnum is as good as its number
    if not _CHECKS[kind](value):
        raise LocalProtocolError(f"{what} is {value!r:.60}, which is not a {kind}")
    if kind == "f32":
        value = float(cast("float", value))
    for number in cast("tuple[object, ...]", value) if kind == "pairs" else (value,):
        if isinstance(number, float) and math.isfinite(number) and abs(number) > _F32_MAX:
            raise LocalProtocolError(f"{what} is {number!r}, which does not fit an f32")
    return value


def decode_samples(block: m.BlockMessage, n_channels: int) -> npt.NDArray[np.int16]:
    """Give a block's samples.

    Parameters
    ----------
    block : BlockMessage
    n_channels : int
        As the hello said.

    Returns
    -------
    int16 array, shape (n, n_channels)
        Read-only, channel-major in memory; of codec 0 a view of the payload.

    Raises
    ------
    RemoteProtocolError
        Unknown codec, no samples, or a payload of the wrong length.
    """
    return samples_of(block.payload, block.n, n_channels, block.codec)


def samples_of(payload: bytes, n: int, n_channels: int, codec: int) -> npt.NDArray[np.int16]:
    """Decode a payload; see `decode_samples`."""
    if codec == CODEC_PACKED:
        return decode_packed(payload, n, n_channels)
    if codec != CODEC_RAW:
        raise RemoteProtocolError(f"a block has codec {codec}; this version knows codecs 0 and 1 only")
    if n < 1 or n_channels < 1 or len(payload) != 2 * n * n_channels:
        raise RemoteProtocolError(
            f"a block of {n} samples of {n_channels} channels has {len(payload)} bytes of payload, "
            f"not {2 * n * n_channels}"
        )
    # The transpose of frombuffer(...).reshape(n_channels, n), in one call instead of three.
    return np.ndarray((n, n_channels), _INT16, payload, 0, (2, 2 * n))
