"""Which recording files make which CSV."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from spikedaq.model import ClampMode, StoreError
from spikedaq.store import find_files, open_recording


@dataclass(slots=True)
class Run:
    """Neighbouring files of one device, one boot and one clamp mode; steps count on through all of them."""

    device: str
    boot_id: int
    mode: ClampMode
    name: str
    suffix: str
    """What tells this run's name from that of the device's first: of which boot it is, and which part of that."""
    folder: Path
    files: list[Path] = field(default_factory=list)
    n_rows: int = 0
    translated: bool = False
    """Of a board with a stock firmware, whose steps only count the rows that arrived."""


def find_runs(source: Path, device: str | None) -> list[Run]:
    """Sort the files of a recording by device, boot and clamp mode.

    Parameters
    ----------
    source : Path
        A recording file, the folder of a device, or that of a session.
    device : str or None
        Only this one.

    Raises
    ------
    StoreError
        Nothing there, nothing of that device, or nothing recorded.
    """
    files, name = _files(source, device)
    runs: list[Run] = []
    number = part = 1
    for path in files:
        with open_recording(path) as recording:
            meta, n_rows = recording.meta, recording.n_samples
        if n_rows == 0:
            continue
        boot = (meta.device, meta.info.boot_id)
        if not runs or (runs[-1].device, runs[-1].boot_id) != boot:
            number, part = (1, 1) if not runs or runs[-1].device != meta.device else (number + 1, 1)
        elif runs[-1].mode is not meta.mode:
            part += 1
        if not runs or (runs[-1].device, runs[-1].boot_id, runs[-1].mode) != (*boot, meta.mode):
            base = name or f"{meta.session}_{meta.device}"
            suffix = (f"_boot{number}" if number > 1 else "") + (f"_part{part}" if part > 1 else "")
            runs.append(Run(*boot, meta.mode, base + suffix, suffix, path.parent, translated=meta.info.is_translated))
        runs[-1].files.append(path)
        runs[-1].n_rows += n_rows
    if not runs:
        raise StoreError(f"{source} holds no sample yet; there is nothing to export")
    return runs


def _files(source: Path, device: str | None) -> tuple[list[Path], str | None]:
    if source.is_file():
        if device is not None:
            with open_recording(source) as recording:
                found = recording.meta.device
            if found != device:
                raise StoreError(f"{source} is a recording of {found}, not of {device}; leave --device out")
        return [source], source.stem
    if not source.exists():
        raise StoreError(f"{source} does not exist; give a recording file, or the folder of a session or device")
    source = source.resolve()
    own = find_files(source.parent, source.name)
    if own:
        if device not in (None, source.name):
            raise StoreError(f"{source} is the folder of {source.name}, not of {device}; give the session's folder")
        return own, None
    every = find_files(source)
    found_devices = sorted({path.parent.name for path in every})
    if not every:
        raise StoreError(f"{source} holds no recording (no .nwb file); give a recording file, or a session's folder")
    if device is not None:
        every = [path for path in every if path.parent.name == device]
        if not every:
            raise StoreError(f"{source} has no recording of {device}; it has {', '.join(found_devices)}")
    return every, None
