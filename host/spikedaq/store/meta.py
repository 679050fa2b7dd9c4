"""What a file is told of itself when it is created, and what it says when it is closed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from spikedaq.model import (
    ChannelInfo,
    ClampMode,
    DamagedFileError,
    DeviceInfo,
    GapCause,
    Holder,
    ParameterInfo,
    ParameterType,
    PresetInfo,
    StoreError,
)

FORMAT_VERSION = 1
"""Version of this layout (docs/reference/recording-file.md); a reader refuses a higher one."""


@dataclass(frozen=True)
class FileMeta:
    """Everything that is known of a recording file before its first sample.

    Attributes
    ----------
    session, bench, device : str
        Names; they become parts of the file's identifier.
    number : int
        Number of the file within session and device, from 0.
    info : DeviceInfo
        The device's hello and descriptions, parameters with the values they have as the file starts.
    reference_utc_ns : int
        UTC of the session's reference time, nanoseconds since 1970. All times in the file count from it.
    reference_host_ns : int
        CLOCK_BOOTTIME of the same instant, nanoseconds.
    step_us : int
        Time between samples as the file starts, in microseconds; it decides the chunk size.
    config : dict
        Effective configuration, anything that JSON can hold.
    recording : dict
        What the session was begun with: its mode, how its files roll, the triggers that were armed.
    notes : str
    experimenter, institution, lab : str or None
    mode : ClampMode
        Clamp mode of every sample in the file; it decides which of the device's channel descriptions hold.
    """

    session: str
    bench: str
    device: str
    number: int
    info: DeviceInfo
    reference_utc_ns: int
    reference_host_ns: int
    step_us: int
    config: dict[str, Any]
    recording: dict[str, Any] = field(default_factory=dict)
    notes: str = ""
    experimenter: str | None = None
    institution: str | None = None
    lab: str | None = None
    mode: ClampMode = ClampMode.CURRENT

    @property
    def channels(self) -> tuple[ChannelInfo, ...]:
        """The channels that the file holds, in the device's order."""
        return self.info.channels_in(self.mode)


@dataclass(frozen=True, slots=True)
class LastBlock:
    """Where the samples on disk end: what a gap tracker needs to go on after a restart."""

    boot_id: int
    seq: int
    next_step: int
    next_tick: int
    step_us: int


@dataclass(frozen=True, slots=True)
class Epoch:
    """A trigger that fired, with its window; host times (CLOCK_BOOTTIME) in nanoseconds.

    ``boot_id``, ``step`` and ``tick`` are those of the device on which it fired, which need not be the file's.
    """

    trigger: str
    device: str
    start_ns: int
    stop_ns: int
    t_trigger_ns: int
    value: float
    boot_id: int
    step: int
    tick: int


@dataclass(frozen=True, slots=True)
class ClosedFile:
    """A file that will not change any more, as its manifest names it. Times in seconds since the reference time."""

    path: Path
    sha256: str
    n_bytes: int
    n_samples: int
    first_step: int
    next_step: int
    boot_id: int
    start_s: float
    stop_s: float
    gaps: dict[str, int | None]
    """Samples missing within the file, by cause; every cause of :class:`GapCause` is a key. None: not countable."""
    saturated_blocks: int
    reason: str
    n_runs: int = 1
    """Stretches of samples with nothing but recorded gaps in them: windows of a triggered or scheduled recording."""
    n_notes: int = 0
    """Notes that people made."""


def no_gaps() -> dict[str, int]:
    """Return a zero for every cause."""
    return {cause.value: 0 for cause in GapCause}


def countable(gaps: Mapping[str, int], *, translated: bool) -> dict[str, int | None]:
    """Return gaps with None for the causes that nobody can see in a translated board's stream."""
    unseen = (GapCause.LOST, GapCause.OVERRUN) if translated else ()
    return {cause: None if cause in unseen else n for cause, n in gaps.items()}


def _json_number(value: Any) -> Any:
    """Put null for NaN, which JSON does not know: what a translated board's knobs say cannot be read."""
    if isinstance(value, dict):
        return {key: _json_number(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_number(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _nan_for_null(data: dict[str, Any]) -> dict[str, Any]:
    return {key: math.nan if value is None else value for key, value in data.items()}


def meta_to_json(meta: FileMeta, start_offset: int) -> str:
    """Return the text of ``/general/data_collection``."""
    document = {
        "format": "spikedaq",
        "format_version": FORMAT_VERSION,
        "session": meta.session,
        "bench": meta.bench,
        "device": meta.device,
        "number": meta.number,
        "reference_utc_ns": meta.reference_utc_ns,
        "reference_host_ns": meta.reference_host_ns,
        "step_us": meta.step_us,
        "mode": str(meta.mode),
        "start_offset": start_offset,
        "notes": meta.notes,
        "experimenter": meta.experimenter,
        "institution": meta.institution,
        "lab": meta.lab,
        "device_info": _json_number(asdict(meta.info)),
        "recording": meta.recording,
        "config": meta.config,
    }
    return json.dumps(document, ensure_ascii=False, indent=1, default=str)


# A recording's files are opened over and over, and each has some 10 kB of it.
@lru_cache(maxsize=64)
def meta_from_json(text: str, path: Path) -> tuple[FileMeta, int]:
    """Return the meta and the journal offset at which the file starts.

    Raises
    ------
    DamagedFileError
        Not the text of a spikedaq file.
    StoreError
        That of a later version.
    """
    try:
        document = json.loads(text)
        version = document["format_version"] if document["format"] == "spikedaq" else None
    except (ValueError, TypeError, KeyError):
        version = None
    if version is None:
        raise DamagedFileError(f"{path} was not written by spikedaq: /general/data_collection does not say so")
    if version > FORMAT_VERSION:
        raise StoreError(
            f"{path} has layout version {version}, this spikedaq knows up to {FORMAT_VERSION}; use a newer spikedaq"
        )
    try:
        meta = FileMeta(
            session=document["session"],
            bench=document["bench"],
            device=document["device"],
            number=document["number"],
            info=_info_from_dict(document["device_info"]),
            reference_utc_ns=document["reference_utc_ns"],
            reference_host_ns=document["reference_host_ns"],
            step_us=document["step_us"],
            config=document["config"],
            recording=document.get("recording") or {},
            notes=document["notes"],
            experimenter=document["experimenter"],
            institution=document.get("institution"),
            lab=document.get("lab"),
            mode=ClampMode(document.get("mode", ClampMode.CURRENT)),
        )
        return meta, int(document["start_offset"])
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFileError(
            f"{path}: /general/data_collection lacks or garbles {error}; the file is damaged"
        ) from error


def _info_from_dict(data: dict[str, Any]) -> DeviceInfo:
    parameters = tuple(
        ParameterInfo(**{**_nan_for_null(p), "type": ParameterType(p["type"]), "holder": Holder(p["holder"])})
        for p in data["parameters"]
    )
    return DeviceInfo(
        **{
            **data,
            "protocol_version": (data["protocol_version"][0], data["protocol_version"][1]),
            "channels": tuple(ChannelInfo(**c) for c in data["channels"]),
            "clamp_channels": tuple(ChannelInfo(**c) for c in data.get("clamp_channels", ())),
            "parameters": parameters,
            "presets": tuple(PresetInfo(**_nan_for_null(p)) for p in data["presets"]),
            "counts": tuple(data["counts"]),
        }
    )
