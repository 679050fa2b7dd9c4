"""What the routes of the analysis page share: the server's cache, a request read and checked, answers."""

from __future__ import annotations

import json
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from spikedaq.scope.analysis_cache import AnalysisCache
from spikedaq.scope.bodies import BodyTooLargeError, read_body, refusal, too_large
from spikedaq.scope.json_text import to_json

_MAX_ASKED_BYTES = 100_000


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


async def asked(request: Request) -> dict[str, Any] | Response:
    """Return the map that a request's body is, or the answer that refuses it."""
    try:
        said = json.loads(await read_body(request, _MAX_ASKED_BYTES))
    except BodyTooLargeError:
        return too_large("the request", _MAX_ASKED_BYTES)
    except (ValueError, RecursionError):
        said = None
    return said if isinstance(said, dict) else refusal("bad_arguments", "the request is no map")


def state_of(cache: AnalysisCache, handle: str) -> dict[str, Any]:
    """Return how far what is open under a handle is, empty where nothing is."""
    source = cache.get(handle)
    return {} if source is None else source.to_map()


def gone() -> Response:
    """Return the answer to a handle of nothing."""
    text = "this recording was put away, since room was needed or the server began anew; open it again"
    return refusal("gone", text, 404)


def json_answer(value: Any) -> Response:
    """Return a value as JSON, NaN as null."""
    return Response(to_json(value), media_type="application/json")
