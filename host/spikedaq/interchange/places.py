"""Where files are read from and written to, as local names that libraries can open."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from spikedaq.formats.output import folder_made_whole, made_whole
from spikedaq.interchange.errors import MissingFileError

PathOrUrl = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class RemoteAccess:
    """How to be let in; None: as the tools of AWS find it."""

    key: str | None = None
    secret: str | None = None
    token: str | None = None
    region: str | None = None


def is_url(place: PathOrUrl) -> bool:
    """Say whether a name is that of something on another computer."""
    return isinstance(place, str) and place.strip().lower().startswith("s3://")


@contextmanager
def read_from(source: PathOrUrl, what: str = "file", *, access: RemoteAccess | None = None) -> Iterator[Path]:
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
def write_to(target: PathOrUrl, *, overwrite: bool, access: RemoteAccess | None = None) -> Iterator[Path]:
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
    return str(source) if is_url(source) else str(Path(source).absolute())
