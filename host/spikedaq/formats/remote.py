"""Files in S3 buckets: read in ranges, as they are needed, and put there whole."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from spikedaq.model import StoreError, require

_SCHEME = "s3://"
# HDF5 reads its tables in small pieces all over a file, and samples in chunks of some 50 kB.
_BLOCK_BYTES = 1 << 20
_BLOCKS = 32
_ENVIRONMENT = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_DEFAULT_REGION",
    "AWS_NO_SIGN_REQUEST",
)
"""What a connection is made by."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to be let in; None: by the environment, the files in ~/.aws, or the machine's role.

    ``endpoint`` is for stores that are not Amazon's; None: AWS_ENDPOINT_URL, else Amazon. ``anonymous``, or
    AWS_NO_SIGN_REQUEST=yes, asks for public data without credentials.
    """

    key: str | None = None
    secret: str | None = None
    token: str | None = None
    region: str | None = None
    endpoint: str | None = None
    anonymous: bool = False


@dataclass(frozen=True, slots=True)
class RemoteStat:
    """What is asked of a file's size."""

    st_size: int


def is_url(place: object) -> bool:
    """Tell whether something is the address of an object or prefix in S3."""
    return isinstance(place, S3Path) or (isinstance(place, str) and place.strip().lower().startswith(_SCHEME))


def parse_url(url: str) -> tuple[str, str]:
    """Return bucket and key; the key is empty for a whole bucket.

    Raises
    ------
    StoreError
        It names no bucket.
    """
    text = url.strip()
    bucket, _, key = text[len(_SCHEME) :].partition("/")
    if not is_url(text) or not bucket:
        raise StoreError(f"{url} names no bucket; an address in S3 is s3://bucket/key")
    return bucket, key


class S3Path:
    """An object or prefix in a bucket, with what of `pathlib.Path` reading needs.

    Parameters
    ----------
    url : str
        ``s3://bucket/key``.
    access : Access, optional

    Raises
    ------
    StoreError
        It names no bucket.
    MissingExtraError
        s3fs is not installed.
    """

    def __init__(self, url: str, access: Access | None = None) -> None:
        bucket, key = parse_url(url)
        self._path = PurePosixPath(bucket, *[part for part in key.split("/") if part])
        self._access = access or Access()

    # -- names

    def __str__(self) -> str:
        return f"{_SCHEME}{self._path}"

    def __repr__(self) -> str:
        return f"S3Path({str(self)!r})"

    def __truediv__(self, name: str) -> S3Path:
        """Return what is below it."""
        return self._other(self._path / name)

    @property
    def name(self) -> str:
        """The last part of its key."""
        return self._path.name

    @property
    def stem(self) -> str:
        """Its name without the ending."""
        return self._path.stem

    @property
    def suffix(self) -> str:
        """The ending of its name, with the point."""
        return self._path.suffix

    @property
    def parent(self) -> S3Path:
        """The prefix that it is below."""
        return self._other(self._path.parent)

    def absolute(self) -> S3Path:
        """Return itself: an address is."""
        return self

    # -- what is there

    def is_file(self) -> bool:
        """Tell whether it is an object."""
        return self._kind() == "file"

    def is_dir(self) -> bool:
        """Tell whether objects are below it."""
        return self._kind() == "directory"

    def exists(self) -> bool:
        """Tell whether it is an object, or objects are below it."""
        return bool(self._kind())

    def _kind(self) -> str:
        # Not isfile() and its like of s3fs, which take every failure for a no.
        try:
            with translated(self):
                return str(self._fs.info(str(self._path))["type"])
        except FileNotFoundError:
            return ""

    def stat(self) -> RemoteStat:
        """Return its size; FileNotFoundError where it is no object."""
        with translated(self):
            return RemoteStat(int(self._fs.size(str(self._path))))

    def glob(self, pattern: str) -> list[S3Path]:
        """Return the objects below it whose names fit; ``**/`` looks at every depth."""
        with translated(self):
            return [self._other(PurePosixPath(one)) for one in sorted(self._fs.glob(f"{self._path}/{pattern}"))]

    # -- reading

    def open(self, mode: str = "rb") -> BinaryIO:
        """Open it for reading; what was read is kept in blocks, some 32 MB at most."""
        with translated(self):
            options = {"block_size": _BLOCK_BYTES, "cache_type": "blockcache", "cache_options": {"maxblocks": _BLOCKS}}
            opened: BinaryIO = self._fs.open(str(self._path), mode, **options)
            return opened

    def read_range(self, offset: int, n_bytes: int) -> bytes:
        """Return some bytes; fewer at its end."""
        if n_bytes <= 0:
            return b""
        with translated(self):
            found: bytes = self._fs.cat_file(str(self._path), start=offset, end=offset + n_bytes)
            return found

    def read_bytes(self) -> bytes:
        """Return all of it."""
        with translated(self):
            found: bytes = self._fs.cat_file(str(self._path))
            return found

    def read_text(self, encoding: str = "utf-8") -> str:
        """Return all of it as text."""
        return self.read_bytes().decode(encoding)

    def get(self, local: Path) -> None:
        """Copy it to a file here."""
        with translated(self):
            self._fs.get_file(str(self._path), str(local))

    def mapping(self) -> Any:
        """Return what is below it as a mapping of names to bytes, as Zarr wants it."""
        with translated(self):
            return self._fs.get_mapper(str(self._path))

    # -- writing

    def put(self, local: Path) -> None:
        """Put a file there; the object is the old one until all of it has arrived."""
        try:
            with translated(self, "write"):
                self._fs.put_file(str(local), str(self._path))
        except FileNotFoundError as error:
            raise StoreError(f"cannot write {self}: there is no bucket {self._path.parts[0]}; make it first") from error

    def remove(self) -> None:
        """Delete the object; none is as good."""
        with translated(self, "delete"):
            self._fs.rm_file(str(self._path))

    @property
    def _fs(self) -> Any:
        return _system(self._access, tuple(os.environ.get(name) for name in _ENVIRONMENT))

    def _other(self, path: PurePosixPath) -> S3Path:
        made = object.__new__(S3Path)
        made._path, made._access = path, self._access
        return made


