"""Open whatever holds a recording: rolled files, folders of them, and the files of others."""

from __future__ import annotations

import glob
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from spikedaq.model import ConfigError, StoreError
from spikedaq.recording.files import FileSource
from spikedaq.recording.recording import Recording
from spikedaq.recording.session import Session
from spikedaq.store import FileMeta, is_file_name, open_recording

OTHER_KINDS: tuple[tuple[str, str], ...] = (
    ("csv", "spikedaq.recording.source_csv:open_csv"),
    ("binary", "spikedaq.recording.source_binary:open_binary"),
    ("zarr", "spikedaq.recording.source_zarr:open_zarr"),
)
"""Kinds of files beyond our recordings, in the order in which they are asked: name, and ``module:function``.

The function takes the path as it was given (a text) and returns a `Source`, or a `Recording` where it brings
properties; None where the path is none of its kind.
"""
# What `to_dict` says under ``kind``.
FILES = "files"
"""Rolled recording files."""


def open_recordings(*paths: Path | str, device: str | None = None, mode: str | None = None) -> Recording | Session:
    """Open a recording; see `spikedaq.open`."""
    if not paths:
        raise StoreError("name a recording: a file, or the folder of a session or device")
    given = [str(path) for path in paths]
    if len(given) == 1 and (other := _other(given[0])) is not None:
        if device is not None:
            raise ConfigError(f"{given[0]} names no device; leave device out")
        return other
    session = open_session(*given, device=device, mode=mode)
    return next(iter(session.values())) if len(session) == 1 else session


def open_session(*paths: Path | str, device: str | None = None, mode: str | None = None) -> Session:
    """Open a recorded session, also one that is being recorded.

    Parameters
    ----------
    *paths : Path or str
        A session's folder, a device's folder in it, or a file; or several of them, or a folder above them, where a
        session was recorded on several benches and copied together; or a pattern (``*``, ``?``, ``**``).
    device : str, optional
        Only this one: its name, or ``bench/device``.
    mode : {"current", "voltage", "common"}, optional
        Which samples, where the device changed between current and voltage clamp; ``common``: the channels that both
        have. Default: those of its first file.

    Raises
    ------
    StoreError
        Nothing there, recordings of more than one session, or files that cannot be read.
    """
    if not paths:
        raise StoreError("name the folder of a session, or several of one session")
    found: dict[tuple[str, str, str], dict[int, tuple[Path, FileMeta]]] = {}
    sessions: dict[str, Path] = {}
    for file in dict.fromkeys(file.resolve() for path in paths for file in _files(str(path))):
        with open_recording(file) as recording:
            meta = recording.meta
        sessions.setdefault(meta.session, file.parent)
        files = found.setdefault((meta.session, meta.bench, meta.device), {})
        first, known = next(iter(files.values()), (file, meta))
        if known.info.unique_id != meta.info.unique_id:
            raise StoreError(
                f"{first.parent} and {file.parent} are of two boards that are both called {meta.device} on a bench "
                f"called {meta.bench}; open them apart, and give the benches names of their own"
            )
        if other := files.get(meta.number):
            raise StoreError(f"{file} and {other[0]} are the same part of a recording; leave one of the copies out")
        files[meta.number] = (file, meta)
    if len(sessions) > 1:
        which = ", ".join(f"{name} ({folder})" for name, folder in sorted(sessions.items()))
        raise StoreError(f"these are recordings of several sessions, open one at a time: {which}")
    every = [meta for files in found.values() for _, meta in files.values()]
    reference_utc_ns = min(meta.reference_utc_ns for meta in every)
    recordings = []
    for (_, bench, name), files in sorted(found.items()):
        if device is None or device in (name, f"{bench}/{name}"):
            ordered = [one for _, one in sorted(files.items())]
            opened = {"kind": FILES, "paths": [str(path) for path, _ in ordered], "mode": mode}
            recordings.append(
                Recording(FileSource(ordered, reference_utc_ns=reference_utc_ns, opened=opened, mode=mode))
            )
    if not recordings:
        raise StoreError(f"no device {device} here; there are {', '.join(sorted({m.device for m in every}))}")
    return Session(next(iter(sessions)), reference_utc_ns, recordings)


def _other(path: str) -> Recording | None:
    """Return the recording of a file of another kind, None where it is none."""
    for _, place in OTHER_KINDS:
        module, _, function = place.partition(":")
        opener: Callable[[str], Any] = getattr(importlib.import_module(module), function)
        source = opener(path)
        if source is not None:
            return source if isinstance(source, Recording) else Recording(source)
    return None


def _files(given: str) -> Sequence[Path]:
    """Return the recording files at or below a path, or those that a pattern names."""
    path = Path(given)
    if path.is_file():
        return [path]
    if not path.is_dir():
        if glob.has_magic(given):
            matched = [Path(one) for one in sorted(glob.glob(given, recursive=True))]  # noqa: PTH207 - of any folder
            files = [file for one in matched for file in (_below(one) if one.is_dir() else [one])]
            if files:
                return files
            raise StoreError(f"no recording is named by {given}; check the pattern")
        raise StoreError(f"cannot open {path}: there is no such file or folder")
    files = _below(path)
    if not files:
        raise StoreError(f"there is no recording in {path}; name the folder of a session")
    return files


def _below(folder: Path) -> list[Path]:
    """Return the recording files in a folder and those below it."""
    # In folders with a dot are what `recover` is making, or left.
    found = (file for file in folder.rglob("*.nwb") if is_file_name(file.name))
    return sorted(file for file in found if not any(part.startswith(".") for part in file.relative_to(folder).parts))
