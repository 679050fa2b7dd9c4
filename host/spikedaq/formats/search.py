"""Recordings in a folder of whatever kind: sessions, single files, CSVs of the stock software, at any depth."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from spikedaq.formats.stock_csv import STOCK_COLUMNS
from spikedaq.model import StoreError
from spikedaq.store import is_file_name

_SNIFFED_BYTES = 4096
# As `spikedaq imaging` names what it computes, which lies beside recordings.
_IMAGING = re.compile(r"_imaging(_.*)?$")
_DEEPEST = 16
"""Folders within folders; deeper ones are no place for recordings, or a loop of mounts."""


@dataclass(slots=True)
class FoundSources:
    """What a folder holds.

    Attributes
    ----------
    recordings : list of Path
        Folders of sessions or devices, recording files, and CSVs, in order of their names.
    passed_over : list of Path
        CSVs that are no recordings: tables, stimuli; and simulated imaging.
    """

    recordings: list[Path] = field(default_factory=list)
    passed_over: list[Path] = field(default_factory=list)


def is_recording_folder(folder: Path) -> bool:
    """Tell whether a folder is that of a device or of a session, read as one.

    Raises
    ------
    StoreError
        It cannot be looked at.
    """
    folders, files = _content(folder)
    if any(is_file_name(path.name) for path in files):
        return True
    return any(is_file_name(path.name) for one in folders for path in _content(one)[1])


def find_sources(folder: Path) -> FoundSources:
    """Find every recording in a folder and those in it; the CSVs within a session are its exports, and left alone.

    Raises
    ------
    StoreError
        The folder cannot be looked at.
    """
    found = FoundSources()
    _search(folder, found, _DEEPEST)
    return found


def _search(folder: Path, found: FoundSources, deepest: int) -> None:
    if is_recording_folder(folder):
        found.recordings.append(folder)
        return
    folders, files = _content(folder)
    for path in sorted((*folders, *files)):
        if path in folders:
            if deepest:
                _search(path, found, deepest - 1)
        elif path.suffix.lower() == ".nwb":
            (found.passed_over if _IMAGING.search(path.stem) else found.recordings).append(path)
        elif path.suffix.strip().lower() == ".csv":
            (found.recordings if _is_stock(path) else found.passed_over).append(path)


def _content(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return folders and files in a folder, without hidden ones; links to folders are not followed."""
    try:
        with os.scandir(folder) as entries:
            seen = [entry for entry in entries if not entry.name.startswith(".")]
            folders = [Path(entry.path) for entry in seen if entry.is_dir(follow_symlinks=False)]
            files = [Path(entry.path) for entry in seen if entry.is_file()]
    except OSError as error:
        raise StoreError(f"cannot look into {folder}: {error.strerror}; check its permissions") from error
    return sorted(folders), sorted(files)


def _is_stock(path: Path) -> bool:
    """Tell whether a CSV's first line is a recording's; one that cannot be read is, and will be reported."""
    try:
        with path.open("rb") as file:
            header = file.readline(_SNIFFED_BYTES)
    except OSError:
        return True
    return STOCK_COLUMNS[0].header.encode() in header
