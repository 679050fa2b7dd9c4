"""What stands in the query of a request, taken with bounds; and answers that say what a bench refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from spikedaq.model import CommandRejected, CommandTimeout, ConfigError, SpikedaqError
from spikedaq.scope.access import WebRole
from spikedaq.scope.bodies import refusal

MAX_CHARS = 4096
_STATUS = {
    "not_allowed": 403, "unknown_session": 404, "unknown_file": 404, "unknown_folder": 404, "unknown_bench": 404,
    "unknown_device": 404, "busy": 503, "leased": 409, "not_closed": 409, "exists": 409,
}  # fmt: skip


def text(request: Request, name: str, otherwise: str | None = None) -> str:
    """Return a text of the query.

    Raises
    ------
    CommandRejected
        ``bad_arguments``: it is missing and has no default, or is far too long.
    """
    value = request.query_params.get(name, otherwise)
    if value is None:
        raise CommandRejected(f"{name!r} is missing", code="bad_arguments")
    if len(value) > MAX_CHARS:
        raise CommandRejected(f"{name!r} has {len(value)} characters, more than {MAX_CHARS}", code="bad_arguments")
    return value


def optional(request: Request, name: str) -> str | None:
    """Return a text of the query, None where it is missing or empty; raises as `text`."""
    return text(request, name, "") or None


def controller_only(request: Request) -> None:
    """Raise ``not_allowed`` for who may only watch."""
    if request.state.role is not WebRole.CONTROLLER:
        raise CommandRejected("you may watch, not change; open the page with a controller's token", code="not_allowed")


def refusal_of(error: SpikedaqError) -> Response:
    """Return the answer that says an error, with the status that fits it."""
    if isinstance(error, ConfigError):
        return refusal("config", str(error))
    code = str(getattr(error, "code", "error"))
    status = 504 if isinstance(error, CommandTimeout) else _STATUS.get(code, 400)
    return refusal(code, str(error), status)


def told(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Return a handler that answers errors in words."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except SpikedaqError as error:
            return refusal_of(error)

    return handle
