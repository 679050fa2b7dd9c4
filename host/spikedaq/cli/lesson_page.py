"""Which page `spikedaq class serve` serves on this computer: remembered by it, found by the others of a class."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from spikedaq.cli.lesson_state import state_folder
from spikedaq.model import StoreError

try:
    import fcntl
except ImportError:  # not on Windows: what is remembered there is believed
    fcntl = None  # type: ignore[assignment]

_MAX_BYTES = 100_000
# A page says goodbye to those who look at it first, and ends itself soon after where they do not listen.
_END_S = 10.0


class Tell(Protocol):
    """Remembers a page; raises StoreError where that cannot be."""

    def __call__(self, address: str, benches: Sequence[str], *, until_stop: bool = False) -> None:
        """Remember it."""


@dataclass(frozen=True, slots=True)
class ServedPage:
    """A page that is being served.

    Attributes
    ----------
    address : str
        The students', with their token.
    benches : tuple of str
        Control endpoints of what it shows.
    until_stop : bool
        It was begun by `spikedaq class start`, and ends with the class.
    """

    address: str
    benches: tuple[str, ...]
    until_stop: bool = False


@contextlib.contextmanager
def remembered() -> Iterator[Tell]:
    """Remember a page from when it is told of until this is left; a process that is killed is known to have ended.

    Yields
    ------
    callable
        Called with the students' address and the benches. It raises StoreError where they cannot be remembered.
    """
    path = state_folder() / f"class-page.{os.getpid()}.json"
    held: list[int] = []

    def tell(address: str, benches: Sequence[str], *, until_stop: bool = False) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Under its own name only once it is locked: who looks for pages takes one without a lock for left over.
            unlocked = path.with_name(f".{path.name}")
            # For this user only: the token is in it.
            fd = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            held.append(fd)
            if fcntl is not None:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(fd, json.dumps(asdict(ServedPage(address, tuple(benches), until_stop))).encode())
            unlocked.replace(path)
        except OSError as error:
            raise StoreError(
                f"{path} cannot be written ({error.strerror}); 'spikedaq class address' will not know this page"
            ) from error

    try:
        yield tell
    finally:
        if held:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        for fd in held:
            os.close(fd)


def served_page(benches: Collection[str] | None = None) -> ServedPage | None:
    """Return the page that was begun last of those that are served now, None where there is none.

    Parameters
    ----------
    benches : collection of str, optional
        Only a page that shows all of these.
    """
    found = [(begun, page) for _, begun, page in _pages() if set(benches or ()) <= set(page.benches)]
    return max(found, key=lambda each: each[0])[1] if found else None


def end_pages() -> None:
    """End the pages that end with the class, and wait until they have."""
    ending = [path for path, _, page in _pages() if page.until_stop]
    for path in ending:
        with contextlib.suppress(OSError, ValueError):
            os.kill(int(path.name.split(".")[1]), signal.SIGTERM)
    deadline = time.monotonic() + _END_S
    # Not whether the file is there: a server that ends by the signal leaves it, and no lock on it.
    while any(_read(path) is not None for path in ending) and time.monotonic() < deadline:
        time.sleep(0.02)


def _pages() -> list[tuple[Path, float, ServedPage]]:
    """Return the pages that are served now, each with its file and when it was begun."""
    found = []
    with contextlib.suppress(OSError):
        for path in sorted(state_folder().glob("class-page.*.json")):
            page = _read(path)
            if page is not None:
                found.append((path, *page))
    return found


def _read(path: Path) -> tuple[float, ServedPage] | None:
    """Return when a page was begun and what is remembered of it; forget one whose server has ended."""
    try:
        with path.open("rb") as file:
            if fcntl is not None and _is_free(file.fileno()):
                path.unlink(missing_ok=True)
                return None
            raw = json.loads(file.read(_MAX_BYTES))
            benches = tuple(str(url) for url in raw["benches"])
            page = ServedPage(str(raw["address"]), benches, raw.get("until_stop") is True)
            return os.fstat(file.fileno()).st_mtime, page
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _is_free(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
