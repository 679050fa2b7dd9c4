"""What a population needs of a device, recorded or live."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np

from spikedaq.pynn.runs import Boundary
from spikedaq.pynn.stretches import FloatArray, Stretch
from spikedaq.pynn.variables import Selection
from spikedaq.recording import Channel


class DeviceData(ABC):
    """What is known of one device, on the clock of its handle: seconds since ``reference_utc_ns``.

    Attributes
    ----------
    label, bench : str
    cell_id : int
        Its number on the handle, from 0.
    reference_utc_ns : int or None
        UTC, nanoseconds since 1970.
    begins_s : float
        When its first run begins; minus infinity: with its first sample.
    selection : Selection
    dropped_samples, dropped_spikes : int
        What was let go because there was no room for it.
    unavailable : int
        How often something was gone before it could be had.
    """

    label: str
    bench: str
    cell_id: int
    reference_utc_ns: int | None

    def __init__(self) -> None:
        self.selection = Selection()
        self.begins_s = -math.inf
        self.resets: list[Boundary] = []
        self.runs_forgotten = 0
        self.origin_s: float | None = None
        self.dropped_samples = self.dropped_spikes = self.unavailable = 0

    @property
    @abstractmethod
    def channels(self) -> tuple[Channel, ...]:
        """What it records."""

    @property
    @abstractmethod
    def step_us(self) -> float:
        """Microseconds between samples, by its own clock."""

    @property
    @abstractmethod
    def has_spikes(self) -> bool:
        """Whether it tells of its spikes."""

    @property
    @abstractmethod
    def is_live(self) -> bool:
        """Whether it is a device of a running bench."""

    @abstractmethod
    def refresh(self) -> None:
        """Take in what has come."""

    @abstractmethod
    def stretches(self) -> list[Stretch]:
        """Return what is there of its samples, in order."""

    @abstractmethod
    def spikes_s(self) -> FloatArray:
        """Return the times of its spikes, in order, in seconds."""

    def forget(self, runs: int, origin_s: float | None) -> None:
        """Forget what is there now; ``runs`` have ended by now, and the present one began at ``origin_s``."""
        self.runs_forgotten, self.origin_s = runs, origin_s
        self._forget()

    @abstractmethod
    def _forget(self) -> None:
        """Forget samples, spikes and resets up to now."""

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections."""


def in_order(times_s: list[float]) -> FloatArray:
    """Return times as an array, in order."""
    return np.sort(np.asarray(times_s, float))