@lru_cache(maxsize=4)
def _system(access: Access, environment: tuple[str | None, ...]) -> Any:
    """Return a connection; making one takes a second."""
    unsigned = (environment[-1] or "").lower() in ("yes", "true", "1")
    given = {"key": access.key, "secret": access.secret, "token": access.token, "endpoint_url": access.endpoint}
    return require("s3fs", "s3").S3FileSystem(
        anon=access.anonymous or unsigned,
        client_kwargs={"region_name": access.region} if access.region else {},
        use_listings_cache=False,  # what others put there shows
        skip_instance_cache=True,
        **{name: value for name, value in given.items() if value is not None},
    )


def place_of(given: str) -> Path:
    """Return what a text names: a path, or an `S3Path`, which reading does not tell from one."""
    return cast(Path, S3Path(given)) if is_url(given) else Path(given)


def read_range(path: Path | S3Path, offset: int, n_bytes: int) -> bytes:
    """Return some bytes of a file, wherever it is; fewer at its end."""
    if isinstance(path, S3Path):
        return path.read_range(offset, n_bytes)
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(max(n_bytes, 0))


@contextmanager
def translated(place: S3Path, doing: str = "read") -> Iterator[None]:
    """Turn what s3fs and botocore raise into a StoreError that names address and remedy; FileNotFoundError stays."""
    exceptions = require("botocore.exceptions", "s3")
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, "no such bucket or key", str(place)) from error
    except exceptions.NoCredentialsError as error:
        raise StoreError(
            f"cannot {doing} {place}: there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
            "AWS_PROFILE, or run 'aws configure'; for public data set AWS_NO_SIGN_REQUEST=yes"
        ) from error
    except (exceptions.PartialCredentialsError, exceptions.ProfileNotFound) as error:
        raise StoreError(f"cannot {doing} {place}: {error}; mend the environment or ~/.aws/credentials") from error
    except exceptions.EndpointConnectionError as error:
        raise StoreError(
            f"cannot {doing} {place}: the endpoint does not answer; check network, region and AWS_ENDPOINT_URL"
        ) from error
    except PermissionError as error:
        raise StoreError(
            f"cannot {doing} {place}: denied ({_reason(error)}); check the credentials and what they allow"
        ) from error
    except (OSError, exceptions.BotoCoreError, exceptions.ClientError) as error:
        raise StoreError(f"cannot {doing} {place}: {_reason(error)}") from error


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
    if len(path._path.parts) < 2:  # noqa: SLF001 - of this module
        raise StoreError(f"{path} names no key; an address in S3 is s3://bucket/key")


def _reason(error: BaseException) -> str:
    """Return what a store said, without the wrapping of three libraries."""
    lines = str(error.args[0] if error.args else error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__
