"""Requests and replies of the control socket: one msgpack map each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgpack

from spikedaq.bus.message import BUS_VERSION, check_version
from spikedaq.model import LocalProtocolError, RemoteProtocolError

# Room for an uploaded waveform of half a million rows; a socket drops the connection of who sends more.
MAX_CONTROL_BYTES = 1 << 20
MAX_ID_CHARS = 64
MAX_CLIENT_CHARS = 32
# No operation has a map of more entries than a board has parameters, nor a longer list than the bytes above can hold;
# what a request can make us allocate is bounded by this.
_MAX_MAP = 4096
_MAX_ARRAY = 1 << 20
# An error's text is for people; what somebody sent is quoted in some of them, up to a mebibyte of it.
_MAX_TEXT_CHARS = 2000


@dataclass(frozen=True, slots=True)
class Request:
    """One request: ``op`` with named ``args``, answered by exactly one reply with the same ``id``.

    ``client`` is what the asking side calls itself, "" where it does not say.
    """

    id: str
    op: str
    args: dict[str, Any] = field(default_factory=dict)
    client: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply: ``value`` where ``ok``, otherwise ``code`` (a stable short word) and ``text`` for people."""

    id: str
    ok: bool
    value: Any = None
    code: str = ""
    text: str = ""


class BadRequest(RemoteProtocolError):
    """A request whose id could be read and nothing else is right."""

    def __init__(self, message: str, *, request_id: str) -> None:
        super().__init__(message)
        self.request_id = request_id


def encode_request(request: Request) -> bytes:
    """Encode a request.

    Raises
    ------
    LocalProtocolError
        Arguments that msgpack cannot express, or too large.
    """
    fields: dict[str, Any] = {"v": BUS_VERSION, "id": request.id, "op": request.op, "args": request.args}
    if request.client:
        fields["client"] = request.client
    return _pack(fields, f"request {request.op!r}")


def encode_reply(request_id: str, value: Any) -> bytes:
    """Encode the reply to a request that succeeded; raises as `encode_request` does."""
    return _pack({"v": BUS_VERSION, "id": request_id, "ok": True, "value": value}, "reply")


def encode_error(request_id: str, code: str, text: str) -> bytes:
    """Encode the reply to a request that failed; a text that is too long is cut."""
    if len(text) > _MAX_TEXT_CHARS:
        text = text[: _MAX_TEXT_CHARS - 4] + " ..."
    # Texts of foreign errors may hold what UTF-8 cannot express.
    error = {"code": code, "text": text.encode(errors="replace").decode()}
    return _pack({"v": BUS_VERSION, "id": request_id, "ok": False, "value": None, "error": error}, "reply")


def decode_request(data: bytes) -> Request:
    """Decode a request.

    Raises
    ------
    RemoteProtocolError
        Not a request of this version; the text says which field is wrong. It is a `BadRequest` where the id could be
        read, so that the answer finds its question.
    """
    fields = _unpack(data, "request")
    request_id = fields.get("id")
    if not isinstance(request_id, str) or not request_id or len(request_id) > MAX_ID_CHARS:
        raise RemoteProtocolError(f"the request's 'id' must be a text of 1 to {MAX_ID_CHARS} characters")
    try:
        check_version(fields, "the request")
    except RemoteProtocolError as error:
        raise BadRequest(str(error), request_id=request_id) from error
    op, args = fields.get("op"), fields.get("args", {})
    if not isinstance(op, str):
        raise BadRequest("the request's 'op' must be a text", request_id=request_id)
    if not isinstance(args, dict):
        raise BadRequest("the request's 'args' must be a map", request_id=request_id)
    client = fields.get("client", "")
    if not isinstance(client, str) or len(client) > MAX_CLIENT_CHARS or not client.isprintable():
        text = f"the request's 'client' must be a text of at most {MAX_CLIENT_CHARS} printable characters"
        raise BadRequest(text, request_id=request_id)
    return Request(request_id, op, args, client)


def decode_reply(data: bytes) -> Reply:
    """Decode a reply.

    Raises
    ------
    RemoteProtocolError
        Not a reply of this version.
    """
    fields = _unpack(data, "reply")
    check_version(fields, "the reply")
    request_id, ok = fields.get("id"), fields.get("ok")
    if not isinstance(request_id, str) or not isinstance(ok, bool):
        raise RemoteProtocolError("the reply's 'id' must be a text and its 'ok' a boolean")
    if ok:
        return Reply(request_id, ok=True, value=fields.get("value"))
    error = fields.get("error")
    if not isinstance(error, dict) or not isinstance(error.get("code"), str) or not isinstance(error.get("text"), str):
        raise RemoteProtocolError("the reply says not ok, and has no 'error' with 'code' and 'text'")
    return Reply(request_id, ok=False, code=error["code"], text=error["text"])


def _pack(fields: Mapping[str, Any], what: str) -> bytes:
    try:
        data: bytes = msgpack.packb(fields)
    except (TypeError, ValueError, OverflowError) as error:
        raise LocalProtocolError(f"the {what} cannot be encoded: {error}") from error
    if len(data) > MAX_CONTROL_BYTES:
        raise LocalProtocolError(f"the {what} has {len(data)} bytes; at most {MAX_CONTROL_BYTES} are possible")
    return data


def _unpack(data: bytes, what: str) -> dict[str, Any]:
    if len(data) > MAX_CONTROL_BYTES:
        raise RemoteProtocolError(f"the {what} has {len(data)} bytes; at most {MAX_CONTROL_BYTES} are possible")
    try:
        # unpackb bounds every length by the length of the data itself.
        fields = msgpack.unpackb(
            data, raw=False, strict_map_key=True, max_map_len=_MAX_MAP, max_array_len=_MAX_ARRAY, max_ext_len=0
        )
    except (msgpack.UnpackException, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise RemoteProtocolError(f"the {what} is not msgpack: {error}") from error
    if not isinstance(fields, dict):
        raise RemoteProtocolError(f"the {what} is a {type(fields).__name__}, not a map")
    return fields
