"""Find the files of a session."""

from __future__ import annotations

import re
from pathlib import Path

from spikedaq.model import StoreError

_NAME = re.compile(r".+_(\d{8}T\d{6}Z)_(\d{4,})\.nwb")


def file_name(session: str, device: str, start_utc: str, number: int) -> str:
    """Return the name of a file; ``start_utc`` as YYYYmmddTHHMMSSZ."""
    return f"{session}_{device}_{start_utc}_{number:04d}.nwb"


def is_file_name(name: str) -> bool:
    """Tell whether a file of this name is one of ours."""
    return _NAME.fullmatch(name) is not None


def find_files(session_folder: Path, device: str | None = None) -> list[Path]:
    """Return the recording files of a session, of one device or of all, by device and then in order.

    Raises
    ------
    StoreError
        The folder does not exist or cannot be read.
    """
    session_folder = Path(session_folder)
    folder = session_folder / device if device else session_folder
    if not folder.is_dir():
        what = f"device {device} has no folder in {session_folder}" if device else f"{session_folder} is not a folder"
        raise StoreError(f"cannot look for recordings: {what}")
    try:
        folders = [folder] if device else sorted(p for p in folder.iterdir() if p.is_dir())
        files = [(k, _order(p), p) for k, f in enumerate(folders) for p in f.iterdir() if _NAME.fullmatch(p.name)]
    except OSError as error:
        raise StoreError(f"cannot read {folder}: {error.strerror}; check its permissions") from error
    return [p for _, _, p in sorted(files)]


def _order(path: Path) -> tuple[int, str]:
    """By number: it only grows, while a clock may be set back."""
    match = _NAME.fullmatch(path.name)
    return (int(match[2]), match[1]) if match else (0, "")
