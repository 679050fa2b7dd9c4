"""Which page `spikedaq class serve` serves on this computer: remembered by it, found by `spikedaq class address`."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from spikedaq.cli.lesson_state import state_folder
from spikedaq.model import StoreError

try:
    import fcntl
except ImportError:  # not on Windows: what is remembered there is believed
    fcntl = None  # type: ignore[assignment]

_MAX_BYTES = 100_000
Tell = Callable[[str, Sequence[str]], None]


@dataclass(frozen=True, slots=True)
class ServedPage:
    """A page that is being served.

    Attributes
    ----------
    address : str
        The students', with their token.
    benches : tuple of str
        Control endpoints of what it shows.
    """

    address: str
    benches: tuple[str, ...]


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

    def tell(address: str, benches: Sequence[str]) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Under its own name only once it is locked: who looks for pages takes one without a lock for left over.
            unlocked = path.with_name(f".{path.name}")
            # For this user only: the token is in it.
            fd = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            held.append(fd)
            if fcntl is not None:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(fd, json.dumps(asdict(ServedPage(address, tuple(benches)))).encode())
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
    found: list[tuple[float, ServedPage]] = []
    with contextlib.suppress(OSError):
        for path in sorted(state_folder().glob("class-page.*.json")):
            page = _read(path)
            if page is not None and set(benches or ()) <= set(page[1].benches):
                found.append(page)
    return max(found, key=lambda each: each[0])[1] if found else None


def _read(path: Path) -> tuple[float, ServedPage] | None:
    """Return when a page was begun and what is remembered of it; forget one whose server has ended."""
    try:
        with path.open("rb") as file:
            if fcntl is not None and _is_free(file.fileno()):
                path.unlink(missing_ok=True)
                return None
            raw = json.loads(file.read(_MAX_BYTES))
            page = ServedPage(str(raw["address"]), tuple(str(url) for url in raw["benches"]))
            return os.fstat(file.fileno()).st_mtime, page
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _is_free(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
