"""The bytes of a session's files, piece by piece, for whoever copies it."""

from __future__ import annotations

import errno
import os
from typing import Any

from spikedaq.library.catalogue import Catalogue, Found
from spikedaq.library.places import opened
from spikedaq.library.session_card import MANIFEST_FILE, PLAN_FILE
from spikedaq.model import CommandRejected, StoreError

MAX_PIECE_BYTES = 3 * 2**18
"""Of one reply; a control message has at most a mebibyte."""


def read_contents(
    catalogue: Catalogue, session: Found, device: str | None, name: str, *, offset: int, max_bytes: int
) -> dict[str, Any]:
    """Return a piece of one file of a session.

    Parameters
    ----------
    device : str or None
        None for the session's own ``session.json``.
    name : str
        A file that the device's manifest lists, or ``manifest.json``.
    offset, max_bytes : int
        Where to begin, and how much at most.

    Returns
    -------
    map
        ``data``, ``offset``, ``n_bytes`` of the whole file as it is now, ``done``: nothing follows, and ``sha256`` as
        the manifest has it, None of a file that may be written anew.

    Raises
    ------
    CommandRejected
        ``unknown_file``: nobody lists it, or it is gone; ``not_closed``: it is being written.
    StoreError
        It is there and cannot be read, or is not what the manifest says.
    """
    wanted: tuple[str, int] | None = None
    if device is None:
        if name != PLAN_FILE:
            raise _unknown(f"a session itself has the file {PLAN_FILE} only, not {name!r}; name the device")
    elif name != MANIFEST_FILE:
        wanted = _listed(catalogue, session, device, name)
    parts = [session.name, *([] if device is None else [device]), name]
    path = session.shelf.joinpath(*parts)
    try:
        with opened(session.shelf, parts) as fd:
            n_bytes = os.fstat(fd).st_size
            if wanted is not None and n_bytes != wanted[1]:
                raise StoreError(f"{path} has {n_bytes} bytes, its manifest says {wanted[1]}; see spikedaq verify")
            data = os.pread(fd, max_bytes, offset)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise _unknown(f"{path} is gone: somebody has deleted or moved it") from error
        link = error.errno == errno.ELOOP
        why = "it is a symbolic link, which is not followed" if link else error.strerror
        raise StoreError(f"{path} cannot be read: {why}; see to it on the daemon's computer") from error
    return {
        "offset": offset,
        "data": data,
        "n_bytes": n_bytes,
        "done": offset + len(data) >= n_bytes,
        "sha256": wanted[0] if wanted is not None else None,
    }


def _listed(catalogue: Catalogue, session: Found, device: str, name: str) -> tuple[str, int]:
    """Return checksum and size of a closed file."""
    card = catalogue.device(session, device)
    if card is None:
        raise _unknown(f"session {session.name!r} has no device {device!r}; see 'recording'")
    if name in card.open_files:
        what = "is being recorded" if catalogue.is_running(session) else "was left open by a kill"
        do = "ask again once it is closed, or take its samples from the bus or the history"
        if not catalogue.is_running(session):
            do = f"finish it on the daemon's computer with: spikedaq recover {session.path}"
        raise CommandRejected(f"{name} {what} and may change still; {do}", code="not_closed")
    entry = next((f for f in card.files if f.name == name), None)
    if entry is None:
        why = f" ({card.problem})" if card.problem else ""
        raise _unknown(f"{device} of session {session.name!r} has no file {name[:200]!r}{why}; see 'recording'")
    if entry.deleted_utc_ns is not None:
        raise _unknown(f"{name} was deleted on the daemon's computer: {entry.deleted_why}")
    return entry.sha256, entry.n_bytes


def _unknown(text: str) -> CommandRejected:
    return CommandRejected(text, code="unknown_file")
