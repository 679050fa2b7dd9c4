"""Open whatever holds a recording: rolled files, folders of them, and the files of others."""

from __future__ import annotations

import glob
import importlib
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from spikedaq.formats.s3 import S3Path, is_url, place_of, there
from spikedaq.model import ConfigError, RecordingWarning, StoreError
from spikedaq.recording.recording import Recording
from spikedaq.recording.session import Session
from spikedaq.recording.sources.drifting import drift_in
from spikedaq.recording.sources.files import FileSource
from spikedaq.recording.sources.rolled import FilePart, Opener, Place, open_patiently, scan
from spikedaq.store import RecordingFile, is_file_name, open_recording

OTHER_KINDS: tuple[tuple[str, str], ...] = (
    ("csv", "spikedaq.recording.sources.csv:open_csv"),
    ("binary", "spikedaq.recording.sources.binary:open_binary"),
    ("zarr", "spikedaq.recording.sources.zarr:open_zarr"),
    ("nwb", "spikedaq.recording.sources.nwb:open_nwb"),
)
"""Kinds of files beyond our recordings, in the order in which they are asked: name, and ``module:function``.

The function takes the path as it was given (a text) and returns a `Source`, or a `Recording` where it brings
properties; None where the path is none of its kind.
"""
FILES = "files"
"""What `Recording.opened` has under ``kind`` for rolled recording files."""


def open_recordings(*paths: Path | str, device: str | None = None, **options: Any) -> Recording | Session:
    """Open a recording; see `spikedaq.open`."""
    if not paths:
        raise StoreError("name a recording: a file, or the folder of a session or device")
    if len(paths) == 1 and (other := _other(_only_match(str(paths[0])))) is not None:
        if device is not None or any(value for value in options.values()):
            raise ConfigError(f"{paths[0]} is no recording of a session; leave device and other options out")
        return other
    session = open_session(*paths, device=device, **options)
    return next(iter(session.values())) if len(session) == 1 else session


def open_session(
    *paths: Path | str, device: str | None = None, mode: str | None = None, skip_damaged: bool = False
) -> Session:
    """Open a recorded session, also one that is being recorded.

    Parameters
    ----------
    *paths : Path or str
        A session's folder, a device's folder in it, or a file; or several of them, or a folder above them, where a
        session was recorded on several benches and copied together; or a pattern (``*``, ``?``, ``**``).
    device, mode, skip_damaged
        As `spikedaq.open` has them.

    Raises
    ------
    StoreError
        Nothing there, recordings of more than one session, or files that cannot be read.
    """
    if not paths:
        raise StoreError("name the folder of a session, or several of one session")
    given = [str(path) for path in paths]
    if urls := [one for one in given if is_url(one)]:
        if len(urls) != len(given):
            raise StoreError(f"{', '.join(given)}: some are in S3 and some are not; open what is in one place")
        parts, damaged = scan_all(remote_files(urls), skip_damaged=skip_damaged, opener=open_remote)
        return session_of(parts, device=device, mode=mode, opener=open_remote, flags=damaged)

    def find() -> list[Place]:
        return list(dict.fromkeys(file.resolve() for one in given for file in _files(one)))

    parts, damaged = scan_all(find(), skip_damaged=skip_damaged)
    return session_of(parts, device=device, mode=mode, find=find, flags=damaged)


def remote_files(urls: Sequence[str]) -> list[Place]:
    """Return the addresses of the recording files that are at or below some addresses in S3, or that a pattern names.

    Raises
    ------
    StoreError
        There are none, or nobody is let in.
    """
    found: list[Place] = []
    for url in urls:
        path = S3Path(url)
        if any(sign in path.name for sign in "*?["):
            files = [one for one in path.parent.glob(path.name) if is_file_name(one.name)]
        elif there(path).is_file():
            files = [path]
        else:
            depth = len(str(path).split("/"))
            below = [one for one in path.glob("**/*.nwb") if is_file_name(one.name)]
            files = [one for one in below if not any(part.startswith(".") for part in str(one).split("/")[depth:])]
        if not files:
            raise StoreError(f"there is no recording at {path}; name the prefix of a session, or a file")
        found += [str(one) for one in files]
    return list(dict.fromkeys(found))


def open_remote(url: Place) -> RecordingFile:
    """Open a recording file in S3, which is read in ranges as it is needed."""
    return open_recording(place_of(str(url)))


def scan_all(
    places: Sequence[Place], *, skip_damaged: bool = False, opener: Opener = open_patiently
) -> tuple[list[FilePart], list[str]]:
    """Look up what files are; return what was found, and what is to be said of those that cannot be read.

    Raises
    ------
    StoreError
        One cannot be read, and such are not to be skipped; or none can.
    """
    parts, damaged = [], []
    for place in places:
        try:
            parts.append(scan(place, opener))
        except StoreError as error:
            if len(places) == 1:
                raise
            if not skip_damaged:
                raise type(error)(f"{error}; or open the other files with skip_damaged=True") from error
            damaged.append(f"left out, since it cannot be read: {error}")
    if not parts:
        raise StoreError("; ".join(damaged))
    return parts, damaged


