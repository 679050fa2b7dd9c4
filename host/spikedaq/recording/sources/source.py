"""What stands behind a recording: where its segments come from, and what else is known there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.clock import ClockDrift
from spikedaq.model import DeviceInfo
from spikedaq.recording.segments import Channel, Segment
from spikedaq.store import StoredEpoch, StoredEvent, StoredGap, StoredNote, StoredParameter


class Source:
    """Base of every source; one of a kind of files sets what it knows and overrides what it has.

    Attributes
    ----------
    name : str
    channels : tuple of Channel
    channel_ids : tuple of int or str
        One for each channel, no two alike.
    fs_hz : float
    dtype : numpy dtype
        Of raw samples.
    segments : tuple of Segment
        Those of now; `refresh` may change them.
    opened : dict or None
        How to open it again, plain values with the key ``kind``; None where it is only in memory.
    paths : list of Path or str
        What it reads; for messages and summaries.
    session, bench, device : str or None
    device_info : DeviceInfo or None
    reference_utc_ns : int or None
        The instant that times count from: UTC, nanoseconds since 1970.
    flags : tuple of str
        What a reader must know.
    is_live : bool
        It may still grow.
    drift : ClockDrift or None
        What its times are corrected by, as stored they are where it is None.
    ordered : bool
        Each segment begins after the one before it: one may be found by its time without asking all.
    """

    name: str
    channels: tuple[Channel, ...]
    channel_ids: tuple[int | str, ...]
    fs_hz: float
    dtype: np.dtype[Any]
    opened: dict[str, Any] | None = None
    session: str | None = None
    bench: str | None = None
    device: str | None = None
    device_info: DeviceInfo | None = None
    reference_utc_ns: int | None = None
    is_live: bool = False
    ordered: bool = False
    drift: ClockDrift | None = None

    def __init__(self) -> None:
        self.paths: list[Path | str] = []
        self.flags: tuple[str, ...] = ()
        self.segments: tuple[Segment, ...] = ()

    @property
    def gaps(self) -> list[StoredGap]:
        """What is missing, and why."""
        return []

    @property
    def events(self) -> list[StoredEvent]:
        """Spikes, triggers and other events of the device."""
        return []

    @property
    def parameters(self) -> list[StoredParameter]:
        """Values and changes of parameters."""
        return []

    @property
    def notes(self) -> list[StoredNote]:
        """Notes."""
        return []

    @property
    def epochs(self) -> list[StoredEpoch]:
        """Triggers with their windows."""
        return []

    def refresh(self) -> None:
        """Look how far it has grown."""

    def close(self) -> None:
        """Close its files; they are opened again when something is asked."""


class ArraySource(Source):
    """Segments that are there already, in memory or mapped into it."""

    def __init__(
        self,
        segments: Sequence[Segment],
        channels: Sequence[Channel],
        *,
        fs_hz: float,
        dtype: npt.DTypeLike,
        channel_ids: Sequence[int | str],
        name: str = "recording",
        opened: dict[str, Any] | None = None,
        reference_utc_ns: int | None = None,
        flags: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.name = name
        self.segments = tuple(segments)
        self.channels = tuple(channels)
        self.channel_ids = tuple(channel_ids)
        self.fs_hz = fs_hz
        self.dtype = np.dtype(dtype)
        self.opened = opened
        self.reference_utc_ns = reference_utc_ns
        self.flags = tuple(flags)
