"""Recordings for the analysis page: of a bench, or uploaded; their numbers, figures, tables. Viewers may use all of it.

To open something is to get a handle at once; how far it is, is asked for with the handle.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from spikedaq.inlet import Bench, connect
from spikedaq.model import CommandError, ConfigError, SpikedaqError, StoreError, check_session_name
from spikedaq.scope.analysis_cache import AnalysisCache
from spikedaq.scope.analysis_drawn import COLUMNS, envelope
from spikedaq.scope.analysis_fetch import closed_files, fetching
from spikedaq.scope.analysis_figures import Loaded, figures, table
from spikedaq.scope.analysis_look import Look, number, parse_look
from spikedaq.scope.bodies import BodyTooLargeError, attachment, read_body, refusal, shown_name, too_large
from spikedaq.scope.hub import Hub
from spikedaq.scope.json_text import to_json

MAX_CSV_BYTES = 64_000_000
MAX_NWB_BYTES = 512_000_000
_MAX_ASKED_BYTES = 100_000
_LIBRARY_TIMEOUT_S = 5.0
_SUFFIXES = {".csv": MAX_CSV_BYTES, ".nwb": MAX_NWB_BYTES, ".h5": MAX_NWB_BYTES, ".hdf5": MAX_NWB_BYTES}


def cache_of(app: Starlette) -> AnalysisCache:
    """Return the server's cache; it is made with the first request."""
    if not hasattr(app.state, "analysis"):
        app.state.analysis = AnalysisCache()
    cache: AnalysisCache = app.state.analysis
    return cache


async def close(app: Starlette) -> None:
    """Remove what is in the cache, as the server ends."""
    if hasattr(app.state, "analysis"):
        await app.state.analysis.close()


# -- what there is


async def _recordings(request: Request) -> Response:
    query = request.query_params

    def ask(bench: Bench) -> Any:
        before = json.loads(query["before"]) if "before" in query else None
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
        return _json(await asyncio.to_thread(work))
    except CommandError as error:
        return refusal(getattr(error, "code", None) or "bench", str(error), 502)
    except (SpikedaqError, ValueError, RecursionError) as error:
        return refusal("bench", str(error), 502)


# -- opening


async def _open(request: Request) -> Response:
    said = await _said(request)
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
    return _json({"handle": handle, **_state(cache, handle)})


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
    try:
        await cache.make_room(int(said) if said.isdecimal() else max_bytes)
    except StoreError as error:
        return refusal("no_room", str(error), 507)
    folder = cache.new_folder()
    path = folder / _safe(name, suffix)
    try:
        await _write(request, path, max_bytes)
    except BodyTooLargeError:
        shutil.rmtree(folder, ignore_errors=True)
        return refusal("too_large", text, 413)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        return refusal("no_room", f"{name} cannot be kept here: {error.strerror}", 507)
    except (ClientDisconnect, asyncio.CancelledError):
        shutil.rmtree(folder, ignore_errors=True)
        raise
    handle = cache.take(folder, name, path)
    return _json({"handle": handle, **_state(cache, handle)})


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


# -- what is open


async def _status(request: Request) -> Response:
    cache, handle = cache_of(request.app), request.path_params["handle"]
    return _gone() if cache.get(handle) is None else _json(_state(cache, handle))


async def _close(request: Request) -> Response:
    cache_of(request.app).close_one(request.path_params["handle"])
    return _json({})


async def _look(request: Request) -> Response:
    async def work(loaded: Loaded, look: Look, _: dict[str, Any]) -> Response:
        return _json(await asyncio.to_thread(figures, loaded, look))

    return await _on_samples(request, work)


async def _trace(request: Request) -> Response:
    async def work(loaded: Loaded, look: Look, said: dict[str, Any]) -> Response:
        first, last = number(said, "first_ms"), number(said, "last_ms")
        columns = number(said, "columns", least=10, most=4 * COLUMNS)
        if look.channel not in loaded.samples.channels:
            raise ConfigError(f"there is no channel {look.channel} with values in it")
        ends = {
            "first_ms": -float("inf") if first is None else first,
            "last_ms": float("inf") if last is None else last,
        }
        shown = await asyncio.to_thread(
            envelope, loaded.samples, look.channel, **ends, columns=COLUMNS if columns is None else int(columns)
        )
        return _json(shown)

    return await _on_samples(request, work)


async def _table(request: Request) -> Response:
    async def work(loaded: Loaded, look: Look, said: dict[str, Any]) -> Response:
        name = said.get("table")
        if not isinstance(name, str):
            raise ConfigError("'table' names the table that is wanted")
        made = await asyncio.to_thread(table, loaded, look, name)
        return StreamingResponse(made.lines(), media_type="text/csv", headers=attachment(made.name, ".csv"))

    return await _on_samples(request, work)


async def _on_samples(
    request: Request, work: Callable[[Loaded, Look, dict[str, Any]], Awaitable[Response]]
) -> Response:
    said = await _said(request)
    if isinstance(said, Response):
        return said
    cache = cache_of(request.app)
    source = cache.get(request.path_params["handle"])
    if source is None:
        return _gone()
    if source.state != "ready":
        return refusal("not_ready", source.text or "it is not read yet; wait a moment", 409)
    try:
        look = parse_look(said)
        source.check_part(look.part)
        loaded = await cache.load(source, look.window)
        # One at a time: a class that drags thresholds at once shall not stop the traces.
        async with cache.turn:
            return await work(loaded, look, said)
    except ConfigError as error:
        return refusal("config", str(error))
    except StoreError as error:
        return refusal("store", str(error), 422)


async def _said(request: Request) -> dict[str, Any] | Response:
    try:
        said = json.loads(await read_body(request, _MAX_ASKED_BYTES))
    except BodyTooLargeError:
        return too_large("the request", _MAX_ASKED_BYTES)
    except (ValueError, RecursionError):
        said = None
    return said if isinstance(said, dict) else refusal("bad_arguments", "the request is no map")


async def _limits(_: Request) -> Response:
    return _json({"csv_bytes": MAX_CSV_BYTES, "nwb_bytes": MAX_NWB_BYTES})


def _state(cache: AnalysisCache, handle: str) -> dict[str, Any]:
    source = cache.get(handle)
    return {} if source is None else source.to_map()


def _gone() -> Response:
    text = "this recording was put away, since room was needed or the server began anew; open it again"
    return refusal("gone", text, 404)


def _json(value: Any) -> Response:
    return Response(to_json(value), media_type="application/json")


_ONE = "/api/analysis/open/{handle}"
routes: list[BaseRoute] = [
    Route("/api/analysis/limits", _limits),
    Route("/api/analysis/recordings", _recordings),
    Route("/api/analysis/recording", _recording),
    Route("/api/analysis/open", _open, methods=["POST"]),
    Route("/api/analysis/upload", _upload, methods=["POST"]),
    Route(_ONE, _status),
    Route(_ONE, _close, methods=["DELETE"]),
    Route(_ONE + "/look", _look, methods=["POST"]),
    Route(_ONE + "/trace", _trace, methods=["POST"]),
    Route(_ONE + "/table", _table, methods=["POST"]),
]
