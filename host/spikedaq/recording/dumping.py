"""Describe a recording in a small file, how it was opened and cut, and make it again from that; no samples."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spikedaq.clock import ClockDrift
from spikedaq.formats.output import written_whole
from spikedaq.model import ConfigError, StoreError
from spikedaq.recording.opening import FILES, open_recordings
from spikedaq.recording.recording import Recording
from spikedaq.recording.sources.files import FileSource

DESCRIBES, VERSION = "spikedaq recording", 1
_PICKLES = (".pkl", ".pickle")
_MAX_BYTES = 1 << 26


def to_dict(recording: Recording) -> dict[str, Any]:
    """Return how to open and cut a recording again, with properties, annotations and probe, as plain values.

    Raises
    ------
    ConfigError
        It is in memory only, or an annotation is no plain value.
    """
    if recording.opened is None:
        raise ConfigError(f"{recording.name} is in memory only; save it first: recording.save('a-folder')")
    described = {
        "describes": DESCRIBES,
        "version": VERSION,
        "opened": recording.opened,
        "reference_utc_ns": recording.reference_utc_ns,
        "made_by": list(recording.made_by),
        "properties": plain_properties(recording),
        "annotations": plain_annotations(recording),
        "probe": recording.probe,
    }
    plain: dict[str, Any] = json.loads(json.dumps(described))
    return plain


def plain_annotations(recording: Recording) -> dict[str, Any]:
    """Return the annotations of a recording as plain values; ConfigError where one is none."""
    return {key: _plain(f"annotation {key!r}", value) for key, value in recording.annotations.items()}


def plain_properties(recording: Recording) -> dict[str, Any]:
    """Return the properties of a recording as plain values."""
    return {key: {"dtype": values.dtype.str, "values": values.tolist()} for key, values in recording.properties.items()}


def from_dict(described: Mapping[str, Any], *, base_folder: Path | str | None = None) -> Recording:
    """Make a recording of what `to_dict` returned.

    Parameters
    ----------
    described : mapping
    base_folder : Path or str, optional
        What relative paths in it start from; default: the working folder.

    Raises
    ------
    StoreError
        It is no such description, of a later version, or its source is not there; the text names it.
    """
    if described.get("describes") != DESCRIBES or not isinstance(described.get("opened"), dict):
        raise StoreError("this describes no recording; give what Recording.to_dict or dump has made")
    if not isinstance(described.get("version"), int) or described["version"] > VERSION:
        raise StoreError(f"the description is of a later version ({described.get('version')}); update spikedaq")
    opened = dict(described["opened"])
    paths = [_there(path, base_folder) for path in _paths(opened)]
    try:
        options = {"mode": opened.get("mode")} if opened.get("kind") == FILES else {}
        recording = open_recordings(*paths, **options)
        if not isinstance(recording, Recording):
            raise StoreError(f"{paths[0]} and the others are of {len(recording)} devices now, and were of one")
        wanted_utc_ns = described.get("reference_utc_ns")
        if wanted_utc_ns is not None and recording.reference_utc_ns != wanted_utc_ns:
            # Among several benches of a session all times count from the earliest reference.
            recording.source.reference_utc_ns = int(wanted_utc_ns)
            recording.refresh()
        if opened.get("drift") is not None and isinstance(recording.source, FileSource):
            # It was one of several benches of a session; alone it is opened with times as stored.
            recording.source.use_drift(_drift(opened["drift"]))
            recording.source.opened = {**(recording.source.opened or {}), "drift": opened["drift"]}
        recording = recording.redo(described.get("made_by", ()))
        for key, values in described.get("properties", {}).items():
            recording.set_property(key, np.array(values["values"], dtype=np.dtype(values["dtype"])))
        recording.annotate(**described.get("annotations", {}))
        if described.get("probe") is not None:
            recording.set_probe(described["probe"])
    except (KeyError, TypeError, ValueError, AttributeError, ConfigError) as error:
        raise StoreError(f"the description of {paths[0]} cannot be: {error}; dump the recording again") from error
    return recording


def _drift(described: Mapping[str, Any]) -> ClockDrift:
    drift = ClockDrift(**described)
    if not drift.is_plausible:
        raise ConfigError(f"no clock drifts like {drift.to_note()}")
    return drift


def dump(
    recording: Recording, path: Path | str, *, relative_to: Path | str | None = None, overwrite: bool = False
) -> None:
    """Write `to_dict` to a ``.json``, ``.pkl`` or ``.pickle`` file.

    Parameters
    ----------
    path : Path or str
    relative_to : Path or str, optional
        Write paths as seen from this folder, so that all can be moved together.
    overwrite : bool

    Raises
    ------
    StoreError
        The file exists, or cannot be written.
    ConfigError
        Another ending, or as `to_dict`.
    """
    target = Path(path)
    described = to_dict(recording)
    if relative_to is not None:
        described["opened"] = _relative(described["opened"], Path(relative_to))
    if target.suffix == ".json":
        data = json.dumps(described, ensure_ascii=False, indent=1).encode() + b"\n"
    elif target.suffix in _PICKLES:
        data = pickle.dumps(described, protocol=4)
    else:
        raise ConfigError(f"{target} ends neither in .json nor in .pkl; a dump is one of the two")
    with written_whole(target, overwrite=overwrite) as file:
        file.write(data)


def load(
    path: Path | str | Mapping[str, Any], *, trust: bool = False, base_folder: Path | str | None = None
) -> Recording:
    """Open what `dump` described.

    Parameters
    ----------
    path : Path, str or mapping
        A ``.json`` or ``.pkl`` file, or what `to_dict` returned.
    trust : bool
        Read a pickle. It runs whatever code is in it: give True only for a file that you have made.
    base_folder : Path or str, optional
        What relative paths start from; default: the folder of ``path``.

    Raises
    ------
    StoreError
        The file cannot be read, is a pickle and is not trusted, describes no recording, or its source is not there.
    """
    if isinstance(path, Mapping):
        return from_dict(path, base_folder=base_folder)
    file = Path(path)
    try:
        if file.is_file() and file.stat().st_size > _MAX_BYTES:
            raise StoreError(f"{file} has more than {_MAX_BYTES >> 20} MiB; it is no description of a recording")
        data = file.read_bytes()
    except OSError as error:
        raise StoreError(f"cannot read {file}: {error.strerror}; check the path") from error
    if file.suffix in _PICKLES or data[:1] == b"\x80":
        if not trust:
            raise StoreError(
                f"{file} is a pickle, which can run any code, so it is not read; if you have made it yourself, "
                "say trust=True; or dump the recording to .json"
            )
        try:
            described = pickle.loads(data)  # noqa: S301 - the caller trusts it
        except Exception as error:
            raise StoreError(f"{file} cannot be unpickled: {error}; dump the recording again") from error
    else:
        try:
            described = json.loads(data)
        except ValueError as error:
            raise StoreError(f"{file} is no JSON: {error}; dump the recording again") from error
    if not isinstance(described, Mapping):
        raise StoreError(f"{file} describes no recording; give what Recording.dump has made")
    try:
        return from_dict(described, base_folder=file.parent if base_folder is None else base_folder)
    except StoreError as error:
        raise StoreError(f"{file}: {error}") from error


def _paths(opened: Mapping[str, Any]) -> Iterator[str]:
    given = opened.get("paths", [opened.get("path")])
    if not isinstance(given, list) or not given or not all(isinstance(path, str) for path in given):
        raise StoreError("the description names no file; dump the recording again")
    yield from given


def _there(given: str, base_folder: Path | str | None) -> str:
    """Return where a source is, after a look whether it is there."""
    if "://" in given:
        return given
    path = Path(given) if base_folder is None else Path(base_folder) / given
    if not path.exists():
        remedy = (
            "move it back, or dump the recording again from where it is now"
            if Path(given).is_absolute()
            else "name the folder that the path starts from: base_folder=..."
        )
        raise StoreError(f"its source {path} is not there; {remedy}")
    return str(path)


def _relative(opened: dict[str, Any], folder: Path) -> dict[str, Any]:
    def seen(path: str) -> str:
        return path if "://" in path else Path(os.path.relpath(path, folder)).as_posix()

    if "paths" in opened:
        return {**opened, "paths": [seen(path) for path in opened["paths"]]}
    return {**opened, "path": seen(opened["path"])}


def _plain(what: str, value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(what, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(what, item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise ConfigError(f"{what} is a {type(value).__name__}; texts, numbers, lists and dicts of them can be described")
