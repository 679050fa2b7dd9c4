"""The stock generations as data: what each sends, what it takes, and at which baud rates it has been seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from spikedaq.model import ChannelInfo, ConfigError, PresetInfo
from spikedaq.stock import commands, presets
from spikedaq.stock.binary import SYN1_VM, SYN2_VM, BinaryDecoder
from spikedaq.stock.items import I16_LIMIT, Decoder
from spikedaq.stock.settings import Setting
from spikedaq.stock.text import TextDecoder, TextFormat

_MV = ("mV", 1, -2)
_AU = ("a.u.", 1, -2)
_ONE = ("1", 1, 0)


def _channel(name: str, unit: tuple[str, int, int]) -> ChannelInfo:
    return ChannelInfo(name, *unit)


# protocol/README.md, section 4.2
CHANNELS: Final = (
    _channel("vm", _MV),
    _channel("stimulus", ("%", 1, 0)),
    _channel("i_total", _AU),
    _channel("syn1_vm", _MV),
    _channel("syn1_i", _AU),
    _channel("syn2_vm", _MV),
    _channel("syn2_i", _AU),
    _channel("trigger", _ONE),
)
CLAMP_CHANNELS: Final = (
    CHANNELS[0],
    _channel("v_command", _MV),
    _channel("i_clamp_out", _AU),
    *CHANNELS[3:],
)
# v1 has digital inputs where later boards have voltages, and a photodiode and a jack of their own.
_V1_CHANNELS: Final = (
    _channel("vm", _MV),
    _channel("i_total", _AU),
    _channel("stimulus_on", _ONE),
    _channel("syn1_in", _ONE),
    _channel("syn2_in", _ONE),
    _channel("i_photo", _AU),
    _channel("i_in", _AU),
    _channel("i_syn", _AU),
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """One stock generation.

    Attributes
    ----------
    name : str
        Also the board's name in a hello, and the value of the URL option ``dialect``.
    firmware : str
        As known.
    kind : str
        Which decoder: binary, v2.4, v2.2, v1-9, v1-4 or v1-2.
    channels : tuple of ChannelInfo
    scales : int32 array, shape (n_channels,)
        A decoder's number times this, divided by 100 where ``is_text``, is the raw value of the channel.
    bauds : tuple of int
        Seen in the field, likeliest first; native USB ignores them.
    settings : tuple of Setting
    presets : tuple of PresetInfo
    nominal_us : int or None
        Loop period where the firmware keeps one.
    syn_scale : int or None
        Raw steps of a synapse's voltage per mV; None where it has to be seen from the values.
    overflow : str
        What becomes of a value beyond 16 bits: wraps, saturates or none.
    neuron_word : str
        NE (a b c d) or NEU (a b c d and an index) where a neuron of one's own can be set; else "".
    """

    name: str
    firmware: str
    kind: str
    channels: tuple[ChannelInfo, ...]
    scales: npt.NDArray[np.int32]
    bauds: tuple[int, ...]
    settings: tuple[Setting, ...]
    presets: tuple[PresetInfo, ...] = ()
    nominal_us: int | None = None
    syn_scale: int | None = None
    overflow: str = "none"
    neuron_word: str = ""
    clamp_channels: tuple[ChannelInfo, ...] = ()

    @property
    def is_text(self) -> bool:
        """Whether rows are lines of text."""
        return self.kind != "binary"

    @property
    def has_ticks(self) -> bool:
        """Whether each row carries the board's own microseconds."""
        return self.kind.startswith("v1")

    def decoder(self) -> Decoder:
        """Return a new decoder."""
        return DECODERS[self.kind]()

    def samples(self, values: npt.NDArray[np.int32], syn_scale: int | None) -> tuple[npt.NDArray[np.int16], bool]:
        """Turn a decoder's rows into raw values of the channels.

        Parameters
        ----------
        values : int32 array, shape (n_rows, n_channels)
        syn_scale : int or None
            1 or 100 where the dialect does not say; while None the synapses' voltages are 0.

        Returns
        -------
        samples : int16 array, shape (n_rows, n_channels)
        saturated : bool
            At least one value did not fit, or the board says that it did not.
        """
        wide = values.astype(np.int64) * self.scales
        if self.is_text:
            wide = np.rint(wide / 100).astype(np.int64)
        else:
            factor = {None: 0, 1: 100, 100: 1}[self.syn_scale or syn_scale]
            wide[:, (SYN1_VM, SYN2_VM)] *= factor
        cut = np.clip(wide, -I16_LIMIT, I16_LIMIT)
        saturated = bool((cut != wide).any()) or (
            self.overflow == "saturates" and bool((np.abs(cut) == I16_LIMIT).any())
        )
        return cut.astype(np.int16), saturated


