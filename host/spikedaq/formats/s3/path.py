"""Files in S3 buckets with what of `pathlib.Path` reading needs: read in ranges, as they are needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from spikedaq.formats.s3.access import Access, connection, translated
from spikedaq.model import StoreError

_SCHEME = "s3://"
# HDF5 reads its tables in small pieces all over a file, and samples in chunks of some 50 kB.
_BLOCK_BYTES = 1 << 20
_BLOCKS = 32


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
        return connection(self._access)

    def _other(self, path: PurePosixPath) -> S3Path:
        made = object.__new__(S3Path)
        made._path, made._access = path, self._access
        return made


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
