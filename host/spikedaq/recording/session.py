"""A recorded session: every device of every bench, on one clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from spikedaq.clock import ClockDrift
from spikedaq.recording.recording import Recording
from spikedaq.recording.traces import Traces


class Session(Mapping[str, Recording]):
    """The devices of a session by name, as ``bench/device`` where two benches have one of that name.

    All times are seconds since one instant, the session's reference time, whichever bench recorded them. Where it has
    several benches, times of one whose clock is known to have drifted from its start to its stop are corrected by that,
    evenly; see `clock_drifts`.

    Attributes
    ----------
    name : str
    reference_utc_ns : int
        The reference time: UTC, nanoseconds since 1970. The earliest where files name several.
    """

    def __init__(self, name: str, reference_utc_ns: int, devices: Sequence[Recording]) -> None:
        self.name = name
        self.reference_utc_ns = reference_utc_ns
        names = [str(one.device) for one in devices]
        self._devices = {
            str(one.device) if names.count(str(one.device)) == 1 else f"{one.bench}/{one.device}": one
            for one in devices
        }

    @property
    def devices(self) -> dict[str, Recording]:
        """Its recordings by name."""
        return dict(self._devices)

    @property
    def clock_drifts(self) -> dict[str, ClockDrift | None]:
        """What each device's times are corrected by.

        None: they are as stored, since its drift is unknown, or as good as none, or there is no other bench.
        """
        return {name: device.clock_drift for name, device in self.items()}

    def __getitem__(self, name: str) -> Recording:
        """Return a device by name."""
        if name not in self._devices:
            raise KeyError(f"session {self.name} has no device {name!r}; it has {', '.join(self._devices)}")
        return self._devices[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._devices)

    def __len__(self) -> int:
        return len(self._devices)

    def __repr__(self) -> str:
        when = datetime.fromtimestamp(self.reference_utc_ns // 10**9, UTC).isoformat()
        return f"Session({self.name!r}, {when}, {', '.join(self._devices)})"

    def __str__(self) -> str:
        return "\n".join([repr(self), *(str(device) for device in self.values())])

    def read(
        self, start_s: float | None = None, stop_s: float | None = None, channels: Sequence[str] | None = None
    ) -> dict[str, Traces]:
        """Return the samples of every device with ``start_s <= t < stop_s``; see `Recording.read`."""
        return {name: device.read(start_s, stop_s, channels) for name, device in self.items()}

    def refresh(self) -> int:
        """Look how far growing files have come; return the samples of all devices."""
        return sum(device.refresh() for device in self.values())

    def close(self) -> None:
        """Close all files."""
        for device in self.values():
            device.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
