"""Files that hold secrets: written for their owner alone, and refused where others may read them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shlex
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spikedaq.durable import sync_folder
from spikedaq.model import ConfigError

KEY_BYTES = 32
"""A Curve25519 key; written as 64 hexadecimal digits, which no shell takes for anything else."""
# A bound on what is read as a key file; 10,000 allowed keys take 1.5 MB.
_MAX_BYTES = 4 << 20


def config_folder() -> Path:
    """Return the user's folder for spikedaq: ``$XDG_CONFIG_HOME/spikedaq``, else ``~/.config/spikedaq``."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "spikedaq"


def key_from_hex(text: object, what: str) -> bytes:
    """Read a key of 64 hexadecimal digits.

    Raises
    ------
    ConfigError
        Anything else; ``what`` names it.
    """
    try:
        key = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        # Not shown: it may be a secret.
        raise ConfigError(f"{what} is not a key; a key is {2 * KEY_BYTES} hexadecimal digits")
    return key


def is_there(path: Path) -> bool:
    """Tell whether there is such a file.

    Raises
    ------
    ConfigError
        Nobody can tell: a folder on the way may not be entered, or the disk fails.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise ConfigError(f"the key file {path} cannot be looked at ({error.strerror})") from error
    return True


def read_private(path: Path) -> dict[str, Any]:
    """Read a TOML file that only its owner may read.

    Raises
    ------
    ConfigError
        Absent, open to others, not ours, or not TOML. Its cause is an `OSError` where the system could not read it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        # The open file is judged, not its name: nobody can put another in its place in between.
        with os.fdopen(descriptor, "rb") as file:
            _check_private(path, os.fstat(descriptor))
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"the key file {path} cannot be read ({error.strerror})") from error
    try:
        if len(data) > _MAX_BYTES:
            raise ConfigError(f"{path} is no key file: it has more than {_MAX_BYTES} bytes")
        return tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"the key file {path} is not TOML: {error}") from error


def _check_private(path: Path, status: os.stat_result) -> None:
    if os.name != "posix":
        return  # Windows has access lists, which mode bits do not show.
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"{path} is not a file; a key is kept in one")
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        raise ConfigError(f"others may read {path} (mode {mode:04o}); run: chmod 600 {shlex.quote(str(path))}")
    if status.st_uid not in (os.geteuid(), 0):
        raise ConfigError(f"{path} belongs to another user; make it yours: chown {os.geteuid()} {path}")


def make_folder(folder: Path) -> None:
    """Make a folder for its owner alone where there is none; raises `ConfigError` where that cannot be."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the folder {folder} cannot be made ({error.strerror})") from error


def write_private(path: Path, text: str) -> None:
    """Write a file for its owner alone, whole or not at all.

    Root writes it for whom the file was that it replaces, else for whom the folder is: ``sudo`` must not take the list
    away from the daemon that reads it.

    Raises
    ------
    ConfigError
        It cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        make_folder(path.parent)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                if os.geteuid() == 0:
                    owner = _owner(path)
                    os.fchown(descriptor, owner.st_uid, owner.st_gid)
                os.fsync(descriptor)
            temporary.replace(path)
            sync_folder(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"the key file {path} cannot be written ({error.strerror})") from error


def _owner(path: Path) -> os.stat_result:
    try:
        return path.lstat()
    except FileNotFoundError:
        return path.parent.stat()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep others from changing a folder's files meanwhile, so that no change is written over another.

    Raises
    ------
    ConfigError
        The folder is absent or cannot be locked.
    """
    try:
        # The folder itself: a file beside the keys would have an owner, whom others could not lock out.
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(f"the key folder {folder} cannot be opened ({error.strerror})") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            raise ConfigError(f"the key folder {folder} cannot be locked ({error.strerror})") from error
        yield
    finally:
        os.close(descriptor)
