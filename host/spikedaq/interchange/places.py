"""Where files are read from and written to, as local names that libraries can open."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from spikedaq.formats.output import folder_made_whole, made_whole
from spikedaq.interchange.errors import MissingFileError

PathOrUrl = str | os.PathLike[str]


@contextmanager
def read_from(source: PathOrUrl, what: str = "file") -> Iterator[Path]:
    """Give the local name of a file or folder.

    Raises
    ------
    MissingFileError
        There is none.
    """
    path = Path(source)
    if not path.exists():
        raise MissingFileError(f"there is no {what} {path}; check its name")
    yield path


@contextmanager
def write_to(target: PathOrUrl, *, overwrite: bool) -> Iterator[Path]:
    """Give a local name; what is made there becomes the target when the block ends without an exception."""
    with made_whole(Path(target), overwrite=overwrite) as partial:
        yield partial


@contextmanager
def write_folder_to(target: PathOrUrl, *, overwrite: bool, is_ours: Callable[[str], bool]) -> Iterator[Path]:
    """Give a local folder; it becomes the target when the block ends without an exception."""
    with folder_made_whole(Path(target), overwrite=overwrite, is_ours=is_ours) as partial:
        yield partial


def absolute(source: PathOrUrl) -> str:
    """Return a name that is true in any folder."""
    return str(Path(source).absolute())
