"""One bus message: topic, NUL, msgpack header, payload, in a single ZeroMQ part.

One part because it costs a quarter of a multipart send, and because ZMQ_CONFLATE works on nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgpack

from spikedaq.model import LocalProtocolError, RemoteProtocolError

BUS_VERSION = 1
# A header beyond this is no header of ours; the bound keeps a hostile publisher from making us allocate.
MAX_HEADER_BYTES = 65536
# Topics are three names of at most 80 characters; beyond this a message without NUL would be searched in vain.
MAX_TOPIC_BYTES = 512

# One for all: a new one for each message would cost twice as much, most of it for its buffer.
_pack: Callable[[Any], bytes] = msgpack.Packer().pack


@dataclass(frozen=True, slots=True)
class Message:
    """A decoded bus message. ``payload`` is raw bytes whose meaning the header gives."""

    topic: str
    header: dict[str, Any]
    payload: bytes = b""


def encode(topic: str, header: Mapping[str, Any], payload: bytes = b"") -> bytes:
    """Encode one message as the bytes of one ZeroMQ part.

    Raises
    ------
    LocalProtocolError
        A topic with NUL in it or too long, or a header that is too large or that msgpack cannot express.
    """
    topic_bytes = topic.encode()
    if b"\0" in topic_bytes or len(topic_bytes) > MAX_TOPIC_BYTES:
        raise LocalProtocolError(f"{topic!r} cannot be a topic: it has NUL in it or is over {MAX_TOPIC_BYTES} bytes")
    try:
        header_bytes = _pack(header)
    except (TypeError, ValueError, OverflowError) as error:
        raise LocalProtocolError(f"the header for topic {topic!r} cannot be encoded: {error}") from error
    if len(header_bytes) > MAX_HEADER_BYTES:
        raise LocalProtocolError(
            f"the header for topic {topic!r} has {len(header_bytes)} bytes; at most {MAX_HEADER_BYTES} are possible"
        )
    return b"".join((topic_bytes, b"\0", header_bytes, payload))


def decode(message: bytes) -> Message:
    """Decode the bytes of one ZeroMQ part.

    Raises
    ------
    RemoteProtocolError
        No topic, no whole header within `MAX_HEADER_BYTES`, a header that is no map of names with a version ``v``,
        or another version than `BUS_VERSION`.
    """
    end = message.find(b"\0", 0, MAX_TOPIC_BYTES + 1)
    if end < 0:
        raise RemoteProtocolError(f"a bus message of {len(message)} bytes has no topic: no NUL in its beginning")
    try:
        topic = message[:end].decode()
    except UnicodeDecodeError as error:
        raise RemoteProtocolError(f"a bus message's topic is not UTF-8: {message[:end]!r}") from error
    # The unpacker is told a window, not the whole message, so that its copy stays small whatever the payload is.
    window = message[end + 1 : end + 1 + MAX_HEADER_BYTES]
    unpacker = msgpack.Unpacker(max_buffer_size=MAX_HEADER_BYTES, raw=False, strict_map_key=True)
    unpacker.feed(window)
    try:
        header = unpacker.unpack()
    except msgpack.OutOfData as error:
        reason = "ends in the middle of" if len(window) < MAX_HEADER_BYTES else "is larger than the bound for"
        raise RemoteProtocolError(f"a bus message on {topic!r} {reason} its header") from error
    except (msgpack.UnpackException, ValueError, TypeError, OverflowError) as error:
        raise RemoteProtocolError(f"the header of a bus message on {topic!r} is not msgpack: {error}") from error
    if not isinstance(header, dict):
        raise RemoteProtocolError(f"the header of a bus message on {topic!r} is a {type(header).__name__}, not a map")
    check_version(header, f"a bus message on {topic!r}")
    return Message(topic, header, message[end + 1 + unpacker.tell() :])


def check_version(header: Mapping[str, Any], what: str) -> None:
    """Refuse a map whose ``v`` is not our version.

    Raises
    ------
    RemoteProtocolError
    """
    version = header.get("v")
    if not isinstance(version, int) or isinstance(version, bool):
        raise RemoteProtocolError(f"{what} has no version 'v'")
    if version != BUS_VERSION:
        raise RemoteProtocolError(
            f"{what} has version {version}, this program speaks version {BUS_VERSION}; "
            "use the same spikedaq on both sides"
        )
