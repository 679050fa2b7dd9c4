"""Files that appear complete or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from spikedaq.model import StoreError


@contextmanager
def written_whole(path: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that takes its name when the block ends without an exception.

    Any exception, Ctrl-C included, removes the temporary file and leaves ``path`` as it was.

    Raises
    ------
    StoreError
        ``path`` exists and ``overwrite`` is false, or the file cannot be written.
    """
    refuse_existing(path, overwrite=overwrite)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("xb") as file:
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                refuse_existing(path, overwrite=overwrite)
                partial.replace(path)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}; choose another place with --out") from error


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Raise StoreError if something is at ``path`` that must not be replaced."""
    if path.is_dir():
        raise StoreError(f"{path} is a folder; choose another name for the file")
    if path.exists() and not overwrite:
        raise StoreError(f"{path} exists; choose another place with --out, or replace it with --overwrite")