def session_of(
    parts: Sequence[FilePart],
    *,
    device: str | None = None,
    mode: str | None = None,
    find: Callable[[], Sequence[Place]] | None = None,
    opener: Opener = open_patiently,
    kind: str = FILES,
    flags: Sequence[str] = (),
) -> Session:
    """Put files together to the recordings of a session; see `open_session`."""
    found: dict[tuple[str, str, str], dict[int, FilePart]] = {}
    sessions: dict[str, Place] = {}
    for part in parts:
        meta = part.meta
        sessions.setdefault(meta.session, _folder(part.place))
        files = found.setdefault((meta.session, meta.bench, meta.device), {})
        first = next(iter(files.values()), part)
        if first.meta.info.unique_id != meta.info.unique_id:
            raise StoreError(
                f"{_folder(first.place)} and {_folder(part.place)} are of two boards both called {meta.device} "
                f"on a bench called {meta.bench}; open them apart, and give the benches names of their own"
            )
        if other := files.get(meta.number):
            raise StoreError(
                f"{part.place} and {other.place} are the same part of a recording; leave one of the copies out"
            )
        files[meta.number] = part
    if len(sessions) > 1:
        which = ", ".join(f"{name} ({folder})" for name, folder in sorted(sessions.items()))
        raise StoreError(f"these are recordings of several sessions, open one at a time: {which}")
    reference_utc_ns = min(part.meta.reference_utc_ns for part in parts)
    is_on_several = len({bench for _, bench, _ in found}) > 1
    recordings = []
    for (_, bench, name), files in sorted(found.items()):
        if device is not None and device not in (name, f"{bench}/{name}"):
            continue
        ordered = [part for _, part in sorted(files.items())]
        opened: dict[str, Any] = {"kind": kind, "paths": [str(part.place) for part in ordered], "mode": mode}
        # A bench alone has nothing to be on one clock with: its times stay as stored.
        drift = drift_in(ordered, opener) if is_on_several else None
        if drift is not None:
            drift = drift.moved((ordered[-1].meta.reference_utc_ns - reference_utc_ns) / 1e9)
            opened["drift"] = drift.to_map()
        recordings.append(
            Recording(
                FileSource(
                    ordered,
                    reference_utc_ns=reference_utc_ns,
                    opened=opened,
                    mode=mode,
                    find=find,
                    opener=opener,
                    flags=flags,
                    drift=drift,
                )
            )
        )
    if not recordings:
        raise StoreError(f"there is no device {device} here, only {', '.join(sorted(name for _, _, name in found))}")
    return Session(next(iter(sessions)), reference_utc_ns, recordings)


def _folder(place: Place) -> Place:
    return place.parent if isinstance(place, Path) else place.rsplit("/", 1)[0]


def _other(path: str) -> Recording | None:
    """Return the recording of a file of another kind, None where it is none."""
    for _, place in OTHER_KINDS:
        module, _, function = place.partition(":")
        opener: Callable[[str], Any] = getattr(importlib.import_module(module), function)
        source = opener(path)
        if source is not None:
            recording = source if isinstance(source, Recording) else Recording(source)
            for flag in recording.flags:
                warnings.warn(f"{recording.name}: {flag}", RecordingWarning, stacklevel=4)
            return recording
    return None


def _only_match(given: str) -> str:
    """Return what a pattern names where it is one thing; else what was given."""
    if is_url(given) or not glob.has_magic(given) or Path(given).exists():
        return given
    matched = glob.glob(given, recursive=True)  # noqa: PTH207 - of any folder
    return matched[0] if len(matched) == 1 else given


def _files(given: str) -> Sequence[Path]:
    """Return the recording files at or below a path, or those that a pattern names."""
    files = _found(given)
    if others := [file for file in files if file.suffix.strip().lower() == ".csv"]:
        raise StoreError(f"{others[0]} is a CSV, which is a recording of its own; open one at a time")
    return files


def _found(given: str) -> Sequence[Path]:
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
        remedy = "its CSVs open one at a time" if any(path.glob("*.[cC][sS][vV]*")) else "name the folder of a session"
        raise StoreError(f"there is no recording in {path}; {remedy}")
    return files


def _below(folder: Path) -> list[Path]:
    """Return the recording files in a folder and those below it."""
    # In folders with a dot are what `recover` is making, or left.
    found = (file for file in folder.rglob("*.nwb") if is_file_name(file.name))
    return sorted(file for file in found if not any(part.startswith(".") for part in file.relative_to(folder).parts))
