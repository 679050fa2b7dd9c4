"""Recordings for the analysis page: how far they are, their numbers, figures, tables. Viewers may use all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from spikedaq.model import ConfigError, StoreError
from spikedaq.scope.analysis_asked import asked, cache_of, close, gone, json_answer, state_of
from spikedaq.scope.analysis_drawn import COLUMNS, envelope
from spikedaq.scope.analysis_figures import figures
from spikedaq.scope.analysis_loaded import Loaded
from spikedaq.scope.analysis_look import Look, number, parse_look
from spikedaq.scope.analysis_tables import table
from spikedaq.scope.bodies import attachment, refusal
from spikedaq.scope.routes_analysis_open import opening

__all__ = ["close", "routes"]


async def _status(request: Request) -> Response:
    cache, handle = cache_of(request.app), request.path_params["handle"]
    return gone() if cache.get(handle) is None else json_answer(state_of(cache, handle))


async def _close(request: Request) -> Response:
    cache_of(request.app).close_one(request.path_params["handle"])
    return json_answer({})


async def _look(request: Request) -> Response:
    async def work(loaded: Loaded, look: Look, _: dict[str, Any]) -> Response:
        return json_answer(await asyncio.to_thread(figures, loaded, look))

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
        return json_answer(shown)

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
    said = await asked(request)
    if isinstance(said, Response):
        return said
    cache = cache_of(request.app)
    handle = request.path_params["handle"]
    source = cache.get(handle)
    if source is None:
        return gone()
    if source.state != "ready":
        return refusal("not_ready", source.text or "it is not read yet; wait a moment", 409)
    try:
        look = parse_look(said)
        source.check_part(look.part)
        loaded = await cache.load(source, handle, look.window)
        # One at a time: a class that drags thresholds at once shall not stop the traces.
        async with cache.turn:
            return await work(loaded, look, said)
    except ConfigError as error:
        return refusal("config", str(error))
    except StoreError as error:
        return refusal("store", str(error), 422)


_ONE = "/api/analysis/open/{handle}"
routes: list[BaseRoute] = [
    *opening,
    Route(_ONE, _status),
    Route(_ONE, _close, methods=["DELETE"]),
    Route(_ONE + "/look", _look, methods=["POST"]),
    Route(_ONE + "/trace", _trace, methods=["POST"]),
    Route(_ONE + "/table", _table, methods=["POST"]),
]