_V1_SEPARATOR: Final = rb"(?:,[ \t]*|\t)"
_FORMATS: Final = {
    "v2.4": TextFormat("fifififb", b","),
    "v2.2": TextFormat("nnnnnnn", b","),
    "v1-9": TextFormat("nnnnnnnnu", _V1_SEPARATOR),
    "v1-4": TextFormat("nnnu", _V1_SEPARATOR),
    "v1-2": TextFormat("nu", _V1_SEPARATOR),
}


def _text_decoder(kind: str) -> Callable[[], Decoder]:
    return lambda: TextDecoder(_FORMATS[kind])


DECODERS: Final[MappingProxyType[str, Callable[[], Decoder]]] = MappingProxyType(
    {"binary": BinaryDecoder, **{kind: _text_decoder(kind) for kind in _FORMATS}}
)

_ONES: Final = np.ones(8, np.int32)
# Hundredths to raw: mV and a.u. are hundredths already (x 100 / 100), whole per cents and 0/1 are not (x 1 / 100).
_V24_SCALES: Final = np.array([100, 1, 100, 100, 100, 100, 100, 1], np.int32)
_V1_SCALES: Final = np.array([100, 100, 1, 1, 1, 100, 100, 100], np.int32)
_ESP32_BAUDS: Final = (500000, 250000)
_V1_BAUDS: Final = (234000, 230400)


def _v1(kind: str, columns: tuple[int, ...], mode: int) -> Dialect:
    channels = tuple(_V1_CHANNELS[k] for k in columns)
    firmware = f"v1 (2018-2022, FastMode {mode})"
    name = "stock-v1" if mode == 0 else f"stock-v1-fast{mode}"
    return Dialect(name, firmware, kind, channels, _V1_SCALES[list(columns)], _V1_BAUDS, commands.READ_ONLY)


DIALECTS: Final[MappingProxyType[str, Dialect]] = MappingProxyType(
    {
        dialect.name: dialect
        for dialect in (
            Dialect(
                "stock-v2.5", "v2.5 (2025)", "binary", CHANNELS, _ONES, _ESP32_BAUDS, commands.S25, presets.ESP32,
                nominal_us=2000, syn_scale=1, overflow="wraps",
            ),
            Dialect(
                "stock-v2.5-2026", "v2.5 (2026)", "binary", CHANNELS, _ONES, _ESP32_BAUDS, commands.N25, presets.ESP32,
                nominal_us=2000, overflow="saturates", neuron_word="NE", clamp_channels=CLAMP_CHANNELS,
            ),
            Dialect(
                "stock-v3", "v3 (2026)", "binary", CHANNELS, _ONES, _ESP32_BAUDS, commands.N3, presets.ESP32,
                nominal_us=2000, syn_scale=100, overflow="saturates", neuron_word="NE", clamp_channels=CLAMP_CHANNELS,
            ),
            Dialect(
                "stock-v2.4", "v2.4 (2025)", "v2.4", CHANNELS, _V24_SCALES, (250000,), commands.V24, presets.V24,
                neuron_word="NEU",
            ),
            Dialect(
                "stock-v2.2", "v2.2 (2023-2024)", "v2.2", CHANNELS[:7], _V24_SCALES[:7], (115200, 250000),
                commands.READ_ONLY,
            ),
            _v1("v1-9", (0, 1, 2, 3, 4, 5, 6, 7), 0),
            _v1("v1-4", (0, 1, 2), 1),
            _v1("v1-2", (0,), 2),
        )
    }
)  # fmt: skip

BAUDS: Final = (500000, 250000, 115200, 234000, 230400)
"""What a port is tried at, in this order: the newest boards first. 921600 was an experiment and is not tried."""


def dialect_named(name: str) -> Dialect:
    """Return a dialect by its name.

    Raises
    ------
    ConfigError
        There is none; the text lists them.
    """
    try:
        return DIALECTS[name]
    except KeyError:
        raise ConfigError(f"there is no stock dialect {name!r}; there are {', '.join(DIALECTS)}") from None
