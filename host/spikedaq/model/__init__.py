"""The nouns of spikedaq: plain, frozen values that every room may use. No I/O, no behaviour beyond arithmetic."""

from spikedaq.model.clock import ClockMap
from spikedaq.model.device import (
    ChannelInfo,
    ClampMode,
    DeviceInfo,
    Holder,
    InputReading,
    ParameterInfo,
    ParameterType,
    PresetInfo,
    Trait,
)
from spikedaq.model.errors import (
    CommandError,
    CommandRejected,
    CommandTimeout,
    ConfigError,
    DamagedFileError,
    DiskFullError,
    LinkError,
    LinkLostError,
    LinkOpenError,
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
    SpikedaqError,
    StoreError,
)
from spikedaq.model.names import check_session_name
from spikedaq.model.stream import MODEL_STEP_MS, Block, BlockFlag, Event, EventKind, Gap, GapCause
from spikedaq.model.texts import duration_text

__all__ = [
    "MODEL_STEP_MS",
    "Block",
    "BlockFlag",
    "ChannelInfo",
    "ClampMode",
    "ClockMap",
    "CommandError",
    "CommandRejected",
    "CommandTimeout",
    "ConfigError",
    "DamagedFileError",
    "DeviceInfo",
    "DiskFullError",
    "Event",
    "EventKind",
    "Gap",
    "GapCause",
    "Holder",
    "InputReading",
    "LinkError",
    "LinkLostError",
    "LinkOpenError",
    "LocalProtocolError",
    "ParameterInfo",
    "ParameterType",
    "PresetInfo",
    "ProtocolError",
    "RemoteProtocolError",
    "SpikedaqError",
    "StoreError",
    "Trait",
    "check_session_name",
    "duration_text",
]
