"""A recorded session: every device of every bench, on one clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from spikedaq.formats.device_recording import DeviceRecording, Traces
from spikedaq.model import StoreError
from spikedaq.store import is_file_name, open_recording


class Session(Mapping[str, DeviceRecording]):
    """The devices of a session by name, as ``bench/device`` where two benches have one of that name.

    All times are seconds since one instant, the session's reference time, whichever bench recorded them.

    Attributes
    ----------
    name : str
    reference_utc_ns : int
        The reference time: UTC, nanoseconds since 1970. The earliest where files name several.
    """

    def __init__(self, name: str, reference_utc_ns: int, devices: Sequence[DeviceRecording]) -> None:
        self.name = name
        self.reference_utc_ns = reference_utc_ns
        names = [device.device for device in devices]
        self._devices = {d.device if names.count(d.device) == 1 else f"{d.bench}/{d.device}": d for d in devices}

    def __getitem__(self, name: str) -> DeviceRecording:
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

    def read(
        self, start_s: float | None = None, stop_s: float | None = None, channels: Sequence[str] | None = None
    ) -> dict[str, Traces]:
        """Return the samples of every device with ``start_s <= t < stop_s``; see `DeviceRecording.read`."""
        return {name: device.read(start_s, stop_s, channels) for name, device in self.items()}

    def close(self) -> None:
        """Close all files."""
        for device in self.values():
            device.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def open_session(*paths: Path | str) -> Session:
    """Open a recorded session, also one that is being recorded.

    Parameters
    ----------
    *paths : Path or str
        A session's folder, a device's folder in it, or a file; or several of them, or a folder above them, where a
        session was recorded on several benches and copied together.

    Raises
    ------
    StoreError
        Nothing there, or recordings of more than one session.
    """
    if not paths:
        raise StoreError("name the folder of a session, or several of one session")
    found: dict[tuple[str, str, str], dict[int, Path]] = {}
    boards: dict[tuple[str, str, str], tuple[str, Path]] = {}
    sessions: dict[str, Path] = {}
    references: list[int] = []
    for file in dict.fromkeys(file.resolve() for path in paths for file in _files(Path(path))):
        with open_recording(file) as recording:
            meta = recording.meta
        sessions.setdefault(meta.session, file.parent)
        references.append(meta.reference_utc_ns)
        key = (meta.session, meta.bench, meta.device)
        files = found.setdefault(key, {})
        unique_id, first = boards.setdefault(key, (meta.info.unique_id, file))
        if unique_id != meta.info.unique_id:
            raise StoreError(
                f"{first.parent} and {file.parent} are of two boards that are both called {meta.device} on a bench "
                f"called {meta.bench}; open them apart, and give the benches names of their own"
            )
        if other := files.get(meta.number):
            raise StoreError(f"{file} and {other} are the same part of a recording; leave one of the copies out")
        files[meta.number] = file
    if len(sessions) > 1:
        which = ", ".join(f"{name} ({folder})" for name, folder in sorted(sessions.items()))
        raise StoreError(f"these are recordings of several sessions, open one at a time: {which}")
    reference_utc_ns = min(references)
    devices = [
        DeviceRecording(bench, device, [path for _, path in sorted(files.items())], reference_utc_ns)
        for (_, bench, device), files in sorted(found.items())
    ]
    return Session(next(iter(sessions)), reference_utc_ns, devices)


def _files(path: Path) -> list[Path]:
    """Return the recording files at or below a path."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise StoreError(f"cannot open {path}: there is no such file or folder")
    # In folders with a dot are what `recover` is making, or left.
    found = (file for file in path.rglob("*.nwb") if is_file_name(file.name))
    files = [file for file in found if not any(part.startswith(".") for part in file.relative_to(path).parts)]
    if not files:
        raise StoreError(f"there is no recording in {path}; name the folder of a session")
    return sorted(files)
