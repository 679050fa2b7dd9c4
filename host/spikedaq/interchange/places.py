"""Where files are read from and written to, on this computer or in S3, as local names that libraries can open."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from spikedaq.formats import s3
from spikedaq.formats.output import folder_made_whole, made_whole
from spikedaq.formats.s3 import Access, S3Path
from spikedaq.interchange.errors import MissingFileError
from spikedaq.model import StoreError

PathOrUrl = str | os.PathLike[str]

# The files without which nobody takes a folder for one of spikes; in S3 they are put there last.
_LAST = ("params.py", "spikedaq.json", "si_folder.json")
_PATH_STYLE = re.compile(r"s3([.-][a-z0-9-]+)?\.amazonaws\.com")
_HOST_STYLE = re.compile(r"(?P<bucket>.+)\.s3([.-][a-z0-9-]+)?\.amazonaws\.com")


def s3_url(place: object) -> str | None:
    """Return the ``s3://`` address of something in S3; None of anything else.

    ``https://bucket.s3.REGION.amazonaws.com/key`` and ``https://s3.REGION.amazonaws.com/bucket/key`` are such, too.
    """
    if s3.is_url(place):
        return str(place).strip()
    if not isinstance(place, str):
        return None
    parts = urlsplit(place.strip())
    host, path = parts.netloc.lower(), unquote(parts.path).lstrip("/")
    if parts.scheme.lower() not in ("http", "https"):
        return None
    if _PATH_STYLE.fullmatch(host):
        return f"s3://{path}"
    named = _HOST_STYLE.fullmatch(host)
    return f"s3://{named['bucket']}/{path}" if named else None


def is_url(place: object) -> bool:
    """Say whether something is the address of something in S3."""
    return s3_url(place) is not None


@contextmanager
def read_from(source: PathOrUrl, what: str = "file", *, access: Access | None = None) -> Iterator[Path]:
    """Give the local name of a file or folder; of one in S3 that of a copy, which is deleted afterwards.

    Raises
    ------
    MissingFileError
        There is none.
    StoreError
        It cannot be had: no credentials, denied, no answer. Errors about the copy name the address.
    """
    url = s3_url(source)
    if url is None:
        path = Path(source)
        if not path.exists():
            raise MissingFileError(f"there is no {what} {path}; check its name")
        yield path
        return
    there = S3Path(url, access)
    with tempfile.TemporaryDirectory(prefix="spikedaq-") as folder:
        local = Path(folder) / there.name
        _fetch(there, local, what)
        try:
            yield local
        except StoreError as error:
            if str(local) not in str(error):
                raise
            raise type(error)(str(error).replace(str(local), str(there))) from error


def _fetch(there: S3Path, local: Path, what: str) -> None:
    if there.is_file():
        _copy(there, local)
    elif there.is_dir():
        below = [one for one in there.glob("**") if one.is_file()]
        for one in below:
            target = local / str(one)[len(str(there)) + 1 :]
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy(one, target)
    else:
        raise MissingFileError(f"there is no {what} {there}; check bucket and key")


def _copy(there: S3Path, local: Path) -> None:
    with there.open() as file, local.open("wb") as out, s3.translated(there):
        shutil.copyfileobj(file, out, 1 << 20)


@contextmanager
def write_to(target: PathOrUrl, *, overwrite: bool, access: Access | None = None) -> Iterator[Path]:
    """Give a local name; what is made there becomes the target when the block ends without an exception.

    Raises
    ------
    StoreError
        Something is there and ``overwrite`` is false, or it cannot be written.
    """
    url = s3_url(target)
    made = made_whole(Path(target), overwrite=overwrite) if url is None else (
        s3.sent_whole(url, overwrite=overwrite, access=access)
    )  # fmt: skip
    with made as partial:
        yield partial


@contextmanager
def write_folder_to(target: PathOrUrl, *, overwrite: bool, is_ours: Callable[[str], bool]) -> Iterator[Path]:
    """Give a local folder; it becomes the target when the block ends without an exception.

    In S3 no folder is replaced.

    Raises
    ------
    StoreError
        Something is there that is not to be replaced, or it cannot be written.
    """
    url = s3_url(target)
    if url is None:
        with folder_made_whole(Path(target), overwrite=overwrite, is_ours=is_ours) as partial:
            yield partial
        return
    with s3.folder_sent_whole(url, last=_LAST) as partial:
        partial.mkdir()
        yield partial


def absolute(source: PathOrUrl) -> str:
    """Return a name that is true in any folder."""
    return s3_url(source) or str(Path(source).absolute())


def below(folder: PathOrUrl, name: str) -> str:
    """Return the name of a file in a folder."""
    url = s3_url(folder)
    return str(Path(folder) / name) if url is None else f"{url.rstrip('/')}/{name}"
