"""What a daemon can be told: the tables of spikedaq.toml, each key with its meaning and bounds.

`spikedaq.daemon.config_file` reads them. The descriptions here are what docs/reference/configuration.md is made of.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field, to_builtins

from spikedaq.daemon.trigger_config import TriggerConfig

DEFAULT_CONTROL = "tcp://127.0.0.1:5571"
DEFAULT_PUBLISH = "tcp://127.0.0.1:5570"

# JSON, which the configuration is stored as in every file, has no infinity.
_MOST = 1e15
Seconds = Annotated[float, Meta(gt=0, le=_MOST)]
Bytes = Annotated[int, Meta(gt=0, le=2**62)]
FileBytes = Annotated[int, Meta(ge=1_000_000, le=2**62)]
"""An empty file has 160 kB: with less there would be one for each block."""
Days = Annotated[float, Meta(gt=0, le=_MOST)]
Count = Annotated[int, Meta(ge=0, le=2**62)]
Name = Annotated[str, Meta(min_length=1)]

RELOADED = {"reloaded": True}
"""Marks a key that SIGHUP reads anew; any other key that changed is refused until the next start."""


class DeviceConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """A device: the name everybody calls it by, where it is found, and how it is used."""

    name: Annotated[str, Meta(description="what everybody calls it; the second part of every topic")]
    url: Annotated[
        str | None,
        Meta(description="URL of its link, for instance `serial:/dev/ttyUSB0`; not needed with `unique_id`"),
    ] = None
    unique_id: Annotated[
        str | None,
        Meta(
            description="the board itself, 8 to 32 hexadecimal digits as `spikedaq devices` shows them: it is found on "
            "whatever port it is plugged into, and no other board answers in its place"
        ),
    ] = None
    parameters: Annotated[
        dict[str, float],
        Meta(description="parameters to set at each connection and after each reboot, before the first sample"),
    ] = {}
    record: Annotated[bool, Meta(description="whether a recording that names no devices includes it")] = True


# ids: docs/reference/boards, and the vendors' own lists.
KNOWN_USB = (
    "1a86:7523",  # CH340, of most Nanos
    "1a86:55d4",  # CH9102
    "0403:6001",  # FT232, of older Nanos
    "0403:6015",  # FT231X
    "10c4:ea60",  # CP210x, of ESP32 boards
    "2341:*",  # Arduino
    "2a03:*",  # Arduino, the other one
    "303a:*",  # Espressif: an ESP32-S3 by its own USB
)
UsbId = Annotated[str, Meta(pattern=r"^[0-9a-fA-F]{4}:([0-9a-fA-F]{4}|\*)$")]


class DiscoveryConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which ports are looked at for boards: for those given by `unique_id`, and for those that nobody named."""

    enabled: Annotated[
        bool | None,
        Meta(
            description="use boards that no `[[device]]` names, under a name made of their id; by default only where "
            "no device is named at all",
            extra=RELOADED,
        ),
    ] = None
    usb: Annotated[
        tuple[UsbId, ...],
        Meta(
            description="`vendor:product` of the serial ports that may lead to a board, `*` for any product; others "
            "are never opened",
            extra=RELOADED,
        ),
    ] = KNOWN_USB
    links: Annotated[
        tuple[str, ...],
        Meta(
            description="further links to look at, by URL or pattern of ports: `serial:/dev/ttyAMA0`, `pty:/run/b/*`, "
            "`tcp:host:port`",
            extra=RELOADED,
        ),
    ] = ()
    period_s: Annotated[Seconds, Meta(description="time between two looks at the list of ports", extra=RELOADED)] = 1.0


class RecordingModeConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What of a session is recorded, unless its start says otherwise."""

    kind: Annotated[
        Literal["continuous", "triggered", "scheduled"],
        Meta(
            description="`continuous`: everything; `triggered`: windows around triggers; `scheduled`: windows at clock "
            "times",
            extra=RELOADED,
        ),
    ] = "continuous"
    triggers: Annotated[
        tuple[str, ...] | None,
        Meta(description="with `triggered`: names of those that have windows; all where not given", extra=RELOADED),
    ] = None
    pre_s: Annotated[
        float | None,
        Meta(description="with `triggered`: seconds before each; as the trigger says where not given", extra=RELOADED),
    ] = None
    post_s: Annotated[float | None, Meta(description="and after it", extra=RELOADED)] = None
    max_pre_s: Annotated[
        float | None,
        Meta(
            description="with `triggered`: the longest window before a trigger that will be asked for; where not "
            "given, 60 or what the triggers say as the session begins",
            extra=RELOADED,
        ),
    ] = None
    every_s: Annotated[int | None, Meta(description="with `scheduled`: period in seconds", extra=RELOADED)] = None
    for_s: Annotated[float | None, Meta(description="and how many seconds of it are recorded", extra=RELOADED)] = None
    from_: Annotated[
        str | None,
        Meta(description="with `scheduled`: nothing before this date and time; periods count from it", extra=RELOADED),
    ] = field(default=None, name="from")
    until: Annotated[
        str | None, Meta(description="with `scheduled`: the session ends at this date and time", extra=RELOADED)
    ] = None
    zone: Annotated[
        str | None,
        Meta(description="with `scheduled`: time zone, such as Europe/Berlin, `local`, or UTC", extra=RELOADED),
    ] = None


class RecordingConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How recordings are written, unless their start says otherwise."""

    roll_s: Annotated[Seconds | None, Meta(description="begin a new file after so many seconds", extra=RELOADED)] = (
        3600.0
    )
    roll_bytes: Annotated[FileBytes | None, Meta(description="and after so many bytes", extra=RELOADED)] = None
    roll_aligned: Annotated[
        str | None,
        Meta(
            description="roll at clock times, at each multiple of `roll_s` since midnight, in this time zone: `utc`, "
            "`local`, or a name such as Europe/Berlin",
            extra=RELOADED,
        ),
    ] = None
    experimenter: Annotated[str | None, Meta(description='"Family, Given", for the files', extra=RELOADED)] = None
    institution: Annotated[str | None, Meta(description="where it is done, for the files", extra=RELOADED)] = None
    lab: Annotated[str | None, Meta(description="and in whose laboratory", extra=RELOADED)] = None
    folders: Annotated[
        tuple[Path, ...] | None,
        Meta(
            description="folders, beside `recordings` in `data`, that clients may look through and record in, with "
            "all below them; where not given, they may look at `recordings` only, and record anywhere. A relative one "
            "counts from the configuration's"
        ),
    ] = None
    mode: RecordingModeConfig = RecordingModeConfig()


class JournalConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is kept of what the devices send, recorded or not."""

    ring_bytes: Annotated[
        Bytes, Meta(description="kept of each device's journal when nothing records", extra=RELOADED)
    ] = 2 * 2**30
    segment_bytes: Annotated[
        int,
        Meta(
            ge=2**19,
            le=2**29,
            description="size of a journal's files; the space of the next is reserved ahead",
        ),
    ] = 64 * 2**20


class RetentionConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which recordings are deleted to make room: nothing, where no key is given.

    Only closed files that are as their manifest says, and that nobody has pinned (`spikedaq pin`), oldest first.
    """

    keep_days: Annotated[Days | None, Meta(description="delete what ended so many days ago", extra=RELOADED)] = None
    keep_files: Annotated[Count | None, Meta(description="keep so many files of each device", extra=RELOADED)] = None
    free_bytes: Annotated[
        Bytes | None,
        Meta(description="delete the oldest files until so much is free on the disk of the recordings", extra=RELOADED),
    ] = None
    running: Annotated[
        bool, Meta(description="also closed files of a session that is being recorded", extra=RELOADED)
    ] = False

    @property
    def is_active(self) -> bool:
        """Whether anything is ever deleted."""
        return not (self.keep_days is None and self.keep_files is None and self.free_bytes is None)


class DiskConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When a disk is too full."""

    reserve_bytes: Annotated[
        int,
        Meta(
            ge=0,
            le=2**62,
            description="kept free for the journals: with less, recordings are closed and wait until there is half as "
            "much again; the samples stay in the journals meanwhile",
        ),
    ] = 64 * 2**20
    low_bytes: Annotated[
        int, Meta(ge=0, le=2**62, description="an alarm is raised with less than this free", extra=RELOADED)
    ] = 2**30
    low_s: Annotated[
        float,
        Meta(
            ge=0, le=_MOST, description="and where the disk lasts for less than so many seconds as it fills now",
            extra=RELOADED,
        ),
    ] = 6 * 3600.0  # fmt: skip

    @property
    def restart_bytes(self) -> int:
        """Free space with which a recording begins, and goes on after the disk was full."""
        return self.reserve_bytes + max(self.reserve_bytes // 2, 2**20)


class AlarmsConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When the daemon says that something is wrong, and whom it tells beside those who watch."""

    stalled_s: Annotated[
        Seconds, Meta(description="a running device that sends no block for longer is stalled", extra=RELOADED)
    ] = 1.0
    frozen_s: Annotated[
        Seconds,
        Meta(description="a file that does not grow for longer while samples come in is frozen", extra=RELOADED),
    ] = 2.0
    clock_s: Annotated[
        Seconds, Meta(description="a device whose clock is known no better than this is unfit", extra=RELOADED)
    ] = 0.05
    gap_share: Annotated[
        float,
        Meta(ge=0, lt=1, description="missing samples, as a share of all in the last `gap_window_s`", extra=RELOADED),
    ] = 0.001
    gap_window_s: Annotated[
        float, Meta(gt=0, le=3600, description="over which gaps are counted, seconds", extra=RELOADED)
    ] = 10.0
    utc_step_s: Annotated[
        Seconds, Meta(description="the computer's date was set by more than this while recording", extra=RELOADED)
    ] = 1.0
    late_s: Annotated[Seconds, Meta(description="the daemon itself stood still for longer", extra=RELOADED)] = 1.0
    hold_s: Annotated[
        Seconds,
        Meta(description="how long an alarm stands about what is over at once: a restart, a drop", extra=RELOADED),
    ] = 10.0
    command: Annotated[
        tuple[Annotated[str, Meta(min_length=1)], ...],
        Meta(
            description="program and arguments to run at each alarm, without a shell; none where empty", extra=RELOADED
        ),
    ] = ()
    command_when_ended: Annotated[bool, Meta(description="run it when an alarm ends, too", extra=RELOADED)] = False
    command_timeout_s: Annotated[float, Meta(gt=0, le=3600, description="it is killed after this", extra=RELOADED)] = (
        30.0
    )
    command_quiet_s: Annotated[
        float,
        Meta(ge=0, le=1e6, description="it is not run again for the same alarm within this time", extra=RELOADED),
    ] = 60.0


class SecurityConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who may connect."""

    keys: Annotated[
        Path | None,
        Meta(
            description="folder made by `spikedaq keys`; with it every client needs an allowed key, and endpoints "
            "beyond this computer may be bound; a relative one counts from the configuration's"
        ),
    ] = None


class DaemonConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything a daemon is told."""

    bench: Annotated[str, Meta(description="name of the bench, the first part of every topic")] = "bench"
    control: Annotated[str, Meta(description="ZeroMQ endpoint for requests")] = DEFAULT_CONTROL
    publish: Annotated[str, Meta(description="ZeroMQ endpoint of the streams")] = DEFAULT_PUBLISH
    history: Annotated[
        str | None,
        Meta(description="ZeroMQ endpoint of the history; by default the port after `control`, or any free one"),
    ] = None
    data: Annotated[
        Path, Meta(description="folder of journals and recordings; a relative one counts from the configuration's")
    ] = Path("spikedaq-data")
    devices: Annotated[tuple[DeviceConfig, ...], Meta(description="one table per device", extra=RELOADED)] = field(
        default=(), name="device"
    )
    discovery: DiscoveryConfig = DiscoveryConfig()
    recording: RecordingConfig = RecordingConfig()
    journal: JournalConfig = JournalConfig()
    disk: DiskConfig = DiskConfig()
    retention: RetentionConfig = RetentionConfig()
    triggers: Annotated[
        tuple[TriggerConfig, ...],
        Meta(description="one table per trigger: a condition, and what is done when it comes true", extra=RELOADED),
    ] = field(default=(), name="trigger")
    alarms: AlarmsConfig = AlarmsConfig()
    metrics: Annotated[
        Annotated[int, Meta(ge=0, le=65535)] | None,
        Meta(description="loopback port on which Prometheus finds `/metrics`; 0 takes any free one"),
    ] = None

    @property
    def adopts(self) -> bool:
        """Whether boards that nobody named are used."""
        return not self.devices if self.discovery.enabled is None else self.discovery.enabled

    security: SecurityConfig = SecurityConfig()

    def to_json(self) -> dict[str, Any]:
        """Return every key and the value that holds as JSON values, in the form of spikedaq.toml, for the files."""
        values: dict[str, Any] = to_builtins(self, enc_hook=str)
        return values
