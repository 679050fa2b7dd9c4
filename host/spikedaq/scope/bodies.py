"""What a page uploads by plain HTTP: read up to a bound, never more; and the answers that say what is wrong."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse


class BodyTooLargeError(Exception):
    """A request's body is longer than the route takes; the rest of it was not read."""


def refusal(code: str, text: str, status: int = 400) -> JSONResponse:
    """Return an answer that refuses a request: ``{"code", "text"}``, the text for people."""
    # What was not read of a body would be taken for the next request of the same connection.
    headers = {"connection": "close"} if status == 413 else None
    return JSONResponse({"code": code, "text": text}, status, headers)


def too_large(what: str, max_bytes: int) -> JSONResponse:
    """Return the answer to a body that is too long."""
    most = f"{max_bytes // 1_000_000} MB" if max_bytes >= 1_000_000 else f"{max_bytes // 1000} kB"
    return refusal("too_large", f"{what} has more than {most}, which is the most", 413)


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the body of a request.

    Raises
    ------
    BodyTooLargeError
        It says that it is longer than ``max_bytes``, of which then nothing is read, or it is.
    """
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > max_bytes:
        raise BodyTooLargeError
    parts: list[bytes] = []
    n_bytes = 0
    async for part in request.stream():
        n_bytes += len(part)
        if n_bytes > max_bytes:
            raise BodyTooLargeError
        parts.append(part)
    return b"".join(parts)


def shown_name(name: str, otherwise: str) -> str:
    """Return what a file that somebody chose is called in an error's text: one short line."""
    plain = "".join(c for c in name if c.isprintable()).strip()[:80]
    return plain or otherwise


def attachment(name: str, suffix: str) -> dict[str, str]:
    """Return the headers of a download; a name keeps letters, digits, ``-``, ``_`` and ``.`` of ASCII."""
    stem = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in name.removesuffix(suffix))
    return {"content-disposition": f'attachment; filename="{stem[:80].strip(".") or "spikedaq"}{suffix}"'}
