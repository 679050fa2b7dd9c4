"""The page server: the page itself, the websocket, and what is asked by plain HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from spikedaq.scope import (
    routes_analysis,
    routes_downloads,
    routes_imaging,
    routes_neuron,
    routes_recordings,
    routes_stimulus,
    routes_trial,
)
from spikedaq.scope.access import COOKIE, Access, WebRole
from spikedaq.scope.conversions import Conversions
from spikedaq.scope.hub import MAX_VIEWERS, Hub
from spikedaq.scope.libraries import Libraries
from spikedaq.scope.page_connection import POLICY_VIOLATION, PageConnection
from spikedaq.scope.trials import Trials

PAGE = Path(__file__).parent / "page"
"""Where the built page is, in a wheel and after `make page`."""
MAX_THREADS = 64
"""That wait for benches. A bench that is away holds one for seconds, and so does each request to it: with asyncio's own
handful, a few of them would keep every other bench from being looked at."""
_ROUTES: tuple[BaseRoute, ...] = (
    *routes_analysis.routes,
    *routes_downloads.routes,
    *routes_imaging.routes,
    *routes_neuron.routes,
    *routes_recordings.routes,
    *routes_stimulus.routes,
    *routes_trial.routes,
)
_HEADERS = {
    # Nothing but what is served here is loaded or asked, and nothing that somebody wrote into a note is run.
    "content-security-policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


def make_app(
    hub: Hub,
    access: Access,
    *,
    page: Path = PAGE,
    routes: Sequence[BaseRoute] = (),
    imaging_folder: Path | None = None,
) -> Starlette:
    """Return the ASGI application.

    Parameters
    ----------
    page : Path
        Folder of the built page.
    routes : sequence of routes
        What else is served, behind the same guard, beside those of this package; ``request.app.state.hub`` and
        ``request.state.role`` are there.
    imaging_folder : Path, optional
        Where imaging is recorded that is recorded beside no recording.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="asked"))
        # Each is ended whatever becomes of the others; the last one first.
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(routes_analysis.close, app)
            stack.push_async_callback(libraries.close)
            stack.push_async_callback(conversions.close)
            stack.push_async_callback(trials.close)
            stack.push_async_callback(_end, asyncio.create_task(hub.run(), name="benches"))
            await stack.enter_async_context(routes_imaging.simulations(app, imaging_folder))
            yield

    libraries = Libraries(hub.urls, hub.key)
    conversions, trials = Conversions(libraries), Trials(hub)
    files: BaseRoute = (
        Mount("/", StaticFiles(directory=page, html=True)) if (page / "index.html").exists() else Route("/", _no_page)
    )
    app = Starlette(
        routes=[WebSocketRoute("/ws", _connection), Route("/api/health", _health), *_ROUTES, *routes, files],
        lifespan=lifespan,
    )
    app.state.hub = hub
    app.state.access = access
    app.state.libraries, app.state.conversions, app.state.trials = libraries, conversions, trials
    app.add_middleware(Guard, access=access)
    return app


class Guard:
    """Lets nobody past without a role, and no page of another site; adds the headers that keep the page safe."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        refused = self._refused(connection)
        if refused is None:
            scope.setdefault("state", {})["role"] = self._access.role(connection.headers, connection.query_params)
        if scope["type"] == "websocket":
            if refused is not None:
                await WebSocket(scope, receive, send).close(POLICY_VIOLATION, refused.headers.get("x-reason"))
                return
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name for name, _ in message["headers"]}
                added = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message["headers"], *(pair for pair in added if pair[0] not in present)]
            await send(message)

        if refused is not None:
            await refused(scope, receive, send_with_headers)
        elif self._access.needs_token and "token" in connection.query_params and scope["path"] == "/":
            await _with_cookie(connection)(scope, receive, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)

    def _refused(self, connection: HTTPConnection) -> Response | None:
        if self._access.is_foreign(connection.headers):
            text = "this page is for this computer, and for itself: another site's page may not use it"
            return PlainTextResponse(text, 403, {"x-reason": "another site"})
        if self._access.role(connection.headers, connection.query_params) is None:
            text = "a token is needed: open the address with ?token=... that spikedaq scope printed"
            return PlainTextResponse(text, 401, {"x-reason": "no token"})
        return None


def _with_cookie(connection: HTTPConnection) -> Response:
    """Keep the token in a cookie, and take it out of the address: addresses get copied and logged."""
    response = RedirectResponse("/", 303)
    response.set_cookie(COOKIE, connection.query_params["token"], httponly=True, samesite="strict", path="/")
    return response


async def _end(following: asyncio.Task[None]) -> None:
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)  # the hub has logged how it failed


async def _no_page(_: Request) -> Response:
    text = (
        "The page has not been built: run `make page` (it needs Node.js 20 or newer), or install a wheel, which has it."
    )
    return PlainTextResponse(text, 503)


async def _health(request: Request) -> Response:
    hub: Hub = request.app.state.hub
    benches = [{"bench": feed.name, "here": feed.state["here"], "error": feed.state["error"]} for feed in hub.feeds]
    return JSONResponse({
        "benches": benches, "viewers": len(hub.viewers), "role": request.state.role,
        "frames_made": hub.frames_made, "frames_sent": hub.frames_sent,
        "skipped": sum(viewer.skipped for viewer in hub.viewers),
    })  # fmt: skip


async def _connection(socket: WebSocket) -> None:
    hub: Hub = socket.app.state.hub
    if len(hub.viewers) >= MAX_VIEWERS:
        await socket.accept()  # or the other side would see a plain 403
        await socket.close(POLICY_VIOLATION, f"{MAX_VIEWERS} pages are open already")
        return
    await socket.accept()
    role: WebRole = socket.state.role
    query = socket.query_params
    await PageConnection(socket, hub, role, page_id=query.get("page", ""), given_name=query.get("name", "")).serve()
