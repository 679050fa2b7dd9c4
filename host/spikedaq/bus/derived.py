"""Derived streams: what a client computes of a device's samples and publishes for all through the daemon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from spikedaq.bus.message import BUS_VERSION, Message
from spikedaq.bus.samples import LAYOUT
from spikedaq.bus.topics import ALARMS, EVENTS, SAMPLES, STATUS
from spikedaq.model import ChannelInfo, ConfigError, RemoteProtocolError, check_session_name

RESERVED = (SAMPLES, EVENTS, STATUS, ALARMS, "spikes")
"""Streams that are the daemon's own, now or later."""
DTYPE = "f4"
"""Type of the values: IEEE 754, 32 bits, little-endian; NaN where there is no value. They are in the channel's unit."""
MAX_CHANNELS = 64
MAX_VALUES = 1 << 17
"""In one message: half of what a control request can carry."""
MAX_PITCH_STEPS = 10_000_000
_MAX_NAME_CHARS = 40
_MAX_UNIT_CHARS = 16
_MAX_SETTINGS = 64
_MAX_TEXT_CHARS = 200


@dataclass(frozen=True, slots=True)
class DerivedInfo:
    """What a derived stream is.

    Attributes
    ----------
    stream : str
        Its name in the topic.
    channels : tuple of ChannelInfo
        Names and units; values come in these units.
    pitch_steps : int
        Model steps from value to value.
    settings : map
        How it is computed: names with numbers, texts or booleans; for people and for whoever computes it again.
    """

    stream: str
    channels: tuple[ChannelInfo, ...]
    pitch_steps: int
    settings: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_map(cls, stream: Any, channels: Any, pitch_steps: Any, settings: Any) -> Self:
        """Build from what a client sent.

        Raises
        ------
        ConfigError
            A name that is taken by the daemon or cannot stand in a topic, channels or settings that are none.
        """
        if not isinstance(stream, str) or len(stream) > _MAX_NAME_CHARS:
            raise ConfigError(f"a stream's name must be a text of at most {_MAX_NAME_CHARS} characters")
        check_session_name(stream, "stream name")
        if stream in RESERVED:
            raise ConfigError(f"the stream {stream!r} is the daemon's own; choose another name, such as 'imaging'")
        if type(pitch_steps) is not int or not 1 <= pitch_steps <= MAX_PITCH_STEPS:
            raise ConfigError(f"'pitch_steps' must be a whole number of model steps, from 1 to {MAX_PITCH_STEPS}")
        return cls(stream, _channels(channels), pitch_steps, _settings(settings))

    def to_map(self) -> dict[str, Any]:
        """Return it as ``describe`` tells it."""
        return {
            "stream": self.stream,
            "channels": [asdict(channel) for channel in self.channels],
            "pitch_steps": self.pitch_steps,
            "dtype": DTYPE,
            "settings": self.settings,
        }


def _channels(value: Any) -> tuple[ChannelInfo, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_CHANNELS:
        raise ConfigError(f"'channels' must be a list of 1 to {MAX_CHANNELS} maps with name and unit")
    channels = []
    for each in value:
        name, unit = (each.get("name"), each.get("unit")) if isinstance(each, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(unit, str):
            raise ConfigError("each of 'channels' must be a map with the texts name and unit")
        if not (1 <= len(name) <= _MAX_NAME_CHARS and name.isprintable()):
            raise ConfigError(f"a channel's name must have 1 to {_MAX_NAME_CHARS} printable characters")
        if not (len(unit) <= _MAX_UNIT_CHARS and unit.isprintable()):
            raise ConfigError(f"a channel's unit must have at most {_MAX_UNIT_CHARS} printable characters")
        channels.append(ChannelInfo(name, unit, 1, 0))
    names = [channel.name for channel in channels]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"two channels are called {twice[0]!r}; give each a name of its own")
    return tuple(channels)


def _settings(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > _MAX_SETTINGS:
        raise ConfigError(f"'settings' must be a map of at most {_MAX_SETTINGS} entries")
    for name, item in value.items():
        texts = [text for text in (name, item) if isinstance(text, str)]
        if not isinstance(name, str) or not isinstance(item, str | int | float | bool | None):
            raise ConfigError("'settings' must have texts as names, and numbers, texts or booleans as values")
        if any(len(text) > _MAX_TEXT_CHARS for text in texts):
            raise ConfigError(f"a name or text in 'settings' has more than {_MAX_TEXT_CHARS} characters")
    return dict(value)


@dataclass(frozen=True, slots=True)
class DerivedPlace:
    """Where the first value of a message stands; the next ones follow at the stream's pitch.

    ``step_us`` is the device's time per model step; ``tick``, ``t_ns`` and ``u_ns`` are as in `samples`, None where the
    publisher does not know.
    """

    boot_id: int
    step: int
    step_us: int
    tick: int | None = None
    t_ns: int | None = None
    u_ns: int | None = None


def derived_header(info: DerivedInfo, place: DerivedPlace, *, count: int, n: int, epoch: str) -> dict[str, Any]:
    """Header of a message with ``count`` values of each channel; ``n`` and ``epoch`` as in `samples_header`."""
    return {
        "v": BUS_VERSION,
        "n": n,
        "epoch": epoch,
        "boot": place.boot_id,
        "stream": info.stream,
        "step": place.step,
        "tick": place.tick,
        "step_us": place.step_us,
        "pitch_steps": info.pitch_steps,
        "count": count,
        "channels": len(info.channels),
        "dtype": DTYPE,
        "t_ns": place.t_ns,
        "u_ns": place.u_ns,
        "layout": LAYOUT,
    }


def derived_payload(values: npt.NDArray[np.floating[Any]]) -> bytes:
    """Return values (n, n_channels) as they go on the bus: rounded to 32 bits, channel by channel."""
    return np.asarray(values.T, dtype="<f4").tobytes()


def decode_derived(message: Message) -> npt.NDArray[np.float32]:
    """Return the values of a message of a derived stream.

    Returns
    -------
    float32 array, shape (n_values, n_channels)
        In the units that ``describe`` tells; read-only view of the payload.

    Raises
    ------
    RemoteProtocolError
        The header lacks the shape, states a type or layout that we do not know, or the payload has another size.
    """
    header: Mapping[str, Any] = message.header
    count, channels = header.get("count"), header.get("channels")
    if header.get("layout") != LAYOUT or header.get("dtype") != DTYPE:
        raise RemoteProtocolError(
            f"values on {message.topic!r} have the unknown layout {header.get('layout')!r} "
            f"or type {header.get('dtype')!r}; a newer spikedaq may know it"
        )
    if type(count) is not int or type(channels) is not int or count < 1 or channels < 1:
        raise RemoteProtocolError(
            f"values on {message.topic!r} have no usable shape: count {count!r}, channels {channels!r}"
        )
    if len(message.payload) != count * channels * 4:
        raise RemoteProtocolError(
            f"values on {message.topic!r}: {len(message.payload)} bytes do not hold {count} values of "
            f"{channels} channels ({count * channels * 4} bytes)"
        )
    return np.frombuffer(message.payload, dtype="<f4").reshape(channels, count).T
