"""The state of a device and of a recording, as the `status` stream and the `status` request tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from spikedaq.bus.message import BUS_VERSION
from spikedaq.model import RemoteProtocolError


@dataclass(frozen=True, slots=True)
class _FromMap:
    @classmethod
    def from_map(cls, values: Mapping[str, Any]) -> Self:
        """Build from a received map; keys that this version does not know are ignored.

        Raises
        ------
        RemoteProtocolError
            A key without a default is missing.
        """
        known = {f.name for f in fields(cls)}
        try:
            return cls(**{key: value for key, value in values.items() if key in known})
        except TypeError as error:
            raise RemoteProtocolError(f"a {cls.__name__} is not complete: {error}") from error

    def to_map(self) -> dict[str, Any]:
        """Return the map that goes on the wire."""
        return asdict(self)


Gaps = dict[str, int | None]


def _no_gaps() -> Gaps:
    return {"lost": 0, "overrun": 0, "dropped": 0}


def _quiet_link() -> dict[str, int]:
    return dict.fromkeys(
        ("frames_missing", "frames_resent", "frames_held", "duplicates", "resend_requests", "resend_given_up"), 0
    )


@dataclass(frozen=True, slots=True)
class FileStatus(_FromMap):
    """What the recorder says of the file it is writing for one device.

    Attributes
    ----------
    state : str
        waiting: no samples come; armed: it waits for a trigger or a clock time; recording: the file grows;
        stalled: samples come and it does not grow; closing; closed or failed.
    file : str or None
        Absolute path of the newest file.
    bytes, samples, rows_on_disk : int
        Size of ``file``; samples in the session so far, written, and readable on disk.
    gaps : map
        Missing samples in the session by cause: lost, overrun, dropped; None where they cannot be counted.
    error : str or None
    windows : int
        Windows so far, of a triggered or scheduled recording.
    """

    state: str
    file: str | None = None
    bytes: int = 0
    samples: int = 0
    rows_on_disk: int = 0
    gaps: Gaps = field(default_factory=_no_gaps)
    saturated: int = 0
    offset: int = 0
    error: str | None = None
    windows: int = 0


@dataclass(frozen=True, slots=True)
class RecordingStatus(_FromMap):
    """One session: its folder, state and, by device name, a `FileStatus` as a map.

    ``state`` is recording, armed between windows, waiting or stalled where no file grows, stopping, complete or
    interrupted; ``reason`` says why it ended.
    """

    session: str
    state: str
    folder: str
    started_utc_ns: int = 0
    devices: dict[str, dict[str, Any]] = field(default_factory=dict)
    restarts: int = 0
    """How often the recorder process had to be started again."""
    reason: str | None = None
    mode: dict[str, Any] = field(default_factory=dict)
    """What of it is recorded, as `record_start` took it; ``kind`` is continuous, triggered or scheduled."""
    ends_utc_ns: int | None = None
    """When it ends by itself, by the daemon's clock as it was set at the start; None where somebody has to end it."""


@dataclass(frozen=True, slots=True)
class DeviceStatus(_FromMap):
    """One device, as published once a second, and as a recording of it begins or is over, on its `status` topic.

    Attributes
    ----------
    state : str
        opening, identifying, running, stopped, silent, lost, refused or removed.
    detail : str
        Why, where the state is not running or stopped, and what a stock board was taken for; one clear line.
    rate_hz, nominal_hz : float
        Samples per second of host time in the last second, and what the device's step period promises.
    mode : str
        Clamp mode, current or voltage.
    v_hold_mv : float or None
        Holding potential in voltage clamp; None in current clamp.
    samples, blocks, link_bytes : int
        Received since the daemon's start; bytes with all that surrounds the samples.
    gaps : map
        Missing samples since the daemon's start by cause: lost, overrun, dropped; None where they cannot be counted.
    sequence : str
        "counted", or "none" for a board that numbers nothing (a stock firmware), so that no loss can be seen.
    bad_frames, saturated_blocks : int
        Since the daemon's start.
    link : map
        Frames since the daemon's start: ``frames_missing`` for good, ``frames_resent`` that came on request,
        ``duplicates`` kept out, ``resend_requests`` sent, ``resend_given_up`` frames asked for in vain; and
        ``frames_held`` now, behind missing ones.
    clock_u_ns : int or None
        Uncertainty of the device's clock against this computer's; None while not fitted.
    journal_offset, journal_bytes : int
        Where the journal ends, and how many bytes of it are kept.
    recording : map or None
        The `FileStatus` of this device and its ``session``, while it is being recorded.
    free_bytes : int or None
        Free space on the disk of the data folder.
    lease : map or None
        Who alone may write to the device for now: ``device`` (None for the whole bench), ``holder``, ``until_utc_ns``.
    stimulus : map or None
        The waveform that it plays or has played, see `spikedaq.daemon.playing`; None while it is the square wave.
    """

    device: str
    url: str
    state: str
    detail: str = ""
    unique_id: str = ""
    board: str = ""
    firmware: str = ""
    boot: int | None = None
    rate_hz: float = 0.0
    nominal_hz: float = 0.0
    mode: str = "current"
    v_hold_mv: float | None = None
    samples: int = 0
    blocks: int = 0
    link_bytes: int = 0
    sequence: str = "counted"
    gaps: Gaps = field(default_factory=_no_gaps)
    bad_frames: int = 0
    saturated_blocks: int = 0
    link: dict[str, int] = field(default_factory=_quiet_link)
    clock_u_ns: int | None = None
    reconnects: int = 0
    journal_offset: int = 0
    journal_bytes: int = 0
    recording: dict[str, Any] | None = None
    free_bytes: int | None = None
    lease: dict[str, Any] | None = None
    stimulus: dict[str, Any] | None = None


def status_header(status: DeviceStatus, *, n: int, epoch: str, t_ns: int) -> dict[str, Any]:
    """Header of a message on a `status` topic; ``t_ns`` is the host time (CLOCK_BOOTTIME) it was true."""
    return {"v": BUS_VERSION, "n": n, "epoch": epoch, "t_ns": t_ns, **status.to_map()}
