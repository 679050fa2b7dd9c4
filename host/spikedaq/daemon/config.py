"""What a daemon can be told: the tables of spikedaq.toml, each key with its meaning and bounds.

`spikedaq.daemon.config_file` reads them. The descriptions here are what docs/reference/configuration.md is made of.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct, field, to_builtins

DEFAULT_CONTROL = "tcp://127.0.0.1:5571"
DEFAULT_PUBLISH = "tcp://127.0.0.1:5570"

# JSON, which the configuration is stored as in every file, has no infinity.
_MOST = 1e15
Seconds = Annotated[float, Meta(gt=0, le=_MOST)]
Bytes = Annotated[int, Meta(gt=0, le=2**62)]
Name = Annotated[str, Meta(min_length=1)]

RELOADED = {"reloaded": True}
"""Marks a key that SIGHUP reads anew; any other key that changed is refused until the next start."""


class DeviceConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """A device: the name everybody calls it by, and where it is found."""

    name: Annotated[str, Meta(description="what everybody calls it; the second part of every topic")]
    url: Annotated[str, Meta(description="URL of its link, for instance `serial:/dev/ttyUSB0`")]


class RecordingConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How recordings are written, unless their start says otherwise."""

    roll_s: Annotated[Seconds | None, Meta(description="begin a new file after so many seconds", extra=RELOADED)] = (
        3600.0
    )
    roll_bytes: Annotated[Bytes | None, Meta(description="and after so many bytes", extra=RELOADED)] = None
    experimenter: Annotated[str | None, Meta(description='"Family, Given", for the files', extra=RELOADED)] = None


class JournalConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is kept of what the devices send, recorded or not."""

    ring_bytes: Annotated[
        Bytes, Meta(description="kept of each device's journal when nothing records", extra=RELOADED)
    ] = 2 * 2**30


class DaemonConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything a daemon is told."""

    bench: Annotated[str, Meta(description="name of the bench, the first part of every topic")] = "bench"
    control: Annotated[str, Meta(description="ZeroMQ endpoint for requests")] = DEFAULT_CONTROL
    publish: Annotated[str, Meta(description="ZeroMQ endpoint of the streams")] = DEFAULT_PUBLISH
    data: Annotated[
        Path, Meta(description="folder of journals and recordings; a relative one counts from the configuration's")
    ] = Path("spikedaq-data")
    devices: Annotated[tuple[DeviceConfig, ...], Meta(description="one table per device")] = field(
        default=(), name="device"
    )
    recording: RecordingConfig = RecordingConfig()
    journal: JournalConfig = JournalConfig()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, in the form of spikedaq.toml, for the files."""
        values: dict[str, Any] = to_builtins(self, enc_hook=str)
        return values
