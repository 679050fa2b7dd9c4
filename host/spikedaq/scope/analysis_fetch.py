"""Brings the files of a bench's recording to the analysis page's cache."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

from spikedaq.inlet import Bench, fetch_session
from spikedaq.model import CommandRejected, SpikedaqError, StoreError
from spikedaq.scope.analysis_cache import AnalysisCache, Fill
from spikedaq.scope.analysis_source import Source

MAX_FETCH_BYTES = 2 * 10**9
"""Of one device's files that are opened at once; half of what the cache has room for."""


class _GivenUpError(SpikedaqError):
    """Nobody waits for it any more."""


def closed_files(whole: dict[str, Any], device: str, names: list[str] | None) -> list[dict[str, Any]]:
    """Return the closed files that are to be opened.

    Raises
    ------
    StoreError
        There are none, or they are too many.
    """
    own = [file for file in whole["files"] if file["device"] == device]
    if not own:
        raise CommandRejected(
            f"session {whole['session']!r} has no file of {device!r}; it has files of "
            f"{', '.join(whole['devices']) or 'no device'}",
            code="unknown_device",
        )
    closed = [file for file in own if file["state"] == "closed" and (names is None or file["name"] in names)]
    if not closed:
        raise StoreError(
            f"no file of {device} that is chosen is closed yet; stop the recording, or wait until the next file begins"
        )
    n_bytes = sum(int(file["n_bytes"]) for file in closed)
    if n_bytes > MAX_FETCH_BYTES:
        raise StoreError(
            f"these {len(closed)} files have {n_bytes / 1e6:.0f} MB, and at most {MAX_FETCH_BYTES / 1e6:.0f} MB are "
            "opened at once; choose fewer files, or use spikedaq recordings fetch and spikedaq spikes"
        )
    return closed


def _not_closed(whole: dict[str, Any], device: str) -> dict[str, str]:
    texts = {
        "open": "it is being recorded; open it once it is closed",
        "not_closed": "a kill left it open; on the daemon's computer: spikedaq recover",
        "deleted": "it was deleted to make room",
        "missing": "it is gone from the daemon's disk",
    }
    return {
        str(file["name"]): texts.get(str(file["state"]), str(file["state"]))
        for file in whole["files"]
        if file["device"] == device and file["state"] != "closed"
    }


def fetching(
    cache: AnalysisCache, reach: Callable[[], Bench], whole: dict[str, Any], device: str, files: list[dict[str, Any]]
) -> Fill:
    """Return what brings files of a session into the folder of a `Source`; cancelled, it ends at the next piece.

    Parameters
    ----------
    reach : callable
        Connects to the bench.
    whole : map
        The session, as `LibraryClient.recording` tells it.
    files : list of maps
        As of `closed_files`.
    """
    n_bytes = sum(int(file["n_bytes"]) for file in files)
    names = [str(file["name"]) for file in files]

    async def fill(source: Source) -> None:
        async with cache.room(source.folder, n_bytes):
            await bring_into(source)

    async def bring_into(source: Source) -> None:
        given_up = threading.Event()

        def show(_: str, done: int, total: int) -> None:
            if given_up.is_set():
                raise _GivenUpError("nobody waits for it any more")
            source.show(done, total)

        def bring() -> None:
            session, where = str(whole["session"]), str(whole["folder"])
            with reach() as bench, bench.library() as library:
                fetch_session(
                    library, session, source.folder, folder=where, devices=[device], names=names, progress=show
                )

        source.left_out = _not_closed(whole, device)
        work = asyncio.create_task(asyncio.to_thread(bring))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            given_up.set()
            with contextlib.suppress(SpikedaqError, OSError):
                await work
            raise

    return fill
