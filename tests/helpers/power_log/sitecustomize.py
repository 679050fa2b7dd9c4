"""Loaded by every Python of a bench under test: notes what the disk itself is sure to hold, for tests of power cuts.

On PYTHONPATH, with SPIKEDAQ_POWER_LOG (a folder) and SPIKEDAQ_POWER_ROOT (the data folder) set. At every fsync of a
file its content is kept, at every fsync of a folder its names; renames, deletions and new folders are noted in order.
HDF5 itself never calls fsync. SPIKEDAQ_POWER_BOOT stands for the computer's boot id.
"""

from __future__ import annotations

import json
import os
import pathlib
import threading
from collections.abc import Callable
from typing import Any

LOG = os.environ.get("SPIKEDAQ_POWER_LOG", "")
ROOT = os.environ.get("SPIKEDAQ_POWER_ROOT", "")
_BOOT_ID = pathlib.Path("/proc/sys/kernel/random/boot_id")
_count = 0
_lock = threading.Lock()


def _inside(path: str) -> str | None:
    """Return a path relative to the data folder, None where it is elsewhere."""
    path = str(pathlib.Path(path).absolute())
    return path[len(ROOT) + 1 :] if path.startswith(ROOT + "/") else "" if path == ROOT else None


def _note(**what: Any) -> None:
    fd = os.open(f"{LOG}/log.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    os.write(fd, (json.dumps(what) + "\n").encode())
    os.close(fd)


def names_of(folder: str) -> dict[str, int]:
    """Inode by name."""
    return {entry.name: entry.inode() for entry in os.scandir(folder)}


def _sync(fd: int) -> None:
    global _count  # noqa: PLW0603
    path = pathlib.Path(f"/proc/self/fd/{fd}").readlink().as_posix()
    relative = _inside(path.removesuffix(" (deleted)"))
    if relative is None:
        return
    found = os.fstat(fd)
    if pathlib.Path(path).is_dir():
        _note(op="folder", path=relative, names=names_of(path))
        return
    with _lock:
        _count += 1
        name = f"{found.st_ino}.{os.getpid()}.{_count}"
    with open(f"/proc/self/fd/{fd}", "rb") as file, open(f"{LOG}/{name}", "wb") as kept:
        while piece := file.read(2**20):
            kept.write(piece)
    _note(op="sync", inode=found.st_ino, kept=name)


def _moved(real: Callable[..., Any]) -> Callable[..., Any]:
    def move(source: Any, target: Any, **options: Any) -> Any:
        before, after = _inside(os.fspath(source)), _inside(os.fspath(target))
        if before is None or after is None:
            return real(source, target, **options)
        inode = os.stat(source).st_ino
        done = real(source, target, **options)
        _note(op="move", source=before, target=after, inode=inode)
        return done

    return move


def _noted(op: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def do(path: Any, *rest: Any, **options: Any) -> Any:
        done = real(path, *rest, **options)
        inside = _inside(os.fspath(path)) if not options.get("dir_fd") else None
        if inside is not None:
            _note(op=op, path=inside)
        return done

    return do


def _boot_id_read(real: Callable[..., str]) -> Callable[..., str]:
    def read_text(self: pathlib.Path, *rest: Any, **options: Any) -> str:
        return os.environ["SPIKEDAQ_POWER_BOOT"] if self == _BOOT_ID else real(self, *rest, **options)

    return read_text


if LOG and ROOT:
    os.fsync = os.fdatasync = _sync
    os.rename, os.replace = _moved(os.rename), _moved(os.replace)
    os.unlink = os.remove = _noted("gone", os.unlink)
    os.rmdir = _noted("gone", os.rmdir)
    os.mkdir = _noted("made", os.mkdir)
    pathlib.Path.read_text = _boot_id_read(pathlib.Path.read_text)  # type: ignore[method-assign]
