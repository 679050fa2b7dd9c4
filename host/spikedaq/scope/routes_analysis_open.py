"""Opening recordings for the analysis page: which there are on a bench, those of a bench, and files from the browser.

To open something is to get a handle at once; how far it is, is asked for with the handle.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from spikedaq.inlet import Bench, connect
from spikedaq.model import CommandError, SpikedaqError, StoreError, check_session_name
from spikedaq.scope.analysis_asked import asked, cache_of, json_answer, state_of
from spikedaq.scope.analysis_fetch import closed_files, fetching
from spikedaq.scope.bodies import BodyTooLargeError, refusal, shown_name
from spikedaq.scope.hub import Hub

MAX_CSV_BYTES = 64_000_000
MAX_NWB_BYTES = 512_000_000
_LIBRARY_TIMEOUT_S = 5.0
_SUFFIXES = {".csv": MAX_CSV_BYTES, ".nwb": MAX_NWB_BYTES, ".h5": MAX_NWB_BYTES, ".hdf5": MAX_NWB_BYTES}


async def _recordings(request: Request) -> Response:
    query = request.query_params
    try:
        before = json.loads(query["before"]) if "before" in query else None
    except (ValueError, RecursionError):
        return refusal("bad_arguments", "'before' is what an earlier answer gave as its end")

    def ask(bench: Bench) -> Any:
        with bench.library() as library:
            return library.page(before=before, match=query.get("match") or None)

    return await _of_bench(request, query.get("bench", ""), ask)


async def _recording(request: Request) -> Response:
    query = request.query_params

    def ask(bench: Bench) -> Any:
        with bench.library() as library:
            return library.recording(query.get("session", ""), folder=query.get("folder") or None)

    return await _of_bench(request, query.get("bench", ""), ask)


async def _of_bench(request: Request, name: str, ask: Callable[[Bench], Any]) -> Response:
    hub: Hub = request.app.state.hub
    feed = hub.feed(name)
    if feed is None:
        return refusal("unknown_bench", f"there is no bench {name[:80]!r} here", 404)

    def work() -> Any:
        with connect(feed.url, timeout_s=_LIBRARY_TIMEOUT_S, key=hub.key) as bench:
            return ask(bench)

    try:
        return json_answer(await asyncio.to_thread(work))
    except CommandError as error:
        return refusal(getattr(error, "code", None) or "bench", str(error), 502)
    except SpikedaqError as error:
        return refusal("bench", str(error), 502)


# -- opening


async def _open(request: Request) -> Response:
    said = await asked(request)
    if isinstance(said, Response):
        return said
    name, session, device = (said.get(key) for key in ("bench", "session", "device"))
    files, folder = said.get("files"), said.get("folder")
    if not (isinstance(name, str) and isinstance(session, str) and isinstance(device, str)) or not (
        files is None or (isinstance(files, list) and files and all(isinstance(one, str) for one in files))
    ):
        return refusal("bad_arguments", "give bench, session, device, and files as a list of names or not at all")
    hub: Hub = request.app.state.hub
    feed = hub.feed(name)
    if feed is None:
        return refusal("unknown_bench", f"there is no bench {name[:80]!r} here", 404)
    try:
        path = Path(check_session_name(session)) / check_session_name(device, "device name")
    except SpikedaqError as error:
        return refusal("bad_arguments", str(error))

    def reach() -> Bench:
        return connect(feed.url, timeout_s=_LIBRARY_TIMEOUT_S, key=hub.key)

    def told() -> dict[str, Any]:
        with reach() as bench, bench.library() as library:
            return library.recording(session, folder=folder)

    try:
        whole = await asyncio.to_thread(told)
        chosen = closed_files(whole, device, files)
    except SpikedaqError as error:
        return refusal(getattr(error, "code", None) or "bench", str(error), 502)
    cache = cache_of(request.app)

    stamps = [[file["name"], file.get("sha256")] for file in chosen]
    handle = cache.open(
        [feed.url, whole["folder"], session, device, stamps],
        f"{session}, {device}",
        path,
        fetching(cache, reach, whole, device, chosen),
    )
    return json_answer({"handle": handle, **state_of(cache, handle)})


async def _upload(request: Request) -> Response:
    name = shown_name(request.query_params.get("name", ""), "the file")
    suffix = Path(name).suffix.lower()
    if suffix not in _SUFFIXES:
        return refusal("bad_name", f"{name} is neither a CSV (.csv) nor a recording (.nwb)", 415)
    max_bytes = _SUFFIXES[suffix]
    text = f"{name} has more than {max_bytes // 1_000_000} MB, which is the most that can be uploaded; " + (
        "cut it, or use spikedaq spikes on your own computer"
    )
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > max_bytes:
        return refusal("too_large", text, 413)
    cache = cache_of(request.app)
    folder = cache.new_folder()
    path = folder / _safe(name, suffix)
    try:
        async with cache.room(folder, int(said) if said.isdecimal() else max_bytes):
            await _write(request, path, max_bytes)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, BodyTooLargeError):
            return refusal("too_large", text, 413)
        if isinstance(error, StoreError):
            return refusal("no_room", str(error), 507)
        if isinstance(error, OSError):
            return refusal("no_room", f"{name} cannot be kept here: {error.strerror}", 507)
        raise
    handle = cache.take(folder, name, path)
    return json_answer({"handle": handle, **state_of(cache, handle)})


async def _write(request: Request, path: Path, max_bytes: int) -> None:
    n_bytes = 0
    with path.open("wb") as file:
        async for part in request.stream():
            n_bytes += len(part)
            if n_bytes > max_bytes:
                raise BodyTooLargeError
            file.write(part)


def _safe(name: str, suffix: str) -> str:
    """Return the name of an uploaded file as it may lie here; its stem is what the recording is called."""
    stem = re.sub(r"[^\w \-().]", "_", name[: -len(suffix)]).strip(". ")
    return (stem[:80] or "recording") + (".csv" if suffix == ".csv" else ".nwb")


async def _limits(_: Request) -> Response:
    return json_answer({"csv_bytes": MAX_CSV_BYTES, "nwb_bytes": MAX_NWB_BYTES})


opening: list[BaseRoute] = [
    Route("/api/analysis/limits", _limits),
    Route("/api/analysis/recordings", _recordings),
    Route("/api/analysis/recording", _recording),
    Route("/api/analysis/open", _open, methods=["POST"]),
    Route("/api/analysis/upload", _upload, methods=["POST"]),
]
