"""Objects in S3 fetched whole, and put there whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from spikedaq.formats.s3.access import Access
from spikedaq.formats.s3.path import S3Path, parse_url
from spikedaq.model import StoreError


def there(path: S3Path) -> S3Path:
    """Return an address, after a look whether something is there.

    Raises
    ------
    StoreError
        No such bucket or key.
    """
    if path.exists():
        return path
    raise StoreError(f"there is nothing at {path}; check bucket and key, and with 'aws s3 ls' what there is")


@contextmanager
def fetched(url: str, *, access: Access | None = None) -> Iterator[Path]:
    """Give a local copy of an object, or of all below a prefix, for libraries that open files by name.

    Raises
    ------
    StoreError
        Nothing is there, or it cannot be read.
    """
    source = there(S3Path(url, access))
    with tempfile.TemporaryDirectory(prefix="spikedaq-") as folder:
        local = Path(folder) / source.name
        if source.is_file():
            source.get(local)
        else:
            local.mkdir()
            start = len(str(source)) + 1
            for one in source.glob("**/*"):
                if one.is_file():
                    below = local / str(one)[start:]
                    below.parent.mkdir(parents=True, exist_ok=True)
                    one.get(below)
        yield local


@contextmanager
def sent_whole(url: str, *, overwrite: bool, access: Access | None = None) -> Iterator[Path]:
    """Give a local name; what is made there becomes the object when the block ends without an exception.

    Raises
    ------
    StoreError
        Something is there and ``overwrite`` is false, or it cannot be put there.
    """
    target = S3Path(url, access)
    _refuse_bucket(target)
    if not overwrite and target.exists():
        raise StoreError(f"{target} exists; choose another name, or replace it with --overwrite")
    with tempfile.TemporaryDirectory(prefix="spikedaq-") as folder:
        local = Path(folder) / target.name
        yield local
        target.put(local)


@contextmanager
def folder_sent_whole(url: str, *, last: Sequence[str] = (), access: Access | None = None) -> Iterator[Path]:
    """Give a local name for a folder; what is made there is put below the address, some files last.

    Several objects cannot be replaced in one step, so nothing may be there. What arrived is deleted when not all can.

    Parameters
    ----------
    last : sequence of str
        Names of the files without which nobody takes the rest for a recording.

    Raises
    ------
    StoreError
        Something is there, or it cannot be put there.
    """
    target = S3Path(url, access)
    _refuse_bucket(target)
    if target.exists():
        raise StoreError(f"{target} exists, and no folder in S3 is replaced; choose another name, or delete it first")
    with tempfile.TemporaryDirectory(prefix="spikedaq-") as folder:
        local = Path(folder) / target.name
        yield local
        files = sorted((one for one in local.rglob("*") if one.is_file()), key=lambda one: (one.name in last, one))
        sent: list[S3Path] = []
        try:
            for file in files:
                there_to_be = target / file.relative_to(local).as_posix()
                sent.append(there_to_be)
                there_to_be.put(file)
        except BaseException:
            for one in sent:
                one.remove()
            raise


def _refuse_bucket(path: S3Path) -> None:
    if not parse_url(str(path))[1]:
        raise StoreError(f"{path} names no key; an address in S3 is s3://bucket/key")
